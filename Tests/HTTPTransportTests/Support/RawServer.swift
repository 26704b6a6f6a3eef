import Foundation
import Glibc
import Synchronization

@testable import HTTPTransport

/// A server that is nothing but a socket: each connection gets a thread that does what the test says, so that a test
/// can misbehave as real servers do.
final class RawServer: Sendable {
  struct Counts: Sendable {
    var accepted = 0
    var open = 0
    var mostOpen = 0
    /// The heads of the requests that were read.
    var requests: [String] = []
    /// Connections whose client went away while the server waited for that.
    var goneClients = 0
    var bytesWritten = 0
  }

  let port: Int
  let counts = Watched(Counts())
  private let listener: Int32

  var url: String { "http://127.0.0.1:\(port)" }

  init(_ serve: @escaping @Sendable (Connection) -> Void) throws {
    let (listener, port) = try Sockets.listen(backlog: 1024)
    self.listener = listener
    self.port = port
    let counts = self.counts
    Thread.detachNewThread {
      while true {
        let socket = accept(listener, nil, nil)
        guard socket >= 0 else {
          // Only here: closed by another thread, the number could be somebody else's at the next accept.
          close(listener)
          return
        }
        counts.change {
          $0.accepted += 1
          $0.open += 1
          $0.mostOpen = max($0.mostOpen, $0.open)
        }
        Thread.detachNewThread {
          serve(Connection(socket: socket, counts: counts))
          close(socket)
          counts.change { $0.open -= 1 }
        }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
  }

  /// Answers every request with `200` and what `answer` says, keeping the connection.
  static func answering(_ answer: @escaping @Sendable (Request) -> String) throws -> RawServer {
    try RawServer { connection in
      while let request = connection.readRequest() {
        let body = answer(request)
        guard connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)") else { return }
      }
    }
  }

  struct Request: Sendable {
    var head: String
    var body: Data
    var line: String { head.components(separatedBy: "\r\n")[0] }

    func header(_ name: String) -> String? {
      let start = name.lowercased() + ":"
      return head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix(start) }
        .map { $0.dropFirst(start.count).trimmingCharacters(in: .whitespaces) }
    }
  }

  struct Connection: Sendable {
    let socket: Int32
    let counts: Watched<Counts>

    /// The next request, `nil` when the client is gone.
    func readRequest() -> Request? {
      var bytes = Data()
      let end = Data("\r\n\r\n".utf8)
      while bytes.range(of: end) == nil {
        guard let more = read(limit: 1) else { return nil }
        bytes += more
      }
      let head = String(decoding: bytes.dropLast(4), as: UTF8.self)
      var request = Request(head: head, body: Data())
      let length = Int(request.header("Content-Length") ?? "0") ?? 0
      while request.body.count < length {
        guard let more = read(limit: length - request.body.count) else { return nil }
        request.body += more
      }
      counts.change { $0.requests.append(head) }
      return request
    }

    func read(limit: Int) -> Data? {
      var buffer = [UInt8](repeating: 0, count: limit)
      let count = recv(socket, &buffer, limit, 0)
      return count > 0 ? Data(buffer[..<count]) : nil
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Data(text.utf8)) }

    @discardableResult
    func write(_ data: Data) -> Bool {
      var rest = data[...]
      while !rest.isEmpty {
        let sent = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent > 0 else { return false }
        counts.change { $0.bytesWritten += sent }
        rest = rest.dropFirst(sent)
      }
      return true
    }

    func finishWriting() { shutdown(socket, Int32(SHUT_WR)) }

    /// From here on the machine of this end is gone: its kernel drops what arrives, so that nothing is acknowledged
    /// and no FIN or RST is ever answered.
    func vanish() {
      // One instruction of classic BPF, "return 0": keep no byte of any packet.
      var instruction: (code: UInt16, jumps: UInt16, value: UInt32) = (0x06, 0, 0)
      withUnsafeMutablePointer(to: &instruction) { pointer in
        var program: (length: UInt, code: UnsafeMutableRawPointer) = (1, UnsafeMutableRawPointer(pointer))
        let attached = setsockopt(
          socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, socklen_t(MemoryLayout.size(ofValue: program)))
        precondition(attached == 0, "no filter for the socket: \(String(cString: strerror(errno)))")
      }
    }

    /// Blocks until the client has closed, and counts it.
    func waitForClientToGo() {
      while read(limit: 1024) != nil {}
      counts.change { $0.goneClients += 1 }
    }
  }
}

enum Sockets {
  struct Failure: Error { var text: String }

  /// Listens on a free port of the loopback.
  static func listen(backlog: Int32) throws -> (socket: Int32, port: Int) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
    }
    guard listener >= 0, bound == 0, Glibc.listen(listener, backlog) == 0 else {
      throw Failure(text: "no listening socket: \(String(cString: strerror(errno)))")
    }
    var length = size
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
    }
    return (listener, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// This process's own sockets that are connected to that port.
  static func connected(to port: Int) -> [Int32] {
    (0..<4096).filter { descriptor in
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let found = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
      }
      return found == 0 && address.sin_family == sa_family_t(AF_INET)
        && Int(UInt16(bigEndian: address.sin_port)) == port
    }
  }

  static func option(_ name: Int32, at level: Int32, of socket: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(socket, level, name, &value, &length) == 0 ? value : nil
  }

  /// A port that was free a moment ago.
  static func freePort() throws -> Int {
    let (socket, port) = try listen(backlog: 1)
    close(socket)
    return port
  }

  /// A connected socket, `nil` if nobody listens.
  static func connect(to port: Int) -> Int32? {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if start(client, to: port) { return client }
    close(client)
    return nil
  }

  /// A socket that begins to connect without waiting; the caller closes it, whatever comes of that.
  static func begin(to port: Int) -> Int32 {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    _ = start(client, to: port)
    return client
  }

  private static func start(_ client: Int32, to port: Int) -> Bool {
    var address = loopback(port)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
