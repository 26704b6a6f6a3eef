import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("Robust statistics and several e-values at once")
struct RobustStatisticsTests {
  // numpy.median, scipy.stats.median_abs_deviation(scale="normal") and scipy.stats.theilslopes, SciPy 1.17.
  @Test("median, deviation and slope agree with SciPy, and one wild value moves none of them")
  func references() {
    let values = [1.0, 2.5, 2.7, 3.1, 40.0, 2.2]
    #expect(isClose(RobustStatistics.median(values), 2.6))
    #expect(isClose(RobustStatistics.deviation(values), 0.6671709983275208, within: 1e-5))
    let points = zip([0.0, 1, 2, 3, 4, 5, 6], [1.0, 2.1, 2.9, 4.2, 5.0, 100.0, 6.9]).map { (x: $0, y: $1) }
    #expect(isClose(RobustStatistics.slope(points), 1))
    #expect(RobustStatistics.median([]) == nil)
    #expect(RobustStatistics.slope([(x: 1, y: 2), (x: 1, y: 3)]) == nil)
  }

  // By hand, K = 4 and α = 0.1: thresholds 40, 20, 13.33 and 10 for the 1st to 4th largest.
  @Test("e-BH takes the largest k whose k-th e-value is at least K / (k α)")
  func discoveries() {
    func found(_ values: [Double]) -> [Int] { MultipleEValues.discoveries(values.map { log($0) }, alpha: 0.1) }
    #expect(found([39, 1, 1, 1]) == [])
    #expect(found([1, 41, 1, 1]) == [1])
    // None of them alone is enough, but two of 20 are.
    #expect(found([21, 1, 22, 1]) == [0, 2])
    // The third is enough for all three, although the second alone is not enough for two.
    #expect(found([19, 14, 13.4, 1]) == [0, 1, 2])
    #expect(found([11, 11, 11, 11]) == [0, 1, 2, 3])
    #expect(MultipleEValues.discoveries([], alpha: 0.1) == [])
  }

  @Test("a fault that begins late is found although much was quiet before it")
  func starts() {
    func evidence(_ bad: [Double]) -> Double {
      var mixture = StartMixture(limit: 0.5)
      for value in bad { mixture.update(counts(1, value)) }
      return mixture.logEValue
    }
    let ones = { (count: Int) in Array(repeating: 1.0, count: count) }
    let zeros = { (count: Int) in Array(repeating: 0.0, count: count) }
    // By hand: two tests have begun, with weights 1/2 and 1/6, and what has not begun stands at 1/3.
    func plain(_ count: Int) -> Double {
      var test = BoundTest(limit: 0.5)
      for _ in 0..<count { test.update(counts(1, 1)) }
      return exp(test.logBroken)
    }
    #expect(isClose(evidence(ones(12)), log(plain(12) / 2 + plain(4) / 6 + 1.0 / 3)))
    #expect(evidence(zeros(40)) <= 0)
    #expect(evidence(zeros(40) + ones(20)) > log(1200))
  }
}
