import CanaryAnalysis
import Foundation
import KubernetesAPI
import TrafficRouting

/// What the API server says of one pod of a run, without asking anybody else.
struct PodFacts: Sendable, Hashable {
  var name: String
  var track: Track
  var node: String?
  var zone: String?
  var startedAt: Date?
  /// Of all containers since the pod began.
  var restarts = 0
  /// Whether a container ended for want of memory when it last did.
  var wasKilledForMemory = false
  /// Of the containers together, in bytes; `nil` where one has none.
  var memoryLimit: Double?

  var place: PodPlace { PodPlace(pod: name, node: node) }
}

extension PodFacts {
  /// The pods of both tracks, by the ReplicaSets that own them.
  static func of(stable: String, canary: String?, in namespace: String, _ snapshot: any ClusterSnapshot) -> [PodFacts] {
    let limits = [Track.stable: stable, .canary: canary].compactMapValues { set in
      set.flatMap { snapshot.object(.replicaSets, ObjectKey(namespace: namespace, name: $0)) }.flatMap(memoryLimit)
    }
    return snapshot.objects(.pods, namespace: namespace).compactMap { pod in
      // The name decides most cases without a look at the owners; a namespace may have thousands.
      guard let track = track(of: pod, stable: stable, canary: canary), !pod.isBeingDeleted else { return nil }
      var facts = PodFacts(pod, track: track)
      facts.memoryLimit = limits[track]
      return facts
    }
  }

  /// By the template of a ReplicaSet: the cache keeps no containers of pods.
  static func memoryLimit(of set: JSON) -> Double? {
    let containers = set[path: ["spec", "template", "spec", "containers"]]?.array ?? []
    let limits = containers.map { container in
      container[path: ["resources", "limits", "memory"]]?.string.flatMap(Quantity.init)
        .flatMap { Double($0.value.description) }
    }
    let known = limits.compactMap { $0 }
    return known.isEmpty || known.count < limits.count ? nil : known.reduce(0, +)
  }

  private static func track(of pod: JSON, stable: String, canary: String?) -> Track? {
    let isLikely = [stable, canary].contains { set in
      set.map { !$0.isEmpty && pod.name.hasPrefix($0.prefix(50)) } ?? false
    }
    guard isLikely else { return nil }
    let owners = (pod[path: ["metadata", "ownerReferences"]]?.array ?? []).compactMap { $0["name"]?.string }
    if owners.contains(stable) { return .stable }
    return canary.map(owners.contains) ?? false ? .canary : nil
  }

  init(_ pod: JSON, track: Track) {
    self.init(name: pod.name, track: track)
    node = pod[path: ["spec", "nodeName"]]?.string
    // The scheduler's binding copies the node's topology to the pod (Kubernetes 1.35 and later).
    zone = pod.labels["topology.kubernetes.io/zone"]
    startedAt = pod[path: ["status", "startTime"]]?.string.flatMap(Timestamp.init)?.date
    for status in pod[path: ["status", "containerStatuses"]]?.array ?? [] {
      restarts += status["restartCount"]?.int ?? 0
      let ends = [["lastState", "terminated", "reason"], ["state", "terminated", "reason"]]
      if ends.contains(where: { status[path: $0]?.string == "OOMKilled" }) { wasKilledForMemory = true }
    }
  }
}
