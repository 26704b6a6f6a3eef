import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// How fast one run's service burns the error budgets of its objectives. Readings of long windows are asked less often
/// than those of short ones and kept meanwhile.
struct BurnJudge: Sendable {
  private let plan: Plan
  private let scope: MetricsScope
  private let metrics: (any MeshMetrics)?
  private var readings: [Question: BurnRate.Reading] = [:]
  private var problem: String?
  private var dues: [Duration: Duration] = [:]

  private struct Question: Hashable, Sendable {
    var objective: String
    var view: MetricsView
    /// In seconds.
    var window: Double
  }

  init(plan: Plan, scope: MetricsScope, metrics: (any MeshMetrics)?) {
    self.plan = plan
    self.scope = Self.whole(scope, plan)
    self.metrics = metrics
  }

  /// With the callers' Services, which requests beside the route are addressed to; they are stable's.
  static func whole(_ scope: MetricsScope, _ plan: Plan) -> MetricsScope {
    var whole = scope
    whole.stableServices = Set(scope.stableServices + plan.services.map(\.name)).sorted()
    return whole
  }

  /// What is asked of one window.
  struct Ask: Hashable, Sendable {
    var window: Duration
    var view: MetricsView
    var kind: LookAnswers.Question.Kind
  }

  /// The objectives whose budgets are watched: those that decide, and that have a limit in requests.
  private var objectives: [(name: String, kind: LookAnswers.Question.Kind, max: Double, slow: Double?)] {
    plan.analysis.binding.compactMap { slo in
      switch slo.objective {
      case .errorRate(let max, _): (slo.name, .requests, max.fraction, nil)
      case .latency(let quantile, let max, _):
        (slo.name, .latency, 1 - quantile.fraction, max / .milliseconds(1))
      case .query, .ownLatency: nil
      }
    }
  }

  /// The questions that are due, their next time set.
  mutating func takeDue(uptime: Duration) -> [Ask] {
    let kinds = Set(objectives.map(\.kind))
    let windows = Set(plan.analysis.burnWindows.flatMap { [$0.long, $0.short] }).sorted()
    var asks: [Ask] = []
    for window in windows where (dues[window] ?? .zero) <= uptime {
      // A twentieth of a window moves its rate by little, once there is one.
      let isKnown = readings.contains { $0.key.window == window / .seconds(1) && $0.value.all.requests > 0 }
      let pause = isKnown ? min(window / 20, .seconds(300)) : .seconds(10)
      dues[window] = uptime + max(plan.analysis.interval, pause)
      for view in metrics?.views ?? [] {
        for kind in [LookAnswers.Question.Kind.requests, .latency] where kinds.contains(kind) {
          asks.append(Ask(window: window, view: view, kind: kind))
        }
      }
    }
    return asks
  }

  /// The query for many runs.
  static func text(_ ask: Ask, _ metrics: any MeshMetrics, _ scopes: [MetricsScope]) -> String? {
    switch ask.kind {
    case .requests: metrics.requestQuery(scopes, view: ask.view, reading: .increase(ask.window))
    case .latency: metrics.latencyQuery(scopes, view: ask.view, reading: .increase(ask.window))
    case .security: nil
    }
  }

  mutating func record(_ series: [MetricSeries], of ask: Ask) {
    guard let metrics else { return }
    problem = nil
    let found = metrics.readings(series, of: scope, view: ask.view)
    for objective in objectives where objective.kind == ask.kind {
      let question = Question(objective: objective.name, view: ask.view, window: ask.window / .seconds(1))
      if let canary = Self.counts(found, .canary, slow: objective.slow),
        let stable = Self.counts(found, .stable, slow: objective.slow)
      {
        readings[question] = BurnRate.Reading(canary: canary, stable: stable)
      } else {
        readings[question] = nil
      }
    }
  }

  mutating func fail(_ problem: String) { self.problem = problem }

  private static func counts(_ found: [MetricsKey: Double], _ track: Track, slow: Double?) -> Counts? {
    let own = found.filter { $0.key.track == track && $0.value.isFinite && $0.value >= 0 }
    guard let slow else {
      return Counts(
        requests: own.values.reduce(0, +), bad: own.filter(\.key.isError).values.reduce(0, +))
    }
    var buckets: [Double: Double] = [:]
    for (key, value) in own {
      if let boundary = key.boundary { buckets[boundary, default: 0] += value }
    }
    guard !buckets.isEmpty else { return .zero }
    guard let histogram = try? LatencyHistogram(buckets: buckets),
      let boundary = histogram.boundaries.first(where: { $0 >= slow })
    else { return nil }
    return histogram.slower(than: boundary)
  }

  var reports: [BurnReport] {
    guard !plan.analysis.burnWindows.isEmpty, metrics != nil else { return [] }
    let pairs = plan.analysis.burnWindows.map { pair in
      BurnRate.Windows(long: pair.long / .seconds(1), short: pair.short / .seconds(1), rate: pair.rate.double)
    }
    return objectives.map { objective in
      var alerts: [(view: MetricsView, alert: BurnRate.Alert)] = []
      var newest: BurnRate.Reading?
      for view in metrics?.views ?? [] {
        let own = readings.filter { $0.key.objective == objective.name && $0.key.view == view }
        let byWindow = Dictionary(uniqueKeysWithValues: own.map { ($0.key.window, $0.value) })
        if let alert = BurnRate(max: objective.max).alert(pairs, readings: byWindow) { alerts.append((view, alert)) }
        newest = newest ?? pairs.first.flatMap { byWindow[$0.long] }
      }
      return report(objective.name, objective.max, alerts, newest)
    }
  }

  private func report(
    _ name: String, _ max: Double, _ alerts: [(view: MetricsView, alert: BurnRate.Alert)], _ newest: BurnRate.Reading?
  ) -> BurnReport {
    // One view in which both tracks burn is enough.
    guard let (view, alert) = alerts.first(where: { !$0.alert.isStableAlone }) ?? alerts.first else {
      guard let newest, let rate = newest.all.rate else {
        return BurnReport(
          objective: name, finding: .noMeasurement, message: problem ?? "no requests of the service are measured yet")
      }
      return BurnReport(
        objective: name, finding: .kept,
        message: "the budget of \(name) burns \(Self.text(rate / max)) times as fast as the SLO allows, over "
          + Self.text(plan.analysis.burnWindows.first?.long))
    }
    let text =
      "the budget of \(name) burns \(Self.text(alert.long)) times as fast as the SLO allows over "
      + "\(Self.text(.seconds(alert.windows.long))) and \(Self.text(alert.short)) times over "
      + "\(Self.text(.seconds(alert.windows.short))) (more than \(Self.text(alert.windows.rate)) in both holds; "
      + "\(view.rawValue)s' metrics, both tracks)"
    return BurnReport(
      objective: name, finding: alert.isStableAlone ? .stableAlone : .burns,
      message: alert.isStableAlone ? text + "; it is stable that burns it, and the canary does not" : text,
      queries: [alert.windows.long, alert.windows.short].compactMap { window in
        let kind = objectives.first { $0.name == name }?.kind ?? .requests
        return metrics.flatMap { Self.text(Ask(window: .seconds(window), view: view, kind: kind), $0, [scope]) }
      })
  }

  private static func text(_ rate: Double) -> String {
    rate >= 10 ? String(Int(nearest: rate)) : String((rate * 10).rounded() / 10)
  }

  private static func text(_ window: Duration?) -> String { window?.text ?? "" }
}
