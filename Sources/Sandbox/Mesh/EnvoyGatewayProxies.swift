import Foundation
import KubernetesAPI

/// What the Envoys of an Envoy Gateway count of their clusters, one for each backend of a rule that has a filter of its
/// own. Source: Envoy's documentation of cluster statistics, and Envoy Gateway's names of clusters.
struct EnvoyGatewayProxies: Sendable {
  static let controller = "gateway.envoyproxy.io/gatewayclass-controller"

  private struct Numbers {
    var codes: [Int: Int] = [:]
    /// By ``MeshMetrics/boundaries``, not cumulative; the last one is beyond all of them.
    var buckets = Array(repeating: 0, count: MeshMetrics.boundaries.count + 1)
    var connectFailures = 0
    var noneHealthy = 0
    var timeouts = 0
  }

  /// By the gateway that counts, as `namespace/name`, and the cluster's name.
  private struct Cluster: Hashable {
    var gateway: String
    var name: String
  }

  private var numbers: [Cluster: Numbers] = [:]

  /// The name of the cluster of one backend.
  static func name(route: ObjectKey, rule: Int, backend: Int) -> String {
    "httproute/\(route.namespace)/\(route.name)/rule/\(rule)/backend/\(backend)"
  }

  /// What became of a request, with the flags by which Envoy's log tells why nothing answered.
  mutating func sent(_ name: String, by gateway: String, status: Int, flags: String, milliseconds: Double) {
    let bucket = MeshMetrics.boundaries.firstIndex { milliseconds <= $0 } ?? MeshMetrics.boundaries.count
    var own = numbers[Cluster(gateway: gateway, name: name)] ?? Numbers()
    own.codes[status, default: 0] += 1
    own.buckets[bucket] += 1
    if flags == "UH" { own.noneHealthy += 1 }
    if flags == "UT" { own.timeouts += 1 }
    numbers[Cluster(gateway: gateway, name: name)] = own
  }

  /// A connection to a pod of the cluster that could not be made, whether or not another was tried.
  mutating func couldNotConnect(_ name: String, by gateway: String) {
    numbers[Cluster(gateway: gateway, name: name), default: Numbers()].connectFailures += 1
  }

  /// The text that Prometheus scrapes; empty where there is no Envoy Gateway.
  func exposition() -> String {
    guard !numbers.isEmpty else { return "" }
    let sorted = numbers.map { (labels: Self.labels($0.key), numbers: $0.value) }.sorted { $0.labels < $1.labels }
    let name = "envoy_cluster_upstream"
    var text = "# TYPE \(name)_rq counter\n"
    for (labels, own) in sorted {
      for (code, count) in own.codes.sorted(by: { $0.key < $1.key }) {
        text += "\(name)_rq{envoy_response_code=\"\(code)\",\(labels)} \(count)\n"
      }
    }
    text += "# TYPE \(name)_rq_xx counter\n"
    for (labels, own) in sorted {
      for (kind, codes) in Dictionary(grouping: own.codes, by: { $0.key / 100 }).sorted(by: { $0.key < $1.key }) {
        let count = codes.reduce(0) { $0 + $1.value }
        text += "\(name)_rq_xx{envoy_response_code_class=\"\(kind)\",\(labels)} \(count)\n"
      }
    }
    let others: [(String, (Numbers) -> Int)] = [
      ("cx_connect_fail", \.connectFailures), ("cx_none_healthy", \.noneHealthy), ("rq_timeout", \.timeouts),
    ]
    for (suffix, value) in others {
      text += "# TYPE \(name)_\(suffix) counter\n"
      for (labels, own) in sorted { text += "\(name)_\(suffix){\(labels)} \(value(own))\n" }
    }
    text += "# TYPE \(name)_rq_time histogram\n"
    for (labels, own) in sorted {
      var cumulative = 0
      for (boundary, count) in zip(MeshMetrics.boundaries.map(Self.text) + ["+Inf"], own.buckets) {
        cumulative += count
        text += "\(name)_rq_time_bucket{\(labels),le=\"\(boundary)\"} \(cumulative)\n"
      }
    }
    return text
  }

  private static func labels(_ cluster: Cluster) -> String {
    let pod = "envoy-\(cluster.gateway.replacing("/", with: "-"))-0"
    return "envoy_cluster_name=\"\(cluster.name)\",namespace=\"envoy-gateway-system\",pod=\"\(pod)\""
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(value)
  }
}
