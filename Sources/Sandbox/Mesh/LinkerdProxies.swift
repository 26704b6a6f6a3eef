import Foundation
import KubernetesAPI

/// What the proxies of Linkerd count, and how they export it. Source: linkerd2-proxy, and the scrape configuration of
/// linkerd-viz, which adds `namespace` and `pod`.
struct LinkerdProxies: Sendable {
  /// Whose requests a caller's proxy counts, and where they went.
  struct Outbound: Sendable, Hashable {
    var proxy: ObjectKey
    var parent: ObjectKey
    var port: Int
    var backend: ObjectKey
  }

  private struct Status: Hashable {
    var outbound: Outbound
    var status: Int
    var error: String
  }

  private struct Inbound: Hashable {
    var pod: ObjectKey
    var workload: String
    var isSuccess: Bool
    var status: Int
    /// Of the caller, who has none without a proxy.
    var client: String
    var route: String
  }

  private struct Histogram {
    /// Not cumulative; the last one is beyond all boundaries.
    var buckets: [Int]
    var sum = 0.0

    mutating func count(_ value: Double, _ boundaries: [Double]) {
      if buckets.isEmpty { buckets = Array(repeating: 0, count: boundaries.count + 1) }
      buckets[boundaries.firstIndex { value <= $0 } ?? boundaries.count] += 1
      sum += value
    }
  }

  /// In seconds.
  static let outboundBoundaries = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 10]
  /// In milliseconds.
  static let inboundBoundaries: [Double] = [
    1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10_000, 20_000, 30_000,
    40_000, 50_000,
  ]

  private var statuses: [Status: Int] = [:]
  private var durations: [Outbound: Histogram] = [:]
  private var responses: [Inbound: Int] = [:]
  private var latencies: [Inbound: Histogram] = [:]

  /// - Parameter error: why nothing answered; empty where something did.
  mutating func sent(_ outbound: Outbound, status: Int, error: String, milliseconds: Double) {
    statuses[Status(outbound: outbound, status: error.isEmpty ? status : 0, error: error), default: 0] += 1
    durations[outbound, default: Histogram(buckets: [])].count(milliseconds / 1000, Self.outboundBoundaries)
  }

  mutating func answered(
    _ pod: ObjectKey, workload: String, status: Int, milliseconds: Double, client: String, route: String = "default"
  ) {
    let inbound = Inbound(
      pod: pod, workload: workload, isSuccess: status < 500, status: status, client: client, route: route)
    responses[inbound, default: 0] += 1
    latencies[inbound, default: Histogram(buckets: [])].count(milliseconds, Self.inboundBoundaries)
  }

  /// Forgets what proxies counted that are gone.
  mutating func keep(proxies isAlive: (ObjectKey) -> Bool) {
    statuses = statuses.filter { isAlive($0.key.outbound.proxy) }
    durations = durations.filter { isAlive($0.key.proxy) }
    responses = responses.filter { isAlive($0.key.pod) }
    latencies = latencies.filter { isAlive($0.key.pod) }
  }

  /// The text that Prometheus scrapes; empty where no namespace has Linkerd.
  func exposition() -> String {
    guard !statuses.isEmpty || !responses.isEmpty else { return "" }
    var text = ""
    counter("outbound_http_route_backend_response_statuses_total", &text, statuses) { key in
      labels(key.outbound) + [("http_status", key.error.isEmpty ? String(key.status) : ""), ("error", key.error)]
    }
    histogram(
      "outbound_http_route_backend_response_duration_seconds", &text, durations, Self.outboundBoundaries, labels)
    counter("response_total", &text, responses) {
      labels($0) + [("classification", $0.isSuccess ? "success" : "failure")]
    }
    histogram("response_latency_ms", &text, latencies, Self.inboundBoundaries, labels)
    return text
  }

  private func labels(_ key: Outbound) -> [(String, String)] {
    [
      ("parent_group", "core"), ("parent_kind", "Service"), ("parent_namespace", key.parent.namespace),
      ("parent_name", key.parent.name), ("parent_port", String(key.port)), ("parent_section_name", ""),
      ("route_group", "gateway.networking.k8s.io"), ("route_kind", "HTTPRoute"),
      ("route_namespace", key.parent.namespace), ("route_name", key.parent.name), ("backend_group", "core"),
      ("backend_kind", "Service"), ("backend_namespace", key.backend.namespace), ("backend_name", key.backend.name),
      ("backend_port", String(key.port)), ("backend_section_name", ""), ("namespace", key.proxy.namespace),
      ("pod", key.proxy.name),
    ]
  }

  private func labels(_ key: Inbound) -> [(String, String)] {
    [
      ("direction", "inbound"), ("tls", key.client.isEmpty ? "no_identity" : "true"), ("client_id", key.client),
      ("status_code", String(key.status)), ("route_kind", "default"), ("route_name", key.route),
      ("deployment", key.workload), ("namespace", key.pod.namespace), ("pod", key.pod.name),
    ]
  }

  private func counter<Key: Hashable>(
    _ name: String, _ text: inout String, _ values: [Key: Int], _ labels: (Key) -> [(String, String)]
  ) {
    text += "# TYPE \(name) counter\n"
    for (labels, value) in values.map({ (Self.text(labels($0.key)), $0.value) }).sorted(by: { $0.0 < $1.0 }) {
      text += "\(name){\(labels)} \(value)\n"
    }
  }

  private func histogram<Key: Hashable>(
    _ name: String, _ text: inout String, _ values: [Key: Histogram], _ boundaries: [Double],
    _ labels: (Key) -> [(String, String)]
  ) {
    text += "# TYPE \(name) histogram\n"
    for (labels, value) in values.map({ (Self.text(labels($0.key)), $0.value) }).sorted(by: { $0.0 < $1.0 }) {
      var cumulative = 0
      for (boundary, count) in zip(boundaries.map(Self.number) + ["+Inf"], value.buckets) {
        cumulative += count
        text += "\(name)_bucket{\(labels),le=\"\(boundary)\"} \(cumulative)\n"
      }
      text += "\(name)_sum{\(labels)} \(Self.number((value.sum * 1e6).rounded() / 1e6))\n"
      text += "\(name)_count{\(labels)} \(cumulative)\n"
    }
  }

  private static func text(_ labels: [(String, String)]) -> String {
    labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
  }
}
