import Foundation
import Glibc
import Synchronization

/// A way to the API server for one client alone: what it asks is noted, and it can be shut, as when the server restarts.
final class Gate: Sendable {
  private struct State {
    var requests: [String] = []
    var isOpen = true
    var sockets: Set<Int32> = []
  }

  let port: Int
  private let listener: Int32
  private let server: Int
  private let state = Mutex(State())

  /// The request lines so far, in order.
  var requests: [String] { state.withLock { $0.requests } }

  init(to server: Int) throws {
    (listener, port) = try Machine.listen()
    self.server = server
    let listener = listener
    Thread.detachNewThread { [weak self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0, let self else {
          if client >= 0 { close(client) }
          close(listener)
          return
        }
        self.serve(client)
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Cuts what is connected, and whoever connects next at once.
  func shut() {
    state.withLock { state in
      state.isOpen = false
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  func open() { state.withLock { $0.isOpen = true } }

  private func serve(_ client: Int32) {
    guard state.withLock({ $0.isOpen }), let server = Machine.connect(to: server) else {
      close(client)
      return
    }
    state.withLock { $0.sockets.formUnion([client, server]) }
    let halves = DispatchGroup()
    for (from, to, isRequest) in [(client, server, true), (server, client, false)] {
      halves.enter()
      Thread.detachNewThread {
        self.copy(from, to, isRequest)
        halves.leave()
      }
    }
    Thread.detachNewThread {
      halves.wait()
      // Forgotten and closed in one: a number that is closed may be another's the next moment.
      self.state.withLock { $0.sockets.subtract([client, server]) }
      close(client)
      close(server)
    }
  }

  private func copy(_ source: Int32, _ sink: Int32, _ isRequest: Bool) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(source, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      if isRequest { note(buffer[..<count]) }
      guard send(sink, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
    }
    shutdown(source, Int32(SHUT_RDWR))
    shutdown(sink, Int32(SHUT_RDWR))
  }

  private func note(_ bytes: ArraySlice<UInt8>) {
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
      .filter { $0.hasSuffix(" HTTP/1.1") }
    state.withLock { $0.requests += lines }
  }
}
