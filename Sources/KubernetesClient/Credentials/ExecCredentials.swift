import Foundation
import KubernetesAPI
import Synchronization

/// A bearer token that a program gives out. It runs when there is no token, when the token is about to expire and when
/// the server did not accept it, once for all requests that wait for it.
public final class ExecCredentials: Credentials, CustomStringConvertible, CustomReflectable {
  /// Runs a program to its end and returns what it printed.
  typealias Runner = @Sendable (ExecPlugin) async throws -> Data

  private struct Held {
    var token: String
    var renewal: Date?
    var isDoubted = false
  }

  private struct State {
    var held: Held?
    var isRunning = false
    /// The last failure stands for a moment, so that a hundred waiting requests do not run a broken program a hundred
    /// times.
    var failure: (error: CredentialsError, until: Duration)?
  }

  private enum Step {
    case show(String)
    case fail(CredentialsError)
    case wait(version: Int)
    case run
  }

  private static let failureLifetime = Duration.seconds(5)
  /// A token is renewed so long before it expires, or halfway where it lives shorter.
  private static let margin: TimeInterval = 60

  private let plugin: ExecPlugin
  private let now: @Sendable () -> Date
  private let run: Runner
  private let state = Mutex(State())
  private let ended = Signal()

  /// - Parameters:
  ///   - timeout: the program is killed after it.
  ///   - now: the wall clock, by which tokens expire.
  public convenience init(
    _ plugin: ExecPlugin, timeout: Duration = .seconds(20), now: @escaping @Sendable () -> Date = { Date() }
  ) {
    self.init(plugin, now: now) { try await ExecProcess.run($0, timeout: timeout) }
  }

  init(_ plugin: ExecPlugin, now: @escaping @Sendable () -> Date, run: @escaping Runner) {
    self.plugin = plugin
    self.now = now
    self.run = run
  }

  public func authorization(at uptime: Duration) async throws -> String? {
    while true {
      switch step(at: uptime) {
      case .show(let token): return "Bearer \(token)"
      case .fail(let error): throw error
      case .wait(let version): try await ended.wait(beyond: version)
      case .run:
        let token = try await renew(at: uptime)
        return "Bearer \(token)"
      }
    }
  }

  public func invalidate() { state.withLock { $0.held?.isDoubted = true } }

  private func step(at uptime: Duration) -> Step {
    let now = now()
    // Read before the state: a run that ends in between has raised it by then.
    let version = ended.version
    return state.withLock { state in
      if let held = state.held, !held.isDoubted, held.renewal.map({ now < $0 }) ?? true { return .show(held.token) }
      if state.isRunning { return .wait(version: version) }
      if let failure = state.failure, uptime < failure.until { return .fail(failure.error) }
      state.isRunning = true
      return .run
    }
  }

  private func renew(at uptime: Duration) async throws -> String {
    let started = now()
    defer { ended.raise() }
    do {
      let answer = try plugin.answer(from: try await run(plugin))
      if let expires = answer.expires, expires <= started {
        throw plugin.failure("answered with a token that has expired already")
      }
      state.withLock { state in
        let renewal = answer.expires.map { expires in
          max(
            expires.addingTimeInterval(-Self.margin), started.addingTimeInterval(expires.timeIntervalSince(started) / 2)
          )
        }
        state = State(held: Held(token: answer.token, renewal: renewal))
      }
      return answer.token
    } catch {
      state.withLock { state in
        state.isRunning = false
        // Who was cancelled has learnt nothing: the next one tries.
        if let error = error as? CredentialsError { state.failure = (error, uptime + Self.failureLifetime) }
      }
      throw error
    }
  }

  public var description: String { "\(plugin)" }
  public var customMirror: Mirror { Mirror(self, children: ["plugin": plugin]) }
}
