import TrafficRouting

/// The answers to one round of queries: the series, or why there are none. `nil` where nothing was asked.
struct LookAnswers: Sendable {
  enum Answer: Sendable {
    case series([MetricSeries])
    case failed(String)
  }

  struct Question: Hashable, Sendable {
    var view: MetricsView
    var kind: Kind
    enum Kind: Hashable, Sendable { case requests, latency, security }

    /// What a mesh can be asked; nothing where there is none.
    static func all(_ metrics: (any MeshMetrics)?) -> [Question] {
      (metrics?.views ?? []).flatMap { view in [Kind.requests, .latency].map { Question(view: view, kind: $0) } }
    }

    /// How requests were secured; only callees know.
    static let security = Question(view: .callee, kind: .security)
    /// The time over which it counts: also of callers who rarely call.
    static let securityWindow = Duration.seconds(60)
  }

  var answers: [Question: Answer] = [:]
}

extension LookAnswers.Question {
  /// What Prometheus is asked; `nil` where no series can belong to these runs.
  func text(_ metrics: any MeshMetrics, _ scopes: [MetricsScope]) -> String? {
    switch kind {
    case .requests: metrics.requestQuery(scopes, view: view, reading: .counters)
    case .latency: metrics.latencyQuery(scopes, view: view, reading: .counters)
    case .security: metrics.securityQuery(scopes, reading: .increase(Self.securityWindow))
    }
  }
}
