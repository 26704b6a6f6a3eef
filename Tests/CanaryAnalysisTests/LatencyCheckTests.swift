import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("The latency check")
struct LatencyCheckTests {
  static let boundaries = [100.0, 250, 500, 1000]

  /// A look in which `shares[i]` of the requests fall into bucket i; the last is beyond all boundaries.
  func look(_ total: Double, _ shares: [Double]) throws -> LatencyHistogram {
    var buckets: [Double: Double] = [:]
    var sum = 0.0
    for (boundary, share) in zip(Self.boundaries + [.infinity], shares) {
      sum += share * total
      buckets[boundary] = sum
    }
    buckets[.infinity] = total
    return try LatencyHistogram(buckets: buckets)
  }

  func judged(
    max: Double, looks: Int = 30, canary: LatencyHistogram, stable: LatencyHistogram,
    tolerance: Tolerance? = .usual(limit: 0.01)
  ) -> Judgement {
    var check = LatencyCheck(quantile: 0.99, max: max, settings: CheckSettings(name: "p99", tolerance: tolerance))
    for _ in 0..<looks { check.record(canary: .value(canary), stable: .value(stable)) }
    return check.judgement()
  }

  @Test("a quantile is known to its bucket")
  func quantiles() throws {
    let histogram = try look(1000, [0.9, 0.05, 0.03, 0.015, 0.005])
    #expect(histogram.quantile(0.5) == QuantileEstimate(lower: 0, upper: 100))
    #expect(histogram.quantile(0.95) == QuantileEstimate(lower: 100, upper: 250))
    #expect(histogram.quantile(0.99) == QuantileEstimate(lower: 500, upper: 1000))
    #expect(histogram.quantile(0.999) == QuantileEstimate(lower: 1000, upper: nil))
    #expect(LatencyHistogram.empty(boundaries: Self.boundaries).quantile(0.5) == nil)
    #expect(histogram.slower(than: 250) == counts(1000, 50))
    #expect(histogram.slower(than: 300) == nil)
  }

  @Test("buckets that make no sense are refused by name; noise between buckets is levelled")
  func buckets() throws {
    #expect(throws: LatencyHistogram.Defect.noInfiniteBucket) { try LatencyHistogram(buckets: [100: 1]) }
    #expect(throws: LatencyHistogram.Defect.badCount(boundary: 100)) {
      try LatencyHistogram(buckets: [100: -1, .infinity: 1])
    }
    let noisy = try LatencyHistogram(buckets: [100: 10.2, 250: 10.1, .infinity: 10])
    #expect(noisy.cumulative == [10.2, 10.2])
    #expect(noisy.total == 10.2)
  }

  @Test("a boundary at the limit decides exactly, both ways")
  func exact() throws {
    let good = try look(1000, [0.95, 0.049, 0.001, 0, 0])
    let bad = try look(1000, [0.90, 0.05, 0.04, 0.01, 0])
    #expect(judged(max: 250, canary: good, stable: good).verdict == .pass)
    #expect(judged(max: 250, canary: bad, stable: good).verdict == .fail)
  }

  @Test("between two boundaries, above the upper fails, below the lower passes, inside is undecided and says why")
  func coarse() throws {
    let fast = try look(1000, [0.95, 0.049, 0.001, 0, 0])
    let slow = try look(1000, [0.90, 0.05, 0, 0.05, 0])
    let inside = try look(1000, [0.90, 0.05, 0.05, 0, 0])
    #expect(judged(max: 400, canary: fast, stable: fast).finding == .kept)
    #expect(judged(max: 400, canary: slow, stable: fast).verdict == .fail)
    let undecided = judged(max: 400, canary: inside, stable: inside)
    #expect(undecided.finding == .undecided)
    #expect(undecided.evidence.sentence.contains("no bucket boundary at 400 ms"))
    #expect(undecided.evidence.sentence.contains("250 and 500 ms"))
    #expect(undecided.evidence.latency?.canary == QuantileEstimate(lower: 250, upper: 500))
  }

  @Test("a limit beyond the histogram is never said to be exceeded, one before it never to be kept")
  func outside() throws {
    let slow = try look(1000, [0, 0, 0, 0, 1])
    let beyond = judged(max: 5000, canary: slow, stable: slow)
    #expect(beyond.finding == .undecided)
    #expect(beyond.evidence.sentence.contains("the histogram ends at 1000 ms"))
    let fast = try look(1000, [1, 0, 0, 0, 0])
    let before = judged(max: 50, canary: fast, stable: fast)
    #expect(before.finding == .undecided)
    #expect(before.evidence.sentence.contains("the histogram begins at 100 ms"))
  }

  @Test("a slow answer of both tracks is the environment's")
  func environment() throws {
    let slow = try look(1000, [0.5, 0.2, 0.1, 0.1, 0.1])
    #expect(judged(max: 250, canary: slow, stable: slow).finding == .environment)
  }

  @Test("a tail that grows far beyond the limit is found there, although the limit is kept")
  func tail() throws {
    let stable = try look(1000, [0.95, 0.045, 0.005, 0, 0])
    let canary = try look(1000, [0.95, 0.042, 0, 0, 0.008])
    let judgement = judged(max: 250, canary: canary, stable: stable)
    #expect(judgement.finding == .worseThanStable)
    #expect(judged(max: 250, looks: 60, canary: canary, stable: stable, tolerance: nil).verdict != .fail)
  }

  @Test("the comparison is the average over boundaries, weighted by halves")
  func average() throws {
    var check = LatencyCheck(quantile: 0.99, max: 250, settings: CheckSettings(name: "p99", tolerance: Tolerance()))
    check.record(
      canary: .value(try LatencyHistogram(buckets: [100: 90, 250: 96, 500: 97, 1000: 100, .infinity: 100])),
      stable: .value(try LatencyHistogram(buckets: [100: 800, 250: 891, 500: 891, 1000: 891, .infinity: 900])))
    var average = 0.0
    for (bad, weight) in [(4.0, 0.5), (3, 0.25), (0, 0.25)] {
      var comparison = SequentialComparison()
      comparison.update(canary: counts(100, bad), stable: counts(900, 9), cap: 2.3)
      average += weight * comparison.eValue
    }
    #expect(isClose(check.judgement().evidence.comparisonEValue, average))
  }

  @Test("missing histograms and changed buckets are gaps")
  func gaps() throws {
    var check = LatencyCheck(
      quantile: 0.99, max: 250, settings: CheckSettings(name: "p99", tolerance: .usual(limit: 0.01)))
    #expect(check.judgement().verdict == .unknown)
    let good = try look(1000, [0.95, 0.049, 0.001, 0, 0])
    for _ in 0..<10 { check.record(canary: .value(good), stable: .value(good)) }
    #expect(check.judgement().verdict == .pass)
    check.record(canary: .missing, stable: .value(good))
    #expect(check.judgement().verdict == .unknown)
    let other = try LatencyHistogram(buckets: [300: 999, .infinity: 1000])
    check.record(canary: .value(other), stable: .value(good))
    #expect(check.judgement().verdict == .unknown)
    check.record(canary: .value(.empty(boundaries: [])), stable: .value(good))
    #expect(check.judgement().verdict == .pass)
    #expect(check.judgement().evidence.gaps == 2)
  }

  @Test("its state survives being stored")
  func coding() throws {
    var check = LatencyCheck(
      quantile: 0.99, max: 400, settings: CheckSettings(name: "p99", tolerance: .usual(limit: 0.01)))
    check.record(canary: .value(try look(100, [1, 0, 0, 0, 0])), stable: .value(try look(900, [1, 0, 0, 0, 0])))
    let stored = try JSONEncoder().encode(check)
    #expect(try JSONDecoder().decode(LatencyCheck.self, from: stored) == check)
  }
}
