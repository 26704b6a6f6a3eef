import Foundation
import KubernetesAPI

extension ResourceType {
  static let nodes = ResourceType(kind: "Node", plural: "nodes", namespaced: false)
}

/// The nodes of the sandbox. Pods are put on the first, which is in no zone; those that their template spreads over zones
/// (`topologySpreadConstraints` with `topology.kubernetes.io/zone`), over the others.
enum SimulatedNodes {
  struct Node: Sendable {
    var name: String
    var address: String
    var zone: String?

    var labels: [String: String] {
      var labels = ["kubernetes.io/hostname": name, "kubernetes.io/os": "linux"]
      if let zone { (labels[regionLabel], labels[zoneLabel]) = ("local", zone) }
      return labels
    }

    func object(now: Date) -> JSON {
      [
        "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name), "labels": JSON(labels)],
        "status": [
          "conditions": [
            [
              "type": "Ready", "status": "True", "reason": "Simulated", "message": "the sandbox runs pods in name only",
              "lastHeartbeatTime": .string(now.stamp), "lastTransitionTime": .string(now.stamp),
            ]
          ],
          "nodeInfo": ["kubeletVersion": "v1.36.2"],
        ],
      ]
    }
  }

  static let zoneLabel = "topology.kubernetes.io/zone"
  static let regionLabel = "topology.kubernetes.io/region"

  static let all = [
    Node(name: "n1", address: "172.18.0.2"), Node(name: "n2", address: "172.18.0.3", zone: "local-a"),
    Node(name: "n3", address: "172.18.0.4", zone: "local-b"), Node(name: "n4", address: "172.18.0.5", zone: "local-a"),
    Node(name: "n5", address: "172.18.0.6", zone: "local-b"),
  ]

  /// Adds those in zones to the first, which every server begins with.
  static func install(in cluster: any ClusterAccess) throws(Status) {
    for node in all.dropFirst() { _ = try cluster.create(.nodes, node.object(now: cluster.now)) }
  }

  static func named(_ name: String) -> Node? { all.first { $0.name == name } }

  /// Where a pod goes: to the zone that has the fewest of those that it is spread with, and there to the emptiest node.
  /// - Parameter others: the pods of its namespace.
  static func node(for pod: JSON, among others: @autoclosure () -> [JSON]) -> Node {
    let constraints = pod[path: ["spec", "topologySpreadConstraints"]]?.array ?? []
    guard let constraint = constraints.first(where: { $0["topologyKey"]?.string == zoneLabel }) else { return all[0] }
    let keys = constraint["matchLabelKeys"]?.array?.compactMap(\.string) ?? []
    var counts: [String: Int] = [:]
    for other in others()
    where !other.isBeingDeleted && SelectorMatch.matches(constraint["labelSelector"], labels: other.labels) {
      guard keys.allSatisfy({ other.labels[$0] == pod.labels[$0] }) else { continue }
      counts[PodView(other).nodeName, default: 0] += 1
    }
    var inZone: [String: Int] = [:]
    for node in all { if let zone = node.zone { inZone[zone, default: 0] += counts[node.name] ?? 0 } }
    return all.filter { $0.zone != nil }.min { left, right in
      (inZone[left.zone ?? ""] ?? 0, counts[left.name] ?? 0, left.name)
        < (inZone[right.zone ?? ""] ?? 0, counts[right.name] ?? 0, right.name)
    } ?? all[0]
  }
}
