import CanaryAnalysis
import Foundation

/// Random numbers that a seed determines: SplitMix64 (Steele, Lea and Flood 2014).
struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Above 0 and below 1.
  mutating func unit() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

  /// With mean 0 and deviation 1 (Box and Muller 1958).
  mutating func normal() -> Double { (-2 * log(unit())).squareRoot() * cos(2 * .pi * unit()) }

  /// A Poisson variate: exact below a mean of 30, from there on the rounded normal one.
  mutating func poisson(_ mean: Double) -> Int {
    guard mean > 0 else { return 0 }
    guard mean < 30 else { return max(0, Int(nearest: mean + mean.squareRoot() * normal())) }
    let floor = exp(-mean)
    var product = unit()
    var count = 0
    while product > floor {
      product *= unit()
      count += 1
    }
    return count
  }

  /// How many of `count` trials succeed: exact where few are expected to, from 30 on the rounded normal variate.
  mutating func binomial(_ count: Int, _ probability: Double) -> Int {
    guard count > 0, probability > 0 else { return 0 }
    guard probability < 1 else { return count }
    if probability > 0.5 { return count - binomial(count, 1 - probability) }
    let mean = Double(count) * probability
    guard mean < 30 else {
      let drawn = mean + (mean * (1 - probability)).squareRoot() * normal()
      return min(count, max(0, Int(nearest: drawn)))
    }
    // The trials between two successes are geometric.
    let scale = log1p(-probability)
    var successes = 0
    var trial = 0.0
    while true {
      trial += (log(unit()) / scale).rounded(.down) + 1
      guard trial <= Double(count) else { return successes }
      successes += 1
    }
  }
}
