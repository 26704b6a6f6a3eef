/// The codes of Envoy's clusters, and the counters of connections that failed. Source: Envoy's documentation of cluster
/// statistics (config_cluster_manager_cluster_stats).
extension EnvoyGatewayMetrics: AnswerBreakdown {
  private static let prefix = "envoy_cluster_upstream_"
  /// A request may fail or be tried again after each of them, so they are no requests.
  private static let failures = ["cx_connect_fail", "cx_none_healthy", "rq_pending_overflow", "rq_timeout"]

  public func answersQuery(
    _ scopes: [MetricsScope], view: MetricsView, by labels: Set<AnswerLabel>, reading: MetricsReading
  ) -> String? {
    guard let requests = requestQuery(scopes, view: view, reading: reading), let clusters = self.labels(scopes, view)
    else {
      return nil
    }
    // The increases of several metrics cannot be told apart, since they have no names any more.
    guard labels.contains(.flags), reading == .counters else { return requests }
    let names = "__name__=~\(PromQL.quoted("\(Self.prefix)(\(Self.failures.joined(separator: "|")))"))"
    let groups = (["__name__", Self.label] + Self.process).joined(separator: ", ")
    return "\(requests) or sum by (\(groups)) ({\(names),\(clusters)})"
  }

  public func answers(
    _ series: [MetricSeries], of scope: MetricsScope, view: MetricsView
  ) -> [AnswerKey: Double] {
    var answers: [AnswerKey: Double] = [:]
    for one in series {
      guard let track = Self.track(one.labels[Self.label] ?? "", of: scope) else { continue }
      var key = AnswerKey(
        track: track, process: Self.process.map { one.labels[$0] ?? "" }.joined(separator: "/"))
      if let name = one.labels["__name__"], name != Self.requests {
        key.isRequest = false
        key.labels[.flags] = name.hasPrefix(Self.prefix) ? String(name.dropFirst(Self.prefix.count)) : name
      } else {
        let code = one.labels["envoy_response_code"] ?? ""
        key.isError = MetricSeries.isServerError(code)
        if !code.isEmpty { key.labels[.code] = code }
      }
      answers[key, default: 0] += one.value
    }
    return answers
  }
}
