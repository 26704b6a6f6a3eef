/// Linkerd's metrics, as its proxies have them since 2.18. A caller's proxy counts by the Service that a route led it to;
/// a callee's by its own pod. Source: linkerd2-proxy, linkerd/app/{outbound,inbound}/src/http and its metrics crates.
public struct LinkerdMetrics: MeshMetrics {
  public init() {}

  public var views: [MetricsView] { MetricsView.allCases }

  static let requests = "outbound_http_route_backend_response_statuses_total"
  static let durations = "outbound_http_route_backend_response_duration_seconds"
  static let responses = "response_total"
  static let latencies = "response_latency_ms"

  // MARK: Queries

  public func requestQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    switch view {
    case .caller:
      backends(scopes).map { sum(Self.requests, $0, by: groups(view) + ["http_status", "error"], reading: reading) }
    case .callee:
      inbound(scopes).map { sum(Self.responses, $0, by: groups(view) + ["classification"], reading: reading) }
    }
  }

  public func latencyQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    switch view {
    case .caller: backends(scopes).map { buckets(Self.durations, $0, view, reading) }
    case .callee: inbound(scopes).map { buckets(Self.latencies, $0, view, reading) }
    }
  }

  /// `tls="true"` without a `client_id` is TLS by which the callee does not know its caller.
  public func securityQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String? {
    inbound(scopes).map { labels in
      func part(_ policy: String, _ condition: String) -> String {
        let counted = sum(Self.responses, "\(labels),\(condition)", by: groups(.callee), reading: reading)
        return "label_replace(\(counted), \"\(Self.policyLabel)\", \"\(policy)\", \"\", \"\")"
      }
      return part(ConnectionSecurity.mutual, "tls=\"true\",client_id!=\"\"") + " or "
        + part("unknown", "client_id=\"\"")
    }
  }

  private static let policyLabel = "connection_security_policy"

  public var tellsSecurity: Bool { true }

  func groups(_ view: MetricsView) -> [String] {
    switch view {
    case .caller: ["backend_namespace", "backend_name"]
    case .callee: ["namespace", "pod"]
    }
  }

  func backends(_ scopes: [MetricsScope]) -> String? {
    let services = scopes.flatMap { $0.stableServices + $0.canaryServices }
    guard !services.isEmpty else { return nil }
    return [
      "backend_kind=\"Service\"", PromQL.oneOf("backend_namespace", scopes.map(\.namespace)),
      PromQL.oneOf("backend_name", services),
    ].joined(separator: ",")
  }

  /// The kubelet's probes are requests too, of a route with that name.
  func inbound(_ scopes: [MetricsScope]) -> String? {
    let patterns = scopes.compactMap { $0.podPattern() }
    guard !patterns.isEmpty else { return nil }
    return [
      "direction=\"inbound\"", "route_name!=\"probe\"", PromQL.oneOf("namespace", scopes.map(\.namespace)),
      "pod=~\(PromQL.quoted(patterns.joined(separator: "|")))",
    ].joined(separator: ",")
  }

  private func buckets(_ metric: String, _ labels: String, _ view: MetricsView, _ reading: MetricsReading) -> String {
    PromQL.buckets(metric, labels, by: groups(view), process: ["instance", "namespace", "pod"], reading: reading)
  }

  func sum(_ metric: String, _ labels: String, by groups: [String], reading: MetricsReading) -> String {
    PromQL.sum(metric, labels, by: groups, process: ["instance", "namespace", "pod"], reading: reading)
  }

  // MARK: Answers

  public func byNamespace(_ series: [MetricSeries], view: MetricsView) -> [String: [MetricSeries]] {
    Dictionary(grouping: series) { $0.labels[groups(view)[0]] ?? "" }
  }

  public func readings(_ series: [MetricSeries], of scope: MetricsScope, view: MetricsView) -> [MetricsKey: Double] {
    series.readings(process: ["instance", "namespace", "pod"]) { labels in
      track(labels, of: scope, view: view)
    } isError: {
      Self.isError($0, view: view)
    } bucket: {
      view == .caller ? MetricSeries.milliseconds($0) : $0
    }
  }

  /// Who sent a request without an identity is not in the metrics.
  public func security(_ series: [MetricSeries], of scope: MetricsScope) -> [Track: ConnectionSecurity] {
    series.security(label: Self.policyLabel) {
      track($0, of: scope, view: .callee)
    } caller: { _ in
      nil
    }
  }

  func track(_ labels: [String: String], of scope: MetricsScope, view: MetricsView) -> Track? {
    guard labels[groups(view)[0]] == scope.namespace else { return nil }
    return switch view {
    case .caller: scope.track(service: labels["backend_name"] ?? "")
    case .callee: scope.track(pod: labels["pod"] ?? "")
    }
  }

  static func isError(_ labels: [String: String], view: MetricsView) -> Bool {
    switch view {
    case .caller:
      // Where nothing answered there is no status, and the error has a name.
      !(labels["error"] ?? "").isEmpty || MetricSeries.isServerError(labels["http_status"] ?? "")
    case .callee: labels["classification"] == "failure"
    }
  }
}
