import Foundation

/// Kayenta's Mann-Whitney test: an interval for the shift between two samples by the normal approximation, as R's
/// `wilcox.test` has it.
struct MannWhitney {
  /// The bounds of the interval and the estimate of how much the experiment lies above the control.
  struct Shift: Equatable {
    var lower: Double
    var upper: Double
    var estimate: Double
  }

  /// Ranks cannot be told apart: Kayenta throws, and labels the metric `Error`.
  struct NoVariance: Error {}

  private let experiment: [Double]
  private let control: [Double]

  init(experiment: [Double], control: [Double]) {
    self.experiment = experiment.sorted()
    self.control = control.sorted()
  }

  /// At a confidence of 98 %.
  func shift() throws -> Shift {
    guard let least = experiment.first, let most = experiment.last, let floor = control.first, let top = control.last
    else { throw NoVariance() }
    let (low, high) = (least - top, most - floor)
    let z = 2.3263478740408408
    func bound(_ z: Double) throws -> Double {
      let atLow = try statistic(low, z)
      if atLow <= 0 { return low }
      let atHigh = try statistic(high, z)
      if atHigh >= 0 { return high }
      return try root(low, high, atLow, atHigh) { try statistic($0, z) }
    }
    let lower = try bound(z)
    let upper = try bound(-z)
    let estimate = try root(low, high, try statistic(low, 0), try statistic(high, 0)) { try statistic($0, 0) }
    return Shift(lower: lower, upper: upper, estimate: estimate)
  }

  /// W(μ, q): the standardized rank sum of the experiment shifted by μ, with continuity correction, less q.
  func statistic(_ shift: Double, _ q: Double) throws -> Double {
    let (m, n) = (Double(experiment.count), Double(control.count))
    var (i, j) = (0, 0)
    var (rank, rankSum, ties) = (0.0, 0.0, 0.0)
    while i < experiment.count || j < control.count {
      let value =
        i == experiment.count
        ? control[j] : j == control.count ? experiment[i] - shift : min(experiment[i] - shift, control[j])
      var (own, other) = (0.0, 0.0)
      while i < experiment.count, experiment[i] - shift == value {
        own += 1
        i += 1
      }
      while j < control.count, control[j] == value {
        other += 1
        j += 1
      }
      let size = own + other
      rankSum += own * (rank + (size + 1) / 2)
      rank += size
      ties += size * size * size - size
    }
    let difference = rankSum - m * (m + 1) / 2 - m * n / 2
    let correction = difference == 0 ? 0 : difference > 0 ? 0.5 : -0.5
    let variance = m * n / 12 * (m + n + 1 - ties / ((m + n) * (m + n - 1)))
    guard variance > 0 else { throw NoVariance() }
    return (difference - correction) / variance.squareRoot() - q
  }

  /// Brent's method with the absolute tolerance that Kayenta has, 10⁻⁴.
  private func root(
    _ left: Double, _ right: Double, _ atLeft: Double, _ atRight: Double, _ f: (Double) throws -> Double
  ) rethrows -> Double {
    var (a, fa, b, fb) = (left, atLeft, right, atRight)
    var (c, fc) = (a, fa)
    if fa == 0 { return a }
    if fb == 0 { return b }
    for _ in 0..<1001 {
      let previous = b - a
      if abs(fc) < abs(fb) {
        (a, b, c) = (b, c, b)
        (fa, fb, fc) = (fb, fc, fb)
      }
      let tolerance = 2 * Double.ulpOfOne * abs(b) + 0.5e-4
      var step = (c - b) / 2
      if abs(step) <= tolerance || fb == 0 { return b }
      if abs(previous) >= tolerance, abs(fa) > abs(fb) {
        var (p, q): (Double, Double)
        let half = c - b
        if a == c {
          let t = fb / fa
          (p, q) = (half * t, 1 - t)
        } else {
          let (t, u, v) = (fb / fa, fb / fc, fa / fc)
          p = u * (half * v * (v - t) - (b - a) * (t - 1))
          q = (v - 1) * (t - 1) * (u - 1)
        }
        if p > 0 { q = -q } else { p = -p }
        if p < 0.75 * half * q - abs(tolerance * q) / 2, p < abs(previous * q / 2) { step = p / q }
      }
      if abs(step) < tolerance { step = step > 0 ? tolerance : -tolerance }
      (a, fa) = (b, fb)
      b += step
      fb = try f(b)
      if (fb > 0 && fc > 0) || (fb < 0 && fc < 0) { (c, fc) = (a, fa) }
    }
    return b
  }
}
