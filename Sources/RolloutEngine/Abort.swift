import Foundation
import RolloutAPI

/// Taking a canary out of traffic. The first write is the routing write, in the decision that learns the reason; nothing
/// stands before it.
extension Turn {
  mutating func beginAbort(_ cause: AbortCause, _ run: inout RunState) {
    if case .promoting(let stage) = run.stage, !stage.isReversible { return }
    guard !run.stage.isFinished else { return }
    run.pause = nil
    // Whatever this turn meant to do for going on is void.
    effects.removeAll()
    enter(.aborting(.returningTraffic, cause), &run)
    if case .escaped = cause {
      // Stable pods are on their way out: the stable Service takes whatever the Deployment runs.
      effects.append(.renderServices(stableHash: nil, canaryHash: seen.services.first?.canary?.hash))
    }
    let isBack = seen.routing == .present(target: .stableOnly, intact: true)
    if !isBack || run.trafficWrittenAt != nil { effects.append(.setTraffic(.stableOnly)) }
    if case .escaped = cause { effects.append(.hold(by: run.name)) }
    rollout.situation = .running("aborting revision \(run.revision): \(cause.message)")
    announceAbort(cause, run)
  }

  private mutating func announceAbort(_ cause: AbortCause, _ run: RunState) {
    switch cause {
    case .superseded:
      announce(.superseded, "revision \(run.revision) is superseded: \(cause.message)", "\(run.name)-superseded")
    case .escaped:
      announce(.escaped, cause.message, "\(run.name)-escaped", isWarning: true)
    default:
      announce(
        .aborted, "revision \(run.revision) is aborted and all traffic is back on \(run.stable.hash): \(cause.message)",
        "\(run.name)-aborted", isWarning: cause.rejects)
    }
  }

  mutating func abort(_ run: inout RunState, _ stage: AbortStage, _ cause: AbortCause) {
    rollout.situation = .running("aborting revision \(run.revision): \(cause.message)")
    // A routing object that went away with its namespace or Deployment is not made again for nobody.
    let isGone = seen.deployment == nil
    switch stage {
    case .returningTraffic:
      guard isGone || ensureTraffic(.stableOnly) else { return }
      enter(.aborting(.draining, cause), &run)
    case .draining:
      guard isGone || ensureTraffic(.stableOnly), isDrained(run) else { return }
      enter(.aborting(.restoring, cause), &run)
    case .restoring:
      guard isGone || restoreOwnership(run) else { return }
      enter(.aborting(.scalingDown, cause), &run)
    case .scalingDown:
      guard isGone || ensureTraffic(.stableOnly), scaleDown(run, cause) else { return }
      enter(.aborting(.unpinning, cause), &run)
    case .unpinning:
      guard isGone || (ensureUnpinned() && ensureServices(stable: nil, canary: nil)) else { return }
      enter(.finished(.aborted(cause)), &run)
      rollout.situation =
        cause.rejects ? .rejected("revision \(run.revision) was rejected: \(cause.message)") : .running("aborted")
    }
  }

  /// Pods may go once nothing arrives any more, or a bound has passed, and requests under way had time to end.
  private mutating func isDrained(_ run: RunState) -> Bool {
    guard run.trafficWrittenAt != nil else { return true }
    let drain = runPlan.scaleDownDelay
    guard now.isOver(drain, since: run.since) else {
      look(in: now.remaining(of: drain, since: run.since))
      return false
    }
    if let share = seen.measured?.share, share.since >= run.since, share.canaryRequests > 0,
      !now.isOver(drain * 2, since: run.since)
    {
      look(in: now.remaining(of: drain * 2, since: run.since))
      return false
    }
    return true
  }

  /// Runs an interrupted hand-over backwards: release before adopt here too.
  private mutating func restoreOwnership(_ run: RunState) -> Bool {
    let stable = seen.set(named: run.stable.set)
    if let canary = seen.set(named: run.set), canary.owner == .deployment, canary.name != run.stable.set,
      stable?.owner == .sluice
    {
      effects.append(.releaseSets([canary.name]))
      return false
    }
    guard let stable, stable.owner == .sluice else { return true }
    effects.append(.adopt(set: stable.name, number: stable.number ?? nextNumber))
    return false
  }

  private mutating func scaleDown(_ run: RunState, _ cause: AbortCause) -> Bool {
    // Also sets that no status knows: created just before a crash.
    let others = seen.sets.filter { $0.owner == .sluice && $0.name != run.stable.set && $0.name != run.set }
    for set in others where set.replicas > 0 { effects.append(.scale(set: set.name, replicas: 0)) }
    guard others.allSatisfy({ $0.replicas == 0 && $0.pods == 0 }) else { return false }
    if let canary = seen.set(named: run.set), canary.owner == .sluice, canary.name != run.stable.set {
      if cause.rejects, !canary.rejected { effects.append(.markRejected(set: canary.name, true)) }
      if canary.replicas > 0 { effects.append(.scale(set: canary.name, replicas: 0)) }
      guard canary.replicas == 0, canary.pods == 0, canary.rejected || !cause.rejects else { return false }
      // A set that never was the Deployment's and was not judged is of no further use.
      if !cause.rejects, canary.number == nil { effects.append(.deleteSet(canary.name)) }
    }
    let history = historySets(besides: run.stable.set).filter { $0 != run.set || !cause.rejects }
    if seen.deployment != nil, !history.isEmpty {
      effects.append(.giveBack(history))
    }
    return true
  }
}
