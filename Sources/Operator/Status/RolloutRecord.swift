import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// The engine's state of a Rollout, as the Rollout's status keeps it.
enum RolloutRecord {
  static func state(of rollout: Rollout) -> RolloutState {
    let status = rollout.status
    let stable = status?.stable.flatMap { stable in
      stable.replicaSet.map { Revision(set: $0, hash: stable.hash) }
    }
    let former = (status?.former ?? []).map {
      RolloutState.FormerRevision(revision: Revision(set: $0.replicaSet, hash: $0.hash), until: $0.until.date)
    }
    var state = RolloutState(
      stable: stable, former: former, reassertions: (status?.reassertions ?? []).map(\.date),
      retiredAt: status?.retiredAt?.date)
    state.limits = limits(status?.conditions ?? [])
    return state
  }

  /// The parts of a status that are not the engine's.
  struct Surroundings {
    var run: RolloutRun?
    var runState: RunState?
    var plan: Plan?
    var seen: Observation?
    var target: TrafficTarget?
    var images: [String: [String]] = [:]
  }

  static func status(
    _ state: RolloutState, of rollout: Rollout, _ around: Surroundings, now: Date
  ) -> RolloutStatus {
    var status = rollout.status ?? RolloutStatus()
    let generation = rollout.metadata.generation
    status.observedGeneration = generation
    (status.phase, status.message) = words(state.situation)
    status.stable = state.stable.map { revision($0.hash, set: $0.set, around) }
    status.former =
      state.former.isEmpty
      ? nil
      : state.former.map {
        FormerRevisionStatus(hash: $0.revision.hash, replicaSet: $0.revision.set, until: MicroTime($0.until))
      }
    status.reassertions = state.reassertions.isEmpty ? nil : state.reassertions.map { MicroTime($0) }
    status.bypass = bypass(around.seen)
    // One that left its object behind is remembered until that is gone: no other kind is watched after a restart.
    if case .present? = around.seen?.routing, let plan = around.plan { status.provider = plan.provider.member }
    status.retiredAt = state.retiredAt.map { MicroTime($0) }
    status.weight = around.target?.weight.value
    status.replicas = around.seen?.deployment?.replicas ?? status.replicas
    status.hold = around.seen.map {
      HoldStatus(mode: $0.hold.mode == .admission ? .admission : .always, ready: $0.hold.ready)
    }
    describeRun(around, state.situation, &status, now: now)
    status.conditions = conditions(state.situation, generation: generation, before: status.conditions ?? [], now: now)
    tell(state.limits, in: &status, now: now)
    return status.bounded()
  }

  private static func bypass(_ seen: Observation?) -> BypassStatus? {
    guard let seen else { return nil }
    let percent = seen.measured?.bypass.map { ($0.fraction * 1000).rounded() / 10 }
    guard percent != nil || !seen.otherServices.isEmpty else { return nil }
    return BypassStatus(
      share: percent.map { "\($0)%" }, services: seen.otherServices.isEmpty ? nil : seen.otherServices)
  }

  private static func describeRun(
    _ around: Surroundings, _ situation: Situation, _ status: inout RolloutStatus, now: Date
  ) {
    guard let run = around.runState else {
      status.currentRun = nil
      status.canary = nil
      status.step = nil
      return
    }
    if case .finished(let outcome) = run.stage {
      status.currentRun = nil
      status.canary = nil
      status.step = nil
      status.lastRun = run.name
      if case .aborted(let cause) = outcome, cause.rejects {
        if status.lastRejected?.run != run.name {
          status.lastRejected = RejectionStatus(
            hash: run.revision, run: run.name, message: cause.message, at: Timestamp(now))
        }
      }
      return
    }
    status.currentRun = run.name
    status.canary = revision(run.revision, set: run.set, around)
    status.step = run.stage.stepIndex.flatMap { around.plan?.progress($0) }
  }

  private static func revision(_ hash: String, set name: String?, _ around: Surroundings) -> RevisionStatus {
    let set = around.seen?.set(named: name)
    return RevisionStatus(
      hash: set?.hash ?? hash, replicaSet: name, desired: set?.replicas, pods: set?.pods, available: set?.available,
      images: name.flatMap { around.images[$0] })
  }

  private static func words(_ situation: Situation) -> (RolloutPhase, String) {
    switch situation {
    case .waiting(.deleting, let text): (.deleting, text)
    case .waiting(_, let text): (.waiting, text)
    case .idle: (.idle, "the stable revision has all traffic")
    case .running(let text): (.running, text)
    case .paused(let text): (.paused, text)
    case .rejected(let text): (.rejected, text)
    case .stalled(_, let text): (.stalled, text)
    }
  }

  // MARK: - Limits of the capacity

  /// What was told before: the first of the limits, which gives the condition its reason.
  private static func limits(_ conditions: [Condition]) -> [CapacityLimit] {
    let told = conditions.first { $0.type == RolloutStatus.ConditionType.capacityLimited.rawValue && $0.status == .yes }
    guard let told, let reason = told.reason.flatMap(CapacityLimit.Reason.init) else { return [] }
    return [CapacityLimit(reason, told.message ?? "")]
  }

  /// The condition is there while something is limited, and gone otherwise.
  private static func tell(_ limits: [CapacityLimit], in status: inout RolloutStatus, now: Date) {
    let type = RolloutStatus.ConditionType.capacityLimited.rawValue
    guard let first = limits.first else {
      status.conditions?.removeAll { $0.type == type }
      return
    }
    var conditions = status.conditions ?? []
    conditions.set(
      Condition(
        type: type, status: .yes, observedGeneration: status.observedGeneration, lastTransitionTime: Timestamp(now),
        reason: first.reason.rawValue, message: limits.map(\.message).joined(separator: "; ")))
    status.conditions = conditions
  }

  // MARK: - Conditions, as kstatus reads them

  static func conditions(
    _ situation: Situation, generation: Int?, before: [Condition], now: Date
  ) -> [Condition] {
    let facts: (ready: Bool, reconciling: Bool, stalled: Bool, reason: String, message: String) =
      switch situation {
      case .idle: (true, false, false, "Promoted", "the stable revision has all traffic")
      case .waiting(let reason, let text): (false, true, false, reason.rawValue, text)
      case .running(let text): (false, true, false, "Running", text)
      case .paused(let text): (false, true, false, "Paused", text)
      case .rejected(let text): (false, false, true, "Rejected", text)
      case .stalled(let reason, let text): (false, false, true, reason.rawValue, text)
      }
    var conditions = before
    for (type, holds) in [
      (RolloutStatus.ConditionType.ready, facts.ready), (.reconciling, facts.reconciling), (.stalled, facts.stalled),
    ] {
      conditions.set(
        Condition(
          type: type.rawValue, status: holds ? .yes : .no, observedGeneration: generation,
          lastTransitionTime: Timestamp(now), reason: facts.reason, message: facts.message))
    }
    return conditions
  }
}
