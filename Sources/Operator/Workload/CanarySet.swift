import KubernetesAPI

/// The ReplicaSets of the workload protocol: the canary's, and those that change hands.
enum CanarySet {
  /// The canary: the Deployment's template, its selector and `minReadySeconds`, under a hash of ours, and with labels that
  /// the Deployment's selector does not match, so that the Deployment leaves it alone.
  static func render(
    deployment: JSON, rollout: String, run: String, revision: String, name: String, replicas: Int
  ) -> JSON {
    var template = PodTemplate(of: deployment).json
    template[path: ["metadata", "labels", Names.templateHash]] = .string(revision)
    var selector = deployment[path: ["spec", "selector"]] ?? .emptyObject
    selector[path: ["matchLabels", Names.templateHash]] = .string(revision)
    var spec: JSON = ["replicas": JSON(replicas), "selector": selector, "template": template]
    spec["minReadySeconds"] = deployment[path: ["spec", "minReadySeconds"]]
    return [
      "apiVersion": "apps/v1", "kind": "ReplicaSet",
      "metadata": [
        "name": .string(name), "namespace": .string(deployment.namespace),
        "labels": [
          Names.rollout: .string(rollout), Names.run: .string(run), Names.revision: .string(revision),
          Names.templateHash: .string(revision),
        ],
        "ownerReferences": [reference(to: deployment, controls: false)],
      ],
      "spec": spec,
    ]
  }

  /// The reference that makes a mesh name the pods' workload after the Deployment. Without `controller` it gives the
  /// Deployment no say over the set.
  static func reference(to deployment: JSON, controls: Bool) -> JSON {
    var reference: JSON = [
      "apiVersion": "apps/v1", "kind": "Deployment", "name": .string(deployment.name), "uid": .string(deployment.uid),
    ]
    if controls {
      reference["controller"] = true
      reference["blockOwnerDeletion"] = true
    }
    return reference
  }

  /// Takes a set out of the Deployment's hands: no label that its selector matches, and a reference that does not control.
  static func releasePatch(set: JSON, deployment: JSON, rollout: String) -> JSON {
    var labels: JSON = [Names.rollout: .string(rollout)]
    for key in selectorKeys(of: deployment) where key != Names.templateHash { labels[key] = .null }
    return [
      "metadata": [
        "labels": labels, "ownerReferences": [reference(to: deployment, controls: false)],
        "resourceVersion": .string(set.resourceVersion),
      ]
    ]
  }

  /// Gives a set the labels of its own template back, so that the Deployment adopts it: as its active set where a
  /// revision number is given, as history otherwise. The size annotations tell the Deployment that the set is complete.
  static func adoptPatch(set: JSON, deployment: JSON, number: Int?) -> JSON {
    var labels: JSON = .emptyObject
    for (key, value) in set[path: ["spec", "template", "metadata", "labels"]]?.strings ?? [:] {
      labels[key] = .string(value)
    }
    var metadata: JSON = ["labels": labels, "resourceVersion": .string(set.resourceVersion)]
    if let number {
      let replicas = deployment[path: ["spec", "replicas"]]?.int ?? 1
      metadata["annotations"] = [
        Names.revisionNumber: .string(String(number)),
        Names.desiredReplicas: .string(String(replicas)),
        Names.maxReplicas: .string(String(replicas + maxSurge(of: deployment, replicas: replicas))),
      ]
    }
    return ["metadata": metadata]
  }

  /// Whether a set carries everything already that makes the Deployment adopt it as it stands.
  static func isOffered(_ set: JSON, deployment: JSON, number: Int?) -> Bool {
    guard let wanted = adoptPatch(set: set, deployment: deployment, number: number)["metadata"] else { return false }
    return wanted.labelsAndAnnotations.allSatisfy { field, values in
      values.allSatisfy { set[path: ["metadata", field, $0.key]] == $0.value }
    }
  }

  private static func selectorKeys(of deployment: JSON) -> [String] {
    let selector = deployment[path: ["spec", "selector"]]
    let expressions = selector?["matchExpressions"]?.array?.compactMap { $0["key"]?.string } ?? []
    return (selector?["matchLabels"]?.strings.keys.sorted() ?? []) + expressions
  }

  private static func maxSurge(of deployment: JSON, replicas: Int) -> Int {
    switch deployment[path: ["spec", "strategy", "rollingUpdate", "maxSurge"]] {
    case .int(let count): return Int(count)
    case .string(let text):
      guard text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
      return (replicas * percent + 99) / 100
    default: return 0
    }
  }
}

extension JSON {
  fileprivate var labelsAndAnnotations: [(field: String, values: [String: JSON])] {
    ["labels", "annotations"].map {
      ($0, self[$0]?.object.map { Dictionary($0.map { ($0.key, $0.value) }) { $1 } } ?? [:])
    }
  }
}
