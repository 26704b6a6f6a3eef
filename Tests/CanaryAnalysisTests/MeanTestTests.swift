import Testing

@testable import CanaryAnalysis

@Suite("The test of a bounded mean")
struct MeanTestTests {
  @Test("its e-values are those of the reference")
  func reference() throws {
    for one in try Reference.read().means {
      var test = try #require(MeanTest(bounds: one.bounds[0]...one.bounds[1], mean: one.mean))
      for (value, expected) in zip(one.values, one.logEValues) {
        test.update(value)
        #expect(isClose(test.logEValue, expected))
      }
    }
  }

  @Test("a mean that is kept is refuted no more often than stated, whatever the values are like")
  func risk() throws {
    var random = SeededRandom(seed: 17)
    var refuted = 0
    for run in 0..<400 {
      var test = try #require(MeanTest(bounds: 0...1, mean: 0.1))
      for _ in 0..<300 {
        // Mean 0.1: now and then 1, or always near 0.1.
        let unit = Double.random(in: 0..<1, using: &random)
        test.update(run.isMultiple(of: 2) ? (unit < 0.1 ? 1 : 0) : 0.2 * unit)
      }
      if test.rejects(alpha: 0.05) { refuted += 1 }
    }
    // At most 5 %, or 20; three deviations above that are 33.
    #expect(refuted <= 33, "\(refuted) of 400")
  }

  @Test("values beyond the bounds are passed over, and a claim at a bound is no claim")
  func bounds() throws {
    var test = try #require(MeanTest(bounds: 0...1, mean: 0.5))
    let taken = [1.5, .nan].map { test.update($0) }
    #expect(taken == [false, false])
    #expect(test == MeanTest(bounds: 0...1, mean: 0.5))
    #expect(MeanTest(bounds: 0...1, mean: 0) == nil)
  }
}
