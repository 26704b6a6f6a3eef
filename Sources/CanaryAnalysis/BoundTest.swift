import Foundation

/// What a track did so far, as it came and as much as it tells.
struct Tally: Codable, Sendable, Hashable {
  private(set) var counts = Counts.zero
  /// The counts after division by the dispersion of their look.
  private(set) var effective = Counts.zero

  mutating func add(_ look: Counts, dispersion: Double) {
    counts += look
    effective += look.divided(by: dispersion)
  }
}

/// Tests, look by look, on which side of a limit one track's rate of bad requests lies: broken beyond doubt, kept
/// beyond doubt, or undecided.
///
/// "Broken" bets on odds above those of the limit p₀, as ``SequentialComparison`` does on ratios, so that a fault that
/// begins late is found too. "Kept" is the mixture of Bernoulli likelihood ratios below p₀ over all looks. Each is a
/// nonnegative supermartingale under its null ("the rate is at most p₀", "at least p₀"), so Ville's inequality bounds
/// the risk at all times at once.
public struct BoundTest: Codable, Sendable, Hashable {
  /// p₀, above 0 and below 1.
  public let limit: Double

  private var tally = Tally()
  private var bets = Bets()

  public init(limit: Double) {
    self.limit = min(max(limit, 1e-9), 1 - 1e-9)
  }

  /// All requests so far, as they came.
  public var counts: Counts { tally.counts }

  /// Adds one look; `dispersion` and `cap` are those of ``SequentialComparison``.
  public mutating func update(_ look: Counts, dispersion: Double = 1, cap: Double? = nil) {
    update(look, dispersion: dispersion, remedy: .known(dispersion, cap: cap))
  }

  mutating func update(_ look: Counts, dispersion: Double, remedy: Remedy) {
    guard look.requests > 0 else { return }
    tally.add(look, dispersion: dispersion)
    bets.update(look, above: limit, remedy: remedy)
  }

  /// ln of the e-value of "the rate is above the limit", now.
  public var logBroken: Double { bets.logValue }
  /// The largest value that ``logBroken`` ever had.
  public var logPeak: Double { bets.logPeak }
  /// ln of the e-value of "the rate is below the limit", now.
  public var logKept: Double {
    let good = tally.effective.requests - tally.effective.bad
    return logSum(
      (1...Alternatives.count).lazy.map { k in
        let odds = Alternatives.ratios[Alternatives.count - k]
        let logGood = -log1p(limit * (odds.ratio - 1))
        return Alternatives.logPrior[k - 1] + tally.effective.bad * (odds.log + logGood) + good * logGood
      })
  }

  /// Whether the limit was ever refuted: true for a track that keeps it with probability ≤ `alpha`.
  public func isBroken(alpha: Double) -> Bool { logPeak >= -log(alpha) }
  /// Whether the looks so far, all of them, prove that the limit is kept, at this risk.
  public func isKept(risk: Double) -> Bool { logKept >= -log(risk) }

  /// The rates that the looks leave possible; clumps widen it.
  public func interval(risk: Double) -> RateInterval { tally.effective.interval(risk: risk) }
}

extension Bets {
  /// Bets, by one look at a track, that its rate of bad requests is above a limit. The limit may be another one in each
  /// look, as long as it does not depend on the look.
  mutating func update(_ look: Counts, above limit: Double, remedy: Remedy) {
    update { bet in
      // (1 − p)/(1 − p₀) for odds r times those of p₀ is 1 / (1 − p₀ + p₀ r).
      remedy.tempered(look.bad * bet.log - look.requests * log1p(limit * (bet.ratio - 1))) { bet.fairness }
    }
  }
}
