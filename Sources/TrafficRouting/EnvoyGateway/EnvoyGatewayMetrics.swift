import KubernetesAPI

/// Envoy Gateway's metrics: those of Envoy's clusters. It makes one cluster of a rule's backends, by which the tracks
/// cannot be told apart, unless a backend has a filter of its own; so Sluice's routes have one, and stand in a known
/// order. Source: envoyproxy/gateway, internal/gatewayapi (`irDestinationSettingName`) and its issue 6742.
public struct EnvoyGatewayMetrics: MeshMetrics {
  public init() {}

  /// The gateway alone counts; nothing stands beside the callee.
  public var views: [MetricsView] { [.caller] }

  /// A header that no answer has, for a filter that changes nothing.
  static let absentHeader = "x-sluice-none"

  static let emptyFilter: JSON = [
    "type": "ResponseHeaderModifier", "responseHeaderModifier": ["remove": [.string(absentHeader)]],
  ]

  static let requests = "envoy_cluster_upstream_rq"
  static let buckets = "envoy_cluster_upstream_rq_time_bucket"
  private static let label = "envoy_cluster_name"

  // MARK: Queries

  public func requestQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    query(Self.requests, scopes, view, by: "envoy_response_code", reading)
  }

  public func latencyQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    query(Self.buckets, scopes, view, by: "le", reading)
  }

  public func bypassQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String? { nil }

  public func securityQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String? { nil }

  private func query(
    _ metric: String, _ scopes: [MetricsScope], _ view: MetricsView, by group: String, _ reading: MetricsReading
  ) -> String? {
    let routes = scopes.flatMap { scope in scope.routes.map { Self.prefix(scope.namespace, $0) } }
    guard view == .caller, !routes.isEmpty else { return nil }
    let names = Set(routes).sorted().map(PromQL.literal).joined(separator: "|")
    let labels = "\(Self.label)=~\(PromQL.quoted("(\(names))[0-9]+/backend/[01]"))"
    return PromQL.sum(
      metric, labels, by: [Self.label, group], process: ["instance", "namespace", "pod"], reading: reading)
  }

  /// What the names of a route's clusters begin with; the number of the rule follows.
  private static func prefix(_ namespace: String, _ route: String) -> String { "httproute/\(namespace)/\(route)/rule/" }

  // MARK: Answers

  public func byNamespace(_ series: [MetricSeries], view: MetricsView) -> [String: [MetricSeries]] {
    Dictionary(grouping: series) { one in
      let parts = (one.labels[Self.label] ?? "").split(separator: "/")
      return parts.count > 1 ? String(parts[1]) : ""
    }
  }

  public func readings(_ series: [MetricSeries], of scope: MetricsScope, view: MetricsView) -> [MetricsKey: Double] {
    series.readings(process: ["instance", "namespace", "pod"]) { labels in
      Self.track(labels[Self.label] ?? "", of: scope)
    } isError: {
      MetricSeries.isServerError($0["envoy_response_code"] ?? "")
    } bucket: {
      $0
    }
  }

  public var tellsSecurity: Bool { false }

  public func security(_ series: [MetricSeries], of scope: MetricsScope) -> [Track: ConnectionSecurity] { [:] }

  /// The backends stand in the order in which every rule names them.
  private static func track(_ cluster: String, of scope: MetricsScope) -> Track? {
    guard scope.routes.contains(where: { cluster.hasPrefix(prefix(scope.namespace, $0)) }) else { return nil }
    if cluster.hasSuffix("/backend/0") { return .stable }
    return cluster.hasSuffix("/backend/1") ? .canary : nil
  }
}
