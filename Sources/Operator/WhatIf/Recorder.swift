import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import TrafficRouting

/// Reads the history of two revisions from a Prometheus, as the callees counted it by their pods' names. Where no proxy
/// stands beside the callees (Istio's ambient mode, Envoy Gateway), as the callers counted it by the tracks of the run that
/// there was.
public struct Recorder: Sendable {
  private let prometheus: PrometheusClient
  let metrics: any MeshMetrics
  var view: MetricsView { metrics.views.last ?? .callee }

  /// - Parameter mesh: whose numbers are read; those that the plan names where absent, and else Istio's.
  public init(prometheus: PrometheusClient, plan: Plan, mesh: MetricsSource? = nil) throws {
    self.prometheus = prometheus
    var named: MetricsSource?
    if case .gatewayAPI(let gateway) = plan.provider { named = gateway.metrics }
    guard let metrics = GatewayProvider.metrics(of: mesh ?? named ?? .istio) else {
      throw RecordingProblem(description: "metrics: None counts no requests, so that there is nothing to read")
    }
    self.metrics = metrics
  }

  /// - Parameters:
  ///   - stable: the ReplicaSet of the older revision.
  ///   - canary: that of the newer one; the same for a comparison of a revision with itself.
  ///   - namespaceLabel: by which the plan's queries are kept to its namespace; `nil` for not at all.
  /// - Throws: what Prometheus said, and ``RecordingProblem`` where a revision has no requests.
  public func record(
    _ plan: Plan, stable: String, canary: String, from start: Date, to end: Date, namespaceLabel: String?
  ) async throws -> Recording {
    let span = TrafficSpan(traffic: .stableOnly, from: start, until: end)
    let step = plan.analysis.interval
    let count = end.timeIntervalSince(start) / (step / .seconds(1))
    guard count >= 2, count <= Double(Recording.maxLooks) else {
      let (least, most) = (step * 2, step * Recording.maxLooks)
      throw RecordingProblem(
        description: "--from and --to: found \(Duration.seconds(end.timeIntervalSince(start).rounded()).text), wanted "
          + "\(least.text) to \(most.text), which is 2 to \(Recording.maxLooks) looks of \(step.text)")
    }
    var looks: [Date: Recording.Look] = [:]
    var histograms: [Date: [Track: [Double: Double]]] = [:]
    var native = NativeBuckets(limits: plan.analysis.latencyLimits)
    for (track, set) in [(Track.stable, stable), (.canary, canary)] {
      let scope =
        view == .callee ? Self.scope(of: set, plan) : Self.scope(ofCallers: plan, stable: stable, canary: canary)
      for kind in [LookAnswers.Question.Kind.requests, .latency] {
        let question = LookAnswers.Question(view: view, kind: kind)
        guard let query = question.text(metrics, [scope]) else { continue }
        var counters = CounterIncreases<MetricsKey>()
        try await each(query, span, step) { time, series in
          let all = metrics.readings(series, of: scope, view: view)
          let readings = view == .callee ? all : all.filter { $0.key.track == track }
          let known = Set(counters.keys.map(\.process))
          // Pods of the newer revision are seen from their beginning.
          guard !readings.isEmpty || track == .canary,
            let grown = counters.record(
              readings, at: time, of: \.process,
              beginsAtZero: { track == .canary || $0.beginsAtZero(known: known) }), !readings.isEmpty
          else { return }
          if kind == .latency {
            var values = grown.values
            for key in readings.keys where values[key] == nil { values[key] = 0 }
            native.narrow(to: values)
            for (key, count) in values {
              guard let boundary = key.boundary else { continue }
              histograms[time, default: [:]][track, default: [:]][boundary, default: 0] += count
            }
          } else {
            let failed = grown.values.filter(\.key.isError).values.reduce(0, +)
            let look = TrackLook(requests: Int(nearest: grown.total), failed: Int(nearest: failed), buckets: [])
            store(look, track, in: &looks[time, default: Recording.Look()])
          }
        }
      }
      try await addCodes(track, scope, span, step, to: &looks)
      try await addValues(plan, track, set, span, step, namespaceLabel, to: &looks)
    }
    try await addPods(plan, [stable, canary], span, step, to: &looks)
    let past = try await past(plan, stable, canary, before: start, step)
    let otherDays = try await otherDays(plan, stable: stable, canary: canary, span, step, to: &looks)
    var recording = try assemble(looks, histograms, among: native.kept, past, span: span, step: step)
    try await addHistograms(plan, stable, canary, span, step, namespaceLabel, to: &recording)
    recording.stableSet = stable
    recording.canarySet = canary
    recording.otherDays = otherDays
    return recording
  }

  /// One revision, by its pods.
  static func scope(of set: String, _ plan: Plan) -> MetricsScope {
    MetricsScope(namespace: plan.namespace, services: [], stableReplicaSet: set, canaryReplicaSet: "")
  }

  /// Both, by the routes and Services of a run.
  static func scope(ofCallers plan: Plan, stable: String, canary: String) -> MetricsScope {
    MetricsScope(
      namespace: plan.namespace, services: plan.services, routes: [plan.countedRoute], stableReplicaSet: stable,
      canaryReplicaSet: canary)
  }

  // MARK: - What came before

  private struct Past {
    var counts = TrackLook(requests: 0, failed: 0, buckets: [])
    var histogram: [Double: Double] = [:]
  }

  /// What stable did before the first look, by the windows of the error budgets in seconds.
  private func past(_ plan: Plan, _ stable: String, _ canary: String, before start: Date, _ step: Duration)
    async throws -> [Double: Past]
  {
    let scope =
      view == .callee
      ? Self.scope(of: stable, plan)
      : BurnJudge.whole(Self.scope(ofCallers: plan, stable: stable, canary: canary), plan)
    var past: [Double: Past] = [:]
    for window in Set(plan.analysis.burnWindows.flatMap { [$0.long, $0.short] }) {
      let seconds = window / .seconds(1)
      for kind in [LookAnswers.Question.Kind.requests, .latency] {
        guard let query = BurnJudge.text(BurnJudge.Ask(window: window, source: .mesh(view, kind)), metrics, [scope])
        else {
          continue
        }
        let values = try await matrix(query, [start], step)
        let found = metrics.readings(values[PastLooks.milliseconds(start)] ?? [], of: scope, view: view)
        for (key, count) in found where key.track == .stable && count.isFinite && count >= 0 {
          if let boundary = key.boundary {
            past[seconds, default: Past()].histogram[boundary, default: 0] += count
          } else if kind == .requests {
            past[seconds, default: Past()].counts.requests += Int(nearest: count)
            if key.isError { past[seconds, default: Past()].counts.failed += Int(nearest: count) }
          }
        }
      }
    }
    return past
  }

  // MARK: - What guards see

  /// Answers that are no success and no error, by code.
  private func addCodes(
    _ track: Track, _ scope: MetricsScope, _ span: TrafficSpan, _ step: Duration, to looks: inout [Date: Recording.Look]
  ) async throws {
    guard let mesh = metrics as? any AnswerBreakdown,
      let query = mesh.answersQuery([scope], view: view, by: [.code], reading: .counters)
    else { return }
    let kept = track == .stable ? \Recording.Look.stableCodes : \.canaryCodes
    var counters = CounterIncreases<AnswerKey>()
    try await each(query, span, step) { time, series in
      let all = mesh.answers(series, of: scope, view: view)
      let readings = view == .callee ? all : all.filter { $0.key.track == track }
      let known = Set(counters.keys.map(\.process))
      guard !readings.isEmpty,
        let grown = counters.record(
          readings, at: time, of: \.process, beginsAtZero: { track == .canary || known.contains($0.process) })
      else { return }
      var codes: [String: Int] = [:]
      for (key, count) in grown.values where key.isRequest && !key.isError {
        guard let code = key.labels[.code], !code.hasPrefix("2") else { continue }
        codes[code, default: 0] += Int(nearest: count)
      }
      guard !codes.isEmpty else { return }
      looks[time, default: Recording.Look()][keyPath: kept] = codes
    }
  }

  private func addPods(
    _ plan: Plan, _ sets: [String], _ span: TrafficSpan, _ step: Duration, to looks: inout [Date: Recording.Look]
  ) async throws {
    let scope = MetricsScope(
      namespace: plan.namespace, services: [], stableReplicaSet: sets[0], canaryReplicaSet: sets[1])
    guard let query = ContainerMetrics.query([scope]) else { return }
    try await each(query, span, step) { time, series in
      let pods = ContainerMetrics.values(series, of: scope)
      if !pods.isEmpty { looks[time, default: Recording.Look()].pods = pods.mapValues(Signal.values) }
    }
  }

  private func store(_ counts: TrackLook, _ track: Track, in look: inout Recording.Look) {
    if track == .stable { look.stable = counts } else { look.canary = counts }
  }

  /// Hands on the series of a query at each time of a span, one after the other.
  func each(
    _ query: String, _ span: TrafficSpan, _ step: Duration, _ body: (Date, [MetricSeries]) -> Void
  ) async throws {
    for times in PastLooks.times(span, step: step) {
      let values = try await matrix(query, times, step)
      for time in times { body(time, values[PastLooks.milliseconds(time)] ?? []) }
    }
  }

  func matrix(_ query: String, _ times: [Date], _ step: Duration) async throws -> PastLooks.Values {
    guard let first = times.first, let last = times.last else { return [:] }
    let result = try await prometheus.queryRange(query, from: first, to: last, step: step, timeout: .seconds(30))
    guard case .matrix(let series) = result.value else { return [:] }
    return PastLooks.values(series)
  }

  /// What the plan's queries are asked of one revision, whichever track it is.
  static func setting(_ plan: Plan, _ set: String, _ label: String?) -> QuerySetting {
    let scope = MetricsScope(
      namespace: plan.namespace, services: plan.services, stableReplicaSet: set, canaryReplicaSet: set)
    let hash = String(set.split(separator: "-").last ?? "")
    return QuerySetting(
      plan: plan, scope: scope, hashes: [.stable: hash, .canary: hash], step: nil, namespaceLabel: label)
  }

  private func addValues(
    _ plan: Plan, _ track: Track, _ set: String, _ span: TrafficSpan, _ step: Duration, _ label: String?,
    to looks: inout [Date: Recording.Look]
  ) async throws {
    let setting = Self.setting(plan, set, label)
    for slo in plan.analysis.slos {
      guard case .query(let query) = slo.objective else { continue }
      if let counted = query.counted {
        try await addEvents(slo.name, counted, track, setting, span, step, to: &looks)
        continue
      }
      let text = setting.text(query.expression, track, window: max(.seconds(120), step * 2))
      let values = track == .stable ? \Recording.Look.stableValues : \.canaryValues
      try await each(text, span, step) { time, found in
        guard found.count == 1, found[0].value.isFinite else { return }
        let before = looks[time]?[keyPath: values] ?? [:]
        looks[time, default: Recording.Look()][keyPath: values] = before.merging([slo.name: found[0].value]) { $1 }
      }
    }
  }

  /// The increases of the counters behind a query.
  private func addEvents(
    _ name: String, _ counted: SLO.Counted, _ track: Track, _ setting: QuerySetting, _ span: TrafficSpan,
    _ step: Duration, to looks: inout [Date: Recording.Look]
  ) async throws {
    let parts =
      (0..<counted.amount.count).map(QueryQuestion.Part.amount)
      + (0..<(counted.per?.count ?? 0)).map(QueryQuestion.Part.per)
    let events = track == .stable ? \Recording.Look.stableEvents : \.canaryEvents
    for part in parts {
      guard let text = setting.text(counted, track, part) else { continue }
      var counters = CounterIncreases<[String: String]>()
      try await each(text, span, step) { time, series in
        var readings: [[String: String]: Double] = [:]
        for one in series { readings[one.labels, default: 0] += one.value }
        let known = Set(counters.keys.map { $0["pod"] ?? "" })
        guard !readings.isEmpty || track == .canary,
          let grown = counters.record(
            readings, at: time, of: { $0["pod"] ?? "" },
            beginsAtZero: { track == .canary || known.contains($0["pod"] ?? "") })
        else { return }
        var counts = looks[time]?[keyPath: events] ?? [:]
        if part.isPer {
          counts[name, default: .zero].requests += grown.total
        } else {
          counts[name, default: .zero].events += grown.total
        }
        looks[time, default: Recording.Look()][keyPath: events] = counts
      }
    }
  }

  /// - Parameter common: the boundaries that all native histograms have; `nil` of classic ones.
  private func assemble(
    _ looks: [Date: Recording.Look], _ histograms: [Date: [Track: [Double: Double]]], among common: Set<Double>?,
    _ past: [Double: Past],
    span: TrafficSpan, step: Duration
  ) throws -> Recording {
    let found = Set(histograms.values.flatMap(\.values).flatMap(\.keys)).filter(\.isFinite)
    let boundaries = (common.map(found.intersection) ?? found).sorted()
    func fill(_ look: inout TrackLook?, _ histogram: [Double: Double]?) {
      guard let requests = look?.requests else { return }
      var largest = 0.0
      // A boundary that did not grow has as many as the one below it.
      look?.buckets = boundaries.map { boundary in
        largest = max(largest, histogram?[boundary] ?? 0)
        return min(requests, Int(nearest: largest))
      }
    }
    // The first moment is what the others are counted from.
    let times = PastLooks.times(span, step: step).joined().dropFirst()
    var recording = Recording(
      start: span.from, interval: step / .seconds(1), boundaries: boundaries,
      looks: times.map { time in
        var look = looks[time] ?? Recording.Look()
        fill(&look.stable, histograms[time]?[.stable])
        fill(&look.canary, histograms[time]?[.canary])
        return look
      })
    recording.past = past.sorted { $0.key < $1.key }.compactMap { window, past in
      var counts: TrackLook? = past.counts
      fill(&counts, past.histogram)
      return counts.map { Recording.Past(window: window, stable: $0) }
    }
    if let problem = recording.problem { throw RecordingProblem(description: problem) }
    return recording
  }
}

/// Why what was recorded cannot be used.
public struct RecordingProblem: Error, Sendable, CustomStringConvertible {
  public var description: String
}
