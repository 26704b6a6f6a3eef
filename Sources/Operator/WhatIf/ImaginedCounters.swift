import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// Requests and errors of both tracks as the counters of a mesh, and what histograms of the team's own measured of them, so
/// that the judge reads them as it reads Prometheus.
struct ImaginedCounters: Sendable {
  let scope: MetricsScope
  /// In whose words the counters are invented, whichever mesh the plan routes by.
  let metrics = IstioMetrics()
  let boundaries: [Double]
  private var counted = Totals()
  /// What had been counted at the end of each look, as far back as a window of the error budget reaches.
  private var marks: [(time: Double, counted: Totals)] = []
  private let past: StablePast
  private let histograms: [String: Histogram]

  /// By track and pod.
  private typealias Totals = [Counter: [Series: TrackLook]]

  private enum Counter: Hashable {
    case mesh(LookAnswers.Question)
    /// A histogram of the team's own, by the name of its objective.
    case own(String)
  }

  private struct Histogram {
    var unit: LatencyUnit
    var boundaries: [Double]
    var past: StablePast
  }

  private struct Series: Hashable {
    var track: Track
    var pod: Int
  }

  init(plan: Plan, source: some TrafficSource) {
    scope = MetricsScope(
      namespace: plan.namespace, services: plan.services, stableReplicaSet: ImaginedCluster.stable.set,
      canaryReplicaSet: "imagined-\(ImaginedCluster.revision)")
    boundaries = source.boundaries
    let windows = Set(plan.analysis.burnWindows.flatMap { [$0.long / .seconds(1), $0.short / .seconds(1)] })
    past = StablePast(source.past(of: windows.sorted()), windows: windows)
    histograms = Dictionary(
      uniqueKeysWithValues: plan.analysis.slos.compactMap { slo in
        guard case .ownLatency(let latency) = slo.objective else { return nil }
        let past = StablePast(source.past(of: windows.sorted(), histogram: slo.name), windows: windows)
        return (slo.name, Histogram(unit: latency.unit, boundaries: source.boundaries(of: slo.name), past: past))
      })
  }

  /// - Parameter pod: the number of the pod that answered.
  mutating func count(_ look: TrackLook, _ track: Track, _ view: MetricsView, pod: Int = 0) {
    for kind in [LookAnswers.Question.Kind.requests, .latency] {
      let question = LookAnswers.Question(view: view, kind: kind)
      add(look, to: .mesh(question), Series(track: track, pod: pod))
    }
  }

  /// Counts in a histogram of the team's own.
  mutating func count(_ look: TrackLook, _ track: Track, histogram slo: String) {
    add(look, to: .own(slo), Series(track: track, pod: 0))
  }

  private mutating func add(_ look: TrackLook, to counter: Counter, _ series: Series) {
    let before = counted[counter]?[series]
    counted[counter, default: [:]][series] = before.map { $0 + look } ?? look
  }

  var answers: LookAnswers {
    var answers = LookAnswers()
    for question in LookAnswers.Question.all(metrics) {
      answers.answers[question] = .series(
        (counted[.mesh(question)] ?? [:])
          .sorted { ($0.key.track.rawValue, $0.key.pod) < ($1.key.track.rawValue, $1.key.pod) }
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

  /// Ends a look at this time, in seconds since the beginning.
  mutating func mark(at time: Double) {
    let stale = marks.prefix { $0.time < time - past.reach }.count
    // The newest of them is what the longest window is counted from.
    if stale > 1 { marks.removeFirst(stale - 1) }
    marks.append((time, counted))
  }

  /// What a histogram of the team's own has counted of a track.
  func histogram(of slo: String, _ track: Track) -> [MetricSeries] {
    (counted[.own(slo)]?[Series(track: track, pod: 0)]).map { series($0, track, histogram: slo) } ?? []
  }

  /// What a window until a time counted, that which was before the beginning included.
  func increase(of ask: BurnJudge.Ask, at time: Double) -> [MetricSeries] {
    let begin = time - ask.window / .seconds(1)
    switch ask.source {
    case .mesh(let view, let kind):
      let question = LookAnswers.Question(view: view, kind: kind)
      return grown(.mesh(question), since: begin, past).flatMap { series($0.1, $0.0.track, $0.0.pod, question) }
    case .own(let slo, let track):
      return grown(.own(slo), since: begin, histograms[slo]?.past).filter { $0.0.track == track }
        .flatMap { series($0.1, track, histogram: slo) }
    }
  }

  private func grown(_ counter: Counter, since begin: Double, _ past: StablePast?) -> [(Series, TrackLook)] {
    let before = begin > 0 ? marks.last { $0.time <= begin }?.counted[counter] ?? [:] : [:]
    var grown = (counted[counter] ?? [:]).map { key, look in (key, before[key].map { look - $0 } ?? look) }
    if begin < 0, let earlier = past?.counts(over: -begin) { grown.append((Series(track: .stable, pod: 0), earlier)) }
    return grown
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

  private func series(_ look: TrackLook, _ track: Track, histogram slo: String) -> [MetricSeries] {
    guard let histogram = histograms[slo] else { return [] }
    let unit = histogram.unit == .seconds ? 1000.0 : 1
    let buckets = zip(histogram.boundaries, look.buckets).map { (String($0 / unit), $1) } + [("+Inf", look.requests)]
    return buckets.map { MetricSeries(labels: ["pod": track.rawValue, "le": $0], value: Double($1)) }
  }
}

extension TrackLook {
  static func + (left: TrackLook, right: TrackLook) -> TrackLook { left.with(right, +) }

  static func - (left: TrackLook, right: TrackLook) -> TrackLook { left.with(right, -) }

  private func with(_ other: TrackLook, _ operation: (Int, Int) -> Int) -> TrackLook {
    TrackLook(
      requests: operation(requests, other.requests), failed: operation(failed, other.failed),
      buckets: zip(buckets, other.buckets).map(operation))
  }

  /// A part of it, as if it had come evenly.
  fileprivate func scaled(by part: Double) -> TrackLook {
    func scaled(_ count: Int) -> Int { Int((Double(count) * part).rounded()) }
    return TrackLook(requests: scaled(requests), failed: scaled(failed), buckets: buckets.map(scaled))
  }
}

/// What stable did before a trial began: evenly between the windows that something is known of.
private struct StablePast: Sendable {
  /// By how far back they reach, the nearest first; each has those before it in it.
  private let known: [(window: Double, counts: TrackLook)]
  /// The longest window, in seconds.
  let reach: Double

  /// - Parameter known: by how far back they reach, in seconds.
  init(_ known: [Double: TrackLook], windows: Set<Double>) {
    self.known = known.sorted { $0.key < $1.key }.map { (window: $0.key, counts: $0.value) }
    reach = windows.max() ?? 0
  }

  /// Of the last so many seconds before the beginning; `nil` where nothing is known.
  func counts(over seconds: Double) -> TrackLook? {
    guard let index = known.firstIndex(where: { $0.window >= seconds }) else { return known.last?.counts }
    let outer = known[index]
    guard index > 0 else { return outer.counts.scaled(by: seconds / outer.window) }
    let inner = known[index - 1]
    let part = (seconds - inner.window) / (outer.window - inner.window)
    return inner.counts + (outer.counts - inner.counts).scaled(by: part)
  }
}
