/// Linkerd's labels beyond those of the objectives. Source: linkerd2-proxy, linkerd/app/outbound (`HttpRsp`, whose error
/// has a name where nothing answered) and linkerd/app/core (`ResponseTotal`'s labels; `grpc_status` is a number).
extension LinkerdMetrics: AnswerBreakdown {
  public func answersQuery(
    _ scopes: [MetricsScope], view: MetricsView, by labels: Set<AnswerLabel>, reading: MetricsReading
  ) -> String? {
    // An answer is an error by these, whatever else is asked.
    var names: [String]
    switch view {
    case .caller:
      names = ["http_status", "error"]
      // The proxy that counts is the caller's own, by the labels of its scrape.
      if labels.contains(.caller) { names += ["namespace", "deployment"] }
    case .callee:
      names = ["classification", "status_code", "grpc_status", "error"]
      if labels.contains(.endpoint) { names += ["route_kind", "route_name"] }
      if labels.contains(.caller) { names.append("client_id") }
    }
    let own = groups(view)
    let all = own + names.filter { !own.contains($0) }
    switch view {
    case .caller: return backends(scopes).map { sum(Self.requests, $0, by: all, reading: reading) }
    case .callee: return inbound(scopes).map { sum(Self.responses, $0, by: all, reading: reading) }
    }
  }

  public func answers(
    _ series: [MetricSeries], of scope: MetricsScope, view: MetricsView
  ) -> [AnswerKey: Double] {
    var answers: [AnswerKey: Double] = [:]
    for one in series {
      guard let track = track(one.labels, of: scope, view: view) else { continue }
      let process = ["instance", "namespace", "pod"].map { one.labels[$0] ?? "" }.joined(separator: "/")
      let key = AnswerKey(
        track: track, pod: view == .callee ? one.labels["pod"] ?? "" : "", process: process,
        isError: Self.isError(one.labels, view: view), labels: Self.labels(one.labels, view))
      answers[key, default: 0] += one.value
    }
    return answers
  }

  private static func labels(_ found: [String: String], _ view: MetricsView) -> [AnswerLabel: String] {
    func value(_ name: String) -> String? { found[name].flatMap { $0.isEmpty ? nil : $0 } }
    var labels: [AnswerLabel: String] = [:]
    let status = value("grpc_status").flatMap { $0 == "0" ? nil : "gRPC \($0)" }
    labels[.code] = status ?? value(view == .caller ? "http_status" : "status_code") ?? value("error")
    labels[.flags] = value("error")
    switch view {
    case .caller:
      labels[.caller] = value("deployment").map { name in
        [value("namespace"), name].compactMap { $0 }.joined(separator: "/")
      }
    case .callee:
      if value("route_kind") == "HTTPRoute" { labels[.endpoint] = value("route_name").map { "route \($0)" } }
      labels[.caller] = value("client_id").map(caller)
    }
    return labels
  }

  /// `web.shop.serviceaccount.identity.linkerd.cluster.local` is the service account `shop/web`.
  private static func caller(_ identity: String) -> String {
    let parts = identity.split(separator: ".")
    return parts.count > 3 && parts[2] == "serviceaccount" ? "\(parts[1])/\(parts[0])" : identity
  }
}
