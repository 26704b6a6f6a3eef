import Foundation

/// On which side of a bound something is at fault.
enum Side: String, Codable, Sendable, Hashable {
  case below
  case above
}

/// One e-process, or two of the same null with equal weights: an average of e-processes is one.
struct Doubt: Codable, Sendable, Hashable {
  /// ln of the average, now and at its largest.
  private(set) var log = 0.0
  private(set) var peak = 0.0

  mutating func record(_ first: Double, _ second: Double?) {
    log = second.map { logSum([first, $0]) - Foundation.log(2) } ?? first
    peak = max(peak, log)
  }

  func rejects(alpha: Double) -> Bool { peak >= -Foundation.log(alpha) }
}

/// Tests of the canary's rate, or mean, divided by stable's, against one bound.
struct RatioTest: Codable, Sendable, Hashable {
  let side: Side
  let bound: Double
  private(set) var broken = Doubt()
  private(set) var kept = Doubt()
  /// Of means: whether `x̄ − bound · ȳ`, the looks' means in parts of the largest value, has a mean below 0, and above 0.
  private var below: MeanTest?
  private var above: MeanTest?

  init(side: Side, bound: Double, isMean: Bool) {
    self.side = side
    self.bound = bound
    guard isMean else { return }
    below = MeanTest(bounds: -bound...1, mean: 0)
    above = MeanTest(bounds: -1...bound, mean: 0)
  }

  /// - Parameter comparison: with this look already.
  mutating func record(_ comparison: EventComparison, canary: EventCount, stable: EventCount) {
    if let own = canary.rate, let base = stable.rate {
      let difference = min(1, own) - bound * min(1, base)
      below?.update(difference)
      above?.update(-difference)
    }
    let (isBroken, isKept) =
      side == .below
      ? (comparison.tooSeldom, comparison.notTooSeldom) : (comparison.tooOften, comparison.notTooOften)
    let (worse, better) = side == .below ? (below, above) : (above, below)
    broken.record(isBroken?.logEValue ?? 0, worse?.logEValue)
    kept.record(isKept?.logEValue ?? 0, better?.logEValue)
  }

  func isBroken(risk: Double) -> Bool { broken.rejects(alpha: risk) }
  func isKept(risk: Double) -> Bool { kept.rejects(alpha: risk) }
}

/// Tests of the canary's own rate, or mean, against one bound.
struct ValueTest: Codable, Sendable, Hashable {
  let side: Side
  /// As a share, between 0 and 1.
  let bound: Double
  private(set) var broken = Doubt()
  private var kept = Doubt()
  /// The looks without stable.
  private var alone = Doubt()
  /// Whether the canary is on this side of stable.
  private var blame = SequentialComparison()

  private var all: BoundTest
  private var lone: BoundTest
  private var worse: MeanTest?
  private var better: MeanTest?

  /// Of a bound's risk, what the comparison with stable has: it is at work as long as stable has requests.
  static let blameShare = 0.75

  init(side: Side, bound: Double, isMean: Bool) {
    self.side = side
    self.bound = bound
    // What is bad is counted: on the lower side, what is missing of one event per request.
    let limit = side == .below ? 1 - bound : bound
    all = BoundTest(limit: limit)
    lone = BoundTest(limit: limit)
    guard isMean else { return }
    worse = MeanTest(bounds: 0...1, mean: 1 - limit)
    better = MeanTest(bounds: 0...1, mean: limit)
  }

  mutating func record(canary: Counts, stable: Counts, divisor: Double, cap: Double?) {
    guard canary.requests > 0 else { return }
    let bad = side == .below ? canary.inverse : canary
    all.update(bad, dispersion: divisor, cap: cap)
    if let rate = bad.rate {
      worse?.update(1 - rate)
      better?.update(rate)
    }
    broken.record(all.logBroken, worse?.logEValue)
    kept.record(all.logKept, better?.logEValue)
    if stable.requests > 0 {
      let (own, base) = side == .below ? (stable, canary) : (canary, stable)
      blame.update(canary: own, stable: base, dispersion: divisor, cap: cap)
    } else {
      lone.update(bad, dispersion: divisor, cap: cap)
      alone.record(lone.logBroken, nil)
    }
  }

  func isBroken(risk: Double) -> Bool { broken.rejects(alpha: risk) }
  func isKept(risk: Double) -> Bool { kept.log >= -log(risk) }

  func isCanarysFault(risk: Double) -> Bool {
    let part = risk * Self.blameShare
    return broken.rejects(alpha: part) && blame.rejects(alpha: part) || alone.rejects(alpha: risk - part)
  }
}

extension Counts {
  /// The same requests, of which those are bad that were not.
  fileprivate var inverse: Counts { Counts(unchecked: requests, requests - bad) }
}
