import KubernetesAPI

/// How a run stands: enough for the engine to go on from after a crash, and for people to see why.
public struct RolloutRunStatus: Codable, Sendable, Hashable {
  public var observedGeneration: Int?
  public var phase: RunPhase?
  /// The part of the phase under way, as `Scaling`, `Verifying`, `Analyzing`, `Pausing`, `HandingOver`, `Draining`.
  public var stage: String?
  /// When the stage began.
  public var stageSince: MicroTime?
  /// The step under way, counted from 1.
  public var step: Int?
  public var steps: Int?
  /// Both in one text, `2/5`, for lists.
  public var progress: String?
  public var startedAt: Timestamp?
  public var finishedAt: Timestamp?
  /// The canary's ReplicaSet, once it is known.
  public var canary: RunRevision?
  /// The traffic that was last written.
  public var traffic: TrafficTargetSpec?
  public var trafficWrittenAt: MicroTime?
  /// When the share that arrives was seen to agree with the traffic.
  public var trafficVerifiedAt: MicroTime?
  public var analysisStartedAt: MicroTime?
  /// Since when the canary lacks pods that its share needs.
  public var shortSince: MicroTime?
  public var pause: PauseStatus?
  /// Why the run is being, or was, aborted.
  public var cause: AbortStatus?
  public var reason: String?
  public var message: String?
  /// The last command that was carried out or refused.
  public var commandSequence: Int?
  /// What became of it.
  public var commandMessage: String?
  /// How far the autopilot has come; only of plans that have one.
  public var autopilot: AutopilotStatus?
  /// A person let the run go on although requests bypass the route.
  public var acceptsBypass: Bool?
  /// A person let the run go on although requests arrive without mutual TLS.
  public var acceptsPlainText: Bool?
  /// Guards whose anomaly a person let pass for the rest of the run.
  public var acceptedGuards: [String]?
  /// What differed most when the run was aborted, the strongest first.
  public var differences: [DifferenceRecord]?
  public var demand: DemandStatus?
  /// The newest verdicts of the step under way.
  public var checks: [CheckRecord]?
  /// The steps and what was decided in each, the oldest first.
  public var timeline: [StepRecord]?
  public var conditions: [Condition]?

  public init(
    observedGeneration: Int? = nil, phase: RunPhase? = nil, stage: String? = nil, stageSince: MicroTime? = nil,
    step: Int? = nil, steps: Int? = nil, progress: String? = nil, startedAt: Timestamp? = nil,
    finishedAt: Timestamp? = nil, canary: RunRevision? = nil, traffic: TrafficTargetSpec? = nil,
    trafficWrittenAt: MicroTime? = nil, trafficVerifiedAt: MicroTime? = nil, analysisStartedAt: MicroTime? = nil,
    shortSince: MicroTime? = nil, pause: PauseStatus? = nil, cause: AbortStatus? = nil, reason: String? = nil,
    message: String? = nil, commandSequence: Int? = nil, commandMessage: String? = nil,
    autopilot: AutopilotStatus? = nil, acceptsBypass: Bool? = nil, acceptsPlainText: Bool? = nil,
    acceptedGuards: [String]? = nil,
    differences: [DifferenceRecord]? = nil, demand: DemandStatus? = nil, checks: [CheckRecord]? = nil,
    timeline: [StepRecord]? = nil,
    conditions: [Condition]? = nil
  ) {
    self.observedGeneration = observedGeneration
    self.phase = phase
    self.stage = stage
    self.stageSince = stageSince
    self.step = step
    self.steps = steps
    self.progress = progress
    self.startedAt = startedAt
    self.finishedAt = finishedAt
    self.canary = canary
    self.traffic = traffic
    self.trafficWrittenAt = trafficWrittenAt
    self.trafficVerifiedAt = trafficVerifiedAt
    self.analysisStartedAt = analysisStartedAt
    self.shortSince = shortSince
    self.pause = pause
    self.cause = cause
    self.reason = reason
    self.message = message
    self.commandSequence = commandSequence
    self.commandMessage = commandMessage
    self.autopilot = autopilot
    self.acceptsBypass = acceptsBypass
    self.acceptsPlainText = acceptsPlainText
    self.acceptedGuards = acceptedGuards
    self.differences = differences
    self.demand = demand
    self.checks = checks
    self.timeline = timeline
    self.conditions = conditions
  }
}

/// How a run stands, in one word.
public enum RunPhase: String, Codable, Sendable, Hashable, CaseIterable {
  case pending = "Pending"
  /// Hold, Services and pin are put in place.
  case starting = "Starting"
  case progressing = "Progressing"
  case paused = "Paused"
  case promoting = "Promoting"
  case aborting = "Aborting"
  case promoted = "Promoted"
  case aborted = "Aborted"
  /// Ended since the template changed in mid-run.
  case superseded = "Superseded"

  public var isFinished: Bool {
    switch self {
    case .promoted, .aborted, .superseded: true
    case .pending, .starting, .progressing, .paused, .promoting, .aborting: false
    }
  }
}

extension RolloutRun {
  /// It has not ended.
  public var isUnderWay: Bool { status?.phase?.isFinished != true }
}

/// How far an autopilot has come. Numbers are decimal texts.
public struct AutopilotStatus: Codable, Sendable, Hashable {
  /// Since when `maxDuration` counts.
  public var since: MicroTime
  /// Of its steps, the newest last.
  public var weights: [Int]
  /// Why the newest weight, or why no other one.
  public var reason: String?
  /// Requests that failed on the canary and would not have failed on stable, so far.
  public var harmed: String?
  /// The largest rate by which the canary may still fail more often than stable, 0 to 1.
  public var excess: String?
  /// Requests per second of both tracks.
  public var rate: String?
  /// The canary fails more often than stable beyond doubt.
  public var isWorse: Bool?
  /// Until when was counted.
  public var measuredAt: MicroTime?
  /// Of ``harmed``, what a person's word has taken off the budget.
  public var forgiven: String?
  /// The largest weight that a person raised it to, without evidence.
  public var accepted: Int?

  public init(
    since: MicroTime, weights: [Int], reason: String? = nil, harmed: String? = nil, excess: String? = nil,
    rate: String? = nil, isWorse: Bool? = nil, measuredAt: MicroTime? = nil, forgiven: String? = nil,
    accepted: Int? = nil
  ) {
    self.since = since
    self.weights = weights
    self.reason = reason
    self.harmed = harmed
    self.excess = excess
    self.rate = rate
    self.isWorse = isWorse
    self.measuredAt = measuredAt
    self.forgiven = forgiven
    self.accepted = accepted
  }
}

/// Why a run does not go on by itself.
public struct PauseStatus: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case plan = "Plan"
    case person = "Person"
    case undecided = "Undecided"
    /// More requests than allowed reach the canary beside the routing object.
    case bypass = "Bypass"
    /// Somebody else keeps writing the routing object.
    case conflict = "Conflict"
    /// Guards that hold found an anomaly.
    case anomaly = "Anomaly"
    /// Requests arrive without mutual TLS, of which the plan wants to see it.
    case plainText = "PlainText"
  }

  public var kind: Kind
  /// The person, or what is undecided.
  public var message: String?

  public init(kind: Kind, message: String? = nil) {
    self.kind = kind
    self.message = message
  }
}

/// Pods for all traffic, and the requests by which they may grow.
public struct DemandStatus: Codable, Sendable, Hashable {
  /// What the canary's share is a share of now; never less than at the start.
  public var replicas: Int?
  /// Requests that were counted shortly before the first weight, and over how many seconds, as decimal texts.
  public var startRequests: String?
  public var startSeconds: String?

  public init(replicas: Int? = nil, startRequests: String? = nil, startSeconds: String? = nil) {
    self.replicas = replicas
    self.startRequests = startRequests
    self.startSeconds = startSeconds
  }
}

/// Why a run is, or was, aborted.
public struct AbortStatus: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case failedCheck = "FailedCheck"
    case notAvailable = "NotAvailable"
    case person = "Person"
    case undecided = "Undecided"
    case superseded = "Superseded"
    case deleted = "Deleted"
    case workloadGone = "WorkloadGone"
    case escaped = "Escaped"
  }

  public var kind: Kind
  public var message: String?

  public init(kind: Kind, message: String? = nil) {
    self.kind = kind
    self.message = message
  }
}

/// A ``TrafficTarget`` on the wire.
public struct TrafficTargetSpec: Codable, Sendable, Hashable {
  public var weight: Int
  public var mirror: Int?
  public var route: RouteSpec?
  public var sticky: StickySpec?

  public init(weight: Int, mirror: Int? = nil, route: RouteSpec? = nil, sticky: StickySpec? = nil) {
    self.weight = weight
    self.mirror = mirror
    self.route = route
    self.sticky = sticky
  }
}

/// One entry of the timeline: a step, or the start, promotion or abort of the run.
public struct StepRecord: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case start = "Start"
    case step = "Step"
    case promotion = "Promotion"
    case abort = "Abort"
  }

  /// How an entry ended.
  public enum Outcome: String, Codable, Sendable, Hashable, CaseIterable {
    case passed = "Passed"
    /// A person went on before the step was over.
    case skipped = "Skipped"
    case failed = "Failed"
    /// The run ended for a reason outside this step.
    case cut = "Cut"
  }

  public var kind: Kind
  /// Counted from 1; only of steps.
  public var step: Int?
  public var name: String?
  /// What the entry does, for people: `weight 10%`.
  public var title: String?
  public var startedAt: MicroTime?
  public var verifiedAt: MicroTime?
  public var finishedAt: MicroTime?
  /// Absent while under way.
  public var outcome: Outcome?
  public var message: String?
  /// Percent of requests routed to the canary, of a step of the autopilot.
  public var weight: Int?
  public var checks: [CheckRecord]?

  public init(
    kind: Kind, step: Int? = nil, name: String? = nil, title: String? = nil, startedAt: MicroTime? = nil,
    verifiedAt: MicroTime? = nil, finishedAt: MicroTime? = nil, outcome: Outcome? = nil, message: String? = nil,
    weight: Int? = nil, checks: [CheckRecord]? = nil
  ) {
    self.kind = kind
    self.step = step
    self.name = name
    self.title = title
    self.startedAt = startedAt
    self.verifiedAt = verifiedAt
    self.finishedAt = finishedAt
    self.outcome = outcome
    self.message = message
    self.weight = weight
    self.checks = checks
  }
}
