import Testing

@testable import CanaryAnalysis

@Suite("Checks of a team's own queries") struct QueryCheckTests {
  typealias Bounds = ThresholdCheck.Bounds

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

  @Test(
    "beside a stable value of 0 the canary's must be 0 too, or keep the difference, and nothing is called infinite",
    arguments: [
      // 0 is any number of times 0.
      (0.0, Bounds(max: 2), nil, Verdict.pass, "the canary's value and stable's are both 0"),
      (0, Bounds(min: 0.95), nil, .pass, "both 0"),
      (0, Bounds(min: 0.95, max: 1.05), Bounds(max: 3), .pass, "both 0"),
      (0.01, Bounds(max: 2), nil, .fail, "the canary's value is 0.01 and stable's is 0, at most 0 allowed beside that"),
      (1, Bounds(min: 0.95), nil, .pass, "at least 0 allowed beside that"),
      (-1, Bounds(min: 0.95), nil, .fail, "at least 0 allowed beside that"),
      (3, Bounds(max: 2), Bounds(max: 3), .pass, "at most 3 allowed beside that"),
      (3.5, Bounds(max: 2), Bounds(max: 3), .fail, "at most 3 allowed beside that"),
      // A difference that must be there is no reason for more.
      (1, Bounds(max: 2), Bounds(min: -5), .fail, "at most 0 allowed beside that"),
      (-4, Bounds(min: 0.5), Bounds(min: -5), .pass, "at least -5 allowed beside that"),
    ] as [(Double, Bounds, Bounds?, Verdict, String)])
  func zero(canary: Double, ratio: Bounds, difference: Bounds?, verdict: Verdict, sentence: String) {
    var check = QueryCheck(name: "queue", ratio: ratio, difference: difference)
    for _ in 0..<2 { check.record(canary: .value(canary), stable: .value(0), scale: 0.1) }
    #expect(check.judgement().verdict == .insufficient, "no look decides alone")
    check.record(canary: .value(canary), stable: .value(-0.0), scale: 0.1)
    let evidence = check.judgement().evidence
    #expect(check.judgement().verdict == verdict, "\(evidence.sentence)")
    #expect(evidence.sentence.contains(sentence) && !evidence.sentence.contains("inf"), "\(evidence.sentence)")
    #expect(evidence.values?.ratio == nil)
  }

  @Test("looks beside a stable value of 0 and looks with a ratio are counted together, and so is a gap between them")
  func zeroAndMore() {
    var check = QueryCheck(name: "queue", ratio: .init(max: 2))
    check.record(canary: .value(0), stable: .value(0))
    for _ in 0..<2 { check.record(canary: .value(3), stable: .value(2)) }
    #expect(check.judgement().verdict == .pass && check.judgement().evidence.values?.ratio == 1.5)
    check.record(canary: .value(1), stable: .missing)
    #expect(check.judgement().verdict == .unknown)
    for _ in 0..<2 { check.record(canary: .value(1), stable: .value(0)) }
    #expect(check.judgement().verdict == .insufficient)
    check.record(canary: .value(5), stable: .value(2))
    #expect(check.judgement().finding == .worseThanStable)
    #expect(check.judgement().evidence.sentence.contains("canary ÷ stable is 2.5, at most 2 allowed"))
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
