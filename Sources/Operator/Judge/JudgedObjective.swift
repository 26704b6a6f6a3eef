import CanaryAnalysis
import RolloutAPI

/// An objective on errors or latency, and all that judges it, by what a mesh counts or by a histogram of the team's own.
struct JudgedObjective: Sendable {
  /// The views in the order of ``MeshMetrics/views``.
  enum Check: Sendable {
    case errors(ViewsCheck<ErrorRateCheck>)
    case latency(ViewsCheck<LatencyCheck>)

    var limit: Double {
      switch self {
      case .errors(let check): check.views.first?.limit ?? 1
      case .latency(let check): check.views.first?.limit ?? 1
      }
    }
  }

  private let slo: SLO
  var check: Check
  /// Of each view, where the plan watches a canary that has all traffic.
  var earlier: [EarlierStable]
  var attribution: Attribution

  var name: String { slo.name }
  var isDryRun: Bool { slo.mode == .dryRun }

  /// - Parameter views: how many count; one of a histogram of the team's own.
  /// - Returns: `nil` for a query.
  init?(_ slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int) {
    guard let check = Self.check(of: slo, analysis, shares, views: views) else { return nil }
    self.slo = slo
    self.check = check
    earlier = Self.earlier(of: slo, analysis, shares, views: views)
    attribution = Attribution(
      limit: check.limit, risk: analysis.riskPerCheck * shares.checks,
      unhiddenRisk: analysis.riskPerCheck * shares.unhidden, comparesTimes: slo.comparesWhole)
  }

  /// Begins all its tests anew.
  /// - Parameter part: of its share of the risk that they have from now on.
  mutating func beginAnew(_ analysis: PlanAnalysis, _ shares: RiskShares, views: Int, part: Double) {
    check = Self.check(of: slo, analysis, shares, views: views, part: part) ?? check
    earlier = Self.earlier(of: slo, analysis, shares, views: views, part: part)
  }

  /// The probability of a false abort that each of its tests was given.
  var risks: [Double] {
    let views =
      switch check {
      case .errors(let check): check.views.map(\.settings.risk)
      case .latency(let check): check.views.map(\.settings.risk)
      }
    return views + earlier.map(\.risk) + [attribution.unhiddenRisk]
  }

  /// What judges the canary by stable's earlier rate, for each view; none where the objective does not compare.
  private static func earlier(
    of slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int, part: Double = 1
  ) -> [EarlierStable] {
    let tolerance: Tolerance? =
      switch slo.objective {
      case .errorRate(let max, let comparison): comparison.map { Tolerance($0, limit: max.fraction) }
      case .latency(let quantile, _, let comparison): comparison.map { Tolerance($0, limit: 1 - quantile.fraction) }
      case .ownLatency(let own): own.comparison.map { Tolerance($0, limit: 1 - own.quantile.fraction) }
      case .query: nil
      }
    guard let tolerance, shares.bake > 0 else { return [] }
    let risk = analysis.riskPerCheck * shares.bake * part / Double(max(1, views))
    return (0..<views).map { _ in EarlierStable(tolerance: tolerance, risk: risk) }
  }

  /// - Parameter part: of its share of the risk.
  private static func check(
    of slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int, part: Double = 1
  ) -> Check? {
    func settings(limit: Double, _ comparison: SLO.Comparison?) -> CheckSettings {
      CheckSettings(
        name: slo.name, tolerance: comparison.map { Tolerance($0, limit: limit) },
        risk: analysis.riskPerCheck * shares.checks * part,
        minimumRequests: Double(analysis.minRequests))
    }
    func latency(_ quantile: Quantile, _ max: Duration, _ comparison: SLO.Comparison?) -> Check {
      .latency(
        ViewsCheck(count: views, settings: settings(limit: 1 - quantile.fraction, comparison)) {
          LatencyCheck(quantile, max: max, comparison, settings: $0)
        })
    }
    switch slo.objective {
    case .errorRate(let max, let comparison):
      return .errors(
        ViewsCheck(count: views, settings: settings(limit: max.fraction, comparison)) {
          ErrorRateCheck(limit: max.fraction, settings: $0)
        })
    case .latency(let quantile, let max, let comparison): return latency(quantile, max, comparison)
    case .ownLatency(let own): return latency(own.quantile, own.max, own.comparison)
    case .query: return nil
    }
  }

  /// Teaches its tests of latency how stable's slow requests come.
  mutating func learn(_ view: Int, stable: Measured<LatencyHistogram>, parts: [LatencyHistogram]) {
    guard case .latency(var check) = check else { return }
    check.learn(view, stable: stable, parts: parts)
    self.check = .latency(check)
  }

  /// Adds a look to its tests of latency.
  mutating func record(
    _ view: Int, canary: Measured<LatencyHistogram>, stable: Measured<LatencyHistogram>,
    parts: TrackParts<LatencyHistogram> = TrackParts(), circumstances: Circumstances = []
  ) {
    guard case .latency(var check) = check else { return }
    check.record(view, canary: canary, stable: stable, parts: parts, circumstances: circumstances)
    self.check = .latency(check)
  }

  /// Adds a look to what tells a canary that has all requests from stable before.
  /// - Parameter isAlone: the canary was to get all requests.
  mutating func compare(_ view: Int, canary: Counts?, stable: Counts?, isAlone: Bool) {
    guard let canary, let stable, earlier.indices.contains(view) else { return }
    earlier[view].record(canary: canary, stable: stable, isAlone: isAlone)
  }

  private func bad(_ view: Int) -> String {
    if case .latency(let check) = check { check.views[view].tooSlow } else { "bad" }
  }

  /// What all that judges it says together, and the view that decides. A canary that is worse than stable was fails,
  /// whatever its limit says; where a pod explains what is found, it stands in the evidence.
  var judgement: (view: Int, judgement: Judgement)? {
    let worse = earlier.firstIndex(where: \.isWorse)
    func judged(_ check: ViewsCheck<some TrackCheck>) -> (Int, Judgement)? {
      worse.map { ($0, check.views[$0].judgement(window: nil, queries: [])) } ?? check.judgement()
    }
    let found =
      switch check {
      case .errors(let check): judged(check)
      case .latency(let check): judged(check)
      }
    guard case (let view, var judgement)? = found else { return nil }
    if worse != nil { judgement.finding = .worseThanStable }
    if earlier.indices.contains(view), let note = earlier[view].note(bad(view)) {
      judgement.evidence.notes.append(note)
    }
    return (view, attribution.judged(judgement))
  }
}

extension Tolerance {
  /// - Parameter limit: the largest share of bad requests.
  init(_ comparison: SLO.Comparison, limit: Double) {
    self.init(ratio: comparison.ratio.double, margin: comparison.margin?.fraction ?? limit / 4)
  }
}

extension LatencyCheck {
  init(_ quantile: Quantile, max: Duration, _ comparison: SLO.Comparison?, settings: CheckSettings) {
    self.init(
      quantile: quantile.fraction, max: max / .milliseconds(1), settings: settings,
      distributionMargin: comparison?.distribution?.fraction)
  }
}

extension SLO {
  /// Whether answers are compared as a whole too.
  fileprivate var comparesWhole: Bool {
    switch objective {
    case .latency(_, _, let comparison): comparison?.distribution != nil
    case .ownLatency(let own): own.comparison?.distribution != nil
    case .errorRate, .query: false
    }
  }

  /// Whether the mesh's own metrics judge it.
  var isOfMesh: Bool {
    switch objective {
    case .errorRate, .latency: true
    case .query, .ownLatency: false
    }
  }
}
