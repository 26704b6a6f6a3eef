/// Tells how long this process may still write. Asked before each attempt of a write, so that a process whose lease
/// could have gone to another stops before its next write, and no write outlives the lease.
public struct WriteFence: Sendable {
  private let left: @Sendable () -> Duration

  /// - Parameter timeLeft: zero or less: not at all.
  public init(timeLeft: @escaping @Sendable () -> Duration) { left = timeLeft }

  public var timeLeft: Duration { left() }
}
