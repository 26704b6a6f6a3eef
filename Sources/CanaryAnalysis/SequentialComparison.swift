import Foundation

/// Tests, look by look, whether the canary's rate of bad requests is more than a tolerated multiple of stable's.
///
/// Given the bad requests `E` of both tracks in a look and the canary's share `w` of its requests, the canary's bad
/// requests are `Binomial(E, q(θ))` with `q(θ) = wθ / (1 − w + wθ)`, θ the ratio of the two rates. What hits both tracks
/// (an outage behind them, a season, a change of weight) cancels out. Against the null `θ ≤ θ₀` stands a mixture of
/// alternatives above θ₀ and of times at which the fault begins:
///
///     M = Σₖ Σⱼ πₖⱼ Πᵢ Binomial(eᵢ; Eᵢ, qᵢ(θₖ)) / Binomial(eᵢ; Eᵢ, qᵢ(θ₀)), the product over the looks i from j on
///
/// a nonnegative supermartingale under the null, so `P(M ever ≥ 1/α) ≤ α` (Ville 1939): one may look after every
/// scrape and stop at any time. For θ < θ₀ that holds since the law has a monotone likelihood ratio. (Exactly, θ is the
/// ratio of odds and the law Fisher's noncentral hypergeometric; the binomial form is wider, so the test stays valid.)
/// See Johari et al. 2017, "Peeking at A/B tests"; Lindon and Malek 2022, "Anytime-valid inference for multinomial count
/// data"; Grünwald, de Heide and Koolen 2024, "Safe testing".
///
/// Looks must not overlap in time, or their errors count twice.
public struct SequentialComparison: Codable, Sendable, Hashable {
  /// θ₀: how many times stable's rate the canary's may be; 1 tolerates nothing.
  public let toleratedRatio: Double

  private var bets = Bets()
  /// What the interval needs of all looks: bad requests of the canary and of both tracks by the canary's share under
  /// the null, rounded to a thirty-second of an octave of its odds. That is 2 % at most, and intervals are rounded to 12 %.
  private var byShare: [Int: Pair] = [:]

  private struct Pair: Codable, Sendable, Hashable {
    var canary = 0.0
    var both = 0.0
  }

  private static let sharesPerOctave = 32.0

  public init(toleratedRatio: Double = 1) {
    self.toleratedRatio = toleratedRatio
  }

  /// Adds one look. A look in which one of the tracks had no requests tells nothing about the ratio.
  /// - Parameters:
  ///   - dispersion: φ of ``Clumps``, by which bad requests are divided where they come in clumps; 1 for independent
  ///     ones.
  ///   - cap: the most that this look may multiply a bet by, in nats. A capped supermartingale remains one.
  /// - Complexity: O(K), K = 27.
  public mutating func update(canary: Counts, stable: Counts, dispersion: Double = 1, cap: Double? = nil) {
    update(canary: canary, stable: stable, dispersion: dispersion, remedy: .known(dispersion, cap: cap))
  }

  mutating func update(canary: Counts, stable: Counts, dispersion: Double, remedy: Remedy) {
    let bad = canary.bad + stable.bad
    guard canary.requests > 0, stable.requests > 0, bad > 0 else { return }
    let share = canary.requests / (canary.requests + stable.requests)
    // The canary's share of bad requests under the null.
    let fair = share * toleratedRatio / (1 - share + share * toleratedRatio)
    // A counter that jumps beyond all measure leaves the other track no share that a number can tell from none.
    guard fair > 0, fair < 1 else { return }
    let octaves = log2(fair / (1 - fair)) * Self.sharesPerOctave
    byShare[Int(octaves.rounded()), default: Pair()].canary += canary.bad / dispersion
    byShare[Int(octaves.rounded()), default: Pair()].both += bad / dispersion
    bets.update { bet in
      let loss = log1p(fair * (bet.ratio - 1))
      return remedy.tempered(canary.bad * bet.log - bad * loss) {
        Clumps.fairness(gain: bet.log - loss, loss: loss, share: fair)
      }
    }
  }

  /// ln M now.
  public var logEValue: Double { bets.logValue }

  /// M now: how many times better "the canary is worse" explains the looks than "it is not"; cut at 1e300.
  public var eValue: Double { finite(exponential: logEValue) }

  /// The largest ln M that was ever reached.
  public var logPeak: Double { bets.logPeak }

  /// Whether the null was ever refuted: true for a canary that is no worse than tolerated with probability ≤ `alpha`.
  public func rejects(alpha: Double) -> Bool { logPeak >= -log(alpha) }

  /// ln of the likelihood ratio of θ₀ · 2^(j/6) to θ₀, for j = −40 … 40, over all looks.
  private var logLikelihood: [Double] {
    var sums = Array(repeating: 0.0, count: 2 * Alternatives.count + 1)
    // In an order of its own, so that sums are the same in every process.
    for (octaves, pair) in byShare.sorted(by: { $0.key < $1.key }) {
      let odds = exp2(Double(octaves) / Self.sharesPerOctave)
      let fair = odds / (1 + odds)
      for (index, alternative) in Alternatives.ratios.enumerated() {
        sums[index] += pair.canary * alternative.log - pair.both * log1p(fair * (alternative.ratio - 1))
      }
    }
    return sums
  }

  /// The ratios θ that the looks leave possible, valid at all times at once with the given risk: those that a two-sided
  /// mixture, uniform on the grid, has not refuted. Rounded outward to the grid (12 %); `nil` is an open end, also where
  /// the interval goes beyond 102 times θ₀ or its inverse.
  public func ratioInterval(risk: Double) -> (lower: Double?, upper: Double?) {
    let logLikelihood = logLikelihood
    let bound = logSum(logLikelihood) - log(Double(logLikelihood.count)) + log(risk)
    guard
      let first = logLikelihood.firstIndex(where: { $0 > bound }),
      let last = logLikelihood.lastIndex(where: { $0 > bound })
    else { return (nil, nil) }
    func ratio(at index: Int) -> Double? {
      guard logLikelihood.indices.contains(index) else { return nil }
      return toleratedRatio * Alternatives.ratios[index].ratio
    }
    return (ratio(at: first - 1), ratio(at: last + 1))
  }
}
