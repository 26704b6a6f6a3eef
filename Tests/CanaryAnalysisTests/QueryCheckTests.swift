import Testing

@testable import CanaryAnalysis

@Suite("Checks of a team's own queries") struct QueryCheckTests {
  @Test("three looks in a row inside the bounds pass, three outside fail, and a failure stays")
  func value() {
    var check = QueryCheck(name: "queue", value: .init(max: 10))
    for value in [3.0, 12, 4, 5] { check.record(canary: .value(value), stable: nil) }
    #expect(check.judgement().verdict == .insufficient)
    check.record(canary: .value(6), stable: nil)
    #expect(check.judgement().verdict == .pass)
    for value in [11.0, 12, 13, 1, 1, 1] { check.record(canary: .value(value), stable: nil) }
    #expect(check.judgement().finding == .limitBroken)
    #expect(check.judgement().evidence.values?.sentence.contains("at most 10 allowed") == true)
  }

  @Test(
    "an answer that is no number is Unknown, whatever was known before",
    arguments: [Measured<Double>.missing, .notANumber, .severalSeries(2), .sourceFailed("timeout")])
  func unknown(answer: Measured<Double>) {
    var check = QueryCheck(name: "queue", value: .init(max: 10), ratio: .init(max: 2))
    #expect(check.judgement().verdict == .unknown)
    for _ in 0..<4 { check.record(canary: .value(1), stable: .value(1)) }
    #expect(check.judgement().verdict == .pass)
    check.record(canary: answer, stable: .value(1))
    #expect(check.judgement().verdict == .unknown)
    for _ in 0..<4 { check.record(canary: .value(1), stable: .value(1)) }
    check.record(canary: .value(1), stable: answer)
    #expect(check.judgement().verdict == .unknown)
    #expect(check.judgement().evidence.sentence.contains("for stable"))
  }

  @Test("a ratio to a stable value of 0 is no ratio, and never a pass")
  func zero() {
    var check = QueryCheck(name: "conversion", ratio: .init(min: 0.95))
    for _ in 0..<5 { check.record(canary: .value(1), stable: .value(0)) }
    #expect(check.judgement().verdict == .unknown)
    #expect(check.judgement().evidence.sentence.contains("stable's value is 0"))
  }

  @Test("a value that grows with traffic is compared per request")
  func scaled() {
    // A tenth of the requests and a tenth of the orders: no worse.
    var good = QueryCheck(name: "conversion", ratio: .init(min: 0.95), difference: .init(min: -1))
    var bad = good
    for _ in 0..<3 {
      good.record(canary: .value(10), stable: .value(100), scale: 0.1)
      bad.record(canary: .value(8), stable: .value(100), scale: 0.1)
    }
    #expect(good.judgement().verdict == .pass)
    #expect(good.judgement().evidence.values?.ratio == 1)
    #expect(bad.judgement().finding == .worseThanStable)
    #expect(bad.judgement().evidence.values?.difference == -2)
  }

  @Test("without traffic on stable a comparison keeps what it found, and the value is judged on")
  func allTraffic() {
    var check = QueryCheck(name: "conversion", value: .init(min: 1), ratio: .init(min: 0.95))
    for _ in 0..<3 { check.record(canary: .value(2), stable: .value(2)) }
    check.beginAnew(comparing: false)
    #expect(check.judgement().verdict == .unknown)
    for _ in 0..<3 { check.record(canary: .value(2), stable: nil) }
    #expect(check.judgement().verdict == .pass)
    check.beginAnew(comparing: true)
    for _ in 0..<3 { check.record(canary: .value(2), stable: .value(4)) }
    #expect(check.judgement().verdict == .fail)
    check.beginAnew(comparing: true)
    #expect(check.judgement().verdict == .fail)
  }
}
