import Foundation
import Testing

@testable import CanaryAnalysis

/// Counts that are known to be well-formed.
func counts(_ requests: Double, _ bad: Double, sourceLocation: SourceLocation = #_sourceLocation) -> Counts {
  guard let counts = Counts(requests: requests, bad: bad) else {
    Issue.record("no counts: \(requests), \(bad)", sourceLocation: sourceLocation)
    return .zero
  }
  return counts
}

func isClose(_ value: Double?, _ expected: Double, within tolerance: Double = 1e-9) -> Bool {
  guard let value else { return false }
  return abs(value - expected) <= tolerance * max(1, abs(expected))
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same on every machine.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A binomial number by the gaps between successes: O(n p).
  mutating func binomial(_ trials: Int, _ probability: Double) -> Int {
    guard probability > 0 else { return 0 }
    var successes = 0
    var position = 0.0
    while true {
      position += (log(1 - Double.random(in: 0..<1, using: &self)) / log(1 - probability)).rounded(.down) + 1
      if position > Double(trials) { return successes }
      successes += 1
    }
  }
}
