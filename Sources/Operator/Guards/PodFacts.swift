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
    snapshot.objects(.pods, namespace: namespace).compactMap { pod in
      // The name decides most cases without a look at the owners; a namespace may have thousands.
      guard let track = track(of: pod, stable: stable, canary: canary), !pod.isBeingDeleted else { return nil }
      return PodFacts(pod, track: track)
    }
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
    let limits = (pod[path: ["spec", "containers"]]?.array ?? []).map { container in
      container[path: ["resources", "limits", "memory"]]?.string.flatMap(Quantity.init)
        .flatMap { Double($0.value.description) }
    }
    if !limits.isEmpty, limits.allSatisfy({ $0 != nil }) { memoryLimit = limits.reduce(0) { $0 + ($1 ?? 0) } }
  }
}
