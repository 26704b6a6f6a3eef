import KubernetesAPI

/// The disruption controller of kube-controller-manager 1.36: how many pods of a budget may be evicted now
/// (pkg/controller/disruption/disruption.go).
struct DisruptionController: BuiltInController {
  let name = "disruption-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    let namespace = change.reference.key.namespace
    switch change.type {
    case .budgets: return [change.reference]
    // A scale changes what is expected, also before a pod comes or goes.
    case .pods, .replicaSets, .deployments:
      return cluster.list(.budgets, namespace: namespace).map { TypedKey(type: .budgets, key: $0.objectKey) }
    default: return []
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard var budget = cluster.get(.budgets, object.key) else { return nil }
    let pods = cluster.list(.pods, namespace: budget.namespace).filter { pod in
      Budgets.selects(budget, pod) && !["Succeeded", "Failed"].contains(pod[path: ["status", "phase"]]?.string)
    }
    let (expected, desired) = expectation(of: budget, pods, in: cluster)
    // What was evicted counts as gone already, until it is; after two minutes it is taken to stay.
    let evicted = (budget[path: ["status", "disruptedPods"]]?.strings ?? [:]).filter { name, time in
      let isStale = Timestamp(time).map { cluster.now.timeIntervalSince($0.date) > 120 } ?? true
      return !isStale && pods.contains { $0.name == name && !$0.isBeingDeleted }
    }
    let healthy = pods.count { !$0.isBeingDeleted && evicted[$0.name] == nil && Budgets.isReady($0) }
    let before = budget["status"]
    for (field, value) in [
      ("observedGeneration", budget.generation), ("expectedPods", expected), ("desiredHealthy", desired),
      ("currentHealthy", healthy), ("disruptionsAllowed", expected > 0 ? max(0, healthy - desired) : 0),
    ] {
      budget[path: ["status", field]] = JSON(value)
    }
    budget[path: ["status", "disruptedPods"]] = evicted.isEmpty ? nil : JSON(evicted)
    budget = Budgets.withCondition(budget, now: cluster.now)
    guard budget["status"] != before else { return nil }
    budget[path: ["metadata", "resourceVersion"]] = nil
    _ = try cluster.update(.budgets, budget, subresource: "status")
    return nil
  }

  /// With an absolute minimum the pods that exist are expected; otherwise what their controllers ask for.
  private func expectation(
    of budget: JSON, _ pods: [JSON], in cluster: any ClusterAccess
  ) -> (expected: Int, desired: Int) {
    let least = budget[path: ["spec", "minAvailable"]]
    if let number = least?.int { return (pods.count, number) }
    let expected = scale(of: pods, in: cluster)
    if let share = least?.string { return (expected, Self.part(share, of: expected)) }
    let most = budget[path: ["spec", "maxUnavailable"]]
    let lost = most?.int ?? most?.string.map { Self.part($0, of: expected) } ?? 0
    return (expected, max(0, expected - lost))
  }

  /// The replicas of all controllers of the pods: of a Deployment where it controls the set, otherwise of the set.
  private func scale(of pods: [JSON], in cluster: any ClusterAccess) -> Int {
    var scales: [String: Int] = [:]
    for pod in pods {
      guard let owner = pod.controllerReference, owner["kind"] == "ReplicaSet",
        let set = cluster.get(
          .replicaSets, ObjectKey(namespace: pod.namespace, name: owner["name"]?.string ?? "")),
        set.uid == owner["uid"]?.string
      else { continue }
      var top = set
      if let controller = set.controllerReference, controller["kind"] == "Deployment",
        let deployment = cluster.get(
          .deployments, ObjectKey(namespace: pod.namespace, name: controller["name"]?.string ?? ""))
      {
        top = deployment
      }
      scales[top.uid] = top[path: ["spec", "replicas"]]?.int ?? 1
    }
    return scales.values.reduce(0, +)
  }

  /// A percentage, rounded up.
  private static func part(_ text: String, of whole: Int) -> Int {
    guard text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
    return (percent * whole + 99) / 100
  }
}

extension ResourceType {
  static let budgets = ResourceType(
    group: "policy", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets")
}
