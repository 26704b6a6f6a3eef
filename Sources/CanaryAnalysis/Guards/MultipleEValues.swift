import Foundation

/// Which of many hypotheses their e-values refute.
public enum MultipleEValues {
  /// The e-BH procedure (Wang and Ramdas 2022, "False discovery rate control with e-values"): with the e-values sorted
  /// from the largest, the k* largest are discoveries, k* the largest k whose k-th e-value is at least K / (k α). The
  /// expected share of false ones among the discoveries is at most α, whatever the dependence.
  ///
  /// With e-processes it may be asked at every moment. Where k of them reach K / (k α), their mean is at least 1/α, and
  /// the mean of e-processes is one: so where nothing at all is wrong, the probability of ever making a discovery is at
  /// most α (Ville 1939).
  /// - Parameters:
  ///   - logs: ln of each hypothesis' e-value.
  ///   - alpha: above 0.
  /// - Returns: the indices of the discoveries, ascending.
  public static func discoveries(_ logs: [Double], alpha: Double) -> [Int] {
    let order = logs.indices.sorted { (logs[$0], $1) > (logs[$1], $0) }
    let count = Double(logs.count)
    let last = order.indices.last { logs[order[$0]] >= log(count / (Double($0 + 1) * alpha)) }
    return last.map { order[...$0].sorted() } ?? []
  }
}

/// An e-process for a fault that may begin at any time: tests that begin one after another, weighted by 1 / (j (j + 1)),
/// so that the weights sum to 1 and the guarantee is that of one test. What came before a fault then does not outweigh
/// it. (The view of Shin, Ramdas and Rinaldo 2023, "E-detectors", with a bound on ever raising an alarm instead of one on
/// the time between alarms.)
struct StartMixture: Codable, Sendable, Hashable {
  private var tests: [BoundTest] = []
  private var updates = 0
  private let limit: Double

  /// Updates between two beginnings, and how many there are; afterwards none begins anew.
  private static let distance = 8
  private static let maxTests = 48

  init(limit: Double) { self.limit = limit }

  mutating func update(_ look: Counts) {
    if updates % Self.distance == 0, tests.count < Self.maxTests { tests.append(BoundTest(limit: limit)) }
    updates += 1
    for index in tests.indices { tests[index].update(look) }
  }

  /// ln of the e-value of "the rate is above the limit, since some moment".
  var logEValue: Double {
    // The weight of the tests that have not begun stands at 1.
    let begun = tests.enumerated().map { index, test in test.logBroken - log(Double((index + 1) * (index + 2))) }
    return logSum(begun + [-log(Double(tests.count + 1))])
  }
}
