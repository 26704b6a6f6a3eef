import Testing

@testable import CanaryAnalysis

@Suite struct HarmLedgerTests {
  @Test("harm is what failed on the canary beyond stable's rate over the same looks")
  func harmed() {
    var ledger = HarmLedger()
    // Before the canary has requests, stable's say nothing of it.
    ledger.record(canary: .zero, stable: counts(1000, 900))
    for _ in 0..<10 { ledger.record(canary: counts(100, 3), stable: counts(1000, 10)) }
    #expect(isClose(ledger.harmed, 20))
    #expect(ledger.stable == counts(10_000, 100))
    var better = HarmLedger()
    better.record(canary: counts(100, 0), stable: counts(1000, 10))
    #expect(better.harmed == 0)
    var alone = HarmLedger()
    alone.record(canary: counts(100, 4), stable: .zero)
    #expect(alone.harmed == 4, "without stable, everything that failed")
  }

  @Test("nothing is known of the excess at first, and its bounds close around the truth")
  func excess() {
    var ledger = HarmLedger()
    #expect(ledger.excess(risk: 0.01).upper == 1)
    var widths: [Double] = []
    for _ in 0..<4 {
      for _ in 0..<25 { ledger.record(canary: counts(1000, 30), stable: counts(1000, 10)) }
      let excess = ledger.excess(risk: 0.01)
      #expect(excess.lower < 0.02 && 0.02 < excess.upper)
      widths.append(excess.upper - excess.lower)
    }
    #expect(zip(widths, widths.dropFirst()).allSatisfy { $0 > $1 })
    #expect(ledger.excess(risk: 0.01).lower > 0.01)
  }

  @Test("the upper bound is below the truth at any look of at most one run in a hundred")
  func coverage() {
    var random = SeededRandom(seed: 11)
    var misses = 0
    for _ in 0..<400 {
      var ledger = HarmLedger()
      var isMissed = false
      for _ in 0..<60 {
        ledger.record(
          canary: counts(50, Double(random.binomial(50, 0.03))), stable: counts(500, Double(random.binomial(500, 0.01)))
        )
        isMissed = isMissed || ledger.excess(risk: 0.01).upper < 0.02
      }
      if isMissed { misses += 1 }
    }
    #expect(misses <= 4, "\(misses) of 400")
  }

  @Test("errors in clumps widen the bounds")
  func clumps() {
    var steady = HarmLedger()
    var clumped = HarmLedger()
    for look in 0..<60 {
      steady.record(canary: counts(100, 1), stable: counts(1000, 10))
      clumped.record(canary: counts(100, 1), stable: counts(1000, look % 10 == 0 ? 100 : 0))
    }
    #expect(clumped.excess(risk: 0.01).upper > steady.excess(risk: 0.01).upper)
  }
}
