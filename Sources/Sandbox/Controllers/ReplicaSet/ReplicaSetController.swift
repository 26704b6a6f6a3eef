import Foundation
import KubernetesAPI

/// The ReplicaSet controller of kube-controller-manager 1.36: claims pods, makes and deletes them, reports.
struct ReplicaSetController: BuiltInController {
  let name = "replicaset-controller"

  /// Pods made or deleted in one look.
  static let burst = 500

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    switch change.type {
    case .replicaSets: [change.reference]
    case .pods: sets(of: change, in: cluster)
    default: []
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let found = cluster.get(.replicaSets, object.key) else { return nil }
    let set = ReplicaSetView(found)
    var pods = try claimPods(of: set, in: cluster)
    var failure: (reason: String, error: Status)?
    if !set.json.isBeingDeleted {
      do {
        pods = try resize(set, pods, in: cluster)
      } catch {
        failure = (pods.count < set.replicas ? "FailedCreate" : "FailedDelete", error)
      }
    }
    try writeStatus(of: set, pods: pods, failure: failure, in: cluster)
    if let failure { throw failure.error }
    return timeToNextAvailable(of: set, pods, now: cluster.now)
  }

  /// The sets that controlled or control a pod; for a pod without a controller those that could adopt it.
  private func sets(of change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    var names: Set<String> = []
    for pod in [change.old, change.new].compactMap({ $0 }) {
      guard let controller = pod.controllerReference, controller["kind"]?.string == "ReplicaSet" else { continue }
      names.insert(controller["name"]?.string ?? "")
    }
    if let pod = change.new, pod.controllerReference == nil, !pod.isBeingDeleted {
      for set in cluster.list(.replicaSets, namespace: pod.namespace)
      where SelectorMatch.matches(set[path: ["spec", "selector"]], labels: pod.labels) {
        names.insert(set.name)
      }
    }
    return names.map {
      TypedKey(type: .replicaSets, key: ObjectKey(namespace: change.reference.key.namespace, name: $0))
    }
  }

  /// - Returns: the active pods that the set controls.
  private func claimPods(of set: ReplicaSetView, in cluster: any ClusterAccess) throws(Status) -> [PodView] {
    var claimed: [PodView] = []
    for pod in cluster.list(.pods, namespace: set.json.namespace) where PodView(pod).isActive {
      let matches = SelectorMatch.matches(set.selector, labels: pod.labels)
      switch Claim(of: pod, by: set.json, matches: matches) {
      case .keep:
        claimed.append(PodView(pod))
      case .adopt:
        let adopted = Ownership.adopting(pod, by: set.json, of: .replicaSets)
        claimed.append(PodView(try cluster.update(.pods, adopted, subresource: nil)))
      case .release:
        _ = try cluster.update(.pods, Ownership.releasing(pod, from: [set.uid]), subresource: nil)
      case .ignore:
        break
      }
    }
    return claimed
  }

  /// - Returns: the pods that remain.
  private func resize(
    _ set: ReplicaSetView, _ pods: [PodView], in cluster: any ClusterAccess
  ) throws(Status) -> [PodView] {
    let events = EventRecorder(component: name)
    if pods.count < set.replicas {
      var pods = pods
      for _ in 0..<min(set.replicas - pods.count, Self.burst) {
        do {
          let pod = PodView(try cluster.create(.pods, newPod(of: set)))
          events.record("SuccessfulCreate", "Created pod: \(pod.name)", on: set.json, of: .replicaSets, in: cluster)
          pods.append(pod)
        } catch {
          events.record(
            "FailedCreate", "Error creating: \(error.message ?? error.reason ?? "unknown error")", kind: .warning,
            on: set.json, of: .replicaSets, in: cluster)
          throw error
        }
      }
      return pods
    }
    let surplus = min(pods.count - set.replicas, Self.burst)
    guard surplus > 0 else { return pods }
    let ranking = PodRanking(now: cluster.now, podsPerNode: podsPerNode(relatedTo: set, in: cluster))
    let ordered = ranking.ordered(pods)
    for pod in ordered.prefix(surplus) {
      do {
        try cluster.delete(.pods, pod.json.objectKey, uid: pod.uid)
        events.record("SuccessfulDelete", "Deleted pod: \(pod.name)", on: set.json, of: .replicaSets, in: cluster)
      } catch let error where error.reason == "NotFound" {
        continue
      }
    }
    return Array(ordered.dropFirst(surplus))
  }

  private func newPod(of set: ReplicaSetView) -> JSON {
    var pod: JSON = [
      "apiVersion": "v1", "kind": "Pod",
      "metadata": [
        "generateName": .string(set.name + "-"), "namespace": .string(set.json.namespace),
        "ownerReferences": [Ownership.controllerReference(to: set.json, of: .replicaSets)],
      ],
      "spec": set.template["spec"] ?? .emptyObject,
    ]
    for field in ["labels", "annotations", "finalizers"] {
      pod[path: ["metadata", field]] = set.template[path: ["metadata", field]]
    }
    return pod
  }

  private func podsPerNode(relatedTo set: ReplicaSetView, in cluster: any ClusterAccess) -> [String: Int] {
    var related: Set<String> = [set.uid]
    if let owner = set.json.controllerUID {
      for other in cluster.list(.replicaSets, namespace: set.json.namespace)
      where other.controllerUID == owner {
        related.insert(other.uid)
      }
    }
    var counts: [String: Int] = [:]
    for pod in cluster.list(.pods, namespace: set.json.namespace)
    where PodView(pod).isActive && related.contains(pod.controllerUID ?? "") {
      counts[PodView(pod).nodeName, default: 0] += 1
    }
    return counts
  }

  private func writeStatus(
    of set: ReplicaSetView, pods: [PodView], failure: (reason: String, error: Status)?, in cluster: any ClusterAccess
  ) throws(Status) {
    let wanted = set.template[path: ["metadata", "labels"]]?.strings ?? [:]
    let terminating = cluster.list(.pods, namespace: set.json.namespace).filter { pod in
      pod.controllerUID == set.uid && pod.isBeingDeleted && !PodView(pod).isFinished
    }
    var conditions = (set.json[path: ["status", "conditions"]]?.array ?? []).map(WorkloadCondition.init)
    if let failure {
      if conditions[type: "ReplicaFailure"] == nil {
        conditions.set(
          WorkloadCondition(
            "ReplicaFailure", "True", reason: failure.reason,
            message: failure.error.message ?? failure.error.reason ?? "unknown error", now: cluster.now,
            hasUpdateTime: false))
      }
    } else {
      conditions.remove(type: "ReplicaFailure")
    }
    var status: JSON = [
      "replicas": JSON(pods.count), "terminatingReplicas": JSON(terminating.count),
      "observedGeneration": JSON(set.json.generation),
    ]
    let counts = [
      ("fullyLabeledReplicas", pods.count { SelectorMatch.matches(map: wanted, labels: $0.json.labels) }),
      ("readyReplicas", pods.count(where: \.isReady)),
      ("availableReplicas", pods.count { $0.isAvailable(minReady: set.minReadySeconds, now: cluster.now) }),
    ]
    for (field, count) in counts where count > 0 { status[field] = JSON(count) }
    if !conditions.isEmpty { status["conditions"] = .array(conditions.map(\.json)) }
    guard status != set.json["status"] else { return }
    var updated = set.json
    updated["status"] = status
    _ = try cluster.update(.replicaSets, updated, subresource: "status")
  }

  private func timeToNextAvailable(of set: ReplicaSetView, _ pods: [PodView], now: Date) -> Duration? {
    guard set.minReadySeconds > 0 else { return nil }
    return pods.filter { !$0.isAvailable(minReady: set.minReadySeconds, now: now) }.compactMap(\.readySince).min().map {
      max($0.adding(.seconds(set.minReadySeconds)).since(now), .milliseconds(1))
    }
  }
}
