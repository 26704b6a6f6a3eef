import KubernetesAPI

/// The namespace controller: empties a namespace that is being deleted, says what still holds it, lets it go.
struct NamespaceController: BuiltInController {
  private static let finalizer = "kubernetes"

  let name = "namespace-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    if change.type == .namespaces { return change.new == nil ? [] : [change.reference] }
    let key = ObjectKey(name: change.reference.key.namespace)
    guard !key.name.isEmpty, let namespace = cluster.get(.namespaces, key), namespace.isBeingDeleted else { return [] }
    return [TypedKey(type: .namespaces, key: key)]
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let namespace = cluster.get(.namespaces, object.key), namespace.isBeingDeleted else { return nil }
    let failures = deleteContent(of: namespace.name, in: cluster)
    let content = Content(of: namespace.name, in: cluster)
    let updated = try writeConditions(content.conditions(failures: failures), on: namespace, in: cluster)
    if content.isEmpty, failures.isEmpty {
      try release(updated, in: cluster)
      return nil
    }
    // What is left goes by a change of itself; a deletion that was refused is tried again.
    return failures.isEmpty ? nil : .seconds(5)
  }

  /// - Returns: what could not be deleted.
  private func deleteContent(of namespace: String, in cluster: any ClusterAccess) -> [String] {
    var failures: [String] = []
    for type in cluster.types.sorted(by: Content.isBefore) where type.namespaced {
      for object in cluster.list(type, namespace: namespace) where !object.isBeingDeleted {
        do {
          try cluster.delete(type, object.objectKey, uid: object.uid, propagation: .background)
        } catch {
          if error.reason != "NotFound" { failures.append(error.message ?? error.reason ?? "unknown error") }
        }
      }
    }
    return failures
  }

  private func writeConditions(
    _ new: [WorkloadCondition], on namespace: JSON, in cluster: any ClusterAccess
  ) throws(Status) -> JSON {
    let old = (namespace[path: ["status", "conditions"]]?.array ?? []).map(WorkloadCondition.init)
    let conditions = new.map { condition in
      var condition = condition
      condition.lastUpdateTime = nil
      if let former = old[type: condition.type], former.status == condition.status {
        condition.lastTransitionTime = former.lastTransitionTime
      }
      return condition
    }
    // A namespace that goes at once never shows conditions.
    if conditions == old { return namespace }
    if old.isEmpty, conditions.allSatisfy({ $0.status == "False" }) { return namespace }
    var updated = namespace
    updated[path: ["status", "conditions"]] = .array(conditions.map(\.json))
    return try cluster.update(.namespaces, updated, subresource: "status")
  }

  private func release(_ namespace: JSON, in cluster: any ClusterAccess) throws(Status) {
    let finalizers = namespace[path: ["spec", "finalizers"]]?.array?.compactMap(\.string) ?? []
    guard finalizers.contains(Self.finalizer) else { return }
    var updated = namespace
    let remaining = finalizers.filter { $0 != Self.finalizer }
    updated[path: ["spec", "finalizers"]] = remaining.isEmpty ? nil : .array(remaining.map(JSON.string))
    do {
      _ = try cluster.update(.namespaces, updated, subresource: "finalize")
    } catch let error where error.reason == "NotFound" {
      return
    }
  }

  /// What is left in a namespace.
  private struct Content {
    /// Sorted by name.
    var resources: [(name: String, count: Int)] = []
    var finalizers: [(name: String, count: Int)] = []
    private let now: WorkloadCondition

    init(of namespace: String, in cluster: any ClusterAccess) {
      now = WorkloadCondition("", "", reason: "", message: "", now: cluster.now)
      var counts: [String: Int] = [:]
      for type in cluster.types.sorted(by: Self.isBefore) where type.namespaced {
        let objects = cluster.list(type, namespace: namespace)
        if objects.isEmpty { continue }
        resources.append(("\(type.plural).\(type.group)", objects.count))
        for finalizer in objects.flatMap(\.finalizers) { counts[finalizer, default: 0] += 1 }
      }
      finalizers = counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func isBefore(_ left: ResourceType, _ right: ResourceType) -> Bool {
      (left.group, left.plural) < (right.group, right.plural)
    }

    var isEmpty: Bool { resources.isEmpty }

    func conditions(failures: [String]) -> [WorkloadCondition] {
      [
        condition(
          "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"),
        condition(
          "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
          "All legacy kube types successfully parsed"),
        failures.isEmpty
          ? condition(
            "NamespaceDeletionContentFailure", false, "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization")
          : condition(
            "NamespaceDeletionContentFailure", true, "ContentDeletionFailed",
            "Failed to delete all resource types, \(failures.count) remaining: \(failures.joined(separator: ", "))"),
        resources.isEmpty
          ? condition("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed")
          : condition(
            "NamespaceContentRemaining", true, "SomeResourcesRemain",
            "Some resources are remaining: \(text(resources, "has"))"),
        finalizers.isEmpty
          ? condition(
            "NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers",
            "All content-preserving finalizers finished")
          : condition(
            "NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: \(text(finalizers, "in"))"),
      ]
    }

    private func text(_ counts: [(name: String, count: Int)], _ word: String) -> String {
      counts.map { "\($0.name) \(word) \($0.count) resource instances" }.joined(separator: ", ")
    }

    private func condition(_ type: String, _ holds: Bool, _ reason: String, _ message: String) -> WorkloadCondition {
      var condition = now
      condition.type = type
      condition.status = holds ? "True" : "False"
      condition.reason = reason
      condition.message = message
      return condition
    }
  }
}
