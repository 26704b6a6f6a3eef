import Foundation
import HTTPTransport
import Logging
import RolloutAPI
import Synchronization

@testable import Notifications

/// Receivers of webhooks that answer as scripted, by URL.
final class ScriptedReceivers: Transport {
  enum Answer: Sendable {
    case status(Int, headers: [(name: String, value: String)] = [], body: String = "")
    case error(TransportError)
    /// Never answers; ends when it is cancelled.
    case hang
  }

  struct Seen: Sendable {
    var url: String
    var body: String
    var request: HTTPRequest
  }

  private struct State {
    var script: [String: [Answer]]
    var seen: [Seen] = []
    var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state: Mutex<State>

  /// - Parameter script: the answers of each URL in order; afterwards it answers 200.
  init(_ script: [String: [Answer]] = [:]) {
    state = Mutex(State(script: script))
  }

  var seen: [Seen] { state.withLock { $0.seen } }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let (answer, ready) = state.withLock { state in
      state.seen.append(
        Seen(url: request.url, body: String(decoding: request.body ?? Data(), as: UTF8.self), request: request))
      let count = state.seen.count
      let ready = state.watchers.filter { $0.count <= count }.map(\.continuation)
      state.watchers.removeAll { $0.count <= count }
      guard var answers = state.script[request.url], !answers.isEmpty else { return (Answer.status(200), ready) }
      let answer = answers.removeFirst()
      state.script[request.url] = answers
      return (answer, ready)
    }
    for continuation in ready { continuation.resume() }
    switch answer {
    case .status(let status, let headers, let body):
      return HTTPResponse(status: status, headers: headers, body: Data(body.utf8))
    case .error(let error): throw error
    case .hang:
      try await Task.sleep(for: .seconds(3600))
      throw CancellationError()
    }
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    throw TransportError.invalidRequest("webhooks are not streamed")
  }

  func waitForRequests(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.seen.count >= count { return true }
        state.watchers.append((count, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }
}

/// Keeps what is logged.
struct LogRecorder: LogHandler {
  final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  let lines: Lines
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lines.add("\(event.level) \(event.message) \(event.metadata.map { "\($0)" } ?? "")")
  }
}

func message(_ event: NotificationEvent = .step, _ summary: String = "news") -> NotificationMessage {
  NotificationMessage(
    event, namespace: "shop", rollout: "checkout", run: "checkout-6d5f", revision: "6d5f", summary: summary,
    time: Date(timeIntervalSince1970: 1_700_000_000))
}

func channel(_ name: String) -> ChannelID { ChannelID(namespace: "shop", name: name) }
