import KubernetesAPI

/// A ReplicaSet as its controllers see it.
struct ReplicaSetView {
  static let podTemplateHash = "pod-template-hash"

  var json: JSON

  init(_ json: JSON) { self.json = json }

  var name: String { json.name }
  var uid: String { json.uid }
  var template: JSON { json[path: ["spec", "template"]] ?? .emptyObject }
  var selector: JSON? { json[path: ["spec", "selector"]] }
  var isActive: Bool { replicas > 0 }

  var replicas: Int {
    get { json[path: ["spec", "replicas"]]?.int ?? 1 }
    set { json[path: ["spec", "replicas"]] = JSON(newValue) }
  }

  /// Seconds.
  var minReadySeconds: Int {
    get { json[path: ["spec", "minReadySeconds"]]?.int ?? 0 }
    set { json[path: ["spec", "minReadySeconds"]] = newValue == 0 ? nil : JSON(newValue) }
  }

  var actualReplicas: Int { json[path: ["status", "replicas"]]?.int ?? 0 }
  var readyReplicas: Int { json[path: ["status", "readyReplicas"]]?.int ?? 0 }
  var availableReplicas: Int { json[path: ["status", "availableReplicas"]]?.int ?? 0 }
  var terminatingReplicas: Int? { json[path: ["status", "terminatingReplicas"]]?.int }
  var observedGeneration: Int { json[path: ["status", "observedGeneration"]]?.int ?? 0 }

  func annotation(_ name: String) -> String? { json[path: ["metadata", "annotations", name]]?.string }

  /// - Returns: whether that is a change.
  mutating func setAnnotation(_ name: String, _ value: String) -> Bool {
    guard annotation(name) != value else { return false }
    json[path: ["metadata", "annotations", name]] = .string(value)
    return true
  }

  /// 0 where it is not annotated.
  var revision: Int { annotation(DeploymentAnnotation.revision).flatMap(Int.init) ?? 0 }

  /// The replicas of the Deployment when this set was scaled last.
  var desiredReplicas: Int? { annotation(DeploymentAnnotation.desiredReplicas).flatMap(Int.init) }

  /// The same plus the surge.
  var maxReplicas: Int? { annotation(DeploymentAnnotation.maxReplicas).flatMap(Int.init) }

  static func isOlder(_ left: ReplicaSetView, _ right: ReplicaSetView) -> Bool {
    ControllerTime.isOlder(left.json, right.json)
  }
}

enum DeploymentAnnotation {
  static let revision = "deployment.kubernetes.io/revision"
  static let revisionHistory = "deployment.kubernetes.io/revision-history"
  static let desiredReplicas = "deployment.kubernetes.io/desired-replicas"
  static let maxReplicas = "deployment.kubernetes.io/max-replicas"

  /// Those that a ReplicaSet does not get from its Deployment.
  static let notCopied: Set<String> = [
    revision, revisionHistory, desiredReplicas, maxReplicas, "deprecated.deployment.rollback.to",
    "kubectl.kubernetes.io/last-applied-configuration",
  ]
}

extension [ReplicaSetView] {
  var active: [ReplicaSetView] { filter(\.isActive) }
  /// What their specs ask for.
  var replicas: Int { reduce(0) { $0 + $1.replicas } }
  /// What their statuses report.
  var actualReplicas: Int { reduce(0) { $0 + $1.actualReplicas } }
  var readyReplicas: Int { reduce(0) { $0 + $1.readyReplicas } }
  var availableReplicas: Int { reduce(0) { $0 + $1.availableReplicas } }

  /// `nil` where one of them does not report it yet.
  var terminatingReplicas: Int? {
    var sum = 0
    for set in self {
      guard let count = set.terminatingReplicas else { return nil }
      sum += count
    }
    return sum
  }
}
