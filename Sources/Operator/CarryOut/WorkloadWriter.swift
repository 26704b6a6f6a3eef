import KubernetesAPI
import KubernetesClient

/// The writes to the Deployment and its ReplicaSets. All carry the resourceVersion that they were decided on, where
/// losing a race would matter.
struct WorkloadWriter {
  let cluster: any ClusterWriter
  let rollout: ObjectKey
  let deployment: JSON

  private var key: ObjectKey { deployment.objectKey }

  private var mark: JSON { OwnWrite.mark(deployment: deployment) }

  func manage(_ managed: Bool) async throws {
    try await cluster.patch(
      .deployments, key,
      .merge([
        "metadata": [
          "labels": [Names.managed: managed ? .string(rollout.name) : .null], "annotations": [Names.ownWrite: mark],
        ]
      ]))
  }

  /// Pauses the Deployment and says for whom. At rest in `Always` mode the deadline is made endless too, where nobody else
  /// sets it, since kstatus would never call a paused Deployment current.
  func hold(by name: String, isAtRest: Bool) async throws {
    var spec: JSON = ["paused": true]
    if isAtRest, hasDefaultDeadline {
      spec["progressDeadlineSeconds"] = JSON(DeploymentHold.endlessDeadline)
    }
    try await cluster.patch(
      .deployments, key,
      .merge(["metadata": ["annotations": [Names.held: .string(name), Names.ownWrite: mark]], "spec": spec]))
  }

  /// Whether the deadline is the API server's own. A team that sets the default in so many words is known by what it
  /// applied, client-side or server-side; other writers own all defaults of what they send, so they tell nothing.
  private var hasDefaultDeadline: Bool {
    guard DeploymentHold.deadline(of: deployment) == DeploymentHold.defaultDeadline else { return false }
    let applied = deployment.annotations["kubectl.kubernetes.io/last-applied-configuration"]
      .flatMap { try? JSON(parsing: $0) }
    if applied?[path: ["spec", "progressDeadlineSeconds"]] != nil { return false }
    let entries = deployment[path: ["metadata", "managedFields"]]?.array ?? []
    return !entries.contains { entry in
      entry["operation"]?.string == "Apply" && entry["manager"]?.string != Names.fieldManager
        && entry[path: ["fieldsV1", "f:spec", "f:progressDeadlineSeconds"]] != nil
    }
  }

  func releaseHold() async throws {
    try await cluster.patch(
      .deployments, key,
      .merge([
        // A template that changed meanwhile would roll untested, and without policies nothing else would stop it.
        "metadata": [
          "annotations": [Names.held: .null, Names.ownWrite: mark],
          "resourceVersion": .string(deployment.resourceVersion),
        ],
        "spec": DeploymentHold.ended(for: deployment),
      ]))
  }

  /// Creates the canary's set. A set of that name with another template is a collision of hashes: the name grows.
  func createSet(revision: String, run: String, replicas: Int) async throws {
    let template = PodTemplate(of: deployment)
    for suffix in ["", "-2", "-3", "-4"] {
      let name = "\(deployment.name)-\(revision)\(suffix)"
      let set = CanarySet.render(
        deployment: deployment, rollout: rollout.name, run: run, revision: revision + suffix, name: name,
        replicas: replicas)
      do {
        try await cluster.create(.replicaSets, set)
        return
      } catch let error as KubernetesError where error.isAlreadyExists {
        let live = try await cluster.get(.replicaSets, ObjectKey(namespace: key.namespace, name: name))
        if PodTemplate(of: live) == template { return }
      }
    }
    throw EffectError(
      "create the canary's ReplicaSet", "\(deployment.name)-\(revision) and its successors exist already")
  }

  func release(_ sets: [JSON]) async throws {
    for set in sets {
      try await cluster.patch(
        .replicaSets, set.objectKey,
        .merge(CanarySet.releasePatch(set: set, deployment: deployment, rollout: rollout.name)))
    }
  }

  /// Nothing is written where the set has been offered already and the Deployment's controller has yet to take it.
  func adopt(_ set: JSON, number: Int?) async throws {
    if CanarySet.isOffered(set, deployment: deployment, number: number) { return }
    try await cluster.patch(
      .replicaSets, set.objectKey, .merge(CanarySet.adoptPatch(set: set, deployment: deployment, number: number)))
  }

}
