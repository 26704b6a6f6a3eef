import CanaryAnalysis
import RolloutAPI

/// An objective on errors or latency, and all that judges it.
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

  /// - Returns: `nil` for a query or a histogram of the team's own.
  init?(_ slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int) {
    guard let check = Self.check(of: slo, analysis, shares, views: views) else { return nil }
    self.slo = slo
    self.check = check
    earlier = Self.earlier(of: slo, analysis, shares, views: views)
    attribution = Attribution(
      limit: check.limit, risk: analysis.riskPerCheck * shares.checks,
      unhiddenRisk: analysis.riskPerCheck * shares.unhidden)
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
      case .query, .ownLatency: nil
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
    switch slo.objective {
    case .errorRate(let max, let comparison):
      let settings = settings(limit: max.fraction, comparison)
      return .errors(
        ViewsCheck(count: views, settings: settings) {
          ErrorRateCheck(limit: max.fraction, settings: $0)
        })
    case .latency(let quantile, let max, let comparison):
      let settings = settings(limit: 1 - quantile.fraction, comparison)
      return .latency(
        ViewsCheck(count: views, settings: settings) {
          LatencyCheck(quantile, max: max, comparison, settings: $0)
        })
    case .query, .ownLatency: return nil
    }
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
