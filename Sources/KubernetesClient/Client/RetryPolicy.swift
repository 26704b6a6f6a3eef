import Foundation
import HTTPTransport
import KubernetesAPI

/// Decides, without doing anything, whether a request that failed is sent again.
///
/// What the server certainly did not carry out may be repeated whatever it is. What it may have carried out is repeated
/// only where that cannot do harm, that is for reads: for a write the caller reads again and decides again.
struct RetryPolicy: Sendable {
  enum Outcome: Sendable {
    /// - Parameter retryAfter: the header.
    case refused(Status, retryAfter: Duration?)
    case failed(TransportError)
  }

  enum Advice: Sendable, Equatable {
    case giveUp
    /// - Parameter renewCredentials: read the token anew before.
    case retry(after: Duration, renewCredentials: Bool)
  }

  /// Including the first.
  var maxAttempts = 4
  var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(5))

  /// - Parameters:
  ///   - attempt: how often it was sent, from 1.
  ///   - remaining: until the deadline.
  ///   - random: a number in `0..<1`.
  func advice(
    for outcome: Outcome, isRead: Bool, attempt: Int, remaining: Duration, random: Double
  ) -> Advice {
    guard attempt < maxAttempts else { return .giveUp }
    let pause = backoff.delay(attempt: attempt - 1, random: random)
    let wait: Duration
    switch outcome {
    case .failed(.notConnected):
      wait = pause
    case .failed(.timedOut), .failed(.stalled), .failed(.connectionLost):
      guard isRead else { return .giveUp }
      wait = pause
    case .failed:
      return .giveUp
    case .refused(let status, let header):
      switch status.failure {
      case .unauthorized:
        // A token may have been rotated since it was read; once is enough to find out.
        return attempt == 1 ? .retry(after: .zero, renewCredentials: true) : .giveUp
      case .tooManyRequests(let told):
        wait = Self.after(header ?? told, pause: pause, random: random)
      case .unavailable(let told):
        // With Retry-After it is the server that refuses; without, a proxy may have lost the answer.
        guard isRead || header ?? told != nil else { return .giveUp }
        wait = Self.after(header ?? told, pause: pause, random: random)
      case .serverTimeout(let told), .timeout(let told):
        guard isRead else { return .giveUp }
        wait = Self.after(header ?? told, pause: pause, random: random)
      case .internalError, .other(code: 500...):
        guard isRead else { return .giveUp }
        wait = pause
      default:
        return .giveUp
      }
    }
    return wait < remaining ? .retry(after: wait, renewCredentials: false) : .giveUp
  }

  /// What the server asked for, and up to a quarter more, so that not everybody comes back in the same instant.
  private static func after(_ told: Duration?, pause: Duration, random: Double) -> Duration {
    guard let told else { return pause }
    return told + told * (random / 4)
  }

  /// The seconds of a `Retry-After` header. The form with a date is not used by API servers.
  static func retryAfter(_ response: HTTPResponse) -> Duration? {
    response.header("Retry-After").flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
      .flatMap { $0 >= 0 ? .seconds($0) : nil }
  }
}
