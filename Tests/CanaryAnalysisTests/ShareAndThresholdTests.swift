import Testing

@testable import CanaryAnalysis

@Suite("The observed share")
struct ShareCheckTests {
  // Wilson's interval for 30 of 1,000 at z = 3, computed in Python: 0.0175448 to 0.0508398.
  @Test("a share is confirmed within three deviations and refused beyond")
  func wilson() {
    guard case .differs(let observed, let interval) = ShareCheck(desired: 0.10).result(canary: 30, all: 1000) else {
      Issue.record("3 % is not 10 %")
      return
    }
    #expect(observed == 0.03)
    #expect(isClose(interval.lower, 0.017544775802771754))
    #expect(isClose(interval.upper, 0.050839763344899216))
    #expect(ShareCheck(desired: 0.05).result(canary: 30, all: 1000) == .confirmed(observed: 0.03))
  }

  @Test("few requests tell nothing; the rarer the track, the more it takes")
  func few() {
    #expect(ShareCheck(desired: 0.5).neededRequests == 20)
    // ln(0.01) / ln(0.99) = 458.2
    #expect(ShareCheck(desired: 0.01).neededRequests == 459)
    #expect(ShareCheck(desired: 0.01).result(canary: 1, all: 100) == .tooFewRequests(seen: 100, needed: 459))
  }

  @Test("a canary that should have requests and has none is not confirmed, nor one that has all")
  func oneSided() {
    #expect(ShareCheck(desired: 0.01).result(canary: 0, all: 460) != .confirmed(observed: 0))
    #expect(ShareCheck(desired: 0.99).result(canary: 460, all: 460) != .confirmed(observed: 1))
    #expect(ShareCheck(desired: 0).result(canary: 0, all: 1000) == .confirmed(observed: 0))
    #expect(ShareCheck(desired: 1).result(canary: 1000, all: 1000) == .confirmed(observed: 1))
    #expect(ShareCheck(desired: 0).result(canary: 100, all: 1000) != .confirmed(observed: 0.1))
  }
}

@Suite("The check of a team's own number")
struct ThresholdCheckTests {
  func check() -> ThresholdCheck { ThresholdCheck(name: "conversion", bounds: .init(min: 0.95)) }

  @Test("three looks in a row decide, and a gap begins anew")
  func agreement() {
    var check = check()
    #expect(check.outcome.verdict == .unknown)
    for value in [0.97, 0.98] { check.record(.value(value)) }
    #expect(check.outcome.verdict == .insufficient)
    check.record(.missing)
    #expect(check.outcome.verdict == .unknown)
    for value in [0.97, 0.98] { check.record(.value(value)) }
    #expect(check.outcome.verdict == .insufficient)
    check.record(.value(0.95))
    #expect(check.outcome.verdict == .pass)
    for value in [0.90, 0.91] { check.record(.value(value)) }
    #expect(check.outcome.verdict == .insufficient)
    check.record(.value(0.80))
    #expect(check.outcome.verdict == .fail)
    #expect(check.outcome.sentence == "conversion is 0.8, at least 0.95 allowed; outside in 3 looks")
  }

  @Test("NaN is no value")
  func notANumber() {
    var check = check()
    for _ in 0..<5 { check.record(.value(.nan)) }
    #expect(check.outcome.verdict == .unknown)
  }
}
