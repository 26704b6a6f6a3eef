import Testing

@testable import CanaryAnalysis

@Suite("Burn rates of a whole service")
struct BurnRateTests {
  private static let pairs = [
    BurnRate.Windows(long: 3600, short: 300, rate: 14.4), BurnRate.Windows(long: 21_600, short: 1800, rate: 6),
  ]

  private static func reading(_ requests: Double, _ rate: Double, canary: Double? = nil) -> BurnRate.Reading {
    BurnRate.Reading(
      canary: counts(requests / 10, requests / 10 * (canary ?? rate)),
      stable: counts(requests * 9 / 10, requests * 9 / 10 * rate))
  }

  // With an SLO of 0.1 %, 14.4 times its burn rate is 1.44 % of the requests.
  @Test("both windows of a pair must burn")
  func both() throws {
    let burn = BurnRate(max: 0.001)
    func alert(_ long: Double, _ short: Double) -> BurnRate.Alert? {
      burn.alert(Self.pairs, readings: [3600: Self.reading(1e6, long), 300: Self.reading(1e5, short)])
    }
    #expect(alert(0.0143, 0.05) == nil)
    #expect(alert(0.05, 0.0143) == nil)
    let found = try #require(alert(0.0145, 0.02))
    #expect(isClose(found.long, 14.5))
    #expect(isClose(found.short, 20))
    #expect(!found.isStableAlone)
  }

  @Test("a slow burn is the second pair's")
  func slow() throws {
    let found = try #require(
      BurnRate(max: 0.001).alert(
        Self.pairs,
        readings: [
          3600: Self.reading(1e6, 0.007), 300: Self.reading(1e5, 0.007), 21_600: Self.reading(6e6, 0.0065),
          1800: Self.reading(5e5, 0.007),
        ]))
    #expect(found.windows == Self.pairs[1])
  }

  @Test("a handful of requests burns nothing, and windows without answers neither")
  func few() {
    let burn = BurnRate(max: 0.01)
    // 3 of 10 is thirty times the SLO, but Robbins' interval of it reaches below 1 %.
    let few = BurnRate.Reading(canary: .zero, stable: counts(10, 2))
    #expect(burn.alert(Self.pairs, readings: [3600: few, 300: few]) == nil)
    #expect(burn.alert(Self.pairs, readings: [3600: Self.reading(1e5, 0.5)]) == nil)
    #expect(burn.alert(Self.pairs, readings: [3600: .init(canary: .zero, stable: .zero), 300: few]) == nil)
  }

  @Test("an SLO that no burn rate could break burns at all requests")
  func wide() {
    let whole = Self.reading(1e4, 1)
    #expect(BurnRate(max: 0.3).alert(Self.pairs, readings: [3600: whole, 300: whole]) != nil)
  }

  @Test("a canary that is well while stable burns is told from one that burns too")
  func stableAlone() throws {
    let burn = BurnRate(max: 0.01)
    func alert(canary: Double) -> BurnRate.Alert? {
      let reading = Self.reading(1e5, 0.3, canary: canary)
      return burn.alert(Self.pairs, readings: [3600: reading, 300: reading])
    }
    #expect(try #require(alert(canary: 0)).isStableAlone)
    #expect(try #require(alert(canary: 0.3)).isStableAlone == false)
    #expect(try #require(alert(canary: 0.02)).isStableAlone == false)
  }
}
