import Foundation
import RolloutAPI

/// The Deployment of the plan.
public struct DeploymentView: Sendable, Equatable {
  public var replicas: Int
  public var paused: Bool
  /// The value of the annotation that marks a hold: the run's name, or the Rollout's between runs.
  public var heldBy: String?
  /// Whether the label that the admission policies match is there.
  public var managed: Bool
  /// Names the revision that the template holds.
  public var revision: String
  /// Its controller has seen the newest spec.
  public var observed: Bool
  public var progressDeadline: Duration
  public var isBeingDeleted: Bool
  /// Who last wrote the spec, for the report of an escape: a field manager's name.
  public var lastWriter: String?
  public var replicasWriter: ReplicasWriter?

  public init(
    replicas: Int, paused: Bool = false, heldBy: String? = nil, managed: Bool = false, revision: String,
    observed: Bool = true, progressDeadline: Duration = .seconds(600), isBeingDeleted: Bool = false,
    lastWriter: String? = nil, replicasWriter: ReplicasWriter? = nil
  ) {
    self.replicas = replicas
    self.paused = paused
    self.heldBy = heldBy
    self.managed = managed
    self.revision = revision
    self.observed = observed
    self.progressDeadline = progressDeadline
    self.isBeingDeleted = isBeingDeleted
    self.lastWriter = lastWriter
    self.replicasWriter = replicasWriter
  }
}

/// A ReplicaSet that the Deployment owns or Sluice holds.
public struct SetView: Sendable, Equatable {
  /// In whose hands a set is.
  public enum Owner: Sendable, Equatable {
    /// The Deployment is its controller.
    case deployment
    /// Sluice holds it: a reference to the Deployment that does not control, and no label that its selector matches.
    case sluice
  }

  public var name: String
  /// Its `pod-template-hash`.
  public var hash: String
  public var owner: Owner
  /// Its template equals the Deployment's, both read live.
  public var matchesTemplate: Bool
  public var replicas: Int
  /// Pods that exist, ready or not.
  public var pods: Int
  public var available: Int
  /// The Deployment's revision number, where the set carries one.
  public var number: Int?
  /// A label of ours says that a run rejected this revision.
  public var rejected: Bool
  /// What keeps pods from becoming available, in the cluster's words.
  public var trouble: String?
  /// The trouble is that no node has room.
  public var isUnschedulable = false
  public var createdAt: Date

  public init(
    name: String, hash: String, owner: Owner, matchesTemplate: Bool = false, replicas: Int, pods: Int? = nil,
    available: Int? = nil, number: Int? = nil, rejected: Bool = false, trouble: String? = nil,
    createdAt: Date = .distantPast
  ) {
    self.name = name
    self.hash = hash
    self.owner = owner
    self.matchesTemplate = matchesTemplate
    self.replicas = replicas
    self.pods = pods ?? replicas
    self.available = available ?? replicas
    self.number = number
    self.rejected = rejected
    self.trouble = trouble
    self.createdAt = createdAt
  }
}

/// How the Deployment is kept from rolling, and whether that works now.
public struct HoldView: Sendable, Equatable {
  /// By what a changed template is kept from rolling.
  public enum Mode: String, Sendable, Equatable {
    /// Policies pause the Deployment in the request that changes its template.
    case admission = "Admission"
    /// The Deployment is paused at rest too.
    case always = "Always"
  }

  public var mode: Mode
  /// A dry-run probe was held.
  public var ready: Bool

  public init(mode: Mode, ready: Bool) {
    self.mode = mode
    self.ready = ready
  }
}
