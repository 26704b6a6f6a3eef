import Foundation

/// Judges what a team counts: events per request, or the mean of values between declared bounds, against stable over the
/// same looks and against bounds of its own, with a stated risk.
///
/// Both are sums over requests, and tested alike (see ``EventComparison``). Of a mean the values are scaled to 0 … 1, and
/// to each test on the sums of a look comes a ``MeanTest`` on their means, which learns how little the values spread. The two
/// are averaged, and an average of e-processes is one. What a test of rates says of shares, it says of values between 0
/// and 1 too: `rˣ` is convex in x, so a value helps a bet no more than a coin with its mean.
///
/// A good canary fails with at most ``risk``: each bound has an equal part of it. A broken bound of the canary's own value
/// is its fault only if the canary is also shown to be on that side of stable, or where stable has no requests.
public struct EventCheck: Codable, Sendable, Hashable {
  public enum Kind: Codable, Sendable, Hashable {
    case events
    /// Each value lies between these; the smallest is at least 0.
    case mean(ClosedRange<Double>)
  }

  public let name: String
  public let kind: Kind
  public let risk: Double
  /// The probability that it ever passes a canary which is beyond a bound.
  public let passRisk: Double
  public let minimumRequests: Double
  /// What an event is counted per, in the plural, for people.
  public let unit: String

  private let ratio: ThresholdCheck.Bounds?
  private let value: ThresholdCheck.Bounds?
  /// In parts of the largest value.
  private var comparison: EventComparison
  private var ratioTests: [RatioTest]
  private var valueTests: [ValueTest]
  private var looks = LookLog()

  /// - Parameters:
  ///   - ratio: what the canary's rate or mean divided by stable's must keep.
  ///   - value: what the canary's rate or mean must keep; of events, between 0 and 1.
  public init(
    name: String, kind: Kind, ratio: ThresholdCheck.Bounds?, value: ThresholdCheck.Bounds?, risk: Double,
    passRisk: Double = 0.05, minimumRequests: Double = 50, unit: String = "requests"
  ) {
    self.name = name
    self.kind = kind
    self.ratio = ratio
    self.value = value
    self.risk = risk
    self.passRisk = passRisk
    self.minimumRequests = minimumRequests
    self.unit = unit
    comparison = EventComparison(least: ratio?.min, most: ratio?.max)
    ratioTests = [(Side.below, ratio?.min), (.above, ratio?.max)].compactMap { side, bound in
      bound.map { RatioTest(side: side, bound: $0, isMean: kind.isMean) }
    }
    valueTests = [(Side.below, value?.min), (.above, value?.max)].compactMap { side, bound in
      bound.map { ValueTest(side: side, bound: kind.share($0), isMean: kind.isMean) }
    }
  }

  /// Whether stable's counts are needed.
  public var compares: Bool { ratio != nil }

  /// Each bound's part of the risk.
  private var part: Double { risk / Double(max(1, ratioTests.count + valueTests.count)) }

  /// Learns how stable's events come, from a look before the run.
  public mutating func learn(stable look: EventCount) { comparison.learn(stable: kind.scaled(look)) }

  /// Adds a look. Looks must not overlap.
  /// - Parameter stable: `nil` where stable gets no traffic: a comparison then keeps what it found while it did.
  public mutating func record(canary: Measured<EventCount>, stable: Measured<EventCount>?) {
    guard let own = canary.value, (stable ?? .value(.zero)).value != nil else {
      looks.gap(canary: canary.problem, stable: stable?.problem)
      return
    }
    let base = stable?.value
    for (track, look) in [("canary", own), ("stable", base ?? .zero)] where !kind.holds(look) {
      looks.gap(
        canary:
          "the \(track)'s values are not between the bounds: their mean is \(look.rate.map(Evidence.number) ?? "0")",
        stable: nil)
      return
    }
    looks.measured()
    let (worse, other) = (kind.scaled(own), base.map(kind.scaled) ?? .zero)
    let remedy = comparison.clumps.remedy
    comparison.update(canary: worse, stable: other)
    for index in ratioTests.indices { ratioTests[index].record(comparison, canary: worse, stable: other) }
    let shares = (kind.shares(own), base.map(kind.shares) ?? .zero)
    for index in valueTests.indices {
      valueTests[index].record(canary: shares.0, stable: shares.1, divisor: remedy.divisor, cap: remedy.cap)
    }
  }

  public var fails: Bool { failure != nil }

  private var failure: Judgement.Finding? {
    if ratioTests.contains(where: { $0.isBroken(risk: part) }) { return .worseThanStable }
    return valueTests.contains { $0.isCanarysFault(risk: part) } ? .limitBroken : nil
  }

  private var finding: Judgement.Finding {
    if let failure { return failure }
    if valueTests.contains(where: { $0.isBroken(risk: part * ValueTest.blameShare) }) { return .environment }
    if canary.requests < minimumRequests { return .tooFewRequests }
    return ratioTests.allSatisfy { $0.isKept(risk: passRisk) } && valueTests.allSatisfy { $0.isKept(risk: passRisk) }
      ? .kept : .undecided
  }

  /// What was counted so far, in the plan's units.
  public var canary: EventCount { kind.unscaled(comparison.canary) }
  public var stable: EventCount { kind.unscaled(comparison.stable) }

  /// - Parameter window: how long has been watched, in seconds, for the evidence.
  public func judgement(queries: [String] = [], window: Double? = nil, notes: [String] = []) -> Judgement {
    let finding = finding
    let dispersion = comparison.clumps.remedy.divisor
    let span = comparison.ratioInterval(risk: Evidence.displayRisk)
    let none = RateInterval(lower: 0, upper: 1)
    var evidence = Evidence(
      check: name, property: kind.isMean ? "mean" : "events", canary: Evidence.Track(counts: .zero, interval: none),
      stable: Evidence.Track(counts: .zero, interval: none), ratioLower: span.lower, ratioUpper: span.upper, risk: risk,
      dispersion: comparison.clumps.dispersion, looks: looks.measurements, gaps: looks.gaps)
    if !ratioTests.isEmpty {
      evidence.comparisonEValue = ratioTests.map { finite(exponential: $0.broken.peak) }.max()
      evidence.comparisonThreshold = 1 / part
    }
    if !valueTests.isEmpty {
      evidence.limitEValue = valueTests.map { finite(exponential: $0.broken.peak) }.max()
      evidence.limitThreshold = 1 / (part * ValueTest.blameShare)
    }
    let (own, base) = (amount(canary, dispersion), compares ? amount(stable, dispersion) : nil)
    let observed = canary.rate.flatMap { own in stable.rate.flatMap { $0 > 0 ? own / $0 : nil } }
    evidence.values = Evidence.Values(
      canary: canary.rate, stable: stable.rate, ratio: compares ? observed : nil,
      sentence: sentence(own, base, span), wanted: wanted, canaryAmount: own, stableAmount: base)
    evidence.queries = queries
    evidence.window = window
    evidence.notes = notes + note(finding)
    return looks.judgement(finding, note: nil, evidence: evidence)
  }

  private func amount(_ count: EventCount, _ dispersion: Double) -> Evidence.Amount {
    switch kind {
    case .events:
      let interval = count.interval(risk: Evidence.displayRisk, dispersion: dispersion)
      return Evidence.Amount(amount: count.events, per: count.requests, lower: interval.lower, upper: interval.upper)
    case .mean(let bounds):
      let interval = kind.shares(count).divided(by: dispersion).interval(risk: Evidence.displayRisk)
      let width = bounds.upperBound - bounds.lowerBound
      return Evidence.Amount(
        amount: count.events, per: count.requests, lower: bounds.lowerBound + width * interval.lower,
        upper: bounds.lowerBound + width * interval.upper)
    }
  }

  private var wanted: String {
    [
      ratio.map { "canary ÷ stable \(ThresholdCheck(name: name, bounds: $0).wanted)" },
      value.map { "the canary's \(kind.isMean ? "mean" : "rate") \(ThresholdCheck(name: name, bounds: $0).wanted)" },
    ]
    .compactMap { $0 }.joined(separator: "; ")
  }

  private func sentence(
    _ own: Evidence.Amount, _ base: Evidence.Amount?, _ span: (lower: Double?, upper: Double?)
  ) -> String {
    func text(_ track: String, _ amount: Evidence.Amount) -> String {
      guard amount.per > 0 else { return "\(track) no \(unit)" }
      let interval = "\(Evidence.number(amount.lower)) … \(amount.upper.map(Evidence.number) ?? "any")"
      let number = Evidence.number(amount.amount)
      let counted =
        kind.isMean
        ? "mean of \(Evidence.number(amount.per)) values" : "\(number) per \(Evidence.number(amount.per)) \(unit)"
      return "\(track) \(interval) (\(counted))"
    }
    var parts = [[text("canary", own), base.map { text("stable", $0) }].compactMap { $0 }.joined(separator: ", ")]
    if let ratio {
      let allowed = ThresholdCheck(name: name, bounds: ratio).wanted
      switch span {
      case (nil, nil): parts.append("canary ÷ stable \(allowed) allowed")
      default:
        let (lower, upper) = (span.lower.map(Evidence.number) ?? "0", span.upper.map(Evidence.number) ?? "any")
        parts.append("canary ÷ stable \(lower) … \(upper), \(allowed) allowed")
      }
    }
    if let value { parts.append("\(ThresholdCheck(name: name, bounds: value).wanted) allowed") }
    return parts.joined(separator: "; ")
  }

  private func note(_ finding: Judgement.Finding) -> [String] {
    switch finding {
    case .environment:
      ["stable is not shown to be better, so what both depend on may be at fault"]
    case .tooFewRequests:
      [
        "the canary had \(Evidence.number(canary.requests)) of the \(Evidence.number(minimumRequests)) \(unit) that a "
          + "pass needs"
      ]
    case .undecided: missing.map { ["about \($0) more \(unit) at this share decide, if the tracks are alike"] } ?? []
    default: []
    }
  }

  /// How many more requests of both tracks show that the ratio is kept, if it is 1: a look's mean gain in nats per
  /// request is the divergence of the tracks' shares of events.
  private var missing: String? {
    guard !ratioTests.isEmpty, comparison.canary.requests > 0, comparison.stable.requests > 0 else { return nil }
    let requests = comparison.canary.requests + comparison.stable.requests
    let events = (comparison.canary.events + comparison.stable.events) / comparison.clumps.remedy.divisor
    let share = comparison.canary.requests / requests
    let open = ratioTests.filter { !$0.isKept(risk: passRisk) }
    let needed = open.map { test -> Double in
      let theta = test.bound
      let fair = share * theta / (1 - share + share * theta)
      let divergence = share * log(share / fair) + (1 - share) * log((1 - share) / (1 - fair))
      // What the spread over alternatives costs is about as much again.
      return 2 * -log(passRisk) / max(divergence * events / requests, 1e-12) - requests
    }
    guard let most = needed.max(), most > 0, most.isFinite, most < 1e12 else { return nil }
    return Evidence.number((most / 100).rounded(.up) * 100)
  }
}

extension EventCheck.Kind {
  var isMean: Bool { if case .mean = self { true } else { false } }

  /// The largest value; 1 of an event.
  private var largest: Double { if case .mean(let bounds) = self { bounds.upperBound } else { 1 } }

  /// In parts of the largest value.
  func scaled(_ count: EventCount) -> EventCount {
    EventCount(requests: count.requests, events: count.events / largest)
  }

  func unscaled(_ count: EventCount) -> EventCount {
    EventCount(requests: count.requests, events: count.events * largest)
  }

  /// A value as a share of the way from the smallest to the largest.
  func share(_ value: Double) -> Double {
    guard case .mean(let bounds) = self else { return value }
    return (value - bounds.lowerBound) / (bounds.upperBound - bounds.lowerBound)
  }

  /// The sum of such shares.
  func shares(_ count: EventCount) -> Counts {
    guard case .mean(let bounds) = self else {
      return Counts(requests: count.requests, bad: count.events) ?? .zero
    }
    let sum = (count.events - bounds.lowerBound * count.requests) / (bounds.upperBound - bounds.lowerBound)
    return Counts(requests: count.requests, bad: max(0, sum)) ?? .zero
  }

  /// Whether the values can have been within the bounds. Counters that are scraped while they grow are apart by a
  /// little, which is cut; what is further out was declared wrongly, and nothing would hold with it.
  func holds(_ count: EventCount) -> Bool {
    guard count.requests.isFinite, count.events.isFinite, count.requests >= 0, count.events >= 0 else { return false }
    guard case .mean(let bounds) = self, let mean = count.rate else { return true }
    let slack = 0.05 * (bounds.upperBound - bounds.lowerBound)
    return mean >= bounds.lowerBound - slack && mean <= bounds.upperBound + slack
  }
}

extension Evidence {
  /// What was counted of one track, and the rates or means that it leaves possible, with 95 % at all times at once.
  public struct Amount: Codable, Sendable, Hashable {
    /// How many events, or the sum of the values.
    public var amount: Double
    public var per: Double
    public var lower: Double
    /// `nil` without an upper bound.
    public var upper: Double?
  }
}
