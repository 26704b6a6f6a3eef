import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("Measurements")
struct MeasurementTests {
  @Test("counts refuse what is no count, and cut more bad requests than requests")
  func refused() {
    #expect(Counts(requests: .nan, bad: 0) == nil)
    #expect(Counts(requests: 10, bad: .infinity) == nil)
    #expect(Counts(requests: -1, bad: 0) == nil)
    #expect(Counts(requests: 10, bad: -0.5) == nil)
    #expect(Counts(requests: 10, bad: 10.4) == counts(10, 10))
    #expect(Counts.zero.rate == nil)
  }

  @Test("missing errors are none where requests were measured; missing requests stay missing")
  func joined() {
    typealias Look = Measured<Counts>
    #expect(Look.counts(requests: .value(10), bad: .missing) == .value(counts(10, 0)))
    #expect(Look.counts(requests: .missing, bad: .value(3)) == .missing)
    #expect(Look.counts(requests: .missing, bad: .missing) == .missing)
    #expect(Look.counts(requests: .value(10), bad: .notANumber) == .notANumber)
    #expect(Look.counts(requests: .value(.nan), bad: .value(0)) == .notANumber)
    #expect(Look.counts(requests: .value(-3), bad: .value(0)) == .counterReset)
    #expect(Look.counts(requests: .value(10), bad: .severalSeries(2)) == .severalSeries(2))
    #expect(Look.counts(requests: .value(10), bad: .sourceFailed("timeout")) == .sourceFailed("timeout"))
  }

  @Test("counters give whole increases, whatever restarts, vanishes or begins")
  func counters() {
    var counters = CounterIncreases<String>()
    #expect(counters.record(["a": 100, "b": 50]) == nil)
    #expect(counters.record(["a": 110, "b": 50])?.values == ["a": 10])
    // A restart: all that is known is what the new process counted.
    let restarted = counters.record(["a": 4, "b": 60])
    #expect(restarted?.values == ["a": 4, "b": 10])
    #expect(restarted?.resets == 1)
    // A pod that starts later counts from its first request; a series that misses a scrape is continued.
    #expect(counters.record(["b": 60, "c": 7])?.values == ["c": 7])
    #expect(counters.record(["a": 6, "b": 61, "c": .nan])?.values == ["a": 2, "b": 1])
    #expect(counters.record(["c": 9])?.total == 2)
  }

  @Test("a series that was there before it was seen gives a baseline only")
  func lateSeries() {
    var counters = CounterIncreases<String>()
    #expect(counters.record(["a": 100]) == nil)
    #expect(
      counters.record(["a": 101, "old": 9000, "new": 5], beginsAtZero: { $0 == "new" })?.values == ["a": 1, "new": 5])
    #expect(counters.record(["old": 9002], beginsAtZero: { _ in false })?.values == ["old": 2])
    #expect(Set(counters.keys) == ["a", "old", "new"])
  }

  @Test("a measurement survives being stored")
  func coding() throws {
    for look: Measured<Counts> in [
      .value(counts(3, 1)), .missing, .notANumber, .severalSeries(3), .counterReset, .sourceFailed("503"),
    ] {
      let stored = try JSONEncoder().encode(look)
      #expect(try JSONDecoder().decode(Measured<Counts>.self, from: stored) == look)
    }
  }
}

@Suite("Lost scrapes")
struct ScrapeGapsTests {
  private func uneven(_ looks: [[String: Double]]) -> [Bool] {
    var gaps = ScrapeGaps<String>()
    return looks.map { gaps.record($0) }
  }

  @Test("a busy process that is silent, gone for a moment or caught up with makes a look uneven")
  func moments() {
    let usual = ["a": 100.0, "b": 50]
    #expect(
      uneven([
        usual, usual, usual, ["a": 0, "b": 50], ["a": 200, "b": 50], usual, ["a": 100], ["a": 100, "b": 100], usual,
      ])
        == [false, false, false, true, true, false, true, true, false])
  }

  @Test("a process that went for good is missed for two looks, and one with few requests never")
  func gone() {
    let (usual, less) = (["a": 100.0, "b": 50, "c": 2], ["a": 100.0, "c": 0])
    #expect(uneven([usual, usual, usual, less, less, less, less]) == [false, false, false, true, true, false, false])
  }
}
