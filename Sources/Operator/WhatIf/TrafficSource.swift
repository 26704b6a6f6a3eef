import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What one track did in one look.
public struct TrackLook: Codable, Sendable, Hashable {
  public var requests: Int
  /// Of these, the failed ones.
  public var failed: Int
  /// Requests at most as slow as each boundary of ``TrafficLook/boundaries``.
  public var buckets: [Int]

  public init(requests: Int, failed: Int, buckets: [Int]) {
    self.requests = requests
    self.failed = failed
    self.buckets = buckets
  }
}

/// Where the requests of a plan that is tried come from: invented, or recorded.
protocol TrafficSource: Sendable {
  /// Upper bounds of the latency buckets in milliseconds, ascending and finite.
  var boundaries: [Double] { get }
  /// The longest time that there are requests for, in seconds; `nil` without an end.
  var duration: Double? { get }

  /// What both tracks did between two moments, in seconds since the beginning.
  /// - Parameter share: the part of the requests that goes to the canary.
  mutating func look(from: Double, to: Double, share: Double) -> [Track: TrackLook]

  /// The canary's requests of the look before, pod by pod, where its pods differ; empty where they are alike.
  var canaryParts: [TrackLook] { get }

  /// What a query of the plan gave for a track.
  /// - Parameter share: the part of the requests that the track got, by which values are less that grow with them.
  mutating func value(_ slo: SLO, _ track: Track, at time: Double, share: Double) -> Measured<Double>

  /// What the counters of a query of the plan counted while a track answered requests; `nil` where nothing is known of it.
  mutating func events(_ slo: SLO, _ counted: SLO.Counted, _ track: Track, requests: Int, at time: Double)
    -> EventCount?

  /// What guards see at the end of a look; `nil` where nothing is known.
  mutating func signals(_ look: TrialLook) -> TrialSignals?
}

/// A look of a trial, as far as it concerns guards.
struct TrialLook: Sendable {
  /// In seconds since the beginning.
  var from: Double
  var to: Double
  /// Pods of each track.
  var pods: [Track: Int]
  /// What was answered meanwhile.
  var served: [Track: TrackLook]
  /// When the trial's clock began.
  var start: Date
}

/// What guards see in a trial.
struct TrialSignals: Sendable {
  var containers: [String: [String: Double]]
  var pods: [PodFacts]
  /// Of a look: answers by track and code.
  var answers: [Track: [String: Int]]
  /// The requests are not divided as the plan says.
  var isDividedOtherwise = false
}

/// Which part of the requests reaches the canary.
extension TrafficTarget {
  /// - Parameter matched: the part that a step's route matches.
  func share(matched: Double) -> Double {
    let split = Double(weight.value) / 100
    return routes.isEmpty ? split : split + (1 - split) * matched
  }
}

/// Requests and errors of both tracks as the counters of a mesh, so that the judge reads them as it reads Prometheus.
struct ImaginedCounters: Sendable {
  let scope: MetricsScope
  /// In whose words the counters are invented, whichever mesh the plan routes by.
  let metrics = IstioMetrics()
  let boundaries: [Double]
  /// By view, track and pod, what has been counted.
  private var counted: [LookAnswers.Question: [Series: TrackLook]] = [:]

  private struct Series: Hashable {
    var track: Track
    var pod: Int
  }

  init(plan: Plan, boundaries: [Double]) {
    scope = MetricsScope(
      namespace: plan.namespace, services: plan.services, stableReplicaSet: ImaginedCluster.stable.set,
      canaryReplicaSet: "imagined-\(ImaginedCluster.revision)")
    self.boundaries = boundaries
  }

  /// - Parameter pod: the number of the pod that answered.
  mutating func count(_ look: TrackLook, _ track: Track, _ view: MetricsView, pod: Int = 0) {
    for kind in [LookAnswers.Question.Kind.requests, .latency] {
      let question = LookAnswers.Question(view: view, kind: kind)
      let series = Series(track: track, pod: pod)
      let before = counted[question]?[series]
      counted[question, default: [:]][series] = before.map { $0 + look } ?? look
    }
  }

  var answers: LookAnswers {
    var answers = LookAnswers()
    for question in LookAnswers.Question.all(metrics) {
      answers.answers[question] = .series(
        (counted[question] ?? [:]).sorted { ($0.key.track.rawValue, $0.key.pod) < ($1.key.track.rawValue, $1.key.pod) }
          .flatMap { series($0.value, $0.key.track, $0.key.pod, question) })
    }
    // Nobody imagines a caller without a proxy.
    answers.answers[.security] = .series([
      MetricSeries(
        labels: [
          "destination_workload_namespace": scope.namespace, "pod": "\(scope.stableReplicaSet)-00000",
          "connection_security_policy": "mutual_tls",
        ], value: 1)
    ])
    return answers
  }

  static func pod(_ number: Int, of set: String) -> String { "\(set)-\(String(100_000 + number).suffix(5))" }

  private func series(
    _ look: TrackLook, _ track: Track, _ pod: Int, _ question: LookAnswers.Question
  ) -> [MetricSeries] {
    var labels = ["instance": "imagined"]
    switch question.view {
    case .caller:
      labels["destination_service_namespace"] = scope.namespace
      labels["destination_service_name"] =
        (track == .stable ? scope.stableServices : scope.canaryServices).first ?? ""
    case .callee:
      labels["destination_workload_namespace"] = scope.namespace
      labels["pod"] = Self.pod(pod, of: track == .stable ? scope.stableReplicaSet : scope.canaryReplicaSet)
    }
    func series(_ name: String, _ value: String, _ count: Int) -> MetricSeries {
      MetricSeries(labels: labels.merging([name: value]) { $1 }, value: Double(count))
    }
    switch question.kind {
    case .requests:
      return [
        series("response_code", "200", look.requests - look.failed), series("response_code", "503", look.failed),
      ]
    case .security: return []
    case .latency:
      return zip(boundaries, look.buckets).map { series("le", String($0), $1) } + [series("le", "+Inf", look.requests)]
    }
  }
}

extension TrackLook {
  static func + (left: TrackLook, right: TrackLook) -> TrackLook {
    TrackLook(
      requests: left.requests + right.requests, failed: left.failed + right.failed,
      buckets: zip(left.buckets, right.buckets).map(+))
  }
}
