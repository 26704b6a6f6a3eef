import Foundation
import HTTPTransport
import Synchronization

@testable import Sandbox

/// A time that stands still until it is moved.
final class VirtualTime: Sendable {
  private let date = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

  var now: Date { date.withLock { $0 } }

  func advance(to later: Date) { date.withLock { $0 = max($0, later) } }
}

struct VirtualClock: Clock {
  struct Instant: InstantProtocol {
    var offset: Duration
    func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    func duration(to other: Instant) -> Duration { other.offset - offset }
    static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  let time: VirtualTime
  var now: Instant { Instant(offset: .seconds(time.now.timeIntervalSince1970)) }
  var minimumResolution: Duration { .zero }

  /// Nobody who is tested here may wait.
  func sleep(until deadline: Instant, tolerance: Duration?) async throws { throw CancellationError() }
}

/// Takes requests to a sandbox in process, at once, unless the test lets them hang.
final class SandboxTransport: Transport {
  private struct State {
    var hangs: @Sendable (HTTPRequest) -> Bool = { _ in false }
    var before: (isAwaited: @Sendable (HTTPRequest) -> Bool, body: @Sendable () -> Void)?
    var writes: [String] = []
    var requests = 0
  }

  private let server: APIServer
  private let state = Mutex(State())
  private let onWrite: @Sendable (String) -> Void

  /// - Parameter onWrite: called after each write that succeeded.
  init(_ server: APIServer, onWrite: @escaping @Sendable (String) -> Void = { _ in }) {
    self.server = server
    self.onWrite = onWrite
  }

  /// As `PUT /apis/…`, without dry runs, in their order.
  var writes: [String] { state.withLock { $0.writes } }
  var requests: Int { state.withLock { $0.requests } }

  func hang(where isAffected: @escaping @Sendable (HTTPRequest) -> Bool) { state.withLock { $0.hangs = isAffected } }

  /// Does something once, just before the next request of a kind reaches the server.
  func beforeNext(
    where isAwaited: @escaping @Sendable (HTTPRequest) -> Bool, _ body: @escaping @Sendable () -> Void
  ) {
    state.withLock { $0.before = (isAwaited, body) }
  }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let before = state.withLock { state -> (@Sendable () -> Void)? in
      guard let before = state.before, before.isAwaited(request) else { return nil }
      state.before = nil
      return before.body
    }
    before?()
    let hangs = state.withLock { state in
      state.requests += 1
      return state.hangs(request)
    }
    while hangs { try await Task.sleep(for: .seconds(3600)) }
    guard let url = URLComponents(string: request.url) else { throw TransportError.invalidRequest(request.url) }
    let query = (url.queryItems ?? []).map { (name: $0.name, value: $0.value ?? "") }
    let answer = server.handle(
      ServerRequest(
        request.method.rawValue, url.percentEncodedPath, query: query, headers: request.headers,
        body: request.body.map(Array.init) ?? []))
    guard case .bytes(let bytes) = answer.body else { throw TransportError.invalidRequest("a watch was not expected") }
    if request.method != .get, answer.status < 300, !query.contains(where: { $0.name == "dryRun" }) {
      let write = "\(request.method.rawValue) \(url.percentEncodedPath)"
      state.withLock { $0.writes.append(write) }
      onWrite(write)
    }
    return HTTPResponse(status: answer.status, headers: answer.headers, body: Data(bytes))
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    throw TransportError.invalidRequest("a watch was not expected")
  }
}
