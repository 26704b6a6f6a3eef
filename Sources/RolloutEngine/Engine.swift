import CanaryAnalysis
import Foundation
import RolloutAPI

/// Decides what happens next to one Rollout. Pure: the same input gives the same decision, and nothing else happens.
///
/// Every decision is made anew from what is seen. A stage has a goal; as long as the goal is not seen, its effects are
/// given again, and only when it is seen does the next stage begin. So a crash between any two effects, a lost write or
/// a stale read repeats work and loses none.
public struct RolloutEngine: Sendable {
  /// The plan as it stands now, for all that happens between runs.
  public let plan: Plan

  public init(plan: Plan) {
    self.plan = plan
  }

  /// - Parameters:
  ///   - run: the run that is not finished, or the last one that is; nil before the first.
  ///   - runPlan: the snapshot of the plan that the run carries out.
  public func decide(
    rollout: RolloutState, run: RunState?, runPlan: Plan?, seen: Observation, now: Date
  ) -> Decision {
    var turn = Turn(plan: plan, runPlan: runPlan ?? plan, seen: seen, now: now, rollout: rollout, run: run)
    turn.decide()
    return Decision(rollout: turn.rollout, run: turn.run, effects: turn.effects, lookAgain: turn.lookAgain)
  }
}

/// The working state of one decision.
struct Turn {
  let plan: Plan
  let runPlan: Plan
  let seen: Observation
  let now: Date
  var rollout: RolloutState
  var run: RunState?
  var effects: [Effect] = []
  var lookAgain: Duration?

  init(plan: Plan, runPlan: Plan, seen: Observation, now: Date, rollout: RolloutState, run: RunState?) {
    self.plan = plan
    self.runPlan = runPlan
    self.seen = seen
    self.now = now
    self.rollout = rollout
    self.run = run
  }

  mutating func decide() {
    let known = rollout.limits
    rollout.limits = []
    if var run {
      let wasSettled = run.isSettled(seen)
      remember(harm: &run)
      obey(&run)
      followDemand(&run)
      advance(&run)
      noteLimits(run, known: known)
      self.run = run
      // What a person's own route should say depends on whether a run is on; it was looked at as in one.
      if !run.isSettled(seen) || (!wasSettled && runPlan.editedRoute != nil) { return }
    }
    if seen.rolloutIsBeingDeleted { return retire() }
    atRest()
  }

  /// Goes on from stage to stage until one has something to do or to wait for.
  private mutating func advance(_ run: inout RunState) {
    catchUp(&run)
    for _ in 0..<64 {
      let before = run.stage
      switch run.stage {
      case .starting: start(&run)
      case .step(let index, let stage): step(&run, index, stage)
      case .promoting(let stage): promote(&run, stage)
      case .aborting(let stage, let cause): abort(&run, stage, cause)
      case .finished: finished(&run)
      }
      if run.stage == before || doesWork { return }
    }
  }

  /// Whether this turn already changes something that the next stage would have to see first.
  var doesWork: Bool {
    effects.contains { effect in
      if case .announce = effect { false } else { true }
    }
  }

  /// A finished run keeps its finalizer until it is being deleted.
  private mutating func finished(_ run: inout RunState) {
    if seen.runIsBeingDeleted { effects.append(.dropRunFinalizer) }
  }

  // MARK: - What stages share

  mutating func enter(_ stage: Stage, _ run: inout RunState) {
    run.stage = stage
    run.since = now
  }

  mutating func look(in duration: Duration) {
    lookAgain = min(lookAgain ?? duration, duration)
  }

  mutating func announce(_ kind: Announcement.Kind, _ message: String, _ key: String, isWarning: Bool = false) {
    effects.append(.announce(Announcement(kind, message, key: key, isWarning: isWarning)))
  }

  /// Whether the traffic goes where it should; otherwise writes it.
  mutating func ensureTraffic(_ target: TrafficTarget) -> Bool {
    // Pods carry it: their number is ensured where they are.
    if isByPods { return true }
    if seen.routing == .present(target: target, intact: true) { return true }
    // Nothing of it is Sluice's to write, and nothing of it leads to the canary.
    if case .unusable = seen.routing { return true }
    guard seen.canRoute else {
      rollout.situation = .running("traffic cannot be set: a Service of the plan and its generated ones are gone")
      return false
    }
    if mayWriteRoute() { effects.append(.setTraffic(target)) }
    return false
  }

  /// Whether a person's route says again what it said before the run; otherwise gives it back. The canary has no pods by
  /// then, and the callers' Services select stable ones alone.
  mutating func ensureReturned() -> Bool {
    guard runPlan.editedRoute != nil, !seen.routingIsRetired, seen.canRoute else { return true }
    effects.append(.retireRouting(delete: false))
    return false
  }

  /// Whether the Deployment is held by this name; otherwise holds it.
  mutating func ensureHeld(by name: String) -> Bool {
    guard let deployment = seen.deployment else { return false }
    if deployment.paused, deployment.heldBy == name { return true }
    effects.append(.hold(by: name))
    return false
  }

  /// Whether the generated Services exist, follow the callers' ones and select these revisions; otherwise renders them.
  /// A canary hash that is nil leaves the canary's selector as it is.
  mutating func ensureServices(stable: String?, canary: String?) -> Bool {
    let done = seen.services.allSatisfy { service in
      // Nothing to copy from, or nobody to serve.
      if service.stable == nil, service.canary == nil, !service.exists || seen.deployment == nil { return true }
      guard let stableService = service.stable, let canaryService = service.canary else { return false }
      return stableService.current && canaryService.current && stableService.hash == stable
        && (canary == nil || canaryService.hash == canary)
    }
    if done { return true }
    effects.append(.renderServices(stableHash: stable, canaryHash: canary ?? seen.services.first?.canary?.hash))
    return false
  }

  /// Whether no callers' Service is pinned; otherwise takes the pins away.
  mutating func ensureUnpinned() -> Bool {
    if seen.services.allSatisfy({ $0.pin == nil }) { return true }
    effects.append(.unpin)
    return false
  }

  /// Whether the callers' Services are pinned where policies can keep a pin; otherwise pins them.
  mutating func ensurePinned(to hash: String) -> Bool {
    guard seen.hold.mode == .admission || seen.services.contains(where: \.isManaged), !isByPods else { return true }
    if seen.services.allSatisfy({ $0.pin == hash || !$0.exists }) { return true }
    effects.append(.pin(hash: hash))
    return false
  }
}

extension RunState {
  /// Nothing of this run is under way any more.
  func isSettled(_ seen: Observation) -> Bool {
    stage.isFinished
  }
}
