import Foundation

/// A mixture of likelihood ratios over alternatives and over the times at which a fault may begin.
///
/// Wealth of 1 is spread over the alternatives by their prior. Half of each part is staked before the first look, for a
/// canary that is bad from its first request. The rest waits as cash for a fault that begins late (a leak, a cache that
/// fills): whenever good looks have used a stake up, a new one is placed. The m-th has the share
/// `½ c / ((m + c − 1)(m + c))`, `c = 3`, of its alternative's part, so all of them together never exceed it. What a look
/// multiplies a stake by has a mean of at most 1 under the null, and stakes are placed before the look, so the wealth is
/// a nonnegative supermartingale and `P(wealth ever ≥ 1/α) ≤ α` (Ville 1939).
///
/// Stakes are counted by use and not by time: a late fault costs the logarithm of the number of stakes that went before,
/// and an alternative that few requests speak of needs few. (A mixture over all starting times is the e-detector of
/// Shin, Ramdas and Rinaldo 2023, "E-detectors: a nonparametric framework for sequential change detection".)
struct Bets: Codable, Sendable, Hashable {
  /// ln of what each alternative's stakes have become.
  private var logWealth: [Double]
  /// ln of the next stake, and its number.
  private var logNext: [Double]
  private var number: [Int]
  private var cash: Double
  private(set) var logValue = 0.0
  /// The largest ``logValue`` so far.
  private(set) var logPeak = 0.0

  private static let early = 0.5
  private static let patience = 3.0

  init() {
    logWealth = Alternatives.bets.map { $0.logPrior + log(Self.early) }
    logNext = Alternatives.bets.map { $0.logPrior + Self.logShare(1) }
    number = Array(repeating: 1, count: Alternatives.bets.count)
    cash = 1 - Self.early
  }

  private static func logShare(_ number: Int) -> Double {
    let place = Double(number) + patience
    return log((1 - early) * patience / ((place - 1) * place))
  }

  /// Adds one look.
  /// - Parameters:
  ///   - logFactor: ln of what it multiplies the stakes on an alternative by.
  /// - Complexity: O(number of alternatives).
  mutating func update(logFactor: (Alternatives.Bet) -> Double) {
    var largest = -Double.infinity
    for (index, bet) in Alternatives.bets.enumerated() {
      if logWealth[index] < logNext[index] {
        logWealth[index] = logSum(of: logWealth[index], logNext[index])
        cash -= exp(logNext[index])
        number[index] += 1
        logNext[index] = bet.logPrior + Self.logShare(number[index])
      }
      logWealth[index] += logFactor(bet)
      largest = max(largest, logWealth[index])
    }
    // Cash is at most 1 and at least 0 but for rounding.
    largest = max(largest, 0)
    var sum = max(0, cash) * exp(-largest)
    for wealth in logWealth where wealth - largest > -40 { sum += exp(wealth - largest) }
    logValue = largest + log(sum)
    logPeak = max(logPeak, logValue)
  }
}
