import Testing

@testable import CanaryAnalysis

@Suite("The comparison of events")
struct EventComparisonTests {
  private func judged(
    _ looks: Int, least: Double? = 0.95, most: Double? = nil, canary: (Double, Double), stable: (Double, Double)
  ) -> EventComparison {
    var comparison = EventComparison(least: least, most: most)
    for _ in 0..<looks {
      comparison.update(
        canary: .init(requests: canary.0, events: canary.1), stable: .init(requests: stable.0, events: stable.1))
    }
    return comparison
  }

  @Test("a conversion that falls from 20 % to 10 % is too seldom, one that stays is kept, and few say nothing")
  func conversion() {
    let fallen = judged(60, canary: (100, 10), stable: (900, 180))
    #expect(fallen.isBroken(risk: 0.001) && !fallen.isKept(risk: 0.05))
    let same = judged(2000, canary: (500, 110), stable: (500, 100))
    #expect(same.isKept(risk: 0.05) && !same.isBroken(risk: 0.001))
    let few = judged(2, canary: (100, 18), stable: (900, 180))
    #expect(!few.isKept(risk: 0.05) && !few.isBroken(risk: 0.001))
  }

  @Test("several events per request are counted too, and too many are found")
  func several() {
    let more = judged(60, least: nil, most: 1.5, canary: (100, 900), stable: (900, 2700))
    #expect(more.isBroken(risk: 0.001))
    #expect(more.canary.rate == 9)
  }

  @Test("without tolerated ratios nothing is shown, and what is no count is passed over")
  func nothing() {
    #expect(!judged(100, least: nil, canary: (100, 10), stable: (900, 180)).isKept(risk: 0.5))
    var comparison = EventComparison(least: 0.9, most: nil)
    let taken = comparison.update(
      canary: .init(requests: .nan, events: 1), stable: .init(requests: 100, events: 1))
    #expect(!taken)
    #expect(comparison == EventComparison(least: 0.9, most: nil))
  }

  @Test("a ratio at its bound is said to be left, or to be kept, no more often than stated")
  func risk() {
    var random = SeededRandom(seed: 23)
    var (broken, kept) = (0, 0)
    for _ in 0..<200 {
      var comparison = EventComparison(least: 0.8, most: nil)
      for _ in 0..<100 {
        comparison.update(
          canary: .init(requests: 100, events: Double(random.binomial(100, 0.16))),
          stable: .init(requests: 300, events: Double(random.binomial(300, 0.2))))
      }
      if comparison.isBroken(risk: 0.05) { broken += 1 }
      if comparison.isKept(risk: 0.05) { kept += 1 }
    }
    // At most 5 % each: 10, and three deviations above that 19.
    #expect(broken <= 19 && kept <= 19, "\(broken) and \(kept) of 200")
  }
}
