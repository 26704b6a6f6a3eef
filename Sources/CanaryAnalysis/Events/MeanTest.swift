import Foundation

/// Tests, value by value, whether the mean of numbers that lie between two bounds is below a claimed one.
///
/// Of the numbers nothing else need be known: no distribution, no variance, not even that they are independent, only that
/// each one's mean, given those before, is at least `mean` under the null. A bettor who doubts it puts a part λ of the
/// wealth on each next value x, scaled to 0 … 1: `K ← K (1 + λ (m − x))`, with λ set before x is seen. Under the null K
/// is a nonnegative supermartingale, so `P(K ever ≥ 1/α) ≤ α` (Waudby-Smith and Ramdas 2024, "Estimating means of bounded
/// random variables by betting"; Ville 1939). λ is their plug-in bet `(m − μ̂) / (σ̂² + (m − μ̂)²)` with the mean and the
/// variance of the values before, each begun with one value of ½ and a variance of ¼, cut to 0 … ½ / (1 − m).
public struct MeanTest: Codable, Sendable, Hashable {
  /// The smallest and the largest value that can come.
  public let bounds: ClosedRange<Double>
  /// The claimed mean, between the two.
  public let mean: Double

  private var count = 1.0
  private var sum = 0.5
  private var squares = 0.25
  /// ln K now, and the largest that it ever was.
  public private(set) var logEValue = 0.0
  public private(set) var logPeak = 0.0

  /// - Returns: `nil` where the mean is not strictly between the bounds, or a bound is not finite.
  public init?(bounds: ClosedRange<Double>, mean: Double) {
    guard bounds.lowerBound.isFinite, bounds.upperBound.isFinite, bounds.lowerBound < mean, mean < bounds.upperBound
    else { return nil }
    self.bounds = bounds
    self.mean = mean
  }

  /// Adds a value.
  /// - Returns: whether it lies within the bounds; one that does not is passed over, since nothing would hold with it.
  @discardableResult
  public mutating func update(_ value: Double) -> Bool {
    guard bounds.contains(value) else { return false }
    let width = bounds.upperBound - bounds.lowerBound
    let x = (value - bounds.lowerBound) / width
    let claimed = (mean - bounds.lowerBound) / width
    let distance = claimed - sum / count
    let bet = min(max(0, distance / (squares / count + distance * distance)), 0.5 / (1 - claimed))
    logEValue += log1p(bet * (claimed - x))
    logPeak = max(logPeak, logEValue)
    count += 1
    sum += x
    let deviation = x - sum / count
    squares += deviation * deviation
    return true
  }

  /// Whether the claim was ever refuted: true for values that keep it with probability ≤ `alpha`.
  public func rejects(alpha: Double) -> Bool { logPeak >= -log(alpha) }
}
