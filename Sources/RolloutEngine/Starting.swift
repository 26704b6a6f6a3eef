import Foundation
import RolloutAPI

/// The beginning of a run: everything that must be in place before the first pod of the canary exists.
extension Turn {
  mutating func start(_ run: inout RunState) {
    guard stillWanted(&run) else { return }
    rollout.situation = .running("starting revision \(run.revision)")
    guard ensureHeld(by: run.name), seen.deployment?.observed == true else { return }
    if run.set == nil { run.set = seen.setOfTemplate?.name }
    // The set of endpoints stays the same: only stable pods exist.
    let canary = seen.setOfTemplate?.hash ?? run.revision
    guard ensureSelected(), ensureServices(stable: run.stable.hash, canary: canary), ensurePinned(to: run.stable.hash)
    else { return }
    if run.isFastUndo {
      announce(
        .started, "revision \(run.revision) was stable a short time ago: straight to all traffic", "\(run.name)-started"
      )
      enter(.promoting(.scaling), &run)
    } else {
      let pace =
        runPlan.autopilot.map { "an autopilot with riskBudget \($0.riskBudget)" } ?? "\(runPlan.steps.count) steps"
      announce(.started, "revision \(run.revision) starts, \(pace)", "\(run.name)-started")
      if runPlan.autopilot != nil { run.flight = Flight(since: now) }
      enter(runPlan.stepLimit == 0 ? .promoting(.scaling) : .step(0, .scaling), &run)
    }
  }

  /// Whether the run still has its reasons; otherwise begins to abort it.
  mutating func stillWanted(_ run: inout RunState) -> Bool {
    if seen.rolloutIsBeingDeleted {
      beginAbort(.deleted, &run)
      return false
    }
    // A person's word against this revision: without the mark of a rejection the next run would start at once.
    if seen.runIsBeingDeleted {
      beginAbort(.person("the run was deleted"), &run)
      return false
    }
    guard let deployment = seen.deployment, !deployment.isBeingDeleted else {
      beginAbort(.workloadGone, &run)
      return false
    }
    if let text = escape(run) {
      beginAbort(.escaped(text), &run)
      return false
    }
    let wanted = run.set.flatMap { seen.set(named: $0) }.map(\.matchesTemplate) ?? isOfTemplate(run, deployment)
    if !wanted {
      beginAbort(.superseded, &run)
      return false
    }
    return true
  }

  /// Whether the template still is the revision of a run that has no set yet, or whose set is gone.
  func isOfTemplate(_ run: RunState, _ deployment: DeploymentView) -> Bool {
    deployment.revision == run.revision || seen.setOfTemplate?.hash == run.revision
  }

  /// The Deployment runs pods of a revision that is not its stable one, although it is held.
  private func escape(_ run: RunState) -> String? {
    if case .promoting(let stage) = run.stage, stage >= .releasingHistory { return nil }
    guard let strange = seen.owned.first(where: { $0.name != run.stable.set && $0.pods > 0 && $0.replicas > 0 }) else {
      return nil
    }
    let writer = seen.deployment?.lastWriter.map { ", last written by \($0)" } ?? ""
    return "the Deployment was resumed\(writer) and rolls \(strange.name) by itself"
  }
}
