import Foundation
import Glibc
import KubernetesAPI
import Synchronization

/// An HTTP server that accepts whatever is posted, and keeps it.
final class WebhookReceiver: Sendable {
  struct Request: Sendable {
    var line: String
    var body: JSON?
    var text: String { body?["text"]?.string ?? "" }
  }

  let port: Int
  private let listener: Int32
  private let kept = Mutex<[Request]>([])

  var requests: [Request] { kept.withLock { $0 } }

  init() throws {
    (listener, port) = try Machine.listen()
    let listener = listener
    // Threads of its own: the calls below block.
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else {
          // Only here: closed by another thread, the number could be somebody else's at the next accept.
          close(listener)
          return
        }
        Thread.detachNewThread { [weak self] in
          while let request = Self.read(connection) {
            self?.kept.withLock { $0.append(request) }
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
            guard send(connection, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { break }
          }
          close(connection)
        }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
  }

  /// The next request of a connection; `nil` when the client has gone.
  private static func read(_ connection: Int32) -> Request? {
    var data = Data()
    let gap = Data("\r\n\r\n".utf8)
    while true {
      if let end = data.range(of: gap) {
        let head = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let length = head.first { $0.lowercased().hasPrefix("content-length:") }
          .flatMap { Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) }
        let body = data[end.upperBound...]
        if body.count >= length ?? 0 { return Request(line: head[0], body: try? JSON(parsing: Data(body))) }
      }
      var buffer = [UInt8](repeating: 0, count: 65536)
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      data += buffer[..<count]
    }
  }
}
