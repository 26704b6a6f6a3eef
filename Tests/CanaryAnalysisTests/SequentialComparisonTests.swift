import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("The comparison of two tracks")
struct SequentialComparisonTests {
  // Four looks with changing weights: (canary requests, bad), (stable requests, bad).
  let looks = [
    (counts(100, 3), counts(900, 9)), (counts(100, 6), counts(900, 8)), (counts(250, 9), counts(750, 11)),
    (counts(500, 14), counts(500, 5)),
  ]

  @Test("its e-values are those of the reference, tolerance and clumps or not")
  func reference() throws {
    let reference = try Reference.read()
    for one in reference.comparison {
      var comparison = SequentialComparison(toleratedRatio: one.tolerated)
      for (look, expected) in zip(reference.looks, one.logEValues) {
        comparison.update(canary: look.canary, stable: look.stable, dispersion: 2 * one.clump - 1)
        #expect(isClose(comparison.logEValue, expected), "θ₀ \(one.tolerated), clumps of \(one.clump)")
      }
    }
  }

  @Test("after an hour of good looks a late fault is proven in four, and the stakes are those of the reference")
  func late() throws {
    let reference = try Reference.read()
    var comparison = SequentialComparison()
    for (look, expected) in zip(reference.late.looks, reference.late.logEValues) {
      comparison.update(canary: look.canary, stable: look.stable)
      #expect(isClose(comparison.logEValue, expected))
    }
    #expect(comparison.rejects(alpha: 0.001))
  }

  // The same grid of ratios, uniform prior, in NumPy; both ends rounded outward to the grid: 2^(2/6) and 2^(19/6).
  @Test("its interval of ratios covers what the looks leave possible")
  func interval() {
    var comparison = SequentialComparison()
    #expect(comparison.ratioInterval(risk: 0.05) == (nil, nil))
    for (canary, stable) in looks { comparison.update(canary: canary, stable: stable) }
    let interval = comparison.ratioInterval(risk: 0.05)
    #expect(isClose(interval.lower, 1.2599210498948732))
    #expect(isClose(interval.upper, 8.979696386474982))
  }

  @Test("a fault of both tracks is no evidence against the canary")
  func commonFault() {
    var comparison = SequentialComparison()
    for _ in 0..<200 { comparison.update(canary: counts(100, 40), stable: counts(900, 360)) }
    #expect(comparison.logPeak < 0.5)
  }

  // An unsigned counter that went below zero reads 2⁶⁴: beside it 500 requests are no share that a number can hold.
  @Test("a counter that jumps beyond all measure leaves numbers that are finite", arguments: [1.8e19, 1e300])
  func overflow(requests: Double) {
    var comparison = SequentialComparison()
    comparison.update(canary: counts(requests, 3), stable: counts(500, 1))
    #expect(comparison.logEValue == 0)
    var clumps = Clumps()
    for look in 0..<40 { clumps.observe(counts(look == 20 ? requests : 500, 2)) }
    #expect(clumps.dispersion?.isFinite == true)
    #expect(clumps.remedy.divisor.isFinite)
  }

  @Test("a look in which a track had no requests says nothing")
  func oneTrackOnly() {
    var comparison = SequentialComparison()
    comparison.update(canary: counts(100, 100), stable: .zero)
    comparison.update(canary: .zero, stable: counts(100, 0))
    #expect(comparison == SequentialComparison())
  }

  @Test("a cap bounds what one look adds, and what was proven stays proven")
  func cap() {
    var comparison = SequentialComparison()
    var before = 0.0
    for look in 1...4 {
      comparison.update(canary: counts(100, 100), stable: counts(900, 0), cap: 2.3)
      #expect(comparison.logEValue - before <= 2.3)
      before = comparison.logEValue
      // Half of the wealth is cash, which no look multiplies.
      #expect(comparison.rejects(alpha: 0.001) == (look == 4))
    }
    for _ in 0..<100 { comparison.update(canary: counts(100, 0), stable: counts(900, 900), cap: 2.3) }
    #expect(comparison.logEValue < 0)
    #expect(comparison.rejects(alpha: 0.001))
  }

  @Test("its state survives being stored")
  func coding() throws {
    var comparison = SequentialComparison(toleratedRatio: 1.2)
    for (canary, stable) in looks { comparison.update(canary: canary, stable: stable) }
    let stored = try JSONEncoder().encode(comparison)
    var restored = try JSONDecoder().decode(SequentialComparison.self, from: stored)
    #expect(restored == comparison)
    restored.update(canary: looks[0].0, stable: looks[0].1)
    comparison.update(canary: looks[0].0, stable: looks[0].1)
    #expect(restored == comparison)
  }
}

@Suite("The test of a limit")
struct BoundTestTests {
  @Test("its e-values are those of the reference")
  func reference() throws {
    let reference = try Reference.read().limit
    var test = BoundTest(limit: reference.limit)
    for (look, expected) in zip(reference.looks, reference.logBroken) {
      test.update(counts(look[0], look[1]))
      #expect(isClose(test.logBroken, expected))
    }
    for (look, expected) in zip([counts(1000, 2), counts(400, 0), counts(1000, 30)], reference.logKept) {
      var test = BoundTest(limit: reference.limit)
      test.update(look)
      #expect(isClose(test.logKept, expected))
    }
  }

  @Test("two errors in 1,000 requests keep 1 % with e^3.88, none in 400 with e^3.11")
  func kept() {
    var few = BoundTest(limit: 0.01)
    few.update(counts(1000, 2))
    #expect(isClose(few.logKept, 3.8837439662222133))
    #expect(few.isKept(risk: 0.05))
    var none = BoundTest(limit: 0.01)
    none.update(counts(400, 0))
    #expect(isClose(none.logKept, 3.111875941879938))
  }

  @Test("387 requests without an error are the fewest that prove a limit of 1 % kept at a risk of 5 %")
  func fewest() {
    func isKept(_ requests: Double) -> Bool {
      var test = BoundTest(limit: 0.01)
      test.update(counts(requests, 0))
      return test.isKept(risk: 0.05)
    }
    #expect(!isKept(386))
    #expect(isKept(387))
  }

  @Test("at the limit itself neither side is proven")
  func undecided() {
    var test = BoundTest(limit: 0.01)
    for _ in 0..<1000 { test.update(counts(100, 1)) }
    #expect(!test.isBroken(alpha: 0.05))
    #expect(!test.isKept(risk: 0.05))
  }
}
