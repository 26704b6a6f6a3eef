import Foundation
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(1))) struct StreamTests {
  /// Sends a head and one piece, then waits for the client to go away.
  private func quietServer() throws -> RawServer {
    try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\nX-Kind: watch\r\n\r\nevent")
      connection.waitForClientToGo()
    }
  }

  private func watch(_ server: RawServer) -> HTTPRequest {
    HTTPRequest(.get, server.url, timeout: nil, lane: .watch)
  }

  @Test("a stream gives the head first and the pieces as they come")
  func pieces() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      let stream = try await transport.stream(watch(server))
      #expect(stream.status == 200)
      #expect(stream.headers.map(\.name) == ["X-Kind"])
      var body = stream.body.makeAsyncIterator()
      #expect(try await body.next() == Data("event".utf8))
    }
  }

  @Test("cancelling the task that reads a watch closes it at the server")
  func cancelled() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      let stream = try await transport.stream(watch(server))
      let reading = Watched(false)
      await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for try await _ in stream.body { reading.change { $0 = true } }
        }
        await reading.wait { $0 }
        group.cancelAll()
        await #expect(throws: CancellationError.self) { try await group.next() }
      }
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("dropping a stream closes it at the server")
  func droppedStream() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      _ = try await transport.stream(watch(server)).status
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("leaving the loop over a body closes it at the server")
  func leftLoop() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      for try await piece in try await transport.stream(watch(server)).body {
        #expect(piece == Data("event".utf8))
        break
      }
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("cancelling a request that waits for its answer closes it at the server")
  func cancelledSend() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.waitForClientToGo()
    }
    try await withTransport { transport async throws in
      await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { _ = try await transport.send(HTTPRequest(.get, server.url)) }
        await server.counts.wait { $0.requests.count == 1 }
        group.cancelAll()
        await #expect(throws: CancellationError.self) { try await group.next() }
      }
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("a task that is cancelled already sends nothing")
  func cancelledBefore() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      await withTaskGroup(of: Void.self) { group in
        group.cancelAll()
        group.addTask {
          await #expect(throws: CancellationError.self) { try await transport.send(HTTPRequest(.get, server.url)) }
        }
      }
    }
    #expect(server.counts.value.accepted == 0)
  }

  @Test("a reader that does not read stops the server, and reading on gets every byte")
  func backpressure() async throws {
    let size = 48 << 20
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
      for _ in 0..<size >> 16 where !connection.write(Data(repeating: 1, count: 65536)) { return }
    }
    try await withTransport { transport async throws in
      let stream = try await transport.stream(
        HTTPRequest(.get, server.url, timeout: nil, stallTimeout: .milliseconds(200), maxResponseBytes: 1 << 20))
      // Until the socket's buffers are full; the stall bound, passed on the way, does not count a slow reader.
      var before = -1
      while server.counts.value.bytesWritten != before {
        before = server.counts.value.bytesWritten
        try await Task.sleep(for: .milliseconds(150))
      }
      #expect(before < 16 << 20)
      var total = 0
      for try await piece in stream.body {
        #expect(piece.count <= 1 << 20)
        total += piece.count
      }
      #expect(total == size)
    }
  }

  @Test("many streams at once over HTTP/1.1 get a connection each")
  func manyWatches() async throws {
    let server = try quietServer()
    try await withTransport { transport async throws in
      var streams: [HTTPStream] = []
      for _ in 0..<20 { streams.append(try await transport.stream(watch(server))) }
      #expect(server.counts.value.open == 20)
      streams = []
      await server.counts.wait { $0.goneClients == 20 }
    }
  }
}
