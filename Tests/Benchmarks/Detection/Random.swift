import Foundation

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same on every machine.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  /// A stream of its own for each combination of parts, so that a run is the same whichever thread it falls to.
  init(seed: UInt64, _ parts: Int...) {
    state = seed
    for part in parts { state = next() ^ (UInt64(truncatingIfNeeded: part) &* 0xD6E8_FEB8_6659_FD93) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Above 0 and below 1.
  mutating func unit() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

  mutating func uniform(_ lower: Double, _ upper: Double) -> Double { lower + (upper - lower) * unit() }

  /// Uniform in the logarithm.
  mutating func logUniform(_ lower: Double, _ upper: Double) -> Double { exp(uniform(log(lower), log(upper))) }

  /// A Poisson number: by multiplication for small means, else by Hörmann's transformed rejection (PTRS, 1993).
  mutating func poisson(_ mean: Double) -> Double {
    guard mean > 0 else { return 0 }
    if mean < 10 {
      let bound = exp(-mean)
      var product = unit()
      var count = 0.0
      while product > bound {
        product *= unit()
        count += 1
      }
      return count
    }
    let b = 0.931 + 2.53 * mean.squareRoot()
    let a = -0.059 + 0.02483 * b
    let inverse = 1.1239 + 1.1328 / (b - 3.4)
    let accepted = 0.9277 - 3.6224 / (b - 2)
    while true {
      let u = unit() - 0.5
      let v = unit()
      let us = 0.5 - abs(u)
      let k = ((2 * a / us + b) * u + mean + 0.43).rounded(.down)
      if us >= 0.07, v <= accepted { return k }
      if k < 0 || (us < 0.013 && v > us) { continue }
      if log(v * inverse / (a / (us * us) + b)) <= k * log(mean) - mean - logFactorial(k) { return k }
    }
  }

  /// How many of some requests have a property: exact up to 64 requests, and above by a Poisson number, which is a
  /// little wider.
  mutating func binomial(_ trials: Double, _ probability: Double) -> Double {
    guard probability > 0, trials > 0 else { return 0 }
    if trials > 64 { return min(trials, poisson(trials * probability)) }
    if probability >= 1 { return trials }
    let scale = 1 / log1p(-probability)
    var (successes, position) = (0.0, 0.0)
    while true {
      position += (log(unit()) * scale).rounded(.down) + 1
      if position > trials { return successes }
      successes += 1
    }
  }

  /// A number from 1 on with this mean.
  mutating func geometric(mean: Double) -> Double {
    mean <= 1 ? 1 : (log(unit()) / log1p(-1 / mean)).rounded(.down) + 1
  }
}

/// ln k!, by Stirling's series from 16 on.
func logFactorial(_ k: Double) -> Double {
  if k < 16 {
    var product = 1.0
    var factor = 2.0
    while factor <= k {
      product *= factor
      factor += 1
    }
    return log(product)
  }
  let x = k + 1
  let square = 1 / (x * x)
  return (x - 0.5) * log(x) - x + 0.9189385332046727 + (1.0 / 12 - square * (1.0 / 360 - square / 1260)) / x
}
