import Synchronization

/// A rate with bursts: tokens come at a steady rate up to a bound, each request takes one.
struct TokenBucket: Sendable, Equatable {
  /// Tokens per second.
  let rate: Double
  let burst: Double
  private(set) var tokens: Double
  private var updated: Duration

  init(rate: Double, burst: Int, at now: Duration = .zero) {
    self.rate = rate
    self.burst = Double(burst)
    tokens = Double(burst)
    updated = now
  }

  /// Takes a token, perhaps one of the future.
  /// - Parameter urgent: goes at once; what it takes, later requests wait for, at most one burst of it.
  /// - Returns: how long to wait before going on; `nil`, and nothing is taken, when that is longer than `limit`.
  mutating func take(at now: Duration, urgent: Bool, limit: Duration) -> Duration? {
    tokens = min(burst, tokens + max(0, (now - updated).seconds) * rate)
    updated = max(updated, now)
    if urgent {
      tokens = max(-burst, tokens - 1)
      return .zero
    }
    let wait = tokens >= 1 ? Duration.zero : .seconds((1 - tokens) / rate)
    guard wait <= limit else { return nil }
    tokens -= 1
    return wait
  }

  /// Gives a token back whose request was not sent.
  mutating func refund() { tokens = min(burst, tokens + 1) }
}

/// The bucket that all requests of a client share.
final class RateLimiter: Sendable {
  private let bucket: Mutex<TokenBucket>
  private let time: TimeSource

  init(rate: Double, burst: Int, time: TimeSource) {
    bucket = Mutex(TokenBucket(rate: rate, burst: burst, at: time.uptime))
    self.time = time
  }

  /// Waits for a token.
  /// - Returns: `false` if none would come within `limit`.
  /// - Throws: `CancellationError`; the token is given back.
  func take(urgent: Bool, limit: Duration) async throws -> Bool {
    let now = time.uptime
    guard let wait = bucket.withLock({ $0.take(at: now, urgent: urgent, limit: limit) }) else { return false }
    guard wait > .zero else { return true }
    do {
      try await time.sleep(for: wait)
    } catch {
      bucket.withLock { $0.refund() }
      throw error
    }
    return true
  }
}
