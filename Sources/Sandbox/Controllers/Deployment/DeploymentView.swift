import KubernetesAPI

/// A Deployment as its controller sees it.
struct DeploymentView {
  /// Stands for "no deadline" and "no limit".
  private static let unlimited = Int(Int32.max)

  var json: JSON

  init(_ json: JSON) { self.json = json }

  var name: String { json.name }
  var namespace: String { json.namespace }
  var uid: String { json.uid }
  var template: JSON { json[path: ["spec", "template"]] ?? .emptyObject }
  var selector: JSON? { json[path: ["spec", "selector"]] }
  var replicas: Int { json[path: ["spec", "replicas"]]?.int ?? 1 }
  var isPaused: Bool { json[path: ["spec", "paused"]]?.bool ?? false }
  /// Seconds.
  var minReadySeconds: Int { json[path: ["spec", "minReadySeconds"]]?.int ?? 0 }
  var isRecreate: Bool { json[path: ["spec", "strategy", "type"]]?.string == "Recreate" }

  var revisionHistoryLimit: Int? { limit("revisionHistoryLimit") }

  /// Seconds.
  var progressDeadline: Int? { limit("progressDeadlineSeconds") }

  private func limit(_ field: String) -> Int? {
    json[path: ["spec", field]]?.int.flatMap { $0 == Self.unlimited ? nil : $0 }
  }

  /// Pods beyond `replicas` during a rolling update.
  var maxSurge: Int { isRecreate ? 0 : bound("maxSurge", roundingUp: true) }

  /// Pods short of `replicas` during a rolling update. If neither a surge nor a shortfall were allowed, nothing could
  /// move: then one pod may be short.
  var maxUnavailable: Int {
    guard !isRecreate, replicas > 0 else { return 0 }
    let unavailable = bound("maxUnavailable", roundingUp: false)
    return min(unavailable == 0 && maxSurge == 0 ? 1 : unavailable, replicas)
  }

  private func bound(_ field: String, roundingUp: Bool) -> Int {
    let value = json[path: ["spec", "strategy", "rollingUpdate", field]]
    let bound = value?.int.map(IntOrString.int) ?? value?.string.map(IntOrString.string) ?? "25%"
    return bound.resolved(of: replicas, roundingUp: roundingUp) ?? 0
  }

  var status: ObservedDeployment {
    get { ObservedDeployment(json["status"] ?? .emptyObject) }
    set { json["status"] = newValue.json }
  }

  var annotations: [String: String] { json.annotations }

  /// - Returns: whether that is a change.
  mutating func setRevision(_ revision: String) -> Bool {
    guard annotations[DeploymentAnnotation.revision] != revision else { return false }
    json[path: ["metadata", "annotations", DeploymentAnnotation.revision]] = .string(revision)
    return true
  }
}

/// The status of a Deployment; numbers that are 0 are not written.
struct ObservedDeployment: Equatable {
  var observedGeneration = 0
  var replicas = 0
  var updatedReplicas = 0
  var readyReplicas = 0
  var availableReplicas = 0
  var unavailableReplicas = 0
  var terminatingReplicas: Int?
  /// How often the name of a new set was taken by a set of another template.
  var collisionCount: Int?
  var conditions: [WorkloadCondition] = []

  init() {}

  init(_ json: JSON) {
    func number(_ field: String) -> Int { json[field]?.int ?? 0 }
    observedGeneration = number("observedGeneration")
    replicas = number("replicas")
    updatedReplicas = number("updatedReplicas")
    readyReplicas = number("readyReplicas")
    availableReplicas = number("availableReplicas")
    unavailableReplicas = number("unavailableReplicas")
    terminatingReplicas = json["terminatingReplicas"]?.int
    collisionCount = json["collisionCount"]?.int
    conditions = (json["conditions"]?.array ?? []).map(WorkloadCondition.init)
  }

  var json: JSON {
    var json = JSON.emptyObject
    let numbers = [
      ("observedGeneration", observedGeneration), ("replicas", replicas), ("updatedReplicas", updatedReplicas),
      ("readyReplicas", readyReplicas), ("availableReplicas", availableReplicas),
      ("unavailableReplicas", unavailableReplicas),
    ]
    for (field, value) in numbers where value != 0 { json[field] = JSON(value) }
    json["terminatingReplicas"] = terminatingReplicas.map { JSON($0) }
    json["collisionCount"] = collisionCount.map { JSON($0) }
    if !conditions.isEmpty { json["conditions"] = .array(conditions.map(\.json)) }
    return json
  }
}
