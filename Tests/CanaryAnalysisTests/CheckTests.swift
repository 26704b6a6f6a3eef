import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("The error-rate check")
struct ErrorRateCheckTests {
  func check(limit: Double = 0.01, risk: Double = 0.001, tolerance: Tolerance? = .usual(limit: 0.01)) -> ErrorRateCheck
  {
    ErrorRateCheck(limit: limit, settings: CheckSettings(name: "errors", tolerance: tolerance, risk: risk))
  }

  func judged(_ looks: Int, canary: Counts, stable: Counts, by check: ErrorRateCheck) -> Judgement {
    var check = check
    for _ in 0..<looks { check.record(canary: .value(canary), stable: .value(stable)) }
    return check.judgement()
  }

  @Test("a canary without errors passes once enough requests are seen, and not before")
  func pass() {
    let early = judged(4, canary: counts(50, 0), stable: counts(450, 0), by: check())
    #expect(early.verdict == .insufficient)
    #expect(early.finding == .undecided)
    let late = judged(10, canary: counts(50, 0), stable: counts(450, 0), by: check())
    #expect(late.finding == .kept)
    #expect(late.verdict == .pass)
  }

  @Test("fewer requests than the minimum never pass")
  func minimum() {
    var check = ErrorRateCheck(
      limit: 0.5, settings: CheckSettings(name: "errors", tolerance: nil, minimumRequests: 50))
    for _ in 0..<4 { check.record(canary: .value(counts(10, 0)), stable: .value(counts(90, 0))) }
    #expect(check.judgement().finding == .tooFewRequests)
    check.record(canary: .value(counts(10, 0)), stable: .value(counts(90, 0)))
    #expect(check.judgement().finding == .kept)
  }

  @Test("the ways to fail a good canary have no more than the check's risk together, compared or not")
  func shares() {
    for tolerance in [nil, Tolerance(ratio: 1, margin: 0.01), Tolerance(ratio: 2, margin: 0)] {
      let settings = CheckSettings(name: "errors", tolerance: tolerance, risk: 0.001)
      // Equality costs nothing of its own where it is what is compared.
      let compared = tolerance.map { $0.ratio > 1 ? settings.comparisonRisk : 0 } ?? 0
      #expect(isClose(compared + settings.blameRisk + settings.limitRisk, 0.001), "\(String(describing: tolerance))")
    }
  }

  @Test("a canary that fails every request fails in four looks, and never in one or two")
  func crash() {
    for looks in 1...2 {
      #expect(judged(looks, canary: counts(20, 20), stable: counts(180, 0), by: check()).verdict != .fail)
    }
    let judgement = judged(4, canary: counts(20, 20), stable: counts(180, 0), by: check())
    #expect(judgement.verdict == .fail)
    #expect(judgement.finding == .worseThanStable)
  }

  @Test("a failure names both tracks' rates")
  func sentence() {
    let judgement = judged(10, canary: counts(208, 5.2), stable: counts(2010, 6.1), by: check())
    #expect(judgement.verdict == .fail)
    // Both intervals and the ratios from SciPy and NumPy: 1.422 … 4.005, 0.1748 … 0.4864; 2^(12/6) … 2^(24/6).
    #expect(
      judgement.evidence.sentence
        == "errors: canary 1.4 % … 4 % (52 of 2080 requests), stable 0.17 % … 0.49 % (61 of 20100 requests); "
        + "at most 1 % allowed; the canary's rate is 4 to 16 times stable's")
  }

  @Test("when both tracks break the limit alike the environment is to blame, and nothing fails")
  func environment() {
    let judgement = judged(30, canary: counts(100, 20), stable: counts(900, 180), by: check())
    #expect(judgement.finding == .environment)
    #expect(judgement.verdict == .insufficient)
  }

  @Test("a canary that is worse than a stable that is bad too still fails")
  func worseThanBad() {
    #expect(judged(30, canary: counts(100, 60), stable: counts(900, 180), by: check()).finding == .worseThanStable)
  }

  @Test("without traffic on stable the limit judges alone")
  func alone() {
    #expect(judged(10, canary: counts(100, 5), stable: .zero, by: check()).finding == .limitBroken)
    #expect(judged(10, canary: counts(100, 0), stable: .zero, by: check()).finding == .kept)
  }

  @Test("a canary that breaks its limit once it has all traffic fails, although it was good before")
  func lateAlone() {
    var check = check()
    for _ in 0..<30 { check.record(canary: .value(counts(500, 1)), stable: .value(counts(500, 1))) }
    #expect(check.judgement().finding == .kept)
    for _ in 0..<5 {
      check.record(
        canary: .value(counts(1000, 60)), stable: .value(.zero), parts: TrackParts(), circumstances: .alone)
    }
    #expect(check.judgement().finding == .limitBroken)
  }

  @Test("an uneven look adds little, however bad it is")
  func uneven() {
    func looks(_ circumstances: Circumstances) -> Int {
      var check = check()
      for _ in 0..<60 { check.learn(stable: .value(counts(900, 9))) }
      return (1...30).first { _ in
        check.record(
          canary: .value(counts(100, 100)), stable: .value(counts(900, 9)), parts: TrackParts(),
          circumstances: circumstances)
        return check.fails
      } ?? 0
    }
    #expect(looks([]) == 1)
    #expect((4...6).contains(looks(.uneven)))
  }

  @Test("what is tolerated against stable does not excuse a broken limit")
  func toleratedRatio() {
    let tolerance = Tolerance(ratio: 4, margin: 0)
    #expect(
      judged(200, canary: counts(1000, 20), stable: counts(9000, 80), by: check(tolerance: tolerance)).finding
        == .limitBroken)
    #expect(
      judged(200, canary: counts(1000, 6), stable: counts(9000, 18), by: check(tolerance: tolerance)).finding == .kept)
  }

  @Test("a rise that is certain but within the margin does not fail")
  func margin() {
    let canary = counts(100_000, 100)
    let stable = counts(900_000, 90)
    let judgement = judged(50, canary: canary, stable: stable, by: check())
    #expect(judgement.finding == .kept)
    #expect((judgement.evidence.comparisonEValue ?? 0) > (judgement.evidence.comparisonThreshold ?? .infinity))
    #expect(judged(50, canary: canary, stable: stable, by: check(tolerance: Tolerance())).finding == .worseThanStable)
  }

  @Test("a rate between kept and broken stays undecided")
  func undecided() {
    #expect(judged(20, canary: counts(100, 1), stable: counts(900, 9), by: check()).finding == .undecided)
  }

  @Test(
    "without a measurement in the last look nothing passes",
    arguments: [
      Measured<Counts>.missing, .notANumber, .severalSeries(2), .counterReset, .sourceFailed("connection refused"),
    ])
  func unknown(gap: Measured<Counts>) throws {
    var check = check()
    check.record(canary: gap, stable: .value(counts(900, 0)))
    #expect(check.judgement().verdict == .unknown)
    for _ in 0..<20 { check.record(canary: .value(counts(100, 0)), stable: .value(counts(900, 0))) }
    #expect(check.judgement().verdict == .pass)
    check.record(canary: .value(counts(100, 0)), stable: gap)
    let judgement = check.judgement()
    #expect(judgement.verdict == .unknown)
    #expect(judgement.evidence.gaps == 2)
    let problem = try #require(gap.problem)
    #expect(judgement.evidence.sentence.contains("stable: \(problem)"))
  }

  @Test("before the first look the verdict is unknown")
  func nothing() {
    #expect(check().judgement().verdict == .unknown)
  }

  @Test("what was proven bad stays bad, with measurements or without")
  func lasting() {
    var check = check()
    for _ in 0..<6 { check.record(canary: .value(counts(100, 50)), stable: .value(counts(900, 0))) }
    check.record(canary: .missing, stable: .missing)
    #expect(check.judgement().verdict == .fail)
  }

  @Test("what stable did before the run lifts the cap on a single look")
  func learned() {
    var check = check()
    for _ in 0..<30 { check.learn(stable: .value(counts(9000, 9))) }
    check.record(canary: .value(counts(1000, 200)), stable: .value(counts(9000, 9)))
    #expect(check.judgement().verdict == .fail)
  }

  @Test("its evidence survives being stored")
  func coding() throws {
    let judgement = judged(10, canary: counts(100, 100), stable: counts(900, 0), by: check())
    let stored = try JSONEncoder().encode(judgement)
    #expect(try JSONDecoder().decode(Judgement.self, from: stored) == judgement)
  }

  @Test("of several verdicts a failure wins, and only passes pass")
  func joint() {
    #expect(Verdict.joint([.pass, .unknown, .fail]) == .fail)
    #expect(Verdict.joint([.pass, .insufficient, .unknown]) == .unknown)
    #expect(Verdict.joint([.pass, .insufficient]) == .insufficient)
    #expect(Verdict.joint([.pass, .pass]) == .pass)
    #expect(Verdict.joint([]) == .insufficient)
  }
}
