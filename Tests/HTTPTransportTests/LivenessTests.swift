import Foundation
import Glibc
import Testing

@testable import HTTPTransport

/// A peer that is gone without a word. Its kernel drops every packet, so that the client's kernel has to find out.
@Suite(.timeLimit(.minutes(1))) struct LivenessTests {
  private static let hasty = TransportConfiguration(
    proxy: .none,
    liveness: .init(idle: .seconds(1), interval: .seconds(1), unacknowledged: .milliseconds(1200)))

  @Test("each socket probes a silent peer and gives up an unacknowledged one as configured, by default within 45 s")
  func options() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\nevent")
      connection.waitForClientToGo()
    }
    try await withTransport { transport async throws in
      let stream = try await transport.stream(HTTPRequest(.get, server.url, timeout: nil, lane: .watch))
      let socket = try #require(Sockets.connected(to: server.port).first)
      let tcp = Int32(IPPROTO_TCP)
      let isProbing = try #require(Sockets.option(SO_KEEPALIVE, at: SOL_SOCKET, of: socket))
      let idle = try #require(Sockets.option(TCP_KEEPIDLE, at: tcp, of: socket))
      let interval = try #require(Sockets.option(TCP_KEEPINTVL, at: tcp, of: socket))
      let patience = try #require(Sockets.option(TCP_USER_TIMEOUT, at: tcp, of: socket))
      #expect(isProbing == 1)
      #expect((idle, interval, patience) == (15, 5, 20_000))
      // Unacknowledged bytes wait for the user timeout alone, silence for probes as well.
      #expect(patience / 1000 + max(idle, interval) <= 45)
      withExtendedLifetime(stream) {}
    }
  }

  @Test("a watch whose server vanished without a FIN is found dead by the probes")
  func silentWatch() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\nevent")
      connection.vanish()
      connection.waitForClientToGo()
    }
    try await withTransport(Self.hasty) { transport async throws in
      let stream = try await transport.stream(HTTPRequest(.get, server.url, timeout: nil, lane: .watch))
      var body = stream.body.makeAsyncIterator()
      #expect(try await body.next() == Data("event".utf8))
      let start = ContinuousClock.now
      #expect(try await failure { try await body.next() }.kind == "connectionLost")
      #expect(ContinuousClock.now - start < .seconds(10))
    }
  }

  @Test("a watch on which nothing happens outlives the same bounds while its server lives")
  func quietWatch() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\nevent")
      usleep(2_600_000)
      connection.write("late")
      connection.waitForClientToGo()
    }
    try await withTransport(Self.hasty) { transport async throws in
      let stream = try await transport.stream(HTTPRequest(.get, server.url, timeout: nil, lane: .watch))
      var body = stream.body.makeAsyncIterator()
      #expect(try await body.next() == Data("event".utf8))
      #expect(try await body.next() == Data("late".utf8))
    }
  }

  @Test("a request on a kept connection to a vanished server fails, and the retry reaches the server on a fresh one")
  func keptConnection() async throws {
    // The connection of each request. Not what was accepted: libcurl opens a connection for a replay that it may not
    // do, and on a busy machine the server sees that one late.
    let used = Watched([UUID]())
    let server = try RawServer { connection in
      let vanishes = used.value.isEmpty
      let id = UUID()
      while connection.readRequest() != nil {
        used.change { $0.append(id) }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if vanishes {
          connection.vanish()
          connection.waitForClientToGo()
        }
      }
    }
    try await withTransport(Self.hasty) { transport async throws in
      _ = try await transport.send(HTTPRequest(.post, server.url, lane: .write))
      let error = try await failure {
        try await transport.send(HTTPRequest(.post, server.url, timeout: .seconds(10), lane: .write))
      }
      #expect(error.kind == "connectionLost")
      #expect(used.value.count == 1)
      _ = try await transport.send(HTTPRequest(.post, server.url, lane: .write, freshConnection: true))
      _ = try await transport.send(HTTPRequest(.post, server.url, lane: .write))
      try #require(used.value.count == 3)
      #expect(used.value[1] != used.value[0])
      #expect(used.value[2] == used.value[1])
    }
  }

  @Test("after a timeout neither the retry nor what follows it uses the connection that fell silent")
  func hangingServer() async throws {
    let isFirst = Watched(true)
    let server = try RawServer { connection in
      let hangs = isFirst.value
      isFirst.change { $0 = false }
      while connection.readRequest() != nil {
        if hangs { return connection.waitForClientToGo() }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    try await withTransport { transport async throws in
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, server.url, timeout: .milliseconds(150)))
      }
      #expect(error.kind == "timedOut")
      _ = try await transport.send(HTTPRequest(.get, server.url, freshConnection: true))
      _ = try await transport.send(HTTPRequest(.get, server.url))
      #expect(server.counts.value.accepted == 2)
      await server.counts.wait { $0.goneClients == 1 }
    }
  }
}
