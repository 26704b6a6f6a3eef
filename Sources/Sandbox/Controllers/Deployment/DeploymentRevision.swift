import KubernetesAPI

/// The new set: its revision number, its annotations, its creation.
extension DeploymentSync {
  /// Characters that the list of former revisions of a set may have.
  private static let historyLength = 2000

  /// A set that comes back gets the next revision number and remembers its former ones.
  mutating func updateRevision(of set: ReplicaSetView) throws(Status) -> ReplicaSetView {
    var updated = set
    var changed = annotate(&updated, exists: true)
    if updated.minReadySeconds != deployment.minReadySeconds {
      updated.minReadySeconds = deployment.minReadySeconds
      changed = true
    }
    if changed { updated = try write(updated) }
    var statusChanged = deployment.setRevision(updated.annotation(DeploymentAnnotation.revision) ?? "0")
    if deployment.progressDeadline != nil, deployment.status.conditions[type: "Progressing"] == nil {
      deployment.status.conditions.set(
        WorkloadCondition(
          "Progressing", "True", reason: "FoundNewReplicaSet", message: "Found new replica set \"\(set.name)\"",
          now: cluster.now))
      statusChanged = true
    }
    if statusChanged { try writeDeployment() }
    return updated
  }

  mutating func createNewSet() throws(Status) -> ReplicaSetView {
    let hash = PodTemplate.hash(of: deployment.template, collisionCount: deployment.status.collisionCount)
    var set = ReplicaSetView(newSetObject(hash: hash))
    set.replicas = sizeOfNewSet(current: 0, others: oldSets.replicas)
    _ = annotate(&set, exists: false)
    let created: ReplicaSetView
    do {
      created = ReplicaSetView(try cluster.create(.replicaSets, set.json))
    } catch let error where error.reason == "AlreadyExists" {
      return try resolveCollision(on: set.name, error)
    } catch {
      try reportFailedCreation(of: set.name, error)
      throw error
    }
    if created.replicas > 0 {
      record("Scaled up replica set \(created.name) from 0 to \(created.replicas)")
    }
    _ = deployment.setRevision(created.annotation(DeploymentAnnotation.revision) ?? "1")
    if deployment.progressDeadline != nil {
      deployment.status.conditions.set(
        WorkloadCondition(
          "Progressing", "True", reason: "NewReplicaSetCreated",
          message: "Created new replica set \"\(created.name)\"", now: cluster.now))
    }
    try writeDeployment()
    return created
  }

  /// The name is taken: by our own set, which we then use, or by another, and then the next hash is another one.
  private mutating func resolveCollision(on name: String, _ error: Status) throws(Status) -> ReplicaSetView {
    if let other = cluster.get(.replicaSets, ObjectKey(namespace: deployment.namespace, name: name)) {
      let set = ReplicaSetView(other)
      if other.controllerUID == deployment.uid,
        PodTemplate.isSameRevision(set.template, deployment.template)
      {
        return set
      }
    }
    deployment.status.collisionCount = (deployment.status.collisionCount ?? 0) + 1
    try writeDeployment()
    throw error
  }

  private mutating func reportFailedCreation(of name: String, _ error: Status) throws(Status) {
    if error.details?.causes?.contains(where: { $0.reason == "NamespaceTerminating" }) == true { return }
    let message = "Failed to create new replica set \"\(name)\": \(error.message ?? error.reason ?? "unknown error")"
    if deployment.progressDeadline != nil {
      deployment.status.conditions.set(
        WorkloadCondition("Progressing", "False", reason: "ReplicaSetCreateError", message: message, now: cluster.now))
      try writeDeployment()
    }
    events.record("ReplicaSetCreateError", message, kind: .warning, on: deployment.json, of: .deployments, in: cluster)
  }

  private func newSetObject(hash: String) -> JSON {
    let template = PodTemplate.labelled(deployment.template, hash: hash)
    var selector = deployment.selector ?? .emptyObject
    selector[path: ["matchLabels", ReplicaSetView.podTemplateHash]] = .string(hash)
    var spec: JSON = ["selector": selector, "template": template]
    if deployment.minReadySeconds != 0 { spec["minReadySeconds"] = JSON(deployment.minReadySeconds) }
    return [
      "apiVersion": "apps/v1", "kind": "ReplicaSet",
      "metadata": [
        "name": .string("\(deployment.name)-\(hash)"), "namespace": .string(deployment.namespace),
        "labels": template[path: ["metadata", "labels"]] ?? .emptyObject,
        "ownerReferences": [Ownership.controllerReference(to: deployment.json, of: .deployments)],
      ],
      "spec": spec,
    ]
  }

  /// - Returns: whether an annotation changed.
  private func annotate(_ set: inout ReplicaSetView, exists: Bool) -> Bool {
    var changed = false
    for (name, value) in deployment.annotations.sorted(by: { $0.key < $1.key })
    where !DeploymentAnnotation.notCopied.contains(name) {
      if set.setAnnotation(name, value) { changed = true }
    }
    let next = (oldSets.map(\.revision).max() ?? 0) + 1
    let former = set.annotation(DeploymentAnnotation.revision)
    // Someone wrote nonsense: leave it, as Kubernetes does, rather than count on from there.
    if let former, Int(former) == nil { return false }
    if set.revision < next {
      if set.setAnnotation(DeploymentAnnotation.revision, String(next)) { changed = true }
      if let former { remember(former, in: &set) }
    }
    if !exists, setSizeAnnotations(of: &set) { changed = true }
    return changed
  }

  private func remember(_ revision: String, in set: inout ReplicaSetView) {
    var revisions = (set.annotation(DeploymentAnnotation.revisionHistory) ?? "").split(separator: ",").map(String.init)
    revisions.append(revision)
    while revisions.count > 1, revisions.joined(separator: ",").utf8.count > Self.historyLength {
      revisions.removeFirst()
    }
    _ = set.setAnnotation(DeploymentAnnotation.revisionHistory, revisions.joined(separator: ","))
  }

  /// Proportional scaling reads these two.
  func setSizeAnnotations(of set: inout ReplicaSetView) -> Bool {
    let desired = set.setAnnotation(DeploymentAnnotation.desiredReplicas, String(deployment.replicas))
    let limit = set.setAnnotation(
      DeploymentAnnotation.maxReplicas, String(deployment.replicas + deployment.maxSurge))
    return desired || limit
  }

  func record(_ message: String) {
    events.record("ScalingReplicaSet", message, on: deployment.json, of: .deployments, in: cluster)
  }
}
