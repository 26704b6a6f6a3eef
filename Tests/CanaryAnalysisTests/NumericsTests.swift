import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("Numerics agree with SciPy")
struct NumericsTests {
  // scipy.special.gammaln, SciPy 1.17.
  @Test(
    "the logarithm of the gamma function",
    arguments: [
      (0.5, 0.5723649429247), (1, 0), (3.7, 1.428072326665388), (14.999, 25.188546870546926),
      (150.25, 601.2615040324997), (1_000_000, 12815504.569147611),
    ])
  func gamma(x: Double, expected: Double) {
    #expect(isClose(logGamma(x), expected, within: 1e-12))
  }

  @Test("a sum of exponentials neither overflows nor loses terms")
  func sum() {
    #expect(isClose(logSum([1000, 1000]), 1000 + log(2)))
    #expect(isClose(logSum([-1000, -1001]), -1000 + log(1 + exp(-1))))
    #expect(isClose(logSum([-Double.infinity, 3]), 3))
    #expect(logSum([]) == -Double.infinity)
  }

  // brentq on scipy.special.betaln(.5 + e, .5 + n - e) - betaln(.5, .5) + ln(risk) = e ln p + (n - e) ln(1 - p).
  @Test(
    "the interval of a rate is Robbins' beta mixture",
    arguments: [
      (2080.0, 52.0, 0.05, 0.014218734291014473, 0.04004935787899498), (1000, 0, 0.05, 0, 0.006997502521552765),
      (10, 10, 0.05, 0.6230126490093253, 1), (100.25, 2.5, 0.001, 0.00021336173327058774, 0.15528531797346362),
    ])
  func interval(requests: Double, bad: Double, risk: Double, lower: Double, upper: Double) {
    let interval = counts(requests, bad).interval(risk: risk)
    #expect(isClose(interval.lower, lower))
    #expect(isClose(interval.upper, upper))
  }

  @Test("without requests every rate is possible")
  func nothing() {
    #expect(Counts.zero.interval(risk: 0.05) == RateInterval(lower: 0, upper: 1))
  }

  @Test(
    "a number that is no whole one becomes the nearest, also where there is none",
    arguments: [(2.5, 3), (-0.4, 0), (.nan, 0), (.infinity, 1 << 62), (-1e300, -(1 << 62))])
  func nearest(value: Double, whole: Int) { #expect(Int(nearest: value) == whole) }
}
