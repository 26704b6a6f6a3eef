/// Istio's labels beyond those of the objectives. Operation, path and method are there only where the mesh was told to
/// add them (attribute generation or tag overrides of its telemetry); an absent label is an empty one.
extension IstioMetrics: AnswerBreakdown {
  private static let names: [AnswerLabel: [String]] = [
    .code: ["response_code", "grpc_response_status"], .flags: ["response_flags"],
    .endpoint: ["request_operation", "request_method", "request_path"],
    .caller: ["source_workload", "source_workload_namespace"], .callerVersion: ["source_version"],
  ]

  public func answersQuery(
    _ scopes: [MetricsScope], view: MetricsView, by labels: Set<AnswerLabel>, reading: MetricsReading
  ) -> String? {
    // An answer is an error by its code, whatever else is asked.
    let names = AnswerLabel.allCases.filter { labels.contains($0) || $0 == .code }.flatMap { Self.names[$0] ?? [] }
    return selector(scopes, view: view).map {
      sum(Self.requests, $0, by: groups(view) + names, reading: reading)
    }
  }

  public func answers(
    _ series: [MetricSeries], of scope: MetricsScope, view: MetricsView
  ) -> [AnswerKey: Double] {
    var answers: [AnswerKey: Double] = [:]
    for one in series {
      guard let track = track(one.labels, of: scope, view: view) else { continue }
      let process = [one.labels["instance"], one.labels["namespace"], one.labels[podLabel]].map { $0 ?? "" }
      let key = AnswerKey(
        track: track, pod: view == .callee ? one.labels[podLabel] ?? "" : "", process: process.joined(separator: "/"),
        isError: Self.isError(one.labels), labels: Self.labels(one.labels))
      answers[key, default: 0] += one.value
    }
    return answers
  }

  private static func labels(_ found: [String: String]) -> [AnswerLabel: String] {
    func value(_ name: String) -> String? { found[name].flatMap { $0.isEmpty ? nil : $0 } }
    var labels: [AnswerLabel: String] = [:]
    if let code = value("response_code") {
      let status = value("grpc_response_status").flatMap { $0 == "0" ? nil : $0 }
      labels[.code] = status.map { "gRPC \($0)" } ?? code
    }
    labels[.flags] = value("response_flags").flatMap { $0 == "-" ? nil : $0 }
    let path = [value("request_method"), value("request_path")].compactMap { $0 }.joined(separator: " ")
    labels[.endpoint] = value("request_operation") ?? (path.isEmpty ? nil : path)
    if let name = value("source_workload"), name != "unknown" {
      labels[.caller] = [value("source_workload_namespace"), name].compactMap { $0 }.joined(separator: "/")
    }
    labels[.callerVersion] = value("source_version").flatMap { $0 == "unknown" ? nil : $0 }
    return labels
  }
}
