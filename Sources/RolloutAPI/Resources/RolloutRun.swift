import KubernetesAPI

/// One execution of the plan for one revision. Created by Sluice; people change `spec.command` and nothing else.
public struct RolloutRun: KubernetesResource, Hashable {
  public static let resource = ResourceType.rolloutRuns

  public var metadata: ObjectMeta
  public var spec: RolloutRunSpec
  public var status: RolloutRunStatus?

  public init(metadata: ObjectMeta, spec: RolloutRunSpec, status: RolloutRunStatus? = nil) {
    self.metadata = metadata
    self.spec = spec
    self.status = status
  }
}

/// What a run is to do. Sluice writes it once, and people its `command`.
public struct RolloutRunSpec: Codable, Sendable, Hashable {
  public var rolloutRef: RolloutReference
  /// The revision that the run is for, by its `pod-template-hash`.
  public var revision: String
  public var stable: RunRevision
  /// Replicas of the workload at the start: what the canary's share is a share of.
  public var demand: Int
  /// A revision that was stable a short time ago: straight to all traffic.
  public var fastUndo: Bool?
  /// The plan as it was when the run began, templates resolved.
  public var plan: RolloutSpec
  public var command: RunCommand?

  public init(
    rolloutRef: RolloutReference, revision: String, stable: RunRevision, demand: Int, fastUndo: Bool? = nil,
    plan: RolloutSpec, command: RunCommand? = nil
  ) {
    self.rolloutRef = rolloutRef
    self.revision = revision
    self.stable = stable
    self.demand = demand
    self.fastUndo = fastUndo
    self.plan = plan
    self.command = command
  }
}

/// The Rollout of a run, in the same namespace.
public struct RolloutReference: Codable, Sendable, Hashable {
  public var name: String
  public var uid: String

  public init(name: String, uid: String) {
    self.name = name
    self.uid = uid
  }
}

/// A revision by the ReplicaSet that runs it.
public struct RunRevision: Codable, Sendable, Hashable {
  public var hash: String
  public var replicaSet: String

  public init(hash: String, replicaSet: String) {
    self.hash = hash
    self.replicaSet = replicaSet
  }
}

/// What a person asks of a run.
public struct RunCommand: Codable, Sendable, Hashable {
  public var action: CommandAction
  /// The step that the person saw, counted from 1; the command is refused when the run is at another one.
  public var step: Int?
  public var reason: String?
  public var requestedBy: String?
  /// One more than the last one; the status echoes it when the command was carried out or refused.
  public var sequence: Int

  public init(
    action: CommandAction, step: Int? = nil, reason: String? = nil, requestedBy: String? = nil, sequence: Int
  ) {
    self.action = action
    self.step = step
    self.reason = reason
    self.requestedBy = requestedBy
    self.sequence = sequence
  }
}

/// What people may ask of a run.
public enum CommandAction: String, Codable, Sendable, Hashable, CaseIterable {
  /// Ends the step under way.
  case promote = "Promote"
  /// Skips the remaining steps.
  case promoteFull = "PromoteFull"
  case pause = "Pause"
  case resume = "Resume"
  case abort = "Abort"
  /// Lets a rejected revision be tried again.
  case retry = "Retry"
}
