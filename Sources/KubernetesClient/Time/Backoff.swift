/// Growing waits between attempts, spread so that many clients that failed together do not return together.
public struct Backoff: Sendable, Hashable {
  public var initial: Duration
  public var maximum: Duration
  public var factor: Double
  /// Which part of a wait is random: 0.5 draws from the upper half.
  public var jitter: Double

  public init(
    initial: Duration = .milliseconds(200), maximum: Duration = .seconds(30), factor: Double = 2, jitter: Double = 0.5
  ) {
    self.initial = initial
    self.maximum = maximum
    self.factor = factor
    self.jitter = jitter
  }

  /// The wait before attempt `attempt` is repeated, counted from 0; never above `maximum`.
  /// - Parameter random: a number in `0..<1`.
  public func delay(attempt: Int, random: Double) -> Duration {
    var full = initial.seconds
    // Stops at the bound: a power of a large attempt would overflow.
    for _ in 0..<max(0, attempt) where full < maximum.seconds { full *= factor }
    return .seconds(min(full, maximum.seconds) * (1 - jitter * random))
  }
}
