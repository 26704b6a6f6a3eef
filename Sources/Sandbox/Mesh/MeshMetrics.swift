import Foundation

/// Istio's standard metrics, as the proxies of a mesh export them and one scrape collects them.
struct MeshMetrics: Sendable {
  /// The upper bounds of Envoy's default histogram buckets, in milliseconds.
  static let boundaries: [Double] = [
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
    3_600_000,
  ]

  /// The values of a series' labels, and the proxy that exports it.
  struct Series: Sendable, Hashable {
    var reporter: Reporter
    /// The pod of the proxy, which a scrape adds as `pod` and `namespace`.
    var proxy: Workload
    var source: Workload
    var destination: Workload
    var service: String
    var serviceNamespace: String
    var responseCode: Int
    var responseFlags: String
    var securityPolicy: String

    enum Reporter: String, Sendable { case source, destination }

    struct Workload: Sendable, Hashable {
      var name = "unknown"
      var namespace = "unknown"
      var pod = ""
      var app = "unknown"
      var version = "unknown"
      var principal = "unknown"
      var canonicalRevision = "latest"

      static let unknown = Workload()
    }
  }

  fileprivate struct Numbers {
    var requests = 0
    /// Not cumulative; the last one is beyond all boundaries.
    var buckets = Array(repeating: 0, count: MeshMetrics.boundaries.count + 1)
    var sum = 0.0
  }

  private var numbers: [Series: Numbers] = [:]

  mutating func count(_ series: Series, milliseconds: Double) {
    let bucket = Self.boundaries.firstIndex { milliseconds <= $0 } ?? Self.boundaries.count
    // One access, so that the arrays are changed in place.
    numbers[series, default: Numbers()].count(milliseconds, bucket: bucket)
  }

  /// Forgets what proxies counted that are gone: a scrape does not see them any more.
  mutating func keep(proxies isAlive: (_ namespace: String, _ pod: String) -> Bool) {
    numbers = numbers.filter { isAlive($0.key.proxy.namespace, $0.key.proxy.pod) }
  }

  /// The text that Prometheus scrapes (exposition format 0.0.4), sorted by labels. A scrape configuration needs
  /// `honor_labels: true`, since `pod` and `namespace` are those of each proxy.
  func exposition() -> String {
    let sorted = numbers.map { (labels: Self.labels($0.key), numbers: $0.value) }.sorted { $0.labels < $1.labels }
    var text = "# HELP istio_requests_total Requests, by the proxy that reports them.\n"
    text += "# TYPE istio_requests_total counter\n"
    for series in sorted { text += "istio_requests_total{\(series.labels)} \(series.numbers.requests)\n" }
    text += "# HELP istio_request_duration_milliseconds How long requests took.\n"
    text += "# TYPE istio_request_duration_milliseconds histogram\n"
    for series in sorted {
      let name = "istio_request_duration_milliseconds"
      var cumulative = 0
      for (boundary, count) in zip(Self.boundaries, series.numbers.buckets) {
        cumulative += count
        text += "\(name)_bucket{\(series.labels),le=\"\(Self.text(boundary))\"} \(cumulative)\n"
      }
      text += "\(name)_bucket{\(series.labels),le=\"+Inf\"} \(series.numbers.requests)\n"
      text += "\(name)_sum{\(series.labels)} \(Self.text((series.numbers.sum * 1000).rounded() / 1000))\n"
      text += "\(name)_count{\(series.labels)} \(series.numbers.requests)\n"
    }
    return text
  }

  private static func labels(_ series: Series) -> String {
    let (source, destination) = (series.source, series.destination)
    let hasService = series.service != "unknown"
    let service = hasService ? "\(series.service).\(series.serviceNamespace).svc.cluster.local" : "unknown"
    let pairs: [(String, String)] = [
      ("reporter", series.reporter.rawValue),
      ("source_workload", source.name), ("source_workload_namespace", source.namespace),
      ("source_canonical_service", source.app), ("source_canonical_revision", source.canonicalRevision),
      ("source_principal", source.principal), ("source_app", source.app), ("source_version", source.version),
      ("source_cluster", "Kubernetes"),
      ("destination_workload", destination.name), ("destination_workload_namespace", destination.namespace),
      ("destination_canonical_service", destination.app),
      ("destination_canonical_revision", destination.canonicalRevision),
      ("destination_principal", destination.principal), ("destination_app", destination.app),
      ("destination_version", destination.version), ("destination_cluster", "Kubernetes"),
      ("destination_service", service), ("destination_service_name", series.service),
      ("destination_service_namespace", series.serviceNamespace),
      ("request_protocol", "http"), ("response_code", String(series.responseCode)), ("grpc_response_status", ""),
      ("response_flags", series.responseFlags), ("connection_security_policy", series.securityPolicy),
      ("namespace", series.proxy.namespace), ("pod", series.proxy.pod),
    ]
    return pairs.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
  }

  private static func escaped(_ value: String) -> String {
    guard value.contains(where: { "\\\"\n".contains($0) }) else { return value }
    return value.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
      .replacingOccurrences(of: "\n", with: "\\n")
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
  }
}

extension MeshMetrics.Numbers {
  fileprivate mutating func count(_ milliseconds: Double, bucket: Int) {
    requests += 1
    buckets[bucket] += 1
    sum += milliseconds
  }
}
