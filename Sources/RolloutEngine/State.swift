import CanaryAnalysis
import Foundation
import RolloutAPI

/// A revision by the ReplicaSet that runs it.
public struct Revision: Codable, Sendable, Hashable {
  public var set: String
  public var hash: String

  public init(set: String, hash: String) {
    self.set = set
    self.hash = hash
  }
}

/// What the engine remembers of a Rollout between reconciles; the Operator keeps it in the Rollout's status.
public struct RolloutState: Sendable, Equatable {
  public var stable: Revision?
  /// Earlier stable revisions, the newest first, with the time when each ceased to be it.
  public var former: [FormerRevision]
  public var situation: Situation
  /// When a routing object that somebody else had changed was written again, the newest last.
  public var reassertions: [Date]
  /// When, at the end of the Rollout, the route was seen not to name the generated Services any more.
  public var retiredAt: Date?
  /// What limits the pods of the run under way, the most pressing first.
  public var limits: [CapacityLimit] = []

  /// A revision that was stable until then.
  public struct FormerRevision: Sendable, Equatable {
    public var revision: Revision
    public var until: Date

    public init(revision: Revision, until: Date) {
      self.revision = revision
      self.until = until
    }
  }

  public init(
    stable: Revision? = nil, former: [FormerRevision] = [], situation: Situation = .idle, reassertions: [Date] = [],
    retiredAt: Date? = nil
  ) {
    self.stable = stable
    self.former = former
    self.situation = situation
    self.reassertions = reassertions
    self.retiredAt = retiredAt
  }
}

/// How a Rollout stands, as its conditions and its phase tell it.
public enum Situation: Sendable, Equatable {
  /// Something is missing before Sluice can begin; it holds nothing meanwhile.
  case waiting(Reason, String)
  /// The stable revision has all traffic and the template is the stable one.
  case idle
  case running(String)
  case paused(String)
  /// The template holds a revision that a run rejected.
  case rejected(String)
  /// A person must act.
  case stalled(Reason, String)

  /// CamelCase words for conditions.
  public enum Reason: String, Sendable, Equatable {
    case waitingForWorkload = "WaitingForWorkload"
    case waitingForService = "WaitingForService"
    case waitingForFirstRevision = "WaitingForFirstRevision"
    case waitingForNativeRoll = "WaitingForNativeRoll"
    case waitingForHold = "WaitingForHold"
    /// A person has paused the Deployment and changed its template.
    case pausedByPerson = "PausedByPerson"
    case scaledToZero = "ScaledToZero"
    case settling = "Settling"
    case routeConflict = "RouteConflict"
    /// Somebody else keeps writing the routing object.
    case routeContested = "RouteContested"
    /// A person's routing object cannot be edited as the plan says.
    case routeUnusable = "RouteUnusable"
    /// Requests do not reach the routing object.
    case routeUnreached = "RouteUnreached"
    /// The mesh has not taken the routing object over.
    case routePending = "RoutePending"
    case escapedRollout = "EscapedRollout"
    case invalidPlan = "InvalidPlan"
    case unsupported = "Unsupported"
    /// An effect cannot be carried out.
    case blocked = "Blocked"
    case deleting = "Deleting"
  }
}

/// One execution of the plan for one revision, as the engine remembers it; the Operator keeps it in the run's status.
public struct RunState: Sendable, Equatable {
  public var name: String
  /// Names the canary's revision.
  public var revision: String
  /// The canary's set, once it is known.
  public var set: String?
  public var stable: Revision
  /// Pods for all traffic: what the canary's share is a share of. The Deployment's replicas at the start; it only grows.
  public var demand: Int
  public let demandAtStart: Int
  /// Requests shortly before the first of them was routed to the canary.
  public var volumeAtStart: RequestVolume?
  /// A revision that was stable a short time ago goes straight to all traffic.
  public var isFastUndo: Bool
  public var stage: Stage
  public var since: Date
  public var pause: Pause?
  /// Since when the canary lacks pods that its share needs; nil while it has them.
  public var shortSince: Date?
  /// When the traffic of the current step was written, and when its share was seen to arrive.
  public var trafficWrittenAt: Date?
  public var verifiedAt: Date?
  /// The last command of a person that was carried out or refused.
  public var commandSequence: Int
  /// What became of the last command, for who sent it.
  public var commandMessage: String?
  /// A person let the run go on although requests bypass the route.
  public var acceptsBypass = false
  /// A person let the run go on although requests arrive without mutual TLS.
  public var acceptsPlainText = false
  /// How far the autopilot has come; nil without one.
  public var flight: Flight?
  /// Guards, and ``Turn/burnRate``, of which a person let the run go on.
  public var acceptedGuards: [String] = []
  /// What differed most, of a run that is being aborted; `nil` before that is known.
  public var differences: [Difference]?

  public init(
    name: String, revision: String, set: String? = nil, stable: Revision, demand: Int, isFastUndo: Bool = false,
    stage: Stage = .starting, since: Date, commandSequence: Int = 0
  ) {
    self.name = name
    self.revision = revision
    self.set = set
    self.stable = stable
    self.demand = demand
    self.demandAtStart = demand
    self.isFastUndo = isFastUndo
    self.stage = stage
    self.since = since
    self.commandSequence = commandSequence
  }

  /// Why a run does not go on by itself. Checks go on meanwhile, and a failed one still aborts.
  public enum Pause: Sendable, Equatable {
    case plan
    case person(String)
    case undecided(String)
    /// More requests than the plan allows reach the canary beside the route.
    case bypass(String)
    /// Somebody else keeps writing the routing object.
    case conflict(String)
    /// Guards that hold found an anomaly.
    case anomaly(String)
    /// Requests arrive without mutual TLS, of which the plan wants to see it.
    case plainText(String)
  }
}

/// How far a run has come.
public enum Stage: Sendable, Equatable {
  /// Hold, Services and pin are put in place; no pod of the canary exists.
  case starting
  case step(Int, StepStage)
  case promoting(PromotionStage)
  case aborting(AbortStage, AbortCause)
  case finished(Outcome)

  public var stepIndex: Int? {
    if case .step(let index, _) = self { index } else { nil }
  }

  public var isFinished: Bool {
    if case .finished = self { true } else { false }
  }
}

/// What is under way in a step, in this order.
public enum StepStage: String, Sendable, Equatable, CaseIterable {
  /// The canary gets the pods that the step's traffic needs.
  case scaling = "Scaling"
  /// The traffic is written, and the share that arrives is measured.
  case verifying = "Verifying"
  case analyzing = "Analyzing"
  /// The plan's pause, which comes last.
  case pausing = "Pausing"
}

/// What is under way in a promotion, in this order. Each is confirmed before the next begins.
public enum PromotionStage: String, Sendable, Equatable, CaseIterable, Comparable {
  case scaling = "Scaling"
  case verifying = "Verifying"
  /// The canary has all traffic and is watched; callers beside the route still go to stable.
  case baking = "Baking"
  case unpinning = "Unpinning"
  /// Both revisions are kept, so that a late abort is one routing write.
  case waiting = "Waiting"
  case releasingHistory = "ReleasingHistory"
  case releasingStable = "ReleasingStable"
  case handingOver = "HandingOver"
  /// From here on the old pods go: the point of no return.
  case scalingDown = "ScalingDown"
  case givingBack = "GivingBack"
  case wideningStable = "WideningStable"
  case returningTraffic = "ReturningTraffic"
  case releasingHold = "ReleasingHold"

  public static func < (left: PromotionStage, right: PromotionStage) -> Bool {
    order(left) < order(right)
  }

  private static func order(_ stage: PromotionStage) -> Int { allCases.firstIndex(of: stage) ?? 0 }

  /// Whether an abort is still possible.
  public var isReversible: Bool { self < .scalingDown }
}

/// What is under way in an abort, in this order.
public enum AbortStage: String, Sendable, Equatable, CaseIterable {
  /// All traffic to the stable revision: the first write.
  case returningTraffic = "ReturningTraffic"
  /// Requests under way end before a pod goes.
  case draining = "Draining"
  /// An interrupted hand-over runs backwards.
  case restoring = "Restoring"
  case scalingDown = "ScalingDown"
  case unpinning = "Unpinning"
}

/// Why a run is aborted, with the words that people read where it needs some.
public enum AbortCause: Sendable, Equatable {
  case failedCheck(String)
  case notAvailable(String)
  case person(String)
  case undecided(String)
  /// The template changed to another revision, or back to stable.
  case superseded
  case deleted
  case workloadGone
  case escaped(String)

  /// Whether the revision counts as rejected afterwards.
  public var rejects: Bool {
    switch self {
    case .failedCheck, .notAvailable, .person, .undecided: true
    case .superseded, .deleted, .workloadGone, .escaped: false
    }
  }

  /// Whether it matters only as long as the stable revision still has its pods.
  var isReversible: Bool {
    switch self {
    case .workloadGone, .escaped: false
    default: true
    }
  }

  public var message: String {
    switch self {
    case .failedCheck(let text), .notAvailable(let text), .person(let text), .undecided(let text), .escaped(let text):
      text
    case .superseded: "the Deployment's template changed during the run"
    case .deleted: "its Rollout was deleted"
    case .workloadGone: "the Deployment was deleted"
    }
  }
}

/// How a run ended.
public enum Outcome: Sendable, Equatable {
  case promoted
  case aborted(AbortCause)
}

/// A decision: what to remember and what to do, in this order: effects first, in their order, then the state is stored.
public struct Decision: Sendable, Equatable {
  public var rollout: RolloutState
  public var run: RunState?
  public var effects: [Effect]
  /// When to look again although nothing changes.
  public var lookAgain: Duration?

  public init(rollout: RolloutState, run: RunState? = nil, effects: [Effect] = [], lookAgain: Duration? = nil) {
    self.rollout = rollout
    self.run = run
    self.effects = effects
    self.lookAgain = lookAgain
  }
}

extension Date {
  static func + (date: Date, duration: Duration) -> Date { date.addingTimeInterval(duration / .seconds(1)) }

  func isOver(_ duration: Duration, since start: Date) -> Bool { self >= start + duration }

  /// The time until `duration` has passed since `start`; zero when it has.
  func remaining(of duration: Duration, since start: Date) -> Duration {
    max(.zero, .seconds((start + duration).timeIntervalSince(self)))
  }
}
