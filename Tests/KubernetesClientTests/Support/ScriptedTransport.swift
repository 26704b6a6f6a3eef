import Foundation
import HTTPTransport
import KubernetesAPI
import Synchronization

/// Answers requests from a function of the request, and keeps what was sent.
final class ScriptedTransport: Transport {
  enum Answer: Sendable {
    case response(HTTPResponse)
    case stream(HTTPStream)
    case failure(any Error)

    static func json(_ json: JSON, status: Int = 200, headers: [(name: String, value: String)] = []) -> Answer {
      .response(HTTPResponse(status: status, headers: headers, body: json.data))
    }

    static func status(
      _ code: Int, _ reason: String, _ message: String = "no", headers: [(name: String, value: String)] = [],
      retryAfter: Int? = nil
    ) -> Answer {
      var json: JSON = [
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": .string(message),
        "reason": .string(reason), "code": JSON(code),
      ]
      if let retryAfter { json["details"] = ["retryAfterSeconds": JSON(retryAfter)] }
      return .json(json, status: code, headers: headers)
    }

    /// The lines of a watch, which then ends, fails, or stays open until it is cancelled.
    static func watch(_ lines: [JSON], then end: WatchEnd = .ends) -> Answer {
      let left = Mutex(lines)
      return .stream(
        HTTPStream(
          status: 200, headers: [],
          body: .init {
            if let line = left.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
              return line.data + Data("\n".utf8)
            }
            switch end {
            case .ends: return nil
            case .fails(let error): throw error
            case .staysOpen:
              try await Task.sleep(for: .seconds(3600))
              return nil
            }
          }))
    }
  }

  enum WatchEnd: Sendable {
    case ends
    case fails(TransportError)
    case staysOpen
  }

  private let answer: @Sendable (HTTPRequest, Int) async throws -> Answer
  private let sent = Mutex<[HTTPRequest]>([])

  /// - Parameter answer: is given the request and how many came before it.
  init(_ answer: @escaping @Sendable (HTTPRequest, Int) async throws -> Answer) { self.answer = answer }

  /// Gives the answers in their order; a request beyond them is a failure.
  convenience init(_ answers: [Answer]) {
    self.init { request, index in
      guard index < answers.count else { throw TransportError.invalidRequest("not in the script: \(request.url)") }
      return answers[index]
    }
  }

  var requests: [HTTPRequest] { sent.withLock { $0 } }

  private func next(_ request: HTTPRequest) async throws -> Answer {
    let index = sent.withLock { sent in
      sent.append(request)
      return sent.count - 1
    }
    let answer = try await answer(request, index)
    if case .failure(let error) = answer { throw error }
    return answer
  }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard case .response(let response) = try await next(request) else {
      throw TransportError.invalidRequest("the script has a stream for \(request.url)")
    }
    return response
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    switch try await next(request) {
    case .stream(let stream): return stream
    case .response(let response):
      let body = Mutex<Data?>(response.body)
      return HTTPStream(
        status: response.status, headers: response.headers,
        body: .init {
          body.withLock { left in
            defer { left = nil }
            return left
          }
        })
    case .failure(let error): throw error
    }
  }
}

extension HTTPRequest {
  /// Method, path and query.
  var line: String { "\(method.rawValue) \(url.replacing("https://api", with: ""))" }
  var json: JSON? { body.flatMap { try? JSON(parsing: $0) } }
  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
