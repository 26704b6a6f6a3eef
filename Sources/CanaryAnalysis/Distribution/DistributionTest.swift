import Foundation

/// Tests, look by look, whether the canary's answers are slower than stable's as a whole: in stochastic order, without a
/// limit or a quantile to be chosen.
///
/// The bettor says of each bucket j how many times more often the canary's answers fall into it than stable's, θⱼ, from the
/// looks before this one, and never less for a slower bucket than for a faster one. With `w` the canary's share of the
/// requests of a look, each answer of the canary multiplies the wealth by `aⱼ = θⱼ / (1 − w + w θⱼ)` and each one of
/// stable by `bⱼ = 1 / (1 − w + w θⱼ)`: what the label canary or stable was worth, given the bucket.
///
/// **The wealth is a nonnegative supermartingale** if, at each look, the canary is no slower than stable: if its share of
/// answers slower than any boundary is at most stable's, pᶜ ≤ₛₜ pˢ. Nothing else is asked of the two distributions, which
/// may change from look to look. Proof: given the past and the numbers of requests, the mean factor of a look is
/// `(Σⱼ pᶜⱼ aⱼ)^n_c (Σⱼ pˢⱼ bⱼ)^n_s ≤ exp(n_c Σⱼ pᶜⱼ aⱼ + n_s Σⱼ pˢⱼ bⱼ − n_c − n_s)`. As θ never falls with j, neither
/// does a, so that `Σ pᶜⱼ aⱼ ≤ Σ pˢⱼ aⱼ` by the order. And `w aⱼ + (1 − w) bⱼ = 1` for each j, so that
/// `n_c Σ pˢⱼ aⱼ + n_s Σ pˢⱼ bⱼ = n_c + n_s`, and the mean is at most 1. So `P(wealth ever ≥ 1/α) ≤ α` (Ville 1939).
/// No estimate of stable's distribution enters as if it were known: a wrong θ costs power, never validity.
///
/// θ is the maximum-likelihood estimate under that order of likelihood ratios, from counts that are drawn towards equal
/// tracks by a Dirichlet prior of ``prior`` requests: the isotonic regression of the canary's share in each bucket
/// (Dykstra, Kochar and Robertson 1995). With it the wealth is a plug-in form of the Dirichlet–multinomial mixture of
/// Lindon and Malek 2022, "Anytime-valid inference for multinomial count data", whose null is one known distribution.
public struct DistributionTest: Codable, Sendable, Hashable {
  /// In milliseconds, ascending; a look needs all of them.
  public let boundaries: [Double]
  /// How many buckets slower the canary may be: its answers are counted as if so many buckets faster. So what is
  /// tolerated is a factor of time, and the same one for fast answers and for slow ones where buckets grow by a factor.
  public let toleratedBuckets: Int

  /// By bucket, the last one beyond all boundaries.
  private var canary: [Double]
  private var stable: [Double]
  /// ln of the wealth now, and the largest that it ever was.
  public private(set) var logEValue = 0.0
  public private(set) var logPeak = 0.0

  static let prior = 20.0

  public init(boundaries: [Double], toleratedBuckets: Int = 0) {
    self.boundaries = boundaries.sorted()
    self.toleratedBuckets = max(0, toleratedBuckets)
    canary = Array(repeating: 0, count: boundaries.count + 1)
    stable = canary
  }

  /// Adds a look.
  /// - Parameters:
  ///   - dispersion: φ of ``Clumps``, 1 for independent answers; a root of a supermartingale remains one.
  ///   - cap: the most that this look may multiply the wealth by, in nats.
  /// - Returns: whether both histograms have the boundaries.
  /// - Complexity: O(number of buckets).
  @discardableResult
  public mutating func update(
    canary look: LatencyHistogram, stable other: LatencyHistogram, dispersion: Double = 1, cap: Double? = nil
  ) -> Bool {
    guard let worse = look.counts(at: boundaries), let base = other.counts(at: boundaries) else { return false }
    let own = Self.shifted(worse, by: toleratedBuckets)
    if look.total > 0, other.total > 0 {
      let portion = look.total / (look.total + other.total)
      var change = 0.0
      for (bucket, ratio) in ratios.enumerated() {
        let loss = log1p(portion * (ratio - 1))
        change += times(own[bucket], logOf: ratio) - (own[bucket] + base[bucket]) * loss
      }
      change /= max(1, dispersion)
      logEValue += cap.map { min(change, $0) } ?? change
      logPeak = max(logPeak, logEValue)
    }
    for bucket in own.indices {
      canary[bucket] += own[bucket]
      stable[bucket] += base[bucket]
    }
    return true
  }

  /// Whether "no slower than tolerated" was ever refuted: true for such a canary with probability ≤ `alpha`.
  public func rejects(alpha: Double) -> Bool { logPeak >= -log(alpha) }

  /// Where the shares of slower answers that were counted so far are furthest apart, the canary's above stable's; `nil`
  /// before both tracks have answers.
  public var widest: (boundary: Double, canary: Double, stable: Double)? {
    let (own, base) = (canary.reduce(0, +), stable.reduce(0, +))
    guard own > 0, base > 0 else { return nil }
    var (ownBelow, baseBelow) = (0.0, 0.0)
    var widest: (boundary: Double, canary: Double, stable: Double)?
    for (index, boundary) in boundaries.enumerated() {
      ownBelow += canary[index]
      baseBelow += stable[index]
      let slower = (boundary: boundary, canary: 1 - ownBelow / own, stable: 1 - baseBelow / base)
      if widest.map({ slower.canary - slower.stable > $0.canary - $0.stable }) ?? true { widest = slower }
    }
    return widest
  }

  /// θ of each bucket, never falling, as far as is known.
  var ratios: [Double] {
    let (own, base) = (canary.reduce(0, +), stable.reduce(0, +))
    let all = own + base + 0.5 * Double(canary.count)
    /// Blocks of neighbours: the canary's answers, those of both, and how many buckets they are.
    var blocks: [(canary: Double, both: Double, count: Int)] = []
    for bucket in canary.indices {
      let pulled = Self.prior * (canary[bucket] + stable[bucket] + 0.5) / all
      blocks.append((canary[bucket] + pulled, canary[bucket] + stable[bucket] + 2 * pulled, 1))
      // Pool adjacent violators.
      while blocks.count > 1, share(blocks[blocks.count - 2]) >= share(blocks[blocks.count - 1]) {
        let last = blocks.removeLast()
        let before = blocks.removeLast()
        blocks.append((before.canary + last.canary, before.both + last.both, before.count + last.count))
      }
    }
    let odds = (base + Self.prior) / (own + Self.prior)
    return blocks.flatMap { block in
      Array(repeating: block.canary / (block.both - block.canary) * odds, count: block.count)
    }
  }

  private static func shifted(_ counts: [Double], by buckets: Int) -> [Double] {
    guard buckets > 0 else { return counts }
    var moved = Array(repeating: 0.0, count: counts.count)
    for (bucket, count) in counts.enumerated() { moved[max(0, bucket - buckets)] += count }
    return moved
  }
}

private func share(_ block: (canary: Double, both: Double, count: Int)) -> Double { block.canary / block.both }

extension LatencyHistogram {
  /// Requests in each bucket between these boundaries, and beyond the last; `nil` where one is missing. A histogram
  /// without requests needs none.
  fileprivate func counts(at wanted: [Double]) -> [Double]? {
    guard total > 0 else { return Array(repeating: 0, count: wanted.count + 1) }
    var counts: [Double] = []
    var before = 0.0
    for boundary in wanted {
      guard let index = boundaries.firstIndex(of: boundary) else { return nil }
      counts.append(cumulative[index] - before)
      before = cumulative[index]
    }
    return counts + [total - before]
  }
}
