import Foundation
import Testing

@testable import CanaryAnalysis

/// Seeded simulations: the same numbers on every machine and in every run.
@Suite("In simulation")
struct SimulationTests {
  @Test(
    "a canary that is no worse is refuted no more often than stated",
    arguments: [(0.01, 0.10), (0.001, 0.5), (0.2, 0.05)])
  func falseAborts(rate: Double, weight: Double) {
    var random = SeededRandom(seed: 7)
    let (runs, alpha) = (300, 0.05)
    var refuted = 0
    for _ in 0..<runs {
      var comparison = SequentialComparison()
      for _ in 0..<120 {
        let canary = Int(200 * weight)
        comparison.update(
          canary: counts(Double(canary), Double(random.binomial(canary, rate))),
          stable: counts(Double(200 - canary), Double(random.binomial(200 - canary, rate))))
      }
      if comparison.rejects(alpha: alpha) { refuted += 1 }
    }
    // Ville: at most 5 %, or 15; three deviations of a binomial above that are 26.
    #expect(refuted <= 26, "\(refuted) of \(runs)")
  }

  @Test("a rate at the limit is said to be kept, or to be broken, no more often than stated")
  func limits() {
    var random = SeededRandom(seed: 13)
    let (runs, risk) = (300, 0.05)
    var (kept, broken) = (0, 0)
    for _ in 0..<runs {
      var test = BoundTest(limit: 0.02)
      var wasKept = false
      for _ in 0..<60 {
        test.update(counts(100, Double(random.binomial(100, 0.02))))
        wasKept = wasKept || test.isKept(risk: risk)
      }
      if wasKept { kept += 1 }
      if test.isBroken(alpha: risk) { broken += 1 }
    }
    // At most 5 % each: 15, and three deviations above that 26.
    #expect(kept <= 26, "\(kept) of \(runs)")
    #expect(broken <= 26, "\(broken) of \(runs)")
  }

  /// Canary errors until the comparison, and an oracle that knows the ratio, refute at 0.1 %: medians of 101 runs.
  func errorsToAbort(
    base: Double, canary rate: Double, perLook: Int, weight: Double, seed: UInt64
  ) -> (mixture: Double, oracle: Double) {
    var random = SeededRandom(seed: seed)
    var mixture: [Double] = []
    var oracle: [Double] = []
    let canary = Int(Double(perLook) * weight)
    let stable = perLook - canary
    let share = Double(canary) / Double(perLook)
    let ratio = rate / base
    for _ in 0..<101 {
      var comparison = SequentialComparison()
      var (seen, known) = (0.0, 0.0)
      var (mixtureErrors, oracleErrors): (Double?, Double?)
      while mixtureErrors == nil || oracleErrors == nil {
        let bad = Double(random.binomial(canary, rate))
        let other = Double(random.binomial(stable, base))
        seen += bad
        comparison.update(canary: counts(Double(canary), bad), stable: counts(Double(stable), other))
        known += bad * log(ratio) - (bad + other) * log(1 - share + share * ratio)
        if mixtureErrors == nil, comparison.rejects(alpha: 0.001) { mixtureErrors = seen }
        if oracleErrors == nil, known >= log(1000) { oracleErrors = seen }
      }
      mixture.append(mixtureErrors ?? .infinity)
      oracle.append(oracleErrors ?? .infinity)
    }
    return (mixture.sorted()[50], oracle.sorted()[50])
  }

  @Test(
    "a regression is found with at most 1.5 times the errors of an oracle that knows it beforehand",
    arguments: [(0.01, 0.05, 1000, 0.1), (0.01, 0.02, 1000, 0.1), (0.001, 0.01, 100, 0.5), (0.05, 0.1, 500, 0.5)])
  func detection(base: Double, canary: Double, perLook: Int, weight: Double) {
    let (mixture, oracle) = errorsToAbort(base: base, canary: canary, perLook: perLook, weight: weight, seed: 11)
    #expect(mixture <= 1.5 * oracle, "\(mixture) errors, oracle \(oracle)")
  }

  @Test("a rise from 1 % to 5 % is proven within 20 errors of the canary, at a risk of 0.1 %")
  func quick() {
    let (mixture, _) = errorsToAbort(base: 0.01, canary: 0.05, perLook: 1000, weight: 0.1, seed: 3)
    #expect(mixture <= 20, "\(mixture) errors")
  }

  @Test("errors in clumps of ten do not abort a good canary")
  func clumps() {
    var random = SeededRandom(seed: 5)
    var (aborted, naive) = (0, 0)
    // Clumps whose size is geometric with mean 10: each look draws their number, then their sizes.
    func clumped(_ requests: Int, _ random: inout SeededRandom) -> Counts {
      var bad = 0
      for _ in 0..<random.binomial(requests, 0.001) {
        bad += 1
        while Double.random(in: 0..<1, using: &random) < 0.9 { bad += 1 }
      }
      return counts(Double(requests), Double(min(bad, requests)))
    }
    for _ in 0..<100 {
      var check = ErrorRateCheck(
        limit: 0.05, settings: CheckSettings(name: "errors", tolerance: Tolerance(), risk: 0.001))
      var comparison = SequentialComparison()
      for _ in 0..<60 { check.learn(stable: .value(clumped(900, &random))) }
      for _ in 0..<180 {
        let (canary, stable) = (clumped(100, &random), clumped(900, &random))
        check.record(canary: .value(canary), stable: .value(stable))
        comparison.update(canary: canary, stable: stable)
      }
      if check.judgement().verdict == .fail { aborted += 1 }
      if comparison.rejects(alpha: 0.001) { naive += 1 }
    }
    #expect(aborted <= 1, "\(aborted) of 100")
    #expect(naive >= 30, "independence assumed should abort often: \(naive) of 100")
  }
}
