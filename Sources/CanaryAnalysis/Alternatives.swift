import Foundation

/// What the tests bet on: ratios above the tolerated one, from 1.12 to 512 times as bad.
///
/// Neighbours are a sixth of an octave apart up to 4, a third up to 32, and two thirds beyond: the larger the ratio, the
/// fewer errors decide, and the less it matters to know it exactly. The prior falls like 1 / (log₂ θ + 0.83). It was
/// chosen by simulation against an oracle that knows the true ratio.
enum Alternatives {
  struct Bet: Sendable {
    /// How many times as bad as tolerated.
    var ratio: Double
    var log: Double
    /// ln of the prior weight; the weights sum to 1.
    var logPrior: Double
    /// The share of the mean clump's size, of ``Clumps``, that makes this bet fair for one track alone.
    var fairness: Double
  }

  static let bets: [Bet] = {
    // In octaves, with the distance to the one before.
    var places: [(octaves: Double, width: Double)] = []
    for (count, width) in [(12, 1.0 / 6), (9, 1.0 / 3), (6, 2.0 / 3)] {
      for _ in 0..<count { places.append(((places.last?.octaves ?? 0) + width, width)) }
    }
    let weights = places.map { $0.width / ($0.octaves + 0.83) }
    let total = weights.reduce(0, +)
    return zip(places, weights).map { place, weight in
      let log = place.octaves * octave
      let ratio = exp(log)
      return Bet(
        ratio: ratio, log: log, logPrior: Foundation.log(weight / total), fairness: 1 / log - 1 / (ratio - 1))
    }
  }()

  /// ln 2.
  static let octave = 0.693147180559945309417

  /// 2^(j/6) for j = −40 … 40, and its logarithm: the grid of the intervals, and of the test that a limit is kept.
  static let ratios: [(ratio: Double, log: Double)] = (-count...count).map {
    (exp(Double($0) * octave / 6), Double($0) * octave / 6)
  }
  static let count = 40

  /// ln of the prior weights of the 40 ratios on one side of the middle of that grid; the weights sum to 1.
  static let logPrior: [Double] = {
    let weights = (1...count).map { 1 / Double($0 + 5) }
    let total = weights.reduce(0, +)
    return weights.map { log($0 / total) }
  }()
}
