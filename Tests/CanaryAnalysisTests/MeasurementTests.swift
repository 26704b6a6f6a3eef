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

  private static func minute(_ number: Double) -> Date { Date(timeIntervalSince1970: 60 * number) }

  @Test("counters give whole increases, whatever restarts, vanishes or begins")
  func counters() {
    var counters = CounterIncreases<String>()
    #expect(counters.record(["a": 100, "b": 50], at: Self.minute(0)) == nil)
    #expect(counters.record(["a": 110, "b": 50], at: Self.minute(1))?.values == ["a": 10])
    // A restart: all that is known is what the new process counted.
    let restarted = counters.record(["a": 4, "b": 60], at: Self.minute(2))
    #expect(restarted?.values == ["a": 4, "b": 10])
    #expect(restarted?.resets == 1)
    // A pod that starts later counts from its first request; a series that misses a scrape is continued.
    #expect(counters.record(["b": 60, "c": 7], at: Self.minute(3))?.values == ["c": 7])
    #expect(counters.record(["a": 6, "b": 61, "c": .nan], at: Self.minute(4))?.values == ["a": 2, "b": 1])
    #expect(counters.record(["c": 9], at: Self.minute(5))?.total == 2)
  }

  @Test("a series that was there before it was seen gives a baseline only")
  func lateSeries() {
    var counters = CounterIncreases<String>()
    #expect(counters.record(["a": 100], at: Self.minute(0)) == nil)
    #expect(
      counters.record(["a": 101, "old": 9000, "new": 5], at: Self.minute(1), beginsAtZero: { $0 == "new" })?.values
        == ["a": 1, "new": 5])
    #expect(counters.record(["old": 9002], at: Self.minute(2), beginsAtZero: { _ in false })?.values == ["old": 2])
    #expect(Set(counters.keys) == ["a", "old", "new"])
  }

  @Test(
    "a series is continued over a gap shorter than the memory and begins anew after a longer one, a reset in it or not",
    arguments: [
      // Missed from minute 2 on; what it had was 100.
      (back: 62.0, value: 130.0, added: 30.0, resets: 0), (62, 20, 20, 1),
      (64, 130, 0, 0), (64, 20, 0, 0), (600, 5000, 0, 0),
    ])
  func gap(back: Double, value: Double, added: Double, resets: Int) {
    var counters = CounterIncreases<String>()
    _ = counters.record(["pod": 90, "other": 0], at: Self.minute(0))
    #expect(counters.record(["pod": 100, "other": 1], at: Self.minute(1))?.total == 11)
    for minute in 2..<Int(back) {
      #expect(counters.record(["other": Double(minute)], at: Self.minute(Double(minute)))?.total == 1)
    }
    let returned = counters.record(["pod": value, "other": back], at: Self.minute(back))
    #expect(returned?.values["pod"] ?? 0 == added)
    #expect(returned?.resets == resets)
    #expect(returned?.values["other"] == 1)
    // From then on it counts as every other.
    #expect(
      counters.record(["pod": value + 7, "other": back], at: Self.minute(back + 1))?.values == ["pod": 7])
  }

  @Test("a source that is silent for hours loses and doubles nothing of series that are there afterwards")
  func silence() {
    var counters = CounterIncreases<String>()
    _ = counters.record(["a": 10, "b": 10], at: Self.minute(0))
    #expect(counters.record(["a": 500], at: Self.minute(300))?.values == ["a": 490])
    // b missed one scrape, whenever it was seen last.
    #expect(counters.record(["a": 500, "b": 40], at: Self.minute(301))?.values == ["b": 30])
  }

  @Test("a process that returns after it was forgotten begins with all of its series, also those it never had before")
  func forgottenProcess() {
    var counters = CounterIncreases<[String]>()
    func record(_ values: [[String]: Double], _ minute: Double) -> [[String]: Double]? {
      counters.record(values, at: Self.minute(minute), of: { $0[0] })?.values
    }
    _ = record([["p", "good"]: 10, ["q", "good"]: 10], 0)
    _ = record([["q", "good"]: 10], 1)
    _ = record([["q", "good"]: 10], 62)
    #expect(Set(counters.keys) == [["q", "good"]])
    // Its 40 errors were made while nobody looked, as its 1000 good answers were.
    #expect(record([["p", "good"]: 1000, ["p", "bad"]: 40, ["q", "good"]: 12], 63) == [["q", "good"]: 2])
    // A pod that comes later, and a first answer of a kind, begin at zero as ever.
    #expect(
      record([["p", "good"]: 1003, ["p", "bad"]: 41, ["p", "slow"]: 5, ["r", "good"]: 6], 64)
        == [["p", "good"]: 3, ["p", "bad"]: 1, ["p", "slow"]: 5, ["r", "good"]: 6])
  }

  @Test("a day of pods that come and go keeps no more series than an hour has")
  func day() {
    var counters = CounterIncreases<Int>()
    var total = 0.0
    // A new pod each minute, that lives for two and counts 3 and 4.
    for minute in 0..<1440 {
      total += counters.record([minute: 3, minute - 1: 7], at: Self.minute(Double(minute)))?.total ?? 0
    }
    #expect(total == 1439 * 7)
    // Two that are there, and those that went in the last hour.
    #expect(counters.keys.count == 2 + 61)
    #expect(counters.note == nil)
  }

  @Test("missing series have a bound, and where not even their names can be kept a new series is a baseline")
  func bounds() throws {
    var counters = CounterIncreases<Int>()
    counters.maxMissing = 2
    counters.maxForgotten = 5
    _ = counters.record([0: 10, 1: 10, 2: 10, 9: 1], at: Self.minute(0))
    _ = counters.record([1: 10, 2: 10, 9: 1], at: Self.minute(1))
    _ = counters.record([2: 10, 9: 1], at: Self.minute(2))
    #expect(Set(counters.keys) == [0, 1, 2, 9])
    // The third that is missing takes the place of the first.
    _ = counters.record([9: 1], at: Self.minute(3))
    #expect(Set(counters.keys) == [1, 2, 9])
    #expect(counters.record([0: 15, 1: 15, 9: 1, 3: 4], at: Self.minute(4))?.values == [1: 5, 3: 4])
    #expect(counters.note == nil)
    _ = counters.record(Dictionary(uniqueKeysWithValues: (10..<20).map { ($0, 1) }), at: Self.minute(5))
    _ = counters.record([20: 1], at: Self.minute(6))
    #expect(counters.keys.count == 3)
    #expect(try #require(counters.note).contains("left out"))
    #expect(counters.record([20: 2, 21: 8], at: Self.minute(7))?.values == [20: 1])
    #expect(counters.record([20: 2, 21: 9], at: Self.minute(8))?.values == [21: 1])
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
