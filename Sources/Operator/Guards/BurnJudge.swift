import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// How fast one run's service burns the error budgets of its objectives, by the mesh's metrics and by histograms of the
/// team's own. Readings of long windows are asked less often than those of short ones and kept meanwhile.
struct BurnJudge: Sendable {
  private let plan: Plan
  private let scope: MetricsScope
  private let metrics: (any MeshMetrics)?
  /// What `$(pods)` and the like stand for now.
  var queries: QuerySetting
  private var readings: [Question: BurnRate.Reading] = [:]
  /// Of the team's own histograms, whose tracks are asked one by one.
  private var own: [Question: [Track: Counts]] = [:]
  private var problem: String?
  private var dues: [Duration: Duration] = [:]

  private struct Question: Hashable, Sendable {
    var objective: String
    /// `nil` for a histogram of the team's own.
    var view: MetricsView?
    /// In seconds.
    var window: Double
  }

  init(plan: Plan, scope: MetricsScope, metrics: (any MeshMetrics)?, queries: QuerySetting) {
    self.plan = plan
    self.scope = Self.whole(scope, plan)
    self.metrics = metrics
    self.queries = queries
  }

  /// With the callers' Services, which requests beside the route are addressed to; they are stable's.
  static func whole(_ scope: MetricsScope, _ plan: Plan) -> MetricsScope {
    var whole = scope
    whole.stableServices = Set(scope.stableServices + plan.services.map(\.name)).sorted()
    return whole
  }

  /// What is asked of one window.
  struct Ask: Hashable, Sendable {
    enum Source: Hashable, Sendable {
      case mesh(MetricsView, LookAnswers.Question.Kind)
      /// A histogram of the team's own, by the name of its objective.
      case own(String, Track)
    }

    var window: Duration
    var source: Source
  }

  /// An objective whose budget is watched: one that decides, and that has a limit in requests.
  private struct Budget {
    enum Source {
      case mesh(LookAnswers.Question.Kind)
      case own(SLO.OwnLatency)
    }

    var name: String
    /// The largest share of bad requests.
    var max: Double
    /// What is slow, in milliseconds; `nil` of errors.
    var slow: Double?
    var source: Source
  }

  private var budgets: [Budget] {
    plan.analysis.binding.compactMap { slo in
      switch slo.objective {
      case .errorRate(let max, _): Budget(name: slo.name, max: max.fraction, source: .mesh(.requests))
      case .latency(let quantile, let max, _):
        Budget(name: slo.name, max: 1 - quantile.fraction, slow: max / .milliseconds(1), source: .mesh(.latency))
      case .ownLatency(let own):
        Budget(
          name: slo.name, max: 1 - own.quantile.fraction, slow: own.max / .milliseconds(1), source: .own(own))
      case .query: nil
      }
    }
  }

  /// Where an objective's requests are counted; nowhere without a mesh that it needs.
  private func sources(_ budget: Budget) -> [(view: MetricsView?, asks: [Ask.Source])] {
    switch budget.source {
    case .mesh(let kind): (metrics?.views ?? []).map { ($0, [.mesh($0, kind)]) }
    case .own: [(nil, Track.allCases.map { .own(budget.name, $0) })]
    }
  }

  /// The questions that are due, their next time set.
  mutating func takeDue(uptime: Duration) -> [Ask] {
    var sources: [Ask.Source] = []
    for source in budgets.flatMap({ self.sources($0).flatMap(\.asks) }) where !sources.contains(source) {
      sources.append(source)
    }
    let windows = Set(plan.analysis.burnWindows.flatMap { [$0.long, $0.short] }).sorted()
    var asks: [Ask] = []
    for window in windows where (dues[window] ?? .zero) <= uptime {
      // A twentieth of a window moves its rate by little, once there is one.
      let isKnown = readings.contains { $0.key.window == window / .seconds(1) && $0.value.all.requests > 0 }
      let pause = isKnown ? min(window / 20, .seconds(300)) : .seconds(10)
      dues[window] = uptime + max(plan.analysis.interval, pause)
      asks += sources.map { Ask(window: window, source: $0) }
    }
    return asks
  }

  /// The query for many runs; `nil` of a histogram of the team's own.
  static func text(_ ask: Ask, _ metrics: any MeshMetrics, _ scopes: [MetricsScope]) -> String? {
    switch ask.source {
    case .mesh(let view, .requests): metrics.requestQuery(scopes, view: view, reading: .increase(ask.window))
    case .mesh(let view, .latency): metrics.latencyQuery(scopes, view: view, reading: .increase(ask.window))
    case .mesh(_, .security), .own: nil
    }
  }

  /// What one run's own histogram is asked, whose answers are added; none of the mesh.
  func texts(_ ask: Ask) -> [String] {
    guard case .own(let name, let track) = ask.source,
      case .own(let latency)? = budgets.first(where: { $0.name == name })?.source
    else { return [] }
    return queries.increaseTexts(latency.metric, track, over: ask.window, callers: plan.services.first?.name)
  }

  mutating func record(_ series: [MetricSeries], of ask: Ask) {
    problem = nil
    switch ask.source {
    case .mesh(let view, let kind):
      guard let metrics else { return }
      let found = metrics.readings(series, of: scope, view: view)
      for budget in budgets {
        guard case .mesh(kind) = budget.source else { continue }
        let question = Question(objective: budget.name, view: view, window: ask.window / .seconds(1))
        readings[question] = Self.reading(
          canary: Self.counts(found, .canary, slow: budget.slow), stable: Self.counts(found, .stable, slow: budget.slow)
        )
      }
    case .own(let name, let track):
      guard let budget = budgets.first(where: { $0.name == name }), case .own(let latency) = budget.source else {
        return
      }
      let found = OwnLatencyJudge.readings(series, track, latency.unit)
      let question = Question(objective: name, window: ask.window / .seconds(1))
      own[question, default: [:]][track] = Self.counts(found, track, slow: budget.slow)
      readings[question] = Self.reading(canary: own[question]?[.canary], stable: own[question]?[.stable])
    }
  }

  private static func reading(canary: Counts?, stable: Counts?) -> BurnRate.Reading? {
    guard let canary, let stable else { return nil }
    return BurnRate.Reading(canary: canary, stable: stable)
  }

  mutating func fail(_ problem: String) { self.problem = problem }

  private static func counts(_ found: [MetricsKey: Double], _ track: Track, slow: Double?) -> Counts? {
    let own = found.filter { $0.key.track == track && $0.value.isFinite && $0.value >= 0 }
    guard let slow else {
      return Counts(
        requests: own.values.reduce(0, +), bad: own.filter(\.key.isError).values.reduce(0, +))
    }
    // Processes may have other boundaries than their track's others: their sum has those of all.
    let parts = Dictionary(grouping: own.filter { $0.key.boundary != nil }, by: \.key.process)
    let histograms = parts.sorted { $0.key < $1.key }.map { _, part in
      try? LatencyHistogram(
        buckets: Dictionary(part.map { ($0.key.boundary ?? .infinity, $0.value) }, uniquingKeysWith: +))
    }
    guard let first = histograms.first else { return .zero }
    let sum = histograms.dropFirst().reduce(first) { sum, one in sum.flatMap { sum in one.map { sum + $0 } } }
    guard let sum else { return nil }
    return sum.total == 0 ? .zero : sum.slower(thanAtLeast: slow)
  }

  var reports: [BurnReport] {
    let pairs = plan.analysis.burnWindows.map { pair in
      BurnRate.Windows(long: pair.long / .seconds(1), short: pair.short / .seconds(1), rate: pair.rate.double)
    }
    guard !pairs.isEmpty else { return [] }
    return budgets.compactMap { budget in
      let sources = sources(budget)
      guard !sources.isEmpty else { return nil }
      var alerts: [(view: MetricsView?, alert: BurnRate.Alert)] = []
      var newest: BurnRate.Reading?
      for (view, _) in sources {
        let own = readings.filter { $0.key.objective == budget.name && $0.key.view == view }
        let byWindow = Dictionary(uniqueKeysWithValues: own.map { ($0.key.window, $0.value) })
        if let alert = BurnRate(max: budget.max).alert(pairs, readings: byWindow) { alerts.append((view, alert)) }
        newest = newest ?? pairs.first.flatMap { byWindow[$0.long] }
      }
      return report(budget, alerts, newest)
    }
  }

  private func report(
    _ budget: Budget, _ alerts: [(view: MetricsView?, alert: BurnRate.Alert)], _ newest: BurnRate.Reading?
  ) -> BurnReport {
    let (name, max) = (budget.name, budget.max)
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
      + "\(view.map { "\($0.rawValue)s' metrics" } ?? "its own histogram"), both tracks)"
    return BurnReport(
      objective: name, finding: alert.isStableAlone ? .stableAlone : .burns,
      message: alert.isStableAlone ? text + "; it is stable that burns it, and the canary does not" : text,
      queries: [alert.windows.long, alert.windows.short].flatMap { window in
        sources(budget).filter { $0.view == view }.flatMap(\.asks).flatMap { source in
          let ask = Ask(window: .seconds(window), source: source)
          return texts(ask) + (metrics.flatMap { Self.text(ask, $0, [scope]) }.map { [$0] } ?? [])
        }
      })
  }

  private static func text(_ rate: Double) -> String {
    rate >= 10 ? String(Int(nearest: rate)) : String((rate * 10).rounded() / 10)
  }

  private static func text(_ window: Duration?) -> String { window?.text ?? "" }
}
