import Testing

@testable import KubernetesClient

@Suite("Backoff and rate")
struct BackoffTests {
  @Test("waits grow to a bound, the jitter only shortens them, and no attempt is too large")
  func backoff() {
    let backoff = Backoff(initial: .seconds(1), maximum: .seconds(10), jitter: 0.5)
    #expect((0..<6).map { backoff.delay(attempt: $0, random: 0).seconds } == [1, 2, 4, 8, 10, 10])
    #expect(backoff.delay(attempt: 2, random: 0.5) == .seconds(3))
    #expect(backoff.delay(attempt: 1_000_000, random: 0) == .seconds(10))
    #expect(backoff.delay(attempt: -1, random: 0) == .seconds(1))
  }

  @Test("a bucket lets a burst through, then one per interval")
  func bucket() {
    var bucket = TokenBucket(rate: 10, burst: 2)
    let waits = (0..<4).map { _ in bucket.take(at: .zero, urgent: false, limit: .seconds(9))?.seconds ?? -1 }
    #expect(waits == [0, 0, 0.1, 0.2])
    #expect(bucket.take(at: .seconds(60), urgent: false, limit: .zero) == .zero)
    #expect(bucket.take(at: .seconds(60), urgent: false, limit: .zero) == .zero)
    #expect(bucket.take(at: .seconds(60), urgent: false, limit: .zero) == nil)
  }

  @Test("urgent requests never wait; what they took the others pay, at most one burst of it")
  func urgent() {
    var bucket = TokenBucket(rate: 1, burst: 2)
    for _ in 0..<50 { #expect(bucket.take(at: .zero, urgent: true, limit: .zero) == .zero) }
    #expect(bucket.take(at: .zero, urgent: false, limit: .seconds(60)) == .seconds(3))
  }

  @Test("a clock that goes back takes nothing away")
  func backwards() {
    var bucket = TokenBucket(rate: 1, burst: 1, at: .seconds(10))
    #expect(bucket.take(at: .seconds(5), urgent: false, limit: .zero) == .zero)
    #expect(bucket.take(at: .seconds(11), urgent: false, limit: .zero) == .zero)
  }
}
