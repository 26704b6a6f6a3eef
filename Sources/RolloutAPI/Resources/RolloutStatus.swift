import KubernetesAPI

/// What Sluice writes of a Rollout.
public struct RolloutStatus: Codable, Sendable, Hashable {
  /// The generation of the spec that the rest speaks of.
  public var observedGeneration: Int?
  public var phase: RolloutPhase?
  /// One sentence for people.
  public var message: String?
  public var stable: RevisionStatus?
  /// Only while a run is on.
  public var canary: RevisionStatus?
  /// Earlier stable revisions, the newest first.
  public var former: [FormerRevisionStatus]?
  /// Percent of requests that are routed to the canary.
  public var weight: Int?
  /// The step under way, counted from 1, of how many: `2/5`.
  public var step: String?
  /// The run under way.
  public var currentRun: String?
  /// The newest finished run.
  public var lastRun: String?
  public var lastRejected: RejectionStatus?
  /// The workload's own replicas.
  public var replicas: Int?
  public var hold: HoldStatus?
  public var bypass: BypassStatus?
  /// Which member of `spec.traffic` the routing object that is there was written by.
  public var provider: String?
  /// When a routing object that somebody else had changed was written again, the newest last.
  public var reassertions: [MicroTime]?
  /// When, at its end, the route was seen not to name the generated Services any more.
  public var retiredAt: MicroTime?
  public var conditions: [Condition]?

  public init(
    observedGeneration: Int? = nil, phase: RolloutPhase? = nil, message: String? = nil,
    stable: RevisionStatus? = nil, canary: RevisionStatus? = nil, former: [FormerRevisionStatus]? = nil,
    weight: Int? = nil, step: String? = nil, currentRun: String? = nil, lastRun: String? = nil,
    lastRejected: RejectionStatus? = nil, replicas: Int? = nil, hold: HoldStatus? = nil,
    bypass: BypassStatus? = nil, provider: String? = nil, reassertions: [MicroTime]? = nil, retiredAt: MicroTime? = nil,
    conditions: [Condition]? = nil
  ) {
    self.observedGeneration = observedGeneration
    self.phase = phase
    self.message = message
    self.stable = stable
    self.canary = canary
    self.former = former
    self.weight = weight
    self.step = step
    self.currentRun = currentRun
    self.lastRun = lastRun
    self.lastRejected = lastRejected
    self.replicas = replicas
    self.hold = hold
    self.bypass = bypass
    self.provider = provider
    self.reassertions = reassertions
    self.retiredAt = retiredAt
    self.conditions = conditions
  }
}

/// How a Rollout stands, in one word.
public enum RolloutPhase: String, Codable, Sendable, Hashable, CaseIterable {
  /// Something is missing before Sluice can begin.
  case waiting = "Waiting"
  /// The stable revision has all traffic.
  case idle = "Idle"
  case running = "Running"
  /// A run waits for a person.
  case paused = "Paused"
  /// The template holds a revision that a run rejected.
  case rejected = "Rejected"
  /// A person must act.
  case stalled = "Stalled"
  case deleting = "Deleting"
}

/// A revision and the pods that run it.
public struct RevisionStatus: Codable, Sendable, Hashable {
  /// Its `pod-template-hash`.
  public var hash: String
  public var replicaSet: String?
  /// Pods that are wanted.
  public var desired: Int?
  /// Pods that exist, ready or not.
  public var pods: Int?
  public var available: Int?
  public var images: [String]?

  public init(
    hash: String, replicaSet: String? = nil, desired: Int? = nil, pods: Int? = nil, available: Int? = nil,
    images: [String]? = nil
  ) {
    self.hash = hash
    self.replicaSet = replicaSet
    self.desired = desired
    self.pods = pods
    self.available = available
    self.images = images
  }
}

/// A revision that was stable before.
public struct FormerRevisionStatus: Codable, Sendable, Hashable {
  public var hash: String
  public var replicaSet: String
  /// When it ceased to be stable.
  public var until: MicroTime

  public init(hash: String, replicaSet: String, until: MicroTime) {
    self.hash = hash
    self.replicaSet = replicaSet
    self.until = until
  }
}

/// The revision that was rejected last, by which run, and why.
public struct RejectionStatus: Codable, Sendable, Hashable {
  public var hash: String
  public var run: String
  public var message: String?
  public var at: Timestamp?

  public init(hash: String, run: String, message: String? = nil, at: Timestamp? = nil) {
    self.hash = hash
    self.run = run
    self.message = message
    self.at = at
  }
}

/// How the Deployment is kept from rolling.
public struct HoldStatus: Codable, Sendable, Hashable {
  /// `Admission` or `Always`.
  public var mode: HoldMode
  /// A dry-run probe was held.
  public var ready: Bool

  public init(mode: HoldMode, ready: Bool) {
    self.mode = mode
    self.ready = ready
  }
}

/// Requests that reach pods beside the routing object.
public struct BypassStatus: Codable, Sendable, Hashable {
  /// Of all requests of the workload, as `0.5%`; absent where it could not be measured.
  public var share: String?
  /// Other Services that select the pods.
  public var services: [String]?

  public init(share: String? = nil, services: [String]? = nil) {
    self.share = share
    self.services = services
  }
}

/// The condition types and reasons that other tools read.
extension RolloutStatus {
  /// `Ready`, `Reconciling` and `Stalled` are those of kstatus.
  public enum ConditionType: String, Sendable, CaseIterable {
    case ready = "Ready"
    case reconciling = "Reconciling"
    case stalled = "Stalled"
    /// Something keeps the canary from its pods, or is kept by them; people may act on it. Tools that wait pass it over.
    case capacityLimited = "CapacityLimited"
  }
}
