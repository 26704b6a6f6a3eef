import Foundation
import Testing

@testable import HTTPTransport

/// Each bound in time, against a server that breaks it.
@Suite(.timeLimit(.minutes(1))) struct DeadlineTests {
  @Test("a server that never answers is left at the deadline, and not much later")
  func neverAnswers() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.waitForClientToGo()
    }
    try await withTransport { transport async throws in
      let start = ContinuousClock.now
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, server.url, timeout: .milliseconds(150)))
      }
      let elapsed = ContinuousClock.now - start
      #expect(error.kind == "timedOut")
      #expect(error.description.contains("150 ms passed before the head of the answer"))
      #expect(elapsed >= .milliseconds(150) && elapsed < .seconds(2))
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("a request whose time was over before it got to the wire is never sent")
  func late() async throws {
    let server = try RawServer.answering { _ in "ok" }
    try await withTransport { transport async throws in
      // As after a stop of the process between making the request and sending it.
      var request = HTTPRequest(.put, server.url, timeout: .seconds(3), lane: .write)
      request.begun = .now - .seconds(4)
      let late = request
      let error = try await failure { try await transport.send(late) }
      #expect(error.kind == "timedOut")
      #expect(server.counts.value.accepted == 0)
      request.begun = .now - .seconds(1)
      #expect(try await transport.send(request).text == "ok")
    }
  }

  @Test("the deadline also covers the body")
  func endlessBody() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\n")
      while connection.write("x") { usleep(5000) }
    }
    try await withTransport { transport async throws in
      let error = try await failure {
        try await transport.send(
          HTTPRequest(.get, server.url, timeout: .milliseconds(150), stallTimeout: .seconds(10)))
      }
      #expect(error.kind == "timedOut")
      #expect(error.description.contains("in the body of the answer"))
    }
  }

  @Test("a server that accepts and never shakes hands is left at the connect timeout")
  func noHandshake() async throws {
    let server = try RawServer { $0.waitForClientToGo() }
    try await withTransport(TransportConfiguration(proxy: .none, connectTimeout: .milliseconds(150))) {
      transport async throws in
      let url = "https://127.0.0.1:\(server.port)/"
      let error = try await failure { try await transport.send(HTTPRequest(.get, url)) }
      #expect(error.kind == "notConnected")
      #expect(error.description.contains("no connection within 150 ms"))
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("a host that drops the first packet is left at the connect timeout")
  func noAnswerToConnect() async throws {
    // Linux drops what comes to a listener whose queue is full.
    let (listener, port) = try Sockets.listen(backlog: 0)
    let fillers = (0..<8).map { _ in Sockets.begin(to: port) }
    defer { for socket in fillers + [listener] { close(socket) } }
    try await withTransport(TransportConfiguration(proxy: .none, connectTimeout: .milliseconds(150))) {
      transport async throws in
      let error = try await failure { try await transport.send(HTTPRequest(.get, "http://127.0.0.1:\(port)/")) }
      #expect(error.kind == "notConnected")
    }
  }

  @Test("waiting for a free connection does not use up the time to connect")
  func waitingIsNotConnecting() async throws {
    let server = try RawServer { connection in
      while connection.readRequest() != nil {
        usleep(400_000)
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        return
      }
    }
    let one = TransportConfiguration.Connections(perHost: 1, total: 1)
    let configuration = TransportConfiguration(
      proxy: .none, connectTimeout: .milliseconds(200), readConnections: one)
    let start = ContinuousClock.now
    try await withTransport(configuration) { transport async throws in
      async let first = transport.send(HTTPRequest(.get, server.url))
      async let second = transport.send(HTTPRequest(.get, server.url))
      #expect(try await first.text == "ok")
      #expect(try await second.text == "ok")
    }
    #expect(server.counts.value.accepted == 2)
    #expect(ContinuousClock.now - start >= .milliseconds(800))
  }

  @Test("a watch that falls silent is stalled")
  func stalls() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\nfirst")
      connection.waitForClientToGo()
    }
    try await withTransport { transport async throws in
      let stream = try await transport.stream(
        HTTPRequest(.get, server.url, timeout: nil, stallTimeout: .milliseconds(150), lane: .watch))
      var body = stream.body.makeAsyncIterator()
      #expect(try await body.next() == Data("first".utf8))
      let error = try await failure { try await body.next() }
      #expect(error.kind == "stalled")
      #expect(error.description.contains("no byte for 150 ms"))
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("a slow body lives as long as bytes keep coming")
  func slowBody() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
      for _ in 0..<8 {
        usleep(60_000)
        connection.write("x")
      }
    }
    try await withTransport { transport async throws in
      let response = try await transport.send(
        HTTPRequest(.get, server.url, timeout: nil, stallTimeout: .milliseconds(300)))
      #expect(response.text == "xxxxxxxx")
    }
  }
}
