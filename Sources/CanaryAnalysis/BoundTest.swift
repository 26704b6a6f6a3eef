import Foundation

/// Tests, look by look, on which side of a limit one track's rate of bad requests lies: broken beyond doubt, kept
/// beyond doubt, or undecided.
///
/// Two mixtures of Bernoulli likelihood ratios against the limit p₀: one over alternatives above it, one below, their
/// odds on the grid of ``SequentialComparison``. Each is a nonnegative supermartingale under its null ("the rate is at
/// most p₀", "at least p₀"), so Ville's inequality bounds the risk at all times at once.
public struct BoundTest: Codable, Sendable, Hashable {
  /// p₀, above 0 and below 1.
  public let limit: Double
  /// All requests so far, as they came.
  public private(set) var counts = Counts.zero

  /// The counts after division by the dispersion of their look.
  private var effective = Counts.zero
  private var withheld = 0.0
  private var broken = 0.0
  private var peak = 0.0

  public init(limit: Double) {
    self.limit = min(max(limit, 1e-9), 1 - 1e-9)
  }

  /// Adds one look; `dispersion` and `cap` are those of ``SequentialComparison``.
  public mutating func update(_ look: Counts, dispersion: Double = 1, cap: Double? = nil) {
    counts += look
    effective += look.divided(by: dispersion)
    let mixture = logMixture(direction: 1)
    if let cap { withheld += max(0, mixture - withheld - broken - cap) }
    broken = mixture - withheld
    peak = max(peak, broken)
  }

  /// ln of the e-value of "the rate is above the limit", now.
  public var logBroken: Double { broken }
  /// The largest value that ``logBroken`` ever had.
  public var logPeak: Double { peak }
  /// ln of the e-value of "the rate is below the limit", now.
  public var logKept: Double { logMixture(direction: -1) }

  /// Whether the limit was ever refuted: true for a track that keeps it with probability ≤ `alpha`.
  public func isBroken(alpha: Double) -> Bool { peak >= -log(alpha) }
  /// Whether the looks so far, all of them, prove that the limit is kept, at this risk.
  public func isKept(risk: Double) -> Bool { logKept >= -log(risk) }

  /// The rates that the looks leave possible; clumps widen it.
  public func interval(risk: Double) -> RateInterval { effective.interval(risk: risk) }

  private func logMixture(direction: Int) -> Double {
    let good = effective.requests - effective.bad
    return logSum(
      (1...Alternatives.count).lazy.map { k in
        let odds = Alternatives.ratios[Alternatives.count + direction * k]
        // (1 − p)/(1 − p₀) for odds r times those of p₀ is 1 / (1 − p₀ + p₀ r).
        let logGood = -log1p(limit * (odds.ratio - 1))
        return Alternatives.logPrior[k - 1] + effective.bad * (odds.log + logGood) + good * logGood
      })
  }
}
