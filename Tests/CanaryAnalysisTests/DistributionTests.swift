import Testing

@testable import CanaryAnalysis

@Suite("The test of whole distributions")
struct DistributionTests {
  static let boundaries: [Double] = [50, 100, 250, 500, 1000]

  private func histogram(_ counts: [Double]) throws -> LatencyHistogram {
    var sum = 0.0
    let cumulative = counts.dropLast().map { count in
      sum += count
      return sum
    }
    return try LatencyHistogram(
      boundaries: Array(Self.boundaries.prefix(cumulative.count)), cumulative: cumulative, total: counts.reduce(0, +))
  }

  @Test("its e-values and the quantiles' intervals are those of the reference")
  func reference() throws {
    let reference = try Reference.read()
    for one in reference.distributions {
      var test = DistributionTest(boundaries: Self.boundaries, toleratedBuckets: one.tolerated)
      for (look, expected) in zip(one.looks, one.logEValues) {
        #expect(test.update(canary: try histogram(look[0]), stable: try histogram(look[1])))
        #expect(isClose(test.logEValue, expected))
      }
    }
    for one in reference.quantiles {
      let found = try #require(histogram(one.counts).quantileInterval(one.quantile, risk: one.risk))
      #expect(found.lower == one.interval[0] && found.upper ?? -1 == one.interval[1], "\(found) \(one.interval)")
    }
  }

  /// How many of some runs were refuted at 5 %, with answers drawn from these shares of buckets.
  private func refuted(_ canary: [Double], _ stable: [Double], runs: Int = 200, tolerated: Int = 0) throws -> Int {
    var random = SeededRandom(seed: 11)
    func draw(_ number: Int, _ shares: [Double]) -> [Double] {
      var (rest, left) = (number, 1.0)
      return shares.map { share in
        let here = left > share ? random.binomial(rest, share / left) : rest
        rest -= here
        left -= share
        return Double(here)
      }
    }
    var count = 0
    for _ in 0..<runs {
      var test = DistributionTest(boundaries: Self.boundaries, toleratedBuckets: tolerated)
      for _ in 0..<60 {
        test.update(canary: try histogram(draw(50, canary)), stable: try histogram(draw(200, stable)))
      }
      if test.rejects(alpha: 0.05) { count += 1 }
    }
    return count
  }

  private static let usual = [0.3, 0.4, 0.2, 0.07, 0.02, 0.01]

  @Test("a canary that is no slower, alike or faster or with the same tail, is refuted no more often than stated")
  func risk() throws {
    // At most 5 %, or 10 of 200; three deviations above that are 19.
    #expect(try refuted(Self.usual, Self.usual) <= 19)
    #expect(try refuted([0.5, 0.3, 0.15, 0.03, 0.01, 0.01], Self.usual) <= 19)
    #expect(try refuted([0.5, 0.3, 0.15, 0.04, 0.005, 0.005], Self.usual) <= 19)
  }

  @Test("a canary that is slower everywhere, or in its tail alone, is found")
  func power() throws {
    #expect(try refuted([0.22, 0.36, 0.26, 0.11, 0.03, 0.02], Self.usual, runs: 40) >= 38)
    #expect(try refuted([0.3, 0.4, 0.2, 0.03, 0.02, 0.05], Self.usual, runs: 40) >= 38)
  }

  @Test("what is slower by the tolerated number of buckets is not refuted, and by more is")
  func tolerance() throws {
    let slower = [0.0, 0.3, 0.4, 0.2, 0.07, 0.03]
    #expect(try refuted(slower, Self.usual, runs: 40) == 40)
    #expect(try refuted(slower, Self.usual, runs: 200, tolerated: 1) <= 19)
    #expect(try refuted([0, 0, 0.3, 0.4, 0.2, 0.1], Self.usual, runs: 40, tolerated: 1) == 40)
  }

  @Test("a look without the boundaries is refused, and the estimate never falls from a bucket to a slower one")
  func boundaries() throws {
    var test = DistributionTest(boundaries: Self.boundaries)
    let taken = test.update(
      canary: try LatencyHistogram(boundaries: [10], cumulative: [5], total: 9),
      stable: try histogram([1, 2, 3, 4, 5, 6]))
    #expect(!taken && test == DistributionTest(boundaries: Self.boundaries))
    test.update(canary: try histogram([90, 5, 1, 60, 0, 9]), stable: try histogram([100, 20, 40, 10, 3, 2]))
    let ratios = test.ratios
    #expect(ratios.count == 6 && zip(ratios, ratios.dropFirst()).allSatisfy { $0 <= $1 })
  }

  @Test("an interval of a quantile misses it no more often than stated, at any time")
  func quantiles() throws {
    var random = SeededRandom(seed: 3)
    var missed = 0
    for _ in 0..<200 {
      var below = [0.0, 0.0]
      var all = 0.0
      var isMissed = false
      for _ in 0..<60 {
        // The 90th percentile lies between the two boundaries: 85 % are below the first, 95 % below the second.
        let first = random.binomial(40, 0.85)
        let second = first + random.binomial(40 - first, 0.1 / 0.15)
        below = [below[0] + Double(first), below[1] + Double(second)]
        all += 40
        let interval = try LatencyHistogram(boundaries: [100, 200], cumulative: below, total: all)
          .quantileInterval(0.9, risk: 0.05)
        if interval?.lower ?? 0 > 100 || interval?.upper ?? 999 < 200 { isMissed = true }
      }
      if isMissed { missed += 1 }
    }
    #expect(missed <= 19, "\(missed) of 200")
    #expect(LatencyHistogram.empty(boundaries: [1]).quantileInterval(0.5, risk: 0.05) == nil)
  }
}
