import Foundation

/// An interval of rates, 0 to 1.
public struct RateInterval: Codable, Sendable, Hashable {
  public var lower: Double
  public var upper: Double

  public init(lower: Double, upper: Double) {
    self.lower = lower
    self.upper = upper
  }

  public func contains(_ rate: Double) -> Bool { lower <= rate && rate <= upper }
}

extension Counts {
  /// The rates that these counts leave possible, at every moment of the watch at once: the probability that the true
  /// rate is ever outside is at most `risk`, however often one looks.
  ///
  /// Robbins' beta mixture with a = b = 1/2: all p with `B(a + e, b + n − e) / (B(a, b) pᵉ (1 − p)ⁿ⁻ᵉ) < 1/risk`
  /// (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
  /// sequences").
  public func interval(risk: Double) -> RateInterval {
    guard requests > 0 else { return RateInterval(lower: 0, upper: 1) }
    let good = requests - bad
    let bound = logBeta(0.5 + bad, 0.5 + good) - logBeta(0.5, 0.5) + log(risk)
    // Concave in p with its maximum at the observed rate, where it lies inside.
    func isInside(_ p: Double) -> Bool { times(bad, logOf: p) + times(good, logOf: 1 - p) > bound }
    func edge(from inside: Double, to outside: Double) -> Double {
      if isInside(outside) { return outside }
      var (inside, outside) = (inside, outside)
      for _ in 0..<60 {
        let middle = (inside + outside) / 2
        if isInside(middle) { inside = middle } else { outside = middle }
      }
      return outside
    }
    let observed = bad / requests
    return RateInterval(lower: edge(from: observed, to: 0), upper: edge(from: observed, to: 1))
  }
}
