import Foundation
import RolloutAPI

/// Taking a canary out of traffic. The first write is the routing write, in the decision that learns the reason; nothing
/// stands before it.
extension Turn {
  mutating func beginAbort(_ cause: AbortCause, _ run: inout RunState) {
    if case .promoting(let stage) = run.stage, !stage.isReversible, cause.isReversible { return }
    guard !run.stage.isFinished else { return }
    run.pause = nil
    // Whatever this turn meant to do for going on is void.
    effects.removeAll()
    enter(.aborting(.returningTraffic, cause), &run)
    if case .escaped = cause {
      // Stable pods are on their way out: the stable Service takes whatever the Deployment runs.
      effects.append(.renderServices(stableHash: nil, canaryHash: seen.services.first?.canary?.hash))
    }
    if isByPods {
      withdraw(run)
    } else if !isBack(run) || (isWritable && run.trafficWrittenAt != nil) {
      effects.append(.setTraffic(.stableOnly))
    }
    // What arrives from now on is counted anew, and judged no more.
    if run.trafficWrittenAt != nil { run.trafficWrittenAt = now }
    run.verifiedAt = nil
    if case .escaped = cause, seen.set(named: run.set) != nil || run.stage.stepIndex != nil {
      effects.append(.hold(by: run.name))
    }
    if case .workloadGone = cause, seen.services.contains(where: { $0.pin != nil }) { effects.append(.unpin) }
    rollout.situation = .running("aborting revision \(run.revision): \(cause.message)")
    announceAbort(cause, run)
  }

  /// All traffic is where an abort sends it. A routing object that went away with its Deployment or its Services is not
  /// made again for nobody.
  private func isBack(_ run: RunState) -> Bool {
    if isByPods { return isWithdrawn(run) }
    if seen.routing == .present(target: .stableOnly, intact: true) || !isWritable { return true }
    return seen.deployment == nil && seen.routing == .absent
  }

  private var isWritable: Bool {
    if case .unusable = seen.routing { false } else { seen.canRoute }
  }

  /// The Service that all traffic goes to is made again where somebody deletes it in mid-abort.
  private mutating func ensureStable(_ run: RunState, _ cause: AbortCause) -> Bool {
    if case .escaped = cause { return ensureServices(stable: nil, canary: nil) }
    return ensureServices(stable: run.stable.hash, canary: nil)
  }

  private mutating func ensureBack(_ run: RunState) -> Bool {
    if isBack(run) { return true }
    guard isByPods else { return ensureTraffic(.stableOnly) }
    withdraw(run)
    return false
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
    let isGone = seen.deployment == nil
    explain(&run)
    switch stage {
    case .returningTraffic:
      guard ensureBack(run) else { return }
      enter(.aborting(.draining, cause), &run)
    case .draining:
      guard ensureBack(run), isGone || ensureStable(run, cause), isGone || isDrained(run) else { return }
      enter(.aborting(.restoring, cause), &run)
    case .restoring:
      guard isGone || restoreOwnership(run) else { return }
      enter(.aborting(.scalingDown, cause), &run)
    case .scalingDown:
      guard ensureBack(run), scaleDown(&run, cause) else { return }
      enter(.aborting(.unpinning, cause), &run)
    case .unpinning:
      // Also without a Deployment: one that is made anew has pods of another hash.
      guard ensureUnpinned(), ensureServices(stable: nil, canary: nil), ensureReturned(), isExplained(run) else {
        return
      }
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

  private mutating func scaleDown(_ run: inout RunState, _ cause: AbortCause) -> Bool {
    // Also sets that no status knows: created just before a crash.
    let others = seen.sets.filter { $0.owner == .sluice && $0.name != run.stable.set && $0.name != run.set }
    for set in others where set.replicas > 0 { effects.append(.scale(set: set.name, replicas: 0)) }
    guard others.allSatisfy({ $0.replicas == 0 && $0.pods == 0 }), isRemembered(&run, cause) else { return false }
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

  /// Whether there is a set to carry the mark of a rejection. A run that was aborted before its canary existed makes one
  /// without pods: else nothing would keep the next turn from trying the revision again.
  private mutating func isRemembered(_ run: inout RunState, _ cause: AbortCause) -> Bool {
    guard cause.rejects, let deployment = seen.deployment, seen.set(named: run.set)?.owner != .sluice else {
      return true
    }
    if let equal = seen.setOfTemplate, isOfTemplate(run, deployment) || equal.name == run.set {
      guard equal.name != run.stable.set, equal.pods == 0 else { return true }
      run.set = equal.name
      if equal.owner == .sluice { return true }
      effects.append(.releaseSets([equal.name]))
      return false
    }
    guard deployment.revision == run.revision else { return true }
    effects.append(.createSet(revision: run.revision, replicas: 0))
    return false
  }
}
