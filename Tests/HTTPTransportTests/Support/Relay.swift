import Foundation

/// Passes bytes between a client's socket and a server's, and counts those towards the client.
enum Relay {
  static func run(_ client: RawServer.Connection, port: Int) {
    guard let server = Sockets.connect(to: port) else { return }
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      copy(from: client.socket, to: server) { _ in }
      isDone.signal()
    }
    copy(from: server, to: client.socket) { count in client.counts.change { $0.bytesWritten += count } }
    // Neither socket may be closed, and its number used again, while the other thread still has it.
    isDone.wait()
    close(server)
  }

  private static func copy(from source: Int32, to sink: Int32, count: (Int) -> Void) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let got = recv(source, &buffer, buffer.count, 0)
      guard got > 0 else { break }
      var sent = 0
      while sent < got {
        let now = buffer.withUnsafeBytes {
          send(sink, $0.baseAddress?.advanced(by: sent), got - sent, Int32(MSG_NOSIGNAL))
        }
        guard now > 0 else { break }
        sent += now
        count(now)
      }
      if sent < got { break }
    }
    shutdown(source, Int32(SHUT_RDWR))
    shutdown(sink, Int32(SHUT_RDWR))
  }

  /// A proxy that tunnels `CONNECT` and forwards plain requests by answering them itself, naming the URL asked for.
  static func proxy() throws -> RawServer {
    try RawServer { connection in
      while let request = connection.readRequest() {
        let words = request.line.split(separator: " ").map(String.init)
        if words[0] == "CONNECT" {
          guard let port = words[1].split(separator: ":").last.flatMap({ Int($0) }) else { return }
          connection.write("HTTP/1.1 200 Connection established\r\n\r\n")
          return run(connection, port: port)
        }
        let body = "by proxy: \(words[1])"
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
    }
  }
}
