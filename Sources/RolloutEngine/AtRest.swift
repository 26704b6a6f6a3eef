import Foundation
import RolloutAPI

/// Between runs: adopting the first revision, resting, and starting a run.
extension Turn {
  mutating func atRest() {
    guard let deployment = seen.deployment, !deployment.isBeingDeleted else {
      return wait(.waitingForWorkload, "the Deployment does not exist yet")
    }
    if let missing = seen.services.first(where: { !$0.exists }) {
      return wait(.waitingForService, "the Service \(missing.name) does not exist yet")
    }
    if let refusal = seen.refusal {
      rollout.situation = .stalled(.unsupported, refusal)
      return
    }
    if case .conflict(let text) = seen.routing {
      rollout.situation = .stalled(.routeConflict, text)
      return
    }
    if case .unusable(let text) = seen.routing {
      rollout.situation = .stalled(.routeUnusable, text)
      return
    }
    guard let stable = rollout.stable, let stableSet = seen.set(named: stable.set) else {
      return adopt(deployment, wasUnheld: rollout.stable != nil)
    }
    if let current = seen.setOfTemplate, current.name == stableSet.name {
      rest(deployment, stable)
    } else {
      changed(deployment, stable)
    }
  }

  private mutating func wait(_ reason: Situation.Reason, _ message: String) {
    rollout.situation = .waiting(reason, message)
  }

  /// Takes the Deployment's revision as stable once it stands finished: one set with pods, equal to the template, all of
  /// them available. Before that nothing is held: paused too early it would never get a pod, and held on a broken first
  /// image it could never be fixed.
  private mutating func adopt(_ deployment: DeploymentView, wasUnheld: Bool) {
    let withPods = seen.owned.filter { $0.pods > 0 || $0.replicas > 0 }
    // A hold of ours proves that the one set with pods was stable before the status was lost, with a Rollout that was
    // deleted and made again or a backup without statuses.
    let isHeld = deployment.paused && deployment.heldBy != nil
    let held = isHeld && withPods.count == 1 ? withPods.first : nil
    guard deployment.observed, let current = held ?? seen.setOfTemplate, current.owner == .deployment,
      withPods.allSatisfy({ $0.name == current.name }), current.replicas == deployment.replicas,
      current.available == deployment.replicas, !deployment.paused || isHeld
    else {
      let trouble = withPods.compactMap(\.trouble).first.map { ": \($0)" } ?? ""
      if rollout.stable == nil {
        let why =
          deployment.paused
          ? "the Deployment is paused; resume it, so that its first revision can start"
          : "the Deployment's first revision is not available yet\(trouble)"
        wait(.waitingForFirstRevision, why)
      } else {
        wait(
          .waitingForNativeRoll,
          deployment.paused
            ? "the Deployment is paused, but not by Sluice; resume it, so that its revision can finish"
            : "the Deployment rolls by itself; Sluice waits until it has finished\(trouble)")
      }
      return
    }
    let revision = Revision(set: current.name, hash: current.hash)
    if let former = rollout.stable, former != revision { remember(former) }
    rollout.stable = revision
    if wasUnheld {
      announce(
        .adopted, "revision \(revision.hash) was rolled out by the Deployment itself and is now stable, untested",
        "adopted-\(revision.hash)", isWarning: true)
    } else {
      announce(
        .adopted, "revision \(revision.hash) is the first stable revision", "adopted-\(revision.hash)")
    }
    if current.matchesTemplate { rest(deployment, revision) } else { changed(deployment, revision) }
  }

  mutating func remember(_ revision: Revision) {
    rollout.former.removeAll { $0.revision.set == revision.set }
    rollout.former.insert(RolloutState.FormerRevision(revision: revision, until: now), at: 0)
    rollout.former = Array(rollout.former.prefix(plan.fastUndo.revisions))
  }

  /// Services, routing object, policies and mark as they are between runs, in an order that leaves no caller without a
  /// backend: the routing object names a Service only after that has endpoints.
  private mutating func rest(_ deployment: DeploymentView, _ stable: Revision) {
    // Ready means that a change made now would be held: not before that is seen.
    let isGuarded = seen.hold.mode == .admission ? deployment.managed && seen.hold.ready : deployment.paused
    if isGuarded {
      rollout.situation = .idle
    } else {
      wait(.waitingForHold, "a changed template would still roll by itself: the hold is being put in place")
    }
    guard ensureSelected(), ensureUnpinned(), ensureServices(stable: nil, canary: nil) else { return }
    let ready = seen.services.allSatisfy { ($0.stable?.ready.values.reduce(0, +) ?? 0) > 0 }
    guard ready || deployment.replicas == 0 else {
      // Traffic that already goes to the generated Service stays there; a new route waits for endpoints.
      if seen.routing.target == nil {
        wait(.waitingForFirstRevision, "no pod of the stable revision is ready behind its Service yet")
      }
      return
    }
    effects.append(contentsOf: seen.policiesAreRendered ? [] : [.renderPolicies])
    guard !isContestedAtRest(), ensureTraffic(.stableOnly), ensureReturned() else { return }
    if let pending = seen.routePending { wait(.routePending, "the mesh has not taken the route: \(pending)") }
    if let unreached = seen.unreached { wait(.routeUnreached, unreached) }
    if !deployment.managed { effects.append(.manage) }
    pruneRejected()
    switch seen.hold.mode {
    case .admission:
      if deployment.heldBy != nil { effects.append(.releaseHold) }
      if !seen.hold.ready {
        wait(
          .waitingForHold,
          "the admission policies do not hold a changed template yet; a change now would roll by itself")
        look(in: .seconds(5))
      }
    case .always:
      _ = ensureHeld(by: Turn.restingHold)
    }
  }

  /// Who holds a Deployment that is paused between runs.
  static let restingHold = "rest"

  /// The template holds another revision than the stable one.
  private mutating func changed(_ deployment: DeploymentView, _ stable: Revision) {
    let active = seen.owned.filter { $0.pods > 0 && $0.replicas > 0 }
    guard deployment.paused else {
      return adopt(deployment, wasUnheld: true)
    }
    if active.contains(where: { $0.name != stable.set }) {
      let writer = deployment.lastWriter.map { " (last written by \($0))" } ?? ""
      rollout.situation = .stalled(
        .escapedRollout,
        "the Deployment rolled by itself during a hold\(writer); let it finish with 'sluice release', or put the stable template back"
      )
      return
    }
    if let rejected = seen.setOfTemplate, rejected.rejected {
      return rest(rejected, deployment)
    }
    // In `Always` mode a pause at rest is Sluice's own, whoever dropped the annotation.
    if deployment.heldBy == nil, seen.hold.mode == .admission {
      let writer = deployment.lastWriter.map { ", last written by \($0)," } ?? ""
      return wait(
        .pausedByPerson,
        "the Deployment\(writer) is paused, but not by Sluice, and holds a new revision; resume it, and the plan starts"
      )
    }
    if let unreached = seen.unreached {
      rollout.situation = .stalled(.routeUnreached, unreached)
      return
    }
    // At the first weight it would wait all the same, with pods that nobody calls.
    if let pending = seen.routePending {
      return wait(.routePending, "the mesh has not taken the route, and no run starts meanwhile: \(pending)")
    }
    guard deployment.replicas > 0 else {
      return wait(.scaledToZero, "the Deployment has 0 replicas, so there is nothing to compare a canary with")
    }
    guard now.isOver(plan.settle, since: seen.quietSince) else {
      look(in: now.remaining(of: plan.settle, since: seen.quietSince))
      return wait(.settling, "revision \(deployment.revision) waits until its commit has arrived as a whole")
    }
    // A revision that returns has a set, and with it a name already.
    let revision = seen.setOfTemplate?.hash ?? deployment.revision
    effects.append(.createRun(name: revision, revision: revision))
    rollout.situation = .running("starting a run for revision \(revision)")
  }

  /// A rejected revision stays held, and out of traffic, until a person asks for a retry.
  private mutating func rest(_ rejected: SetView, _ deployment: DeploymentView) {
    if let command = seen.command, command.action == .retry, var run {
      run.commandSequence = command.sequence
      run.commandMessage = "revision \(rejected.hash) is tried again"
      self.run = run
      effects.append(.markRejected(set: rejected.name, false))
      return
    }
    if ensureTraffic(.stableOnly) { _ = ensureReturned() }
    pruneRejected()
    if deployment.heldBy == nil { effects.append(.hold(by: run?.name ?? Turn.restingHold)) }
    var why = "revision \(rejected.hash) was rejected"
    if case .finished(.aborted(let cause)) = run?.stage, run?.set == rejected.name { why += ": \(cause.message)" }
    rollout.situation = .rejected(why + "; change the template, or try again with 'sluice retry'")
  }

  /// Sets of rejected revisions, without pods, are the memory of the rejection; only the last few are kept.
  private mutating func pruneRejected() {
    let old = seen.sets.filter {
      $0.rejected && $0.owner == .sluice && !$0.matchesTemplate && $0.replicas == 0 && $0.pods == 0
    }.sorted { ($0.createdAt, $0.name) > ($1.createdAt, $1.name) }.dropFirst(Turn.rejectedKept)
    for set in old { effects.append(.deleteSet(set.name)) }
  }

  static let rejectedKept = 5
}
