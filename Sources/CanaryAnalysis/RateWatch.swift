import Foundation

/// What is known of how a look was measured.
public struct Circumstances: OptionSet, Codable, Sendable, Hashable {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Some process was not read in this look, or is caught up with: the tracks' counts are of different times, so a
  /// fault of both may show on one of them first. Such a look may add little by itself.
  public static let uneven = Circumstances(rawValue: 1)
  /// Stable gets no requests by plan, so the limit judges alone.
  public static let alone = Circumstances(rawValue: 2)
  /// More traffic reaches the canary since a short while, and it may be cold (see ``WarmUp``).
  public static let warmingUp = Circumstances(rawValue: 4)
}

/// What each process of the tracks did in one look, where that is known; a clump falls on one of them.
public struct TrackParts<Look: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  public var canary: [Look]
  public var stable: [Look]

  public init(canary: [Look] = [], stable: [Look] = []) {
    self.canary = canary
    self.stable = stable
  }

  func compactMap<Other>(_ transform: (Look) -> Other?) -> TrackParts<Other> {
    TrackParts<Other>(canary: canary.compactMap(transform), stable: stable.compactMap(transform))
  }
}

/// Both tracks' history of one yes/no property, reduced to what the tests need.
struct RateWatch: Codable, Sendable, Hashable {
  /// Against the tolerated ratio.
  private(set) var comparison: SequentialComparison
  /// Against stable as it is, where the tolerated ratio is larger.
  private(set) var equality: SequentialComparison?
  private(set) var canary: BoundTest
  /// The looks in which there was no stable to compare with.
  private(set) var alone: BoundTest
  private(set) var stable = Tally()
  private(set) var clumps = Clumps()

  /// The most that an uneven look may add, in nats: two of them at each end of a fault of both tracks stay far below
  /// any threshold.
  static let unevenCap = 2.6

  init(limit: Double, toleratedRatio: Double) {
    comparison = SequentialComparison(toleratedRatio: toleratedRatio)
    equality = toleratedRatio > 1 ? SequentialComparison() : nil
    canary = BoundTest(limit: limit)
    alone = BoundTest(limit: limit)
  }

  /// Learns how stable's bad requests come, from a look before the run.
  mutating func learn(stable look: Counts, parts: [Counts]) { clumps.observe(look, parts: parts) }

  mutating func record(
    canary look: Counts, stable other: Counts, parts: TrackParts<Counts>, circumstances: Circumstances
  ) {
    // The remedy is the one known before the look, so that each factor of the tests depends only on the past.
    let (divisor, usual) = clumps.remedy
    let remedy = Remedy(
      dispersion: divisor, present: clumps.present(other, parts: parts.stable), spread: Clumps.spread(parts.canary),
      cap: circumstances.contains(.uneven) ? Self.unevenCap : usual)
    comparison.update(canary: look, stable: other, dispersion: divisor, remedy: remedy)
    equality?.update(canary: look, stable: other, dispersion: divisor, remedy: remedy)
    canary.update(look, dispersion: divisor, remedy: remedy)
    stable.add(other, dispersion: divisor)
    if circumstances.contains(.alone) || stable.counts.requests == 0 {
      alone.update(look, dispersion: divisor, remedy: remedy)
    }
    clumps.observe(other, parts: parts.stable)
  }

  /// Forgets both tracks' history but for how stable's bad requests come.
  mutating func beginAnew() {
    comparison = SequentialComparison(toleratedRatio: comparison.toleratedRatio)
    equality = equality.map { SequentialComparison(toleratedRatio: $0.toleratedRatio) }
    canary = BoundTest(limit: canary.limit)
    alone = BoundTest(limit: alone.limit)
    stable = Tally()
  }

  /// ln of the largest e-value against the canary, now.
  var logAgainst: Double {
    max(comparison.logEValue, equality?.logEValue ?? 0, canary.logBroken, alone.logBroken)
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
  /// Whether "worse than stable" was proven, tolerated or not: the question whom to blame.
  var isBlamed: Bool
  /// Whether the limit was proven broken, over all looks, and over those without stable.
  var isBroken: Bool
  var isBrokenAlone: Bool
  var canary: Counts
  var stable: Counts

  /// The canary's fault beyond doubt. A good canary gets here with at most the check's risk: where stable has requests
  /// it must be shown to be worse than stable, where it has none to break the limit.
  var failure: Judgement.Finding? {
    if isWorse { return .worseThanStable }
    if isBrokenAlone { return .limitBroken }
    if isBroken, isBlamed, canary.rate ?? 0 > stable.rate ?? 0 { return .limitBroken }
    return nil
  }

  /// What the numbers say, with a note where that needs one.
  func finding(
    minimumRequests: Double, isKept: @autoclosure () -> Bool
  ) -> (finding: Judgement.Finding, note: String?) {
    if let failure { return (failure, nil) }
    if isBroken {
      return (.environment, "stable is not shown to be better, so what both depend on may be at fault")
    }
    if canary.requests < minimumRequests {
      let (seen, needed) = (Evidence.number(canary.requests), Evidence.number(minimumRequests))
      return (.tooFewRequests, "the canary had \(seen) of the \(needed) requests that a pass needs")
    }
    return (isKept() ? .kept : .undecided, nil)
  }
}
