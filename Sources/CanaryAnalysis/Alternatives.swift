import Foundation

/// The alternatives that a mixture test bets on: 40 ratios above the tolerated one, a sixth of an octave apart, so from
/// 1.12 to 102 times as bad, with prior weights that fall like 1 / (k + 5).
///
/// The prior was chosen by simulation against an oracle that knows the true ratio: it needs 1.0 to 1.3 times the
/// oracle's errors for ratios from 2 to 50, and 1.4 times for a ratio of 1.1.
enum Alternatives {
  static let count = 40

  /// ln 2 / 6: the distance of two neighbours, as a logarithm.
  static let step = 0.693147180559945309417 / 6

  /// 2^(j/6) for j = −40 … 40, and its logarithm.
  static let ratios: [(ratio: Double, log: Double)] = (-count...count).map {
    (exp(Double($0) * step), Double($0) * step)
  }

  /// ln of the prior weights; the weights sum to 1.
  static let logPrior: [Double] = {
    let weights = (1...count).map { 1 / Double($0 + 5) }
    let total = weights.reduce(0, +)
    return weights.map { log($0 / total) }
  }()
}
