import Foundation
import RolloutAPI

/// Promotion, each stage confirmed before the next: all traffic to the canary, then the Deployment takes its set as its
/// own (release before adopt: it never owns two sets with pods), then all traffic back to the stable Service.
extension Turn {
  mutating func promote(_ run: inout RunState, _ stage: PromotionStage) {
    if stage.isReversible {
      guard stillWanted(&run), !abortOnFailure(&run), !exceedsBudget(&run) else { return }
    }
    guard let deployment = seen.deployment else { return beginAbort(.workloadGone, &run) }
    guard let new = seen.set(named: run.set) ?? orphanedCanary(&run) else { return }
    rollout.situation = .running("promoting revision \(run.revision)")
    switch stage {
    case .scaling, .verifying:
      take(all: stage, &run)
    case .baking: bake(&run)
    case .unpinning:
      // Where the pin is the route it stays until the old pods are gone.
      guard keepsAll(&run), runPlan.division == .bySelector || ensureUnpinned() else { return }
      enter(.promoting(.waiting), &run)
    case .waiting:
      guard keepsAll(&run), hasPods(fullSize(run), &run) else { return }
      if case .person(let who) = run.pause {
        rollout.situation = .paused("before the hand-over: paused by \(who)")
        return
      }
      guard now.isOver(runPlan.scaleDownDelay, since: run.since) else {
        return look(in: now.remaining(of: runPlan.scaleDownDelay, since: run.since))
      }
      enter(.promoting(.releasingHistory), &run)
    case .releasingHistory:
      // First the history: with the active set gone, the Deployment would scale its newest history set up.
      let history = seen.owned.filter { $0.name != run.stable.set && $0.name != new.name }
      guard history.isEmpty else { return effects.append(.releaseSets(history.map(\.name))) }
      enter(.promoting(.releasingStable), &run)
    case .releasingStable:
      let owned = seen.owned.filter { $0.name != new.name }
      guard owned.isEmpty else { return effects.append(.releaseSets(owned.map(\.name))) }
      enter(.promoting(.handingOver), &run)
    case .handingOver:
      guard new.owner == .deployment else {
        return effects.append(.adopt(set: new.name, number: number(for: new)))
      }
      enter(.promoting(.scalingDown), &run)
    case .scalingDown, .givingBack, .wideningStable, .returningTraffic, .releasingHold:
      settle(stage, new, deployment, &run)
    }
  }

  /// The canary at full size, all traffic to it, verified.
  private mutating func take(all stage: PromotionStage, _ run: inout RunState) {
    if stage == .scaling {
      guard hasPods(fullSize(run), &run), !isContested(&run), !isBypassed(&run), !lacksMutualTLS(&run),
        ensureTracks(run)
      else {
        return
      }
      if seen.routing.target != .allToCanary, !mayTakeAll(&run) { return }
      if !ensureTraffic(.allToCanary) {
        run.trafficWrittenAt = now
        run.verifiedAt = nil
      } else if run.trafficWrittenAt == nil {
        run.trafficWrittenAt = now
      }
      return enter(.promoting(.verifying), &run)
    }
    guard keepsAll(&run), hasPods(fullSize(run), &run) else { return }
    guard hasArrived(weight: 100, &run, "the share that arrives at weight 100") else { return }
    run.verifiedAt = now
    // A revision that was stable a short time ago has been watched already.
    guard let bake = runPlan.bake, !run.isFastUndo else { return enter(.promoting(.unpinning), &run) }
    announce(
      .baking, "revision \(run.revision) has all traffic and is watched for \(bake.text); the old pods are still there",
      "\(run.name)-baking")
    enter(.promoting(.baking), &run)
  }

  /// The canary has all traffic and goes on being judged. Every check must pass in the end, as in a step.
  private mutating func bake(_ run: inout RunState) {
    guard let bake = runPlan.bake else { return enter(.promoting(.unpinning), &run) }
    rollout.situation = .running("revision \(run.revision) has all traffic and is watched for \(bake.text)")
    guard keepsAll(&run), hasPods(fullSize(run), &run) else { return }
    switch run.pause {
    case .person(let who):
      rollout.situation = .paused("while it bakes: paused by \(who)")
      return
    case .undecided(let why), .anomaly(let why):
      rollout.situation = .paused("while it bakes: \(why)")
      return
    case .plan, .bypass, .plainText, .conflict, nil: break
    }
    guard isConclusive(over: bake, place: "while it bakes", &run), !isHeld(&run) else { return }
    enter(.promoting(.unpinning), &run)
  }

  /// All traffic stays on a canary that has pods; without any it goes back, as from a step.
  private mutating func keepsAll(_ run: inout RunState) -> Bool {
    let set = seen.set(named: run.set)
    if set?.available ?? 0 == 0, seen.deployment?.replicas ?? 0 > 0 {
      let trouble = set?.trouble.map { ": \($0)" } ?? ""
      beginAbort(.notAvailable("no pod of the canary is available any more\(trouble)"), &run)
      return false
    }
    return !isContested(&run) && ensureTracks(run) && ensureTraffic(.allToCanary)
  }

  /// After the point of no return.
  private mutating func settle(
    _ stage: PromotionStage, _ new: SetView, _ deployment: DeploymentView, _ run: inout RunState
  ) {
    let old = seen.set(named: run.stable.set)
    switch stage {
    case .scalingDown:
      guard ensureTraffic(.allToCanary) else { return }
      if let old, old.owner == .sluice {
        if old.replicas > 0 { effects.append(.scale(set: old.name, replicas: 0)) }
        guard old.replicas == 0, old.pods == 0 else { return }
      }
      enter(.promoting(.givingBack), &run)
    case .givingBack:
      let history = historySets(besides: new.name)
      guard history.isEmpty else { return effects.append(.giveBack(history)) }
      enter(.promoting(.wideningStable), &run)
    case .wideningStable:
      guard ensureServices(stable: nil, canary: nil) else { return }
      guard stableReaches(new.hash, run, deployment) else { return }
      enter(.promoting(.returningTraffic), &run)
    case .returningTraffic:
      if !ensureTraffic(.stableOnly) {
        run.trafficWrittenAt = now
        return
      }
      enter(.promoting(.releasingHold), &run)
    default:
      guard ensureReturned() else { return }
      if seen.hold.mode == .always {
        guard ensureHeld(by: Turn.restingHold) else { return }
      } else if deployment.heldBy != nil, seen.setOfTemplate?.name == new.name {
        return effects.append(.releaseHold)
      }
      complete(&run, new)
    }
  }

  private mutating func complete(_ run: inout RunState, _ new: SetView) {
    remember(run.stable)
    rollout.former.removeAll { $0.revision.set == new.name }
    rollout.stable = Revision(set: new.name, hash: new.hash)
    rollout.situation = .idle
    announce(.promoted, "revision \(run.revision) is promoted", "\(run.name)-promoted")
    enter(.finished(.promoted), &run)
  }

  /// Whether every stable Service reaches the new revision's pods and none of the old one's.
  private func stableReaches(_ hash: String, _ run: RunState, _ deployment: DeploymentView) -> Bool {
    seen.services.allSatisfy { service in
      let ready = service.stable?.ready ?? [:]
      return (ready[hash] ?? 0 > 0 || deployment.replicas == 0 || !service.exists) && ready[run.stable.hash] == nil
    }
  }

  /// Held sets that were the Deployment's own: they carry its revision number and were not rejected.
  func historySets(besides active: String) -> [String] {
    seen.sets.filter { $0.owner == .sluice && $0.number != nil && !$0.rejected && $0.name != active }.map(\.name)
  }

  /// The next revision number, or the one that the set was already given in a turn that the Deployment has not seen.
  private func number(for new: SetView) -> Int {
    guard let own = new.number, own == nextNumber - 1 else { return nextNumber }
    return own
  }

  /// The number after the highest that any set carries.
  var nextNumber: Int { (seen.sets.compactMap(\.number).max() ?? 0) + 1 }

  /// The canary's set is gone in mid-promotion, for instance deleted by hand.
  private mutating func orphanedCanary(_ run: inout RunState) -> SetView? {
    if case .promoting(let stage) = run.stage, stage == .scaling {
      _ = hasPods(fullSize(run), &run)
    } else if case .promoting(let stage) = run.stage, stage.isReversible {
      beginAbort(.notAvailable("the canary's ReplicaSet is gone"), &run)
    } else if seen.deployment?.heldBy != nil {
      // Nothing is left to go back to. Unheld, the Deployment makes its template's set anew by itself.
      effects.append(.releaseHold)
    } else {
      beginAbort(.escaped("the promoted ReplicaSet was deleted; the Deployment makes it anew by itself"), &run)
    }
    return nil
  }
}
