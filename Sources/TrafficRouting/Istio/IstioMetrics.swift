/// Istio's standard metrics. Callers' metrics tell the tracks apart by the generated Services, callees' by pod names,
/// since Istio names the workload of both tracks alike.
public struct IstioMetrics: MeshMetrics {
  /// The label with the name of the pod that was scraped.
  public var podLabel: String

  public var views: [MetricsView]

  /// - Parameter views: the callers' alone in ambient mode, where waypoints count, and no proxy beside the callee does.
  public init(podLabel: String = "pod", views: [MetricsView] = MetricsView.allCases) {
    self.podLabel = podLabel
    self.views = views
  }

  static let requests = "istio_requests_total"
  static let durations = "istio_request_duration_milliseconds"

  // MARK: Queries

  public func requestQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    selector(scopes, view: view).map {
      sum(Self.requests, $0, by: groups(view) + ["response_code", "grpc_response_status"], reading: reading)
    }
  }

  public func latencyQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String? {
    selector(scopes, view: view).map {
      PromQL.buckets(Self.durations, $0, by: groups(view), process: process, reading: reading)
    }
  }

  private static let policyLabel = "connection_security_policy"
  private static let callerLabels = ["source_workload_namespace", "source_workload"]

  /// In ambient mode no proxy stands beside the callee; ztunnel counts connections, not requests.
  public var tellsSecurity: Bool { views.contains(.callee) }

  /// Requests at the callee by `connection_security_policy`; only the callee knows it. Proxies tell each other who they
  /// are in plain text too, so that a caller whose TLS somebody turned off has a name.
  public func securityQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String? {
    guard tellsSecurity, let labels = selector(scopes, view: .callee) else { return nil }
    func part(_ condition: String, by more: [String]) -> String {
      sum(
        Self.requests, "\(labels),\(Self.policyLabel)\(condition)\"\(ConnectionSecurity.mutual)\"",
        by: groups(.callee) + [Self.policyLabel] + more, reading: reading)
    }
    return part("=", by: []) + " or " + part("!=", by: Self.callerLabels)
  }

  func groups(_ view: MetricsView) -> [String] {
    switch view {
    case .caller: [Self.namespaceLabel(view), "destination_service_name"]
    case .callee: [Self.namespaceLabel(view), podLabel]
    }
  }

  func selector(_ scopes: [MetricsScope], view: MetricsView) -> String? {
    switch view {
    case .caller:
      let services = scopes.flatMap { $0.stableServices + $0.canaryServices }
      guard !services.isEmpty else { return nil }
      return [
        "reporter=~\"source|waypoint\"",
        PromQL.oneOf("destination_service_namespace", scopes.map(\.namespace)),
        PromQL.oneOf("destination_service_name", services),
      ].joined(separator: ",")
    case .callee:
      let patterns = scopes.compactMap { $0.podPattern() }
      guard !patterns.isEmpty else { return nil }
      return [
        "reporter=\"destination\"",
        PromQL.oneOf("destination_workload_namespace", scopes.map(\.namespace)),
        "\(podLabel)=~\(PromQL.quoted(patterns.joined(separator: "|")))",
      ].joined(separator: ",")
    }
  }

  func sum(_ metric: String, _ labels: String, by groups: [String], reading: MetricsReading) -> String {
    PromQL.sum(metric, labels, by: groups, process: process, reading: reading)
  }

  private var process: [String] { ["instance", "namespace", podLabel] }

  // MARK: Answers

  public func byNamespace(_ series: [MetricSeries], view: MetricsView) -> [String: [MetricSeries]] {
    Dictionary(grouping: series) { $0.labels[Self.namespaceLabel(view)] ?? "" }
  }

  private static func namespaceLabel(_ view: MetricsView) -> String {
    switch view {
    case .caller: "destination_service_namespace"
    case .callee: "destination_workload_namespace"
    }
  }

  public func readings(_ series: [MetricSeries], of scope: MetricsScope, view: MetricsView) -> [MetricsKey: Double] {
    series.readings(process: process) {
      track($0, of: scope, view: view)
    } isError: {
      Self.isError($0)
    } bucket: {
      $0
    }
  }

  public func security(_ series: [MetricSeries], of scope: MetricsScope) -> [Track: ConnectionSecurity] {
    series.security(label: Self.policyLabel) {
      track($0, of: scope, view: .callee)
    } caller: { labels in
      let names = Self.callerLabels.map { labels[$0] ?? "unknown" }
      return names.contains("unknown") ? nil : names.joined(separator: "/")
    }
  }

  func track(_ labels: [String: String], of scope: MetricsScope, view: MetricsView) -> Track? {
    guard labels[Self.namespaceLabel(view)] == scope.namespace else { return nil }
    return switch view {
    case .caller: scope.track(service: labels["destination_service_name"] ?? "")
    case .callee: scope.track(pod: labels[podLabel] ?? "")
    }
  }

  /// An answer that is the callee's fault: 5xx, none at all (0), or one of the gRPC statuses that OpenTelemetry's
  /// semantic conventions count as errors of a server: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
  /// DATA_LOSS.
  static func isError(_ labels: [String: String]) -> Bool {
    if ["2", "4", "12", "13", "14", "15"].contains(labels["grpc_response_status"] ?? "") { return true }
    return MetricSeries.isServerError(labels["response_code"] ?? "")
  }
}
