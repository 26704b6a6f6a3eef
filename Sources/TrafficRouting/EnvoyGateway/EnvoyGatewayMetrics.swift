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
  static let durations = "envoy_cluster_upstream_rq_time"
  static let label = "envoy_cluster_name"

  // MARK: Queries

  public func requestQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    labels(scopes, view).map {
      PromQL.sum(
        Self.requests, $0, by: [Self.label, "envoy_response_code"], process: Self.process, reading: reading)
    }
  }

  public func latencyQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    labels(scopes, view).map {
      PromQL.buckets(Self.durations, $0, by: [Self.label], process: Self.process, reading: reading)
    }
  }

  public func securityQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String? { nil }

  static let process = ["instance", "namespace", "pod"]

  /// The clusters of both tracks, as a matcher.
  func labels(_ scopes: [MetricsScope], _ view: MetricsView) -> String? {
    let routes = scopes.flatMap { scope in scope.routes.map { Self.prefix(scope.namespace, $0) } }
    guard view == .caller, !routes.isEmpty else { return nil }
    let names = Set(routes).sorted().map(PromQL.literal).joined(separator: "|")
    return "\(Self.label)=~\(PromQL.quoted("(\(names))[0-9]+/backend/[01]"))"
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
    series.readings(process: Self.process) { labels in
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
  static func track(_ cluster: String, of scope: MetricsScope) -> Track? {
    guard scope.routes.contains(where: { cluster.hasPrefix(prefix(scope.namespace, $0)) }) else { return nil }
    if cluster.hasSuffix("/backend/0") { return .stable }
    return cluster.hasSuffix("/backend/1") ? .canary : nil
  }
}
