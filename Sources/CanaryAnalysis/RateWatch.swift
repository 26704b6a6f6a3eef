/// Both tracks' history of one yes/no property, reduced to what the tests need.
struct RateWatch: Codable, Sendable, Hashable {
  private(set) var comparison: SequentialComparison
  private(set) var canary: BoundTest
  private(set) var stable: BoundTest
  private(set) var clumps: Clumps

  init(limit: Double, toleratedRatio: Double) {
    comparison = SequentialComparison(toleratedRatio: toleratedRatio)
    canary = BoundTest(limit: limit)
    stable = BoundTest(limit: limit)
    clumps = Clumps()
  }

  /// Learns how stable's bad requests come, from a look before the run.
  mutating func learn(stable look: Counts) { clumps.observe(look) }

  mutating func record(canary look: Counts, stable other: Counts) {
    // The remedy is the one known before the look, so that each factor of the tests depends only on the past.
    let remedy = clumps.remedy
    comparison.update(canary: look, stable: other, dispersion: remedy.divisor, cap: remedy.cap)
    canary.update(look, dispersion: remedy.divisor, cap: remedy.cap)
    stable.update(other, dispersion: remedy.divisor, cap: remedy.cap)
    clumps.observe(other)
  }

  /// Whether the canary's rate is above stable's by more than the margin, as observed.
  func exceeds(margin: Double) -> Bool {
    guard let worse = canary.counts.rate, let base = stable.counts.rate else { return false }
    return worse - base > margin
  }
}

/// The common rule of all checks on rates: from what the tests say to a finding.
struct RateRule {
  /// Whether "worse than tolerated" was proven, where the check compares at all.
  var isWorse: Bool
  /// ln of the largest e-value of "worse than stable", for the question whom to blame.
  var blame: Double
  var isBroken: Bool
  var isKept: Bool
  var canary: Counts
  var stable: Counts

  /// ln 100. From this e-value on a broken limit is the canary's fault although stable has requests too: where both
  /// tracks suffer alike it is reached with a probability of at most 1 %.
  static let blameThreshold = 4.605170185988091

  /// What the numbers say, with a note where that needs one.
  func finding(minimumRequests: Double) -> (finding: Judgement.Finding, note: String?) {
    if isWorse { return (.worseThanStable, nil) }
    if isBroken {
      // Without requests on stable nobody else can be to blame: at weight 100 the limit judges alone.
      guard let base = stable.rate, let rate = canary.rate else { return (.limitBroken, nil) }
      if blame >= Self.blameThreshold, rate > base { return (.limitBroken, nil) }
      return (.environment, "stable is not shown to be better, so what both depend on may be at fault")
    }
    if canary.requests < minimumRequests {
      let (seen, needed) = (Evidence.number(canary.requests), Evidence.number(minimumRequests))
      return (.tooFewRequests, "the canary had \(seen) of the \(needed) requests that a pass needs")
    }
    return (isKept ? .kept : .undecided, nil)
  }
}
