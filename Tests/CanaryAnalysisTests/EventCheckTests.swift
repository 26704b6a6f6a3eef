import Testing

@testable import CanaryAnalysis

@Suite("The check of events and means")
struct EventCheckTests {
  private func check(
    _ kind: EventCheck.Kind = .events, ratio: ThresholdCheck.Bounds? = nil, value: ThresholdCheck.Bounds? = nil,
    risk: Double = 0.001
  ) -> EventCheck {
    EventCheck(name: "orders", kind: kind, ratio: ratio, value: value, risk: risk)
  }

  private func judged(
    _ check: EventCheck, looks: Int, canary: (Double, Double), stable: (Double, Double)?
  ) -> Judgement {
    var check = check
    for _ in 0..<looks {
      check.record(
        canary: .value(EventCount(requests: canary.0, events: canary.1)),
        stable: stable.map { .value(EventCount(requests: $0.0, events: $0.1)) })
    }
    return check.judgement()
  }

  @Test("fewer events than tolerated fail, as many pass, and the sentence has the intervals and what is allowed")
  func ratio() {
    let bounds = ThresholdCheck.Bounds(min: 0.8)
    let fallen = judged(check(ratio: bounds), looks: 60, canary: (100, 10), stable: (900, 180))
    #expect(fallen.finding == .worseThanStable)
    #expect(fallen.evidence.ratioLower ?? 0 < 0.5 && fallen.evidence.ratioUpper ?? 9 > 0.5)
    #expect(fallen.evidence.ratioUpper ?? 9 < 0.65)
    #expect(
      fallen.evidence.sentence
        == "canary 0.086 … 0.12 (600 per 6000 requests), stable 0.19 … 0.21 (10800 per 54000 requests); "
        + "canary ÷ stable 0.42 … 0.58, at least 0.8 allowed")
    let same = judged(check(ratio: bounds), looks: 300, canary: (100, 20), stable: (900, 180))
    #expect(same.finding == .kept)
    let short = judged(check(ratio: bounds), looks: 3, canary: (100, 20), stable: (900, 180))
    #expect(short.finding == .undecided)
    #expect(short.evidence.notes.contains { $0.contains("more requests at this share decide") })
    #expect(judged(check(ratio: bounds), looks: 3, canary: (10, 2), stable: (90, 18)).finding == .tooFewRequests)
  }

  @Test("a bound of the canary's own is its fault only where stable is on the other side, or has no requests")
  func value() {
    let least = check(value: ThresholdCheck.Bounds(min: 0.15))
    #expect(judged(least, looks: 60, canary: (100, 10), stable: (900, 180)).finding == .limitBroken)
    #expect(judged(least, looks: 60, canary: (100, 10), stable: (900, 90)).finding == .environment)
    #expect(judged(least, looks: 60, canary: (100, 10), stable: nil).finding == .limitBroken)
    #expect(judged(least, looks: 60, canary: (100, 25), stable: (900, 180)).finding == .kept)
    let most = check(value: ThresholdCheck.Bounds(max: 0.15))
    #expect(judged(most, looks: 60, canary: (100, 25), stable: (900, 90)).finding == .limitBroken)
    #expect(judged(most, looks: 60, canary: (100, 10), stable: (900, 90)).finding == .kept)
  }

  @Test("a mean is tested in its own unit, by its ratio to stable's and by its own bounds")
  func mean() {
    let kind = EventCheck.Kind.mean(0...200)
    let ratio = check(kind, ratio: ThresholdCheck.Bounds(min: 0.8))
    let fallen = judged(ratio, looks: 60, canary: (100, 3000), stable: (900, 45_000))
    #expect(fallen.finding == .worseThanStable, "\(fallen.evidence.sentence)")
    #expect(fallen.evidence.values?.canary == 30 && fallen.evidence.values?.stable == 50)
    let amount = fallen.evidence.values?.canaryAmount
    #expect(amount?.lower ?? 99 < 30 && amount?.upper ?? 0 > 30 && amount?.upper ?? 99 < 35)
    #expect(judged(ratio, looks: 300, canary: (500, 25_000), stable: (500, 25_000)).finding == .kept)
    let value = check(kind, value: ThresholdCheck.Bounds(min: 40, max: 60))
    #expect(judged(value, looks: 100, canary: (100, 5000), stable: (900, 45_000)).finding == .kept)
    #expect(judged(value, looks: 100, canary: (100, 7000), stable: (900, 45_000)).finding == .limitBroken)
    #expect(judged(value, looks: 100, canary: (100, 3000), stable: (900, 27_000)).finding == .environment)
  }

  @Test("values beyond their declared bounds are no measurement: nothing would hold with them")
  func beyondBounds() {
    let result = judged(
      check(.mean(0...10), ratio: ThresholdCheck.Bounds(min: 0.8)), looks: 9, canary: (100, 3000), stable: (900, 9000))
    #expect(result.verdict == .unknown)
    #expect(result.evidence.notes.contains { $0.contains("not between the bounds: their mean is 30") })
  }

  @Test("good canaries fail, and bad ones pass, no more often than stated, whatever the law of the values")
  func risk() {
    var random = SeededRandom(seed: 41)
    var (broken, kept) = (0, 0)
    for run in 0..<300 {
      // At the bound: the canary's mean is 0.8 of stable's. Now and then 100, or always about the mean.
      var check = EventCheck(
        name: "x", kind: .mean(0...100), ratio: ThresholdCheck.Bounds(min: 0.8), value: nil, risk: 0.05)
      func sum(_ number: Int, mean: Double) -> Double {
        run.isMultiple(of: 2)
          ? 100 * Double(random.binomial(number, mean / 100))
          : (0..<number).reduce(0.0) { sum, _ in sum + Double.random(in: 0..<2 * mean, using: &random) }
      }
      for _ in 0..<60 {
        check.record(
          canary: .value(EventCount(requests: 50, events: sum(50, mean: 16))),
          stable: .value(EventCount(requests: 150, events: sum(150, mean: 20))))
      }
      if check.fails { broken += 1 }
      if check.judgement().finding == .kept { kept += 1 }
    }
    // At most 5 % each: 15, and three deviations above that 26.
    #expect(broken <= 26 && kept <= 26, "\(broken) and \(kept) of 300")
  }

  @Test("the interval of the ratio holds at all times, and closes around the truth")
  func interval() {
    var random = SeededRandom(seed: 5)
    var missed = 0
    for _ in 0..<200 {
      var comparison = EventComparison(least: 0.9, most: nil)
      var isMissed = false
      for _ in 0..<50 {
        comparison.update(
          canary: EventCount(requests: 100, events: Double(random.binomial(100, 0.15))),
          stable: EventCount(requests: 400, events: Double(random.binomial(400, 0.2))))
        let interval = comparison.ratioInterval(risk: 0.05)
        if interval.lower ?? 0 > 0.75 || interval.upper ?? .infinity < 0.75 { isMissed = true }
      }
      if isMissed { missed += 1 }
      let last = comparison.ratioInterval(risk: 0.05)
      #expect(last.lower ?? 0 > 0.5 && last.upper ?? 9 < 1.1)
    }
    #expect(missed <= 19, "\(missed) of 200")
  }

  @Test("more events than requests have an interval too")
  func many() {
    let interval = EventCount(requests: 100, events: 250).interval(risk: 0.05)
    #expect(interval.lower < 2.5 && interval.lower > 1.9)
    #expect(interval.upper ?? 0 > 2.5 && interval.upper ?? 9 < 3.2)
    let none = EventCount.zero.interval(risk: 0.05)
    #expect(none.lower == 0 && none.upper == nil)
  }
}
