import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// The engine's state of a run, as the RolloutRun's spec and status keep it.
enum RunRecord {
  /// - Returns: `nil` for a status that no version of the engine wrote.
  static func state(of run: RolloutRun) -> RunState? {
    let status = run.status
    let created = run.metadata.creationTimestamp?.date ?? .distantPast
    guard let stage = stage(status) else { return nil }
    var state = RunState(
      name: run.metadata.name ?? "", revision: run.spec.revision, set: status?.canary?.replicaSet,
      stable: Revision(set: run.spec.stable.replicaSet, hash: run.spec.stable.hash), demand: run.spec.demand,
      isFastUndo: run.spec.fastUndo ?? false, stage: stage, since: status?.stageSince?.date ?? created,
      commandSequence: status?.commandSequence ?? 0)
    state.pause = status?.pause.flatMap(pause)
    state.shortSince = status?.shortSince?.date
    state.trafficWrittenAt = status?.trafficWrittenAt?.date
    state.verifiedAt = status?.trafficVerifiedAt?.date
    state.commandMessage = status?.commandMessage
    state.acceptsBypass = status?.acceptsBypass ?? false
    state.acceptsPlainText = status?.acceptsPlainText ?? false
    state.flight = status?.autopilot.map(flight)
    state.acceptedGuards = status?.acceptedGuards ?? []
    state.differences = status?.differences?.map(Difference.init)
    state.demand = max(run.spec.demand, status?.demand?.replicas ?? 0)
    state.volumeAtStart = status?.demand.flatMap(volume)
    return state
  }

  private static func stage(_ status: RolloutRunStatus?) -> Stage? {
    guard let status, let phase = status.phase else { return .starting }
    let word = status.stage ?? ""
    switch phase {
    case .pending, .starting: return .starting
    case .progressing, .paused:
      if status.step == nil, let stage = PromotionStage(rawValue: word) { return .promoting(stage) }
      guard let step = status.step, let stage = StepStage(rawValue: word) else { return nil }
      return .step(step - 1, stage)
    case .promoting: return PromotionStage(rawValue: word).map(Stage.promoting)
    case .aborting:
      guard let stage = AbortStage(rawValue: word) else { return nil }
      return .aborting(stage, cause(status.cause))
    case .promoted: return .finished(.promoted)
    case .aborted, .superseded: return .finished(.aborted(cause(status.cause)))
    }
  }

  private static func cause(_ status: AbortStatus?) -> AbortCause {
    let text = status?.message ?? ""
    return switch status?.kind {
    case .failedCheck: .failedCheck(text)
    case .notAvailable: .notAvailable(text)
    case .person, nil: .person(text)
    case .undecided: .undecided(text)
    case .superseded: .superseded
    case .deleted: .deleted
    case .workloadGone: .workloadGone
    case .escaped: .escaped(text)
    }
  }

  private static func record(_ cause: AbortCause) -> AbortStatus {
    let kind: AbortStatus.Kind =
      switch cause {
      case .failedCheck: .failedCheck
      case .notAvailable: .notAvailable
      case .person: .person
      case .undecided: .undecided
      case .superseded: .superseded
      case .deleted: .deleted
      case .workloadGone: .workloadGone
      case .escaped: .escaped
      }
    return AbortStatus(kind: kind, message: cause.message)
  }

  private static func flight(_ status: AutopilotStatus) -> Flight {
    func number(_ text: String?) -> Double? { text.flatMap { DecimalString($0)?.double } }
    var flight = Flight(since: status.since.date)
    flight.weights = status.weights.map { Weight($0) ?? .none }
    flight.reason = status.reason
    flight.forgiven = number(status.forgiven) ?? 0
    flight.accepted = status.accepted.flatMap { Weight($0) }
    if let harmed = number(status.harmed), let excess = number(status.excess), let rate = number(status.rate),
      let at = status.measuredAt
    {
      flight.harm = Harm(harmed: harmed, excess: excess, rate: rate, isWorse: status.isWorse ?? false, at: at.date)
    }
    return flight
  }

  private static func record(_ flight: Flight) -> AutopilotStatus {
    func text(_ number: Double?) -> String? { number.flatMap { DecimalString(min($0, 1e14))?.description } }
    return AutopilotStatus(
      since: MicroTime(flight.since), weights: flight.weights.map(\.value), reason: flight.reason,
      harmed: text(flight.harm?.harmed), excess: text(flight.harm?.excess), rate: text(flight.harm?.rate),
      isWorse: flight.harm?.isWorse == true ? true : nil, measuredAt: flight.harm.map { MicroTime($0.at) },
      forgiven: flight.forgiven > 0 ? text(flight.forgiven) : nil, accepted: flight.accepted?.value)
  }

  private static func pause(_ status: PauseStatus) -> RunState.Pause? {
    switch status.kind {
    case .plan: .plan
    case .person: .person(status.message ?? "a person")
    case .undecided: .undecided(status.message ?? "")
    case .bypass: .bypass(status.message ?? "")
    case .conflict: .conflict(status.message ?? "")
    case .anomaly: .anomaly(status.message ?? "")
    case .plainText: .plainText(status.message ?? "")
    }
  }

  private static func volume(_ status: DemandStatus) -> RequestVolume? {
    guard let requests = status.startRequests.flatMap({ DecimalString($0) }),
      let seconds = status.startSeconds.flatMap({ DecimalString($0) })
    else { return nil }
    return RequestVolume(requests: requests.double, seconds: seconds.double)
  }

  private static func demand(_ state: RunState) -> DemandStatus? {
    guard state.demand > state.demandAtStart || state.volumeAtStart != nil else { return nil }
    return DemandStatus(
      replicas: state.demand, startRequests: state.volumeAtStart.flatMap { DecimalString($0.requests)?.description },
      startSeconds: state.volumeAtStart.flatMap { DecimalString($0.seconds)?.description })
  }

  private static func record(_ pause: RunState.Pause) -> PauseStatus {
    switch pause {
    case .plan: PauseStatus(kind: .plan)
    case .person(let who): PauseStatus(kind: .person, message: who)
    case .undecided(let why): PauseStatus(kind: .undecided, message: why)
    case .bypass(let why): PauseStatus(kind: .bypass, message: why)
    case .conflict(let why): PauseStatus(kind: .conflict, message: why)
    case .anomaly(let why): PauseStatus(kind: .anomaly, message: why)
    case .plainText(let why): PauseStatus(kind: .plainText, message: why)
    }
  }

  // MARK: - Status

  /// - Parameters:
  ///   - before: the state that the stored status speaks of.
  ///   - canaryHash: of the canary's set, where it is known.
  static func status(
    _ state: RunState, of run: RolloutRun, before: RunState?, plan: Plan, canaryHash: String?,
    traffic: TrafficTarget?, checks: [CheckRecord], situation: Situation, now: Date
  ) -> RolloutRunStatus {
    var status = run.status ?? RolloutRunStatus()
    status.observedGeneration = run.metadata.generation
    status.steps = plan.autopilot == nil ? plan.steps.count : nil
    status.startedAt = status.startedAt ?? Timestamp(now)
    describe(state.stage, isPaused: state.pause != nil, in: &status)
    status.progress = state.stage.stepIndex.map(plan.progress) ?? status.progress
    status.stageSince = MicroTime(state.since)
    if let set = state.set { status.canary = RunRevision(hash: canaryHash ?? state.revision, replicaSet: set) }
    status.traffic = traffic?.spec
    status.trafficWrittenAt = state.trafficWrittenAt.map { MicroTime($0) }
    status.trafficVerifiedAt = state.verifiedAt.map { MicroTime($0) }
    status.shortSince = state.shortSince.map { MicroTime($0) }
    status.pause = state.pause.map(record)
    status.commandSequence = state.commandSequence == 0 ? nil : state.commandSequence
    status.commandMessage = state.commandMessage
    status.autopilot = state.flight.map(record)
    status.acceptsBypass = state.acceptsBypass ? true : nil
    status.acceptsPlainText = state.acceptsPlainText ? true : nil
    status.acceptedGuards = state.acceptedGuards.isEmpty ? nil : state.acceptedGuards
    status.differences = state.differences?.map(DifferenceRecord.init)
    status.demand = demand(state)
    if !state.stage.isFinished { status.message = message(situation) ?? status.message }
    if !checks.isEmpty { status.checks = checks }
    if state.stage.isFinished, status.finishedAt == nil { status.finishedAt = Timestamp(now) }
    status.timeline = Timeline.updated(
      status.timeline ?? [], from: before, to: state, plan: plan, checks: status.checks ?? [], now: now)
    return status.thinned()
  }

  private static func describe(_ stage: Stage, isPaused: Bool, in status: inout RolloutRunStatus) {
    status.step = nil
    switch stage {
    case .starting:
      status.phase = .starting
      status.stage = nil
    case .step(let index, let part):
      status.phase = isPaused ? .paused : .progressing
      status.stage = part.rawValue
      status.step = index + 1
    case .promoting(let part):
      status.phase = .promoting
      status.stage = part.rawValue
    case .aborting(let part, let cause):
      status.phase = .aborting
      status.stage = part.rawValue
      status.cause = record(cause)
    case .finished(.promoted):
      status.phase = .promoted
      status.stage = nil
      status.message = "promoted"
    case .finished(.aborted(let cause)):
      if case .superseded = cause { status.phase = .superseded } else { status.phase = .aborted }
      status.stage = nil
      status.cause = record(cause)
      status.reason = record(cause).kind.rawValue
      status.message = cause.message
    }
  }

  private static func message(_ situation: Situation) -> String? {
    switch situation {
    case .running(let text), .paused(let text), .rejected(let text): text
    case .waiting, .idle, .stalled: nil
    }
  }
}

extension Plan {
  /// `2/5`; of an autopilot, which does not know how many there will be, `2`.
  func progress(_ index: Int) -> String { autopilot == nil ? "\(index + 1)/\(steps.count)" : "\(index + 1)" }
}

extension CheckRecord {
  init(_ report: CheckReport, now: Date) {
    let evidence = report.judgement?.evidence
    self.init(
      name: report.name, mode: report.isDryRun ? .dryRun : nil,
      verdict: CheckRecord.Verdict(rawValue: report.verdict.rawValue) ?? .unknown,
      finding: report.judgement?.finding.rawValue, message: report.message, at: MicroTime(now),
      evidence: evidence.map(EvidenceRecord.init))
  }
}

extension EvidenceRecord {
  init(_ evidence: Evidence) {
    self.init(
      property: evidence.property,
      canary: Track(
        evidence.canary, evidence.values.map { ($0.canary, $0.canaryAmount) }, evidence.latency?.canaryInterval),
      stable: Track(
        evidence.stable, evidence.values.map { ($0.stable, $0.stableAmount) }, evidence.latency?.stableInterval),
      limit: Self.text(evidence.limit), ratioLower: Self.text(evidence.ratioLower),
      ratioUpper: Self.text(evidence.ratioUpper), eValue: Self.text(evidence.comparisonEValue),
      threshold: Self.text(evidence.comparisonThreshold), limitEValue: Self.text(evidence.limitEValue),
      limitThreshold: Self.text(evidence.limitThreshold), risk: evidence.risk > 0 ? Self.text(evidence.risk) : nil,
      budget: Self.text(evidence.budget), quantile: Self.text(evidence.latency?.quantile),
      distribution: evidence.distribution.map(Distribution.init),
      ratio: Self.text(evidence.values?.ratio), wanted: evidence.values?.wanted,
      window: evidence.window.map { Duration.seconds($0 < 1 ? $0 : $0.rounded()).text },
      queries: evidence.queries.isEmpty ? nil : evidence.queries, notes: evidence.notes.isEmpty ? nil : evidence.notes)
  }

  static func text(_ number: Double?) -> String? {
    // What is more than a decimal text holds is cut: the strongest evidence must not be the one that is left out.
    number.flatMap { DecimalString(min($0, 999_999_999_999_999))?.description }
  }
}

extension EvidenceRecord.Track {
  /// - Parameters:
  ///   - query: of a query its value, and what its counters counted; `nil` of requests and bad ones.
  ///   - quantile: of latency, between what it lies.
  init(
    _ track: Evidence.Track, _ query: (value: Double?, amount: Evidence.Amount?)?, _ quantile: QuantileEstimate?
  ) {
    if let query {
      self.init(
        requests: EvidenceRecord.text(query.amount?.per), lower: EvidenceRecord.text(query.amount?.lower),
        upper: EvidenceRecord.text(query.amount?.upper), value: EvidenceRecord.text(query.value),
        amount: EvidenceRecord.text(query.amount?.amount))
      return
    }
    self.init(
      requests: EvidenceRecord.text(track.counts.requests), bad: EvidenceRecord.text(track.counts.bad),
      lower: EvidenceRecord.text(track.interval.lower), upper: EvidenceRecord.text(track.interval.upper),
      latencyLower: EvidenceRecord.text(quantile?.lower), latencyUpper: EvidenceRecord.text(quantile?.upper))
  }
}

extension EvidenceRecord.Distribution {
  init(_ found: Evidence.Distribution) {
    self.init(
      margin: EvidenceRecord.text(found.margin), boundary: EvidenceRecord.text(found.boundary),
      canary: EvidenceRecord.text(found.canary), stable: EvidenceRecord.text(found.stable),
      eValue: EvidenceRecord.text(found.eValue), threshold: EvidenceRecord.text(found.threshold),
      pods: found.pods.isEmpty ? nil : found.pods)
  }
}
