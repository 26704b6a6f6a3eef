import Foundation
import RolloutAPI

/// One change to the world. Each is idempotent: carried out twice it leaves what carrying it out once leaves.
public enum Effect: Sendable, Equatable {
  /// Writes the whole traffic target to the routing object.
  case setTraffic(TrafficTarget)
  /// Sends everything to the callers' Service, or takes the routing object away, at the end of a Rollout.
  case retireRouting(delete: Bool)

  /// Creates the generated Services or brings them up to date; a hash narrows the selector to one revision.
  case renderServices(stableHash: String?, canaryHash: String?)
  case deleteServices
  /// Keeps the callers' Services on one revision for the time of a run.
  case pin(hash: String)
  case unpin
  /// Gives the Services whose selector Sluice has the Deployment's selector.
  case selectPods
  /// Renders the policies aimed at the callers' Services for the generated ones.
  case renderPolicies

  /// Sets the label that the admission policies match.
  case manage
  case unmanage
  case hold(by: String)
  case releaseHold

  /// Creates the canary's ReplicaSet from the Deployment's template.
  case createSet(revision: String, replicas: Int)
  case scale(set: String, replicas: Int)
  /// Takes sets out of the Deployment's ownership, in this order.
  case releaseSets([String])
  /// Has the Deployment take a set as its active one, under a revision number.
  case adopt(set: String, number: Int)
  /// Gives sets back to the Deployment's history.
  case giveBack([String])
  /// Marks a set as rejected, or takes the mark away.
  case markRejected(set: String, Bool)
  case deleteSet(String)

  case createRun(name: String, revision: String)
  case dropRunFinalizer
  case dropRolloutFinalizer
  case announce(Announcement)
}

/// What people are told, by Events and notifications.
public struct Announcement: Sendable, Equatable {
  /// What it is about.
  public enum Kind: String, Sendable, Equatable, CaseIterable {
    case started = "Started"
    case step = "Step"
    case paused = "Paused"
    case resumed = "Resumed"
    case baking = "Baking"
    case promoted = "Promoted"
    case aborted = "Aborted"
    case superseded = "Superseded"
    case adopted = "Adopted"
    case escaped = "Escaped"
    case refused = "Refused"
    case released = "Released"
    case stableDown = "StableDown"
    /// The service burns its error budget, and the run goes no further meanwhile.
    case held = "Held"
    /// What differed most in a run that was aborted.
    case explained = "Explained"
    case limited = "CapacityLimited"
  }

  public var kind: Kind
  public var message: String
  /// The same key twice is the same news.
  public var key: String
  public var isWarning: Bool

  public init(_ kind: Kind, _ message: String, key: String, isWarning: Bool = false) {
    self.kind = kind
    self.message = message
    self.key = key
    self.isWarning = isWarning
  }
}

extension Effect: CustomStringConvertible {
  public var description: String {
    switch self {
    case .setTraffic(let target): "set traffic to \(target)"
    case .retireRouting(let delete): delete ? "delete the routing object" : "route everything to the callers' Service"
    case .renderServices(let stable, let canary):
      "render the generated Services (stable: \(stable ?? "any revision"), canary: \(canary ?? "any revision"))"
    case .deleteServices: "delete the generated Services"
    case .pin(let hash): "pin the callers' Services to \(hash)"
    case .unpin: "unpin the callers' Services"
    case .selectPods: "have the callers' Services select the Deployment's pods"
    case .renderPolicies: "render the policies of the callers' Services for both tracks"
    case .manage: "mark the Deployment as managed"
    case .unmanage: "take the mark off the Deployment"
    case .hold(let name): "hold the Deployment for \(name)"
    case .releaseHold: "release the hold"
    case .createSet(let revision, let replicas):
      "create the canary \(revision) with \(replicas) pod\(replicas == 1 ? "" : "s")"
    case .scale(let set, let replicas): "scale \(set) to \(replicas)"
    case .releaseSets(let names): "release \(names.joined(separator: ", ")) from the Deployment"
    case .adopt(let set, let number): "hand \(set) over to the Deployment as revision \(number)"
    case .giveBack(let names): "give \(names.joined(separator: ", ")) back to the Deployment's history"
    case .markRejected(let set, let rejected): rejected ? "mark \(set) as rejected" : "let \(set) be tried again"
    case .deleteSet(let name): "delete \(name)"
    case .createRun(let name, let revision): "create run \(name) for \(revision)"
    case .dropRunFinalizer: "let the run go"
    case .dropRolloutFinalizer: "let the Rollout go"
    case .announce(let news): "announce: \(news.message)"
    }
  }
}
