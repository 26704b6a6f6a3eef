import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("The comparison of whole distributions in a latency check")
struct DistributionWatchTests {
  static let boundaries: [Double] = [50, 100, 250, 500, 1000]

  private static func histogram(_ counts: [Double]) throws -> LatencyHistogram {
    var sum = 0.0
    let cumulative = counts.dropLast().map { count in
      sum += count
      return sum
    }
    return try LatencyHistogram(boundaries: boundaries, cumulative: cumulative, total: counts.reduce(0, +))
  }

  /// Draws answers that come in clumps: all answers of one fall into the same bucket, and their number is geometric.
  private struct Source {
    var random: SeededRandom
    var clump: Double

    mutating func look(_ requests: Int, _ shares: [Double]) throws -> LatencyHistogram {
      var counts = shares.map { _ in 0.0 }
      var left = requests
      while left > 0 {
        var size = 1
        if clump > 1 {
          size += Int((log(1 - Double.random(in: 0..<1, using: &random)) / log1p(-1 / clump)).rounded(.down))
        }
        size = min(size, left)
        left -= size
        var place = Double.random(in: 0..<1, using: &random)
        var bucket = 0
        while bucket < shares.count - 1, place >= shares[bucket] {
          place -= shares[bucket]
          bucket += 1
        }
        counts[bucket] += Double(size)
      }
      return try DistributionWatchTests.histogram(counts)
    }
  }

  private static let usual = [0.3, 0.4, 0.2, 0.085, 0.01, 0.005]
  /// As many answers beyond 500 ms, and fewer fast ones.
  private static let shifted = [0.15, 0.3, 0.35, 0.185, 0.01, 0.005]

  private static func check(risk: Double = 0.001, margin: Double? = 0.05) -> LatencyCheck {
    LatencyCheck(
      quantile: 0.98, max: 500, settings: CheckSettings(name: "p98", tolerance: .usual(limit: 0.02), risk: risk),
      distributionMargin: margin)
  }

  @Test(
    "a canary like stable is refuted no more often than the risk says, also where answers come in clumps",
    arguments: [1.0, 3, 10])
  func clumps(size: Double) throws {
    var random = Source(random: SeededRandom(seed: UInt64(size)), clump: size)
    var (wrong, unguarded) = (0, 0)
    let runs = 300
    for _ in 0..<runs {
      // Half of the check's risk is the comparison's: 5 %. Nothing is tolerated.
      var check = Self.check(risk: 0.1, margin: 0)
      var test = DistributionTest(boundaries: Self.boundaries)
      for _ in 0..<60 {
        let (canary, stable) = (try random.look(50, Self.usual), try random.look(200, Self.usual))
        check.record(canary: .value(canary), stable: .value(stable))
        test.update(canary: canary, stable: stable)
      }
      if check.judgement().evidence.distribution?.isSlower ?? false { wrong += 1 }
      if test.rejects(alpha: 0.05) { unguarded += 1 }
    }
    // 5 % are 15 of 300; three deviations above that are 26.
    #expect(wrong <= 26, "\(wrong) of \(runs)")
    // Taken as independent, clumps would end a great many of these runs.
    #expect(size < 10 || unguarded > runs / 4, "\(unguarded) of \(runs)")
  }

  @Test("a shifted middle is found that the quantile cannot see, and by nothing else")
  func middle() throws {
    for clump in [1.0, 3] {
      var random = Source(random: SeededRandom(seed: 7), clump: clump)
      var (check, plain) = (Self.check(), Self.check(margin: nil))
      for _ in 0..<90 {
        let (canary, stable) = (try random.look(100, Self.shifted), try random.look(900, Self.usual))
        check.record(canary: .value(canary), stable: .value(stable))
        plain.record(canary: .value(canary), stable: .value(stable))
      }
      let judgement = check.judgement()
      #expect(check.fails && judgement.finding == .slowerThanStable && judgement.verdict == .fail)
      let found = try #require(judgement.evidence.distribution)
      #expect(found.boundary == 100)
      #expect(abs((found.canary ?? 0) - 0.55) < 0.03 && abs((found.stable ?? 0) - 0.3) < 0.03, "\(found)")
      #expect(
        judgement.evidence.sentence.hasPrefix("slower as a whole: 5"),
        "what fails comes first: \(judgement.evidence.sentence)"
      )
      #expect(!plain.fails && plain.judgement().evidence.distribution == nil)
    }
  }

  @Test("what is slower beyond doubt and within the margin does not fail")
  func margin() throws {
    var (narrow, wide) = (Self.check(margin: 0.05), Self.check(margin: 0.3))
    for _ in 0..<60 {
      let (canary, stable) = (
        try Self.histogram([150, 300, 350, 185, 10, 5]), try Self.histogram([3000, 4000, 2000, 850, 100, 50])
      )
      narrow.record(canary: .value(canary), stable: .value(stable))
      wide.record(canary: .value(canary), stable: .value(stable))
    }
    #expect(narrow.fails && !wide.fails)
    let found = try #require(wide.judgement().evidence.distribution)
    #expect(found.eValue >= found.threshold, "it is certain all the same")
    // 550 of 1000 answers above 100 ms, and 3000 of 10,000.
    #expect(isClose(found.canary, 0.55) && isClose(found.stable, 0.3) && found.boundary == 100)
    #expect(wide.judgement().evidence.sentence.contains("55 % of the canary's answers took more than 100 ms, 30 %"))
  }

  @Test("the comparison of the whole has half of the risk, and all tests together have no more than the check's")
  func shares() throws {
    var check = Self.check(risk: 0.001)
    check.record(
      canary: .value(try Self.histogram([3, 4, 2, 1, 0, 0])), stable: .value(try Self.histogram([3, 4, 2, 1, 0, 0])))
    let evidence = check.judgement().evidence
    let thresholds = [evidence.comparisonThreshold, evidence.limitThreshold, evidence.distribution?.threshold]
    #expect(isClose(thresholds.compactMap { $0 }.reduce(0) { $0 + 1 / $1 }, 0.001))
    #expect(isClose(evidence.distribution?.threshold, 2000))
    #expect(evidence.risk == 0.001)
  }

  @Test("nothing is bet before ten looks at stable, whether it was alone, the canary cold, or both were compared")
  func before() throws {
    let (canary, stable) = (
      try Self.histogram([15, 30, 35, 18, 1, 1]), try Self.histogram([300, 400, 200, 85, 10, 5])
    )
    var check = Self.check()
    for _ in 0..<4 { check.learn(stable: .value(stable), parts: []) }
    for _ in 0..<3 {
      check.record(
        canary: .value(canary), stable: .value(stable), parts: TrackParts(), circumstances: .warmingUp)
    }
    for _ in 0..<3 { check.record(canary: .value(canary), stable: .value(stable)) }
    let waiting = try #require(check.judgement().evidence.distribution)
    #expect(waiting.eValue == 1 && waiting.boundary == nil)
    #expect(check.judgement().evidence.sentence.contains("the answers as a whole have not been compared yet"))
    // The first look teaches what to bet on; the second bets.
    for _ in 0..<2 { check.record(canary: .value(canary), stable: .value(stable)) }
    #expect(try #require(check.judgement().evidence.distribution).eValue > 1)
  }

  @Test("what a canary answers while it may be cold is left out, however slow it is as a whole")
  func cold() throws {
    let (slow, usual) = (try Self.histogram([15, 30, 35, 18, 1, 1]), try Self.histogram([30, 40, 20, 9, 1, 0]))
    let stable = try Self.histogram([300, 400, 200, 85, 10, 5])
    var check = Self.check()
    for look in 0..<60 {
      let isCold = look < 30
      check.record(
        canary: .value(isCold ? slow : usual), stable: .value(stable), parts: TrackParts(),
        circumstances: isCold ? .warmingUp : [])
    }
    let found = try #require(check.judgement().evidence.distribution)
    #expect(!check.fails && found.eValue < 2 && (found.canary ?? 1) - (found.stable ?? 0) < 0.01)
  }

  @Test("one look never multiplies the wealth by more than ten")
  func capped() throws {
    var check = Self.check()
    let stable = try Self.histogram([300, 400, 200, 85, 10, 5])
    for _ in 0..<12 { check.record(canary: .value(stable), stable: .value(stable)) }
    var before = 0.0
    for _ in 0..<5 {
      check.record(canary: .value(try Self.histogram([0, 0, 0, 1000, 0, 0])), stable: .value(stable))
      let now = log(try #require(check.judgement().evidence.distribution).eValue)
      #expect(now - before <= Clumps.cap + 1e-9)
      before = now
    }
  }

  @Test("a look counts for as much less as the widest of its boundaries says, which is worked out by hand")
  func dispersion() throws {
    var watch = DistributionWatch(margin: 0)
    // By turns 600 and 400 of 1000 answers are above 50 ms, and none above 100. With 1000 of 2000 in two looks, each
    // look would deviate from 500 by sqrt(1000 · ½ · ½ · ½) if answers were independent; it deviates by 100, and
    // 100² / (½ · ½ · 1000) = 40, divided by 1 − ½, is 80.
    for look in 0..<20 {
      let slow = look.isMultiple(of: 2) ? 600.0 : 400
      watch.learn(stable: try Self.histogram([1000 - slow, slow, 0, 0, 0, 0]), parts: [])
    }
    #expect(isClose(watch.divisor, Clumps.caution * 80, within: 1e-3), "\(watch.divisor)")
  }

  @Test("of a histogram with hundreds of boundaries those are taken that tell most, and some beyond them")
  func telling() throws {
    let fine = (0...200).map { exp2(Double($0) / 8) }
    // All answers lie evenly in 80 buckets, from 2^5 = 32 to 2^15 ms.
    let histogram = try LatencyHistogram(
      boundaries: fine, cumulative: fine.indices.map { Double(min(max(0, $0 - 40), 80)) * 10 }, total: 800)
    let kept = histogram.telling(atMost: 32)
    #expect(kept.count == 32 && kept == kept.sorted() && Set(kept).isSubset(of: Set(fine)))
    let shares = kept.prefix(24).compactMap { histogram.slower(than: $0)?.rate }
    #expect(zip(shares, shares.dropFirst()).allSatisfy { isClose($0 - $1, 1.0 / 24, within: 0.02) }, "\(shares)")
    #expect(kept[23] == 32768 && kept[24] == 65536)
    #expect(try Self.histogram([1, 1, 1, 1, 1, 1]).telling(atMost: 32) == Self.boundaries)
  }

  @Test("the evidence has the quantile's interval of both tracks, wider where slow answers come in clumps")
  func intervals() throws {
    var (even, clumped) = (Self.check(margin: nil), Self.check(margin: nil))
    for look in 0..<40 {
      let stable = try Self.histogram([300, 400, 200, 85, 10, 5])
      even.record(canary: .value(stable), stable: .value(stable))
      let bad = look.isMultiple(of: 2) ? 30.0 : 0
      let wide = try Self.histogram([300, 400, 200, 100 - bad, bad, 0])
      clumped.record(canary: .value(wide), stable: .value(wide))
    }
    let latency = try #require(even.judgement().evidence.latency)
    // 40,000 answers: 90 % are at most 250 ms and 98.5 % at most 500, so that p98 is beyond doubt between the two.
    #expect(latency.canaryInterval == QuantileEstimate(lower: 250, upper: 500))
    #expect(latency.stableInterval == latency.canaryInterval && latency.canary == latency.canaryInterval)
    #expect(even.judgement().evidence.sentence.contains("canary p98 250 … 500 ms, stable p98 250 … 500 ms"))
    // The same share above 500 ms, thirty at a time: that p98 is no more cannot be told any more.
    let other = try #require(clumped.judgement().evidence.latency)
    #expect(other.canary == QuantileEstimate(lower: 250, upper: 500))
    #expect(other.canaryInterval == QuantileEstimate(lower: 250, upper: 1000))
    let few = Self.check(margin: nil)
    var young = few
    young.record(
      canary: .value(try Self.histogram([1, 0, 0, 0, 0, 0])),
      stable: .value(try Self.histogram([300, 400, 200, 85, 10, 5])))
    #expect(young.judgement().evidence.sentence.contains("canary p98 unknown"))
  }

  @Test("its state survives being stored")
  func coding() throws {
    var check = Self.check()
    let look = try Self.histogram([300, 400, 200, 85, 10, 5])
    for _ in 0..<12 { check.record(canary: .value(look), stable: .value(look)) }
    #expect(try JSONDecoder().decode(LatencyCheck.self, from: try JSONEncoder().encode(check)) == check)
  }
}
