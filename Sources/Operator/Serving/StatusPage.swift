import KubernetesAPI
import KubernetesClient
import RolloutAPI
import TrafficRouting

/// What this process says of itself: whether it lives, whether it is ready, and its numbers.
struct StatusPage: Sendable {
  struct Answer: Sendable, Equatable {
    var isFine: Bool
    var text: String
  }

  /// All calls of a reconcile have deadlines; one that goes on for so long hangs.
  static let longestReconcile = Duration.seconds(600)

  let version: String
  let watches: Watches
  let reconciles: ReconcileRecord
  let aborts: AbortRecord
  let requests: RequestCounts
  var spans: SpanExporter?
  let queueDepth: @Sendable () -> Int
  let isLeading: @Sendable () -> Bool

  /// Whether the process is worth keeping. An API server that does not answer is no reason to be restarted.
  var health: Answer {
    if let longest = reconciles.longest, longest > Self.longestReconcile {
      return Answer(isFine: false, text: "a reconcile has been going on for \(longest.components.seconds) s\n")
    }
    return Answer(isFine: true, text: "ok\n")
  }

  /// Whether it could lead: one that waits for the lease is as ready as the one that holds it.
  var readiness: Answer {
    let missing = watches.unsynced.map(\.qualifiedName)
    if missing.isEmpty { return Answer(isFine: true, text: "ok\n") }
    return Answer(isFine: false, text: "not listed yet: \(missing.joined(separator: ", "))\n")
  }

  /// In Prometheus' text format.
  var metrics: String {
    typealias Sample = MetricsText.Sample
    var text = MetricsText()
    text.family(
      "sluice_build_info", .gauge, "The version that runs.", [Sample(labels: [("version", version)], value: 1)])
    text.gauge("sluice_leader", "1 while this process holds the lease.", isLeading() ? 1 : 0)
    text.gauge("sluice_queue_depth", "Rollouts that are due and wait for a worker.", Double(queueDepth()))
    text.family(
      "sluice_watch_up", .gauge, "1 while the cache of a resource is up to date as far as is known.",
      watches.states.map { Sample(labels: [("resource", $0.type.qualifiedName)], value: $0.isUp ? 1 : 0) })
    addReconciles(to: &text)
    text.family(
      "sluice_kubernetes_requests_total", .counter, "Requests to the API server; code is none where no answer came.",
      requests.all.sorted { $0.key < $1.key }.map {
        Sample(labels: [("method", $0.key.method), ("code", $0.key.code)], value: Double($0.value))
      })
    if let counts = spans?.counts {
      text.family(
        "sluice_spans_total", .counter, "Spans of traces by what became of them.",
        [("sent", counts.sent), ("lost", counts.lost)].map {
          Sample(labels: [("outcome", $0.0)], value: Double($0.1))
        })
    }
    addRollouts(to: &text)
    return text.text
  }

  private func addReconciles(to text: inout MetricsText) {
    typealias Sample = MetricsText.Sample
    let counts = reconciles.counts
    text.family(
      "sluice_reconciles_total", .counter, "Reconciles by outcome.",
      counts.total.sorted { $0.key < $1.key }.map { Sample(labels: [("outcome", $0.key)], value: Double($0.value)) })
    text.family("sluice_reconcile_seconds", .histogram, "How long reconciles took.", counts.took.samples())
    text.family(
      "sluice_abort_seconds", .histogram,
      "From the answer that proved a canary bad until the API server took the route without it, by stage.",
      AbortRecord.Stage.allCases.flatMap { aborts.histogram(of: $0).samples([("stage", $0.rawValue)]) })
  }

  private func addRollouts(to text: inout MetricsText) {
    typealias Sample = MetricsText.Sample
    let rollouts = watches.view.all(.rollouts)
    func phase(_ rollout: JSON) -> String? { rollout[path: ["status", "phase"]]?.string }
    text.family(
      "sluice_rollouts", .gauge, "Rollouts by phase.",
      RolloutPhase.allCases.map { wanted in
        let count = rollouts.count { phase($0) == wanted.rawValue }
        return Sample(labels: [("phase", wanted.rawValue)], value: Double(count))
      })
    func labels(_ rollout: JSON) -> [(name: String, value: String)] {
      [("exported_namespace", rollout.namespace), ("rollout", rollout.name)]
    }
    text.family(
      "sluice_rollout_phase", .gauge, "1 for the phase that a Rollout is in.",
      rollouts.compactMap { rollout in
        phase(rollout).map { Sample(labels: labels(rollout) + [("phase", $0)], value: 1) }
      })
    text.family(
      "sluice_rollout_weight", .gauge, "Percent of requests that are routed to the canary.",
      rollouts.map { rollout in
        Sample(labels: labels(rollout), value: Double(rollout[path: ["status", "weight"]]?.int ?? 0))
      })
  }
}
