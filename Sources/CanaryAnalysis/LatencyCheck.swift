import Foundation

/// Judges a latency quantile: against its largest allowed value, and against stable over the same looks.
///
/// "The quantile `q` is at most `max`" means "at most 1 − q of the requests are slower than `max`", and a histogram can
/// tell that only at its bucket boundaries. Where `max` is one of them, the test is exact. Else a failure needs too many
/// requests slower than the next boundary *above* `max`, and a pass few enough slower than the next one *below*: both
/// are then true whatever happens inside the bucket, and a quantile inside it stays undecided, which the evidence says.
///
/// Against stable the e-processes of all boundaries at and above `max` are averaged, which is an e-process again and
/// needs no correction for their number. The first one weighs half, the next a quarter, and so on: the boundary at the
/// limit is the one that matters most, and a histogram that goes on to hours costs nothing.
///
/// Where the answers are compared as a whole too, half of the risk is that comparison's (``DistributionWatch``). What a
/// canary answers in its warm-up is then left out of it: a process that has just started is a little slow in all it does,
/// and need not be so slow that a ``WarmUp`` calls it cold.
public struct LatencyCheck: TrackCheck, Hashable {
  public let settings: CheckSettings
  /// Above 0 and below 1.
  public let quantile: Double
  /// In milliseconds.
  public let max: Double

  private var looks = LookLog()
  private var boundaries: [Boundary] = []
  private var canary: LatencyHistogram?
  private var stable: LatencyHistogram?
  /// ln of the largest averages that "worse than tolerated" and "worse than stable" reached.
  private var peak = 0.0
  private var blame = 0.0
  private var head = HeadStart()
  private var distribution: DistributionWatch?
  /// The same as much as they tell where slow answers come in clumps, for the intervals of the quantile.
  private var canaryTold: LatencyHistogram?
  private var stableTold: LatencyHistogram?

  private struct Boundary: Codable, Sendable, Hashable {
    var milliseconds: Double
    var watch: RateWatch
  }

  /// - Parameter distributionMargin: where the answers are compared as a whole, how much larger the share of the canary's
  ///   may be, as counted, that are slower than any one boundary; 0 to 1.
  public init(quantile: Double, max: Double, settings: CheckSettings, distributionMargin: Double? = nil) {
    self.quantile = quantile
    self.max = max
    self.settings = settings
    distribution = distributionMargin.map { DistributionWatch(margin: $0) }
  }

  /// The share of requests that may be slower than ``max``.
  public var limit: Double { 1 - quantile }

  /// Of the risk, what the comparison of the whole has.
  static let distributionShare = 0.5
  private var distributionRisk: Double { settings.risk * Self.distributionShare }
  /// What the tests of slow requests decide by.
  private var rates: CheckSettings {
    var rates = settings
    if distribution != nil { rates.risk -= distributionRisk }
    return rates
  }

  /// Teaches the check how stable's slow requests come (see ``Clumps``) by a look from before the run.
  public mutating func learn(stable: Measured<LatencyHistogram>, parts: [LatencyHistogram]) {
    guard let look = stable.value else { return }
    prepare(for: look)
    for index in boundaries.indices {
      let milliseconds = boundaries[index].milliseconds
      if let counts = look.slower(than: milliseconds) {
        boundaries[index].watch.learn(stable: counts, parts: parts.compactMap { $0.slower(than: milliseconds) })
      }
    }
    distribution?.learn(stable: look, parts: parts)
  }

  /// Adds a look; the rules are those of ``ErrorRateCheck/record(canary:stable:)``. A look whose histograms lack the
  /// boundaries of the first one is a gap too: the buckets were changed meanwhile.
  public mutating func record(
    canary: Measured<LatencyHistogram>, stable: Measured<LatencyHistogram>, parts: TrackParts<LatencyHistogram>,
    circumstances: Circumstances
  ) {
    guard let worse = canary.value, let base = stable.value else {
      looks.gap(canary: canary.problem, stable: stable.problem)
      return
    }
    prepare(for: base.boundaries.isEmpty ? worse : base)
    var pairs: [(Counts, Counts)] = []
    for boundary in boundaries {
      guard let worse = worse.slower(orEmpty: boundary.milliseconds),
        let base = base.slower(orEmpty: boundary.milliseconds)
      else {
        looks.gap(canary: "its buckets are not those of the looks before", stable: nil)
        return
      }
      pairs.append((worse, base))
    }
    looks.measured()
    let divisor = (above ?? below)?.watch.clumps.remedy.divisor ?? 1
    for (index, pair) in pairs.enumerated() {
      let milliseconds = boundaries[index].milliseconds
      boundaries[index].watch.record(
        canary: pair.0, stable: pair.1, parts: parts.compactMap { $0.slower(than: milliseconds) },
        circumstances: circumstances)
    }
    self.canary = self.canary.map { $0 + worse } ?? worse
    self.stable = self.stable.map { $0 + base } ?? base
    let (worseTold, baseTold) = (worse.divided(by: divisor), base.divided(by: divisor))
    canaryTold = canaryTold.map { $0 + worseTold } ?? worseTold
    stableTold = stableTold.map { $0 + baseTold } ?? baseTold
    if circumstances.contains(.warmingUp) {
      distribution?.learn(stable: base, parts: parts.stable)
    } else {
      distribution?.record(canary: worse, stable: base, parts: parts.stable)
    }
    peak = Swift.max(peak, logAverage { $0.comparison })
    blame = settings.tolerance?.ratio ?? 1 > 1 ? Swift.max(blame, logAverage { $0.equality ?? $0.comparison }) : peak
  }

  public mutating func discard(above logAllowance: Double) {
    let against = boundaries.map(\.watch.logAgainst).max() ?? 0
    guard let shown = above ?? below, logAllowance < rates.logCertainty, against + head.log > logAllowance else {
      return
    }
    head.begin(with: logAllowance, discarding: shown.watch.canary.counts)
    for index in boundaries.indices { boundaries[index].watch.beginAnew() }
    canary = nil
    stable = nil
    canaryTold = nil
    stableTold = nil
    peak = 0
    blame = 0
  }

  public var fails: Bool { rule?.failure != nil || isSlower }

  /// Whether the answers are slower as a whole, where they are compared so.
  private var isSlower: Bool { distribution?.isSlower(alpha: distributionRisk) ?? false }

  /// The first boundary at or above ``max``, and the last one at or below it.
  private var above: Boundary? { boundaries.first { $0.milliseconds >= max } }
  private var below: Boundary? { boundaries.last { $0.milliseconds <= max } }

  /// What counts as bad against ``max``, for people: the histogram's first boundary from there on.
  public var tooSlow: String { "slower than \(Evidence.number(above?.milliseconds ?? max)) ms" }

  /// What the tests say; `nil` without boundaries.
  private var rule: RateRule? {
    guard let shown = above ?? below else { return nil }
    let settings = head.applied(to: rates)
    let isWorse =
      settings.tolerance.map { tolerance in
        peak >= -log(settings.comparisonRisk) && compared.contains { $0.watch.exceeds(margin: tolerance.margin) }
      } ?? false
    return RateRule(
      isWorse: isWorse, isBlamed: blame >= -log(settings.blameRisk),
      isBroken: above?.watch.canary.isBroken(alpha: settings.limitRisk) ?? false,
      isBrokenAlone: above?.watch.alone.isBroken(alpha: settings.limitRisk) ?? false,
      canary: shown.watch.canary.counts, stable: shown.watch.stable.counts)
  }

  /// - Parameter window: how long has been watched, in seconds, for the evidence.
  public func judgement(window: Double? = nil, queries: [String] = []) -> Judgement {
    guard let shown = above ?? below, let rule else { return emptyJudgement(window: window, queries: queries) }
    var (finding, note) = rule.finding(
      minimumRequests: settings.minimumRequests,
      isKept: below?.watch.canary.isKept(risk: settings.passRisk) ?? false)
    if isSlower, !finding.isFailure { (finding, note) = (.slowerThanStable, nil) }
    if finding == .undecided, let bucket = canary?.quantile(quantile), bucket.isBlind(to: max) {
      note = bucketNote(above: above?.milliseconds, below: below?.milliseconds)
    }

    // A pass is shown by the boundary that proves it.
    let proof = finding == .kept ? below ?? shown : shown
    var evidence = Evidence(
      check: settings.name, property: "requests slower than \(Evidence.number(proof.milliseconds)) ms",
      watch: proof.watch, settings: rates, head: head, looks: looks)
    evidence.risk = settings.risk
    evidence.limit = limit
    evidence.comparisonEValue = settings.tolerance.map { _ in finite(exponential: peak + head.log) }
    evidence.latency = Evidence.Latency(
      quantile: quantile, max: max, canary: canary?.quantile(quantile), stable: stable?.quantile(quantile),
      canaryInterval: canaryTold?.quantileInterval(quantile, risk: Evidence.displayRisk),
      stableInterval: stableTold?.quantileInterval(quantile, risk: Evidence.displayRisk))
    evidence.distribution = distribution.map { Evidence.Distribution($0, risk: distributionRisk) }
    evidence.window = window
    evidence.queries = queries
    return looks.judgement(finding, note: note, evidence: evidence)
  }

  /// The boundaries that the comparison averages over: those at and above ``max``, or the last one below.
  private var compared: some Collection<Boundary> {
    let first = boundaries.firstIndex { $0.milliseconds >= max } ?? boundaries.indices.last ?? 0
    return boundaries[first...]
  }

  private func logAverage(_ test: @escaping (RateWatch) -> SequentialComparison) -> Double {
    let count = compared.count
    guard count > 0 else { return 0 }
    return logSum(
      compared.enumerated().lazy.map { index, boundary in
        // The last one takes what is left, so that the weights sum to 1.
        test(boundary.watch).logEValue - Double(min(index + 1, count - 1)) * log(2)
      })
  }

  /// Takes the boundaries that matter from the first histogram: those from ``max`` on, and the next one below.
  private mutating func prepare(for histogram: LatencyHistogram) {
    guard boundaries.isEmpty else { return }
    let below = histogram.boundaries.last { $0 < max }
    let above = histogram.boundaries.filter { $0 >= max }
    boundaries = ((below.map { [$0] } ?? []) + above).map {
      Boundary(milliseconds: $0, watch: RateWatch(limit: limit, toleratedRatio: settings.tolerance?.ratio ?? 1))
    }
  }

  private func bucketNote(above: Double?, below: Double?) -> String? {
    let name = "\(Evidence.number(max)) ms"
    switch (above, below) {
    case (max, _), (_, max): return nil
    case (let above?, let below?):
      return "no bucket boundary at \(name): the histogram's next ones are \(Evidence.number(below)) and "
        + "\(Evidence.number(above)) ms, and between them it cannot tell; a boundary at \(name), or a limit at one, can"
    case (nil, let below?):
      return "the histogram ends at \(Evidence.number(below)) ms, so it can never show that \(name) is exceeded"
    case (let above?, nil):
      return "the histogram begins at \(Evidence.number(above)) ms, so it can never show that \(name) is kept"
    case (nil, nil): return nil
    }
  }

  private func emptyJudgement(window: Double?, queries: [String]) -> Judgement {
    let watch = RateWatch(limit: limit, toleratedRatio: 1)
    var evidence = Evidence(
      check: settings.name, property: "requests slower than \(Evidence.number(max)) ms", watch: watch,
      settings: rates, head: head, looks: looks)
    evidence.risk = settings.risk
    evidence.limit = limit
    evidence.window = window
    evidence.queries = queries
    let note = looks.measurements > 0 ? "the histogram has no bucket boundaries but +Inf" : nil
    return looks.judgement(.tooFewRequests, note: note, evidence: evidence)
  }
}

extension LatencyHistogram {
  /// As ``slower(than:)``; a histogram without requests needs no boundaries.
  fileprivate func slower(orEmpty boundary: Double) -> Counts? { total == 0 ? .zero : slower(than: boundary) }
}

extension QuantileEstimate {
  /// Whether a value lies inside the bucket, so that the histogram cannot tell on which side of it the quantile is.
  fileprivate func isBlind(to value: Double) -> Bool { lower < value && value < upper ?? .infinity }
}
