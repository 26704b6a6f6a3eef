import Foundation
import HTTPTransport
import Synchronization

/// Gives one answer to every request and keeps the requests.
final class ScriptedTransport: Transport {
  private let answer: Result<HTTPResponse, TransportError>
  private let seen = Mutex<[HTTPRequest]>([])

  var requests: [HTTPRequest] { seen.withLock { $0 } }

  init(_ answer: Result<HTTPResponse, TransportError>) {
    self.answer = answer
  }

  convenience init(status: Int = 200, _ body: String) {
    self.init(.success(HTTPResponse(status: status, body: Data(body.utf8))))
  }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    seen.withLock { $0.append(request) }
    return try answer.get()
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    throw TransportError.invalidRequest("queries are not streamed")
  }
}
