import KubernetesAPI

/// An object of a cluster as GitOps tools keep it in their inventories: whatever version it is asked for in.
struct ObjectName: Hashable, Sendable, CustomStringConvertible {
  var group: String
  var kind: String
  var key: ObjectKey

  init(group: String, kind: String, _ key: ObjectKey) {
    self.group = group
    self.kind = kind
    self.key = key
  }

  init(_ type: ResourceType, _ key: ObjectKey) {
    self.init(group: type.group, kind: type.kind, key)
  }

  var description: String { "\(kind) \(key)" }
}

/// What a GitOps tool has to do with one Rollout.
struct GitOpsRollout: Sendable {
  var rollout: ObjectKey
  /// The Deployment as it is.
  var deployment: JSON
  /// The callers' Services.
  var services: [ObjectName] = []
  /// A routing object of the team's that is edited in place.
  var editedRoute: ObjectName?
  /// What Sluice made for it, or took over.
  var generated: [ObjectName: JSON] = [:]
  /// Whether the Deployment is paused at rest, so that a whole new object without `paused` lets it roll.
  var isPausedAtRest = false
  /// Whether policies pin the callers' Services for the time of a run.
  var isPinned = false
  /// How long a run takes at the least; nil where it waits for a person.
  var shortestRun: Duration?

  var workload: ObjectName { ObjectName(.deployments, deployment.objectKey) }
}

/// An object by which a GitOps tool applies manifests, and what of its settings concerns Sluice.
protocol ManifestApplier: Sendable {
  /// `Application argocd/shop`.
  var title: String { get }
  /// By which names it writes.
  var fieldManagers: Set<String> { get }
  /// Whether it is this object's that is applied.
  func applies(_ name: ObjectName, _ object: JSON?) -> Bool
  /// What is not as deploy/gitops asks.
  func problems(with rollout: GitOpsRollout) -> [GitOpsProblem]
}

/// What is not right in a GitOps tool's settings, without the name of the Rollout.
struct GitOpsProblem: Hashable, Sendable {
  var verdict: Finding.Verdict
  /// Follows the title of the tool's object.
  var message: String
  var advice: String
  /// Whether it matters also where another object applies the Deployment.
  var concernsAny = false
}

extension GitOpsProblem {
  /// What Sluice makes, in an inventory of somebody else's.
  static func appliedToo(_ name: ObjectName, advice: String) -> GitOpsProblem {
    GitOpsProblem(
      verdict: .fault, message: "applies \(name), which is Sluice's to write", advice: advice, concernsAny: true)
  }

  /// A plan that edits a route in Git, which the tool writes back in mid-run.
  static func contestedRoute(_ route: ObjectName, how: String, advice: String) -> GitOpsProblem {
    GitOpsProblem(
      verdict: .note,
      message: "\(how) \(route) back in the middle of a run; after three times within five minutes the run pauses",
      advice: "\(advice) (deploy/gitops/README.md, \"A route that Git holds\")", concernsAny: true)
  }

  /// An object that the tool removes and makes anew.
  static func recreated(_ name: ObjectName, by setting: String) -> GitOpsProblem {
    GitOpsProblem(
      verdict: .fault, message: "deletes \(name) and creates it anew (\(setting)): all of its pods go at once",
      advice: "take that setting off what serves")
  }

  /// A whole new object, without the pause that holds a Deployment where no policy keeps it.
  static func replaced(by setting: String) -> GitOpsProblem {
    GitOpsProblem(
      verdict: .fault,
      message:
        "replaces Deployments (\(setting)), which ends a hold where no policy keeps it: an untested template rolls",
      advice: "take that setting off, or install deploy/policies where the server serves MutatingAdmissionPolicy v1")
  }
}
