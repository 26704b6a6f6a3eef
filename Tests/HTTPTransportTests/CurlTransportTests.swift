import Foundation
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(1))) struct CurlTransportTests {
  @Test("every method sends its body and headers as given", arguments: ["GET", "POST", "PUT", "PATCH", "DELETE"])
  func methods(name: String) async throws {
    let server = try RawServer.answering { request in
      let type = request.header("Content-Type") ?? "none"
      return
        "\(request.line)|\(type)|\(request.header("X-Blank") ?? "absent")|\(String(decoding: request.body, as: UTF8.self))"
    }
    try await withTransport { transport async throws in
      let method = try #require(HTTPRequest.Method(rawValue: name))
      let body = name == "GET" ? nil : Data("{\"a\":1}".utf8)
      let response = try await transport.send(
        HTTPRequest(
          method, server.url + "/x?y=%20z", headers: [("Content-Type", "application/json"), ("X-Blank", "")], body: body
        ))
      #expect(response.status == 200)
      #expect(response.text == "\(name) /x?y=%20z HTTP/1.1|application/json||\(body == nil ? "" : "{\"a\":1}")")
    }
  }

  @Test("a body of several megabytes arrives whole, and without a wait for 100 Continue")
  func largeUpload() async throws {
    let server = try RawServer.answering { "\($0.body.count) \($0.header("Expect") ?? "at once")" }
    try await withTransport { transport async throws in
      let response = try await transport.send(
        HTTPRequest(.put, server.url, body: Data(repeating: 7, count: 3 << 20), lane: .write))
      #expect(response.text == "\(3 << 20) at once")
    }
  }

  @Test("a body without a content type is not called a form, and an empty POST says that it is empty")
  func noContentType() async throws {
    let server = try RawServer.answering {
      "\($0.header("Content-Type") ?? "none") \($0.header("Content-Length") ?? "none")"
    }
    try await withTransport { transport async throws in
      #expect(try await transport.send(HTTPRequest(.post, server.url, body: Data("x".utf8))).text == "none 1")
      #expect(try await transport.send(HTTPRequest(.post, server.url)).text == "none 0")
    }
  }

  @Test("any status is an answer, its headers come in order, and a redirect is not followed")
  func statuses() async throws {
    let server = try RawServer { connection in
      while connection.readRequest() != nil {
        connection.write(
          "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nWarning: one\r\nWarning: two\r\nContent-Length: 0\r\n\r\n")
      }
    }
    try await withTransport { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, server.url))
      #expect(response.status == 302)
      #expect(
        response.headers.map { "\($0.name): \($0.value)" } == [
          "Location: /elsewhere", "Warning: one", "Warning: two", "Content-Length: 0",
        ])
      #expect(response.header("LOCATION") == "/elsewhere")
    }
    #expect(server.counts.value.requests.count == 1)
  }

  @Test("an answer that is too large fails at the bound and closes the connection")
  func tooLarge() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\n\r\n")
      while connection.write(Data(count: 65536)) {}
      connection.counts.change { $0.goneClients += 1 }
    }
    try await withTransport { transport async throws in
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, server.url, maxResponseBytes: 1 << 20))
      }
      #expect(error == .responseTooLarge(limit: 1 << 20))
      await server.counts.wait { $0.goneClients == 1 }
    }
  }

  @Test("a refused connection says that nothing was sent")
  func refused() async throws {
    let port = try Sockets.freePort()
    try await withTransport { transport async throws in
      let error = try await failure { try await transport.send(HTTPRequest(.get, "http://127.0.0.1:\(port)/secret")) }
      #expect(error.kind == "notConnected")
      #expect(error.description.contains("GET http://127.0.0.1:\(port)"))
      #expect(!error.description.contains("secret"))
    }
  }

  @Test("a connection that is cut in the body, or half closed, is a lost connection")
  func cutShort() async throws {
    let server = try RawServer { connection in
      guard let request = connection.readRequest() else { return }
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
      guard request.line.contains("/half") else { return }
      connection.finishWriting()
      connection.waitForClientToGo()
    }
    try await withTransport { transport async throws in
      for path in ["/cut", "/half"] {
        #expect(
          try await failure { try await transport.send(HTTPRequest(.get, server.url + path)) }.kind == "connectionLost")
      }
      await server.counts.wait { $0.goneClients == 1 && $0.open == 0 }

      let stream = try await transport.stream(HTTPRequest(.get, server.url + "/half", lane: .watch))
      var body = stream.body.makeAsyncIterator()
      #expect(try await body.next() == Data("only this".utf8))
      #expect(try await failure { try await body.next() }.kind == "connectionLost")
    }
  }

  @Test("garbage instead of HTTP is a lost connection")
  func garbage() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("SSH-2.0-OpenSSH_9.2\r\n\r\n")
    }
    try await withTransport { transport async throws in
      #expect(try await failure { try await transport.send(HTTPRequest(.get, server.url)) }.kind == "connectionLost")
    }
  }

  @Test("connections are kept, and a kept one that the server has closed is replaced unseen")
  func keepAlive() async throws {
    let server = try RawServer { connection in
      for _ in 0..<2 where connection.readRequest() != nil {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    try await withTransport { transport async throws in
      for _ in 0..<2 { _ = try await transport.send(HTTPRequest(.get, server.url)) }
      #expect(server.counts.value.accepted == 1)
      await server.counts.wait { $0.open == 0 }
      #expect(try await transport.send(HTTPRequest(.get, server.url)).text == "ok")
      #expect(server.counts.value.accepted == 2)
    }
  }

  @Test(
    "a read is replayed when a kept connection breaks under it, a write never is, with a body or without",
    arguments: [true, false], [HTTPRequest.Method.post, .delete])
  func replay(isWrite: Bool, method: HTTPRequest.Method) async throws {
    let server = try RawServer { connection in
      let isFirst = connection.counts.value.accepted == 1
      while connection.readRequest() != nil {
        if isFirst && connection.counts.value.requests.count == 2 { return }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    try await withTransport { transport async throws in
      let body = method == .post ? Data("x".utf8) : nil
      let request = HTTPRequest(method, server.url, body: body, lane: isWrite ? .write : .read)
      _ = try await transport.send(request)
      if isWrite {
        #expect(try await failure { try await transport.send(request) }.kind == "connectionLost")
        #expect(server.counts.value.requests.count == 2)
      } else {
        #expect(try await transport.send(request).text == "ok")
        #expect(server.counts.value.requests.count == 3)
      }
    }
  }

  @Test("a request that asks for a fresh connection gets one")
  func freshConnection() async throws {
    let server = try RawServer.answering { _ in "ok" }
    try await withTransport { transport async throws in
      _ = try await transport.send(HTTPRequest(.get, server.url))
      _ = try await transport.send(HTTPRequest(.get, server.url))
      #expect(server.counts.value.accepted == 1)
      _ = try await transport.send(HTTPRequest(.get, server.url, freshConnection: true))
      #expect(server.counts.value.accepted == 2)
    }
  }

  @Test("500 requests in flight use no more connections than the bound")
  func connectionBound() async throws {
    let server = try RawServer.answering { _ in "ok" }
    try await withTransport { transport async throws in
      try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<500 {
          group.addTask { try await transport.send(HTTPRequest(.get, "\(server.url)/\(number)")).text }
        }
        for try await text in group { #expect(text == "ok") }
      }
    }
    #expect(server.counts.value.requests.count == 500)
    #expect(server.counts.value.accepted <= 4)
    #expect(server.counts.value.mostOpen >= 2)
  }

  @Test("a lane whose connections are all stuck does not delay another lane")
  func lanes() async throws {
    let server = try RawServer { connection in
      while let request = connection.readRequest() {
        if request.line.contains("/stuck") { return connection.waitForClientToGo() }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    try await withTransport { transport async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<6 {
          group.addTask { _ = try await transport.send(HTTPRequest(.get, server.url + "/stuck", timeout: nil)) }
        }
        await server.counts.wait { $0.requests.count == 4 }
        let error = try await failure {
          try await transport.send(HTTPRequest(.get, server.url, timeout: .milliseconds(50)))
        }
        #expect(error.description.contains("while waiting for a connection"))
        #expect(try await transport.send(HTTPRequest(.patch, server.url, body: Data(), lane: .write)).text == "ok")
        group.cancelAll()
        while await group.nextResult() != nil {}
      }
    }
  }

  @Test("more exchanges than the bound are refused at once")
  func inFlightBound() async throws {
    let server = try RawServer { $0.waitForClientToGo() }
    try await withTransport(TransportConfiguration(proxy: .none, maxInFlight: 1)) { transport async throws in
      async let stuck = failure { try await transport.send(HTTPRequest(.get, server.url)) }
      await server.counts.wait { $0.accepted == 1 }
      let error = try await failure { try await transport.send(HTTPRequest(.get, server.url)) }
      #expect(error.kind == "notConnected")
      await transport.shutdown()
      #expect(try await stuck.kind == "connectionLost")
    }
  }

  @Test("shutting down ends what is under way, closes the connections and refuses what comes later")
  func shutsDown() async throws {
    let server = try RawServer { $0.waitForClientToGo() }
    let transport = try CurlTransport(TransportConfiguration(proxy: .none))
    async let first = failure { try await transport.send(HTTPRequest(.get, server.url)) }
    await server.counts.wait { $0.accepted == 1 }
    await transport.shutdown()
    #expect(try await first.kind == "connectionLost")
    await server.counts.wait { $0.goneClients == 1 }
    #expect(try await failure { try await transport.send(HTTPRequest(.get, server.url)) }.kind == "notConnected")
    await transport.shutdown()
  }

  @Test("a transport that nobody holds closes its connections")
  func dropped() async throws {
    let server = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      connection.waitForClientToGo()
    }
    _ = try await CurlTransport(TransportConfiguration(proxy: .none)).send(HTTPRequest(.get, server.url))
    await server.counts.wait { $0.goneClients == 1 }
  }

  @Test("requests go through the proxy, but those to the exceptions do not")
  func proxy() async throws {
    let proxy = try Relay.proxy()
    let server = try RawServer.answering { _ in "direct" }
    try await withTransport(TransportConfiguration(proxy: .explicit(proxy.url))) { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, "http://somewhere.invalid/path"))
      #expect(response.text == "by proxy: http://somewhere.invalid/path")
      #expect(server.counts.value.accepted == 0)
    }
    try await withTransport(TransportConfiguration(proxy: .explicit(proxy.url, except: "127.0.0.0/8"))) {
      transport async throws in
      #expect(try await transport.send(HTTPRequest(.get, server.url)).text == "direct")
      #expect(proxy.counts.value.accepted == 1)
    }
  }

  @Test("a proxy that refuses the tunnel is named as the reason")
  func proxyRefuses() async throws {
    let proxy = try RawServer { connection in
      _ = connection.readRequest()
      connection.write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    }
    try await withTransport(TransportConfiguration(proxy: .explicit(proxy.url))) { transport async throws in
      let error = try await failure { try await transport.send(HTTPRequest(.get, "https://somewhere.invalid/")) }
      #expect(error.kind == "notConnected")
      #expect(error.description.contains("407"))
    }
  }

  @Test("a client certificate without its key is refused at once")
  func certificateWithoutKey() {
    #expect(throws: TransportError.self) {
      try CurlTransport(TransportConfiguration(tls: .init(clientCertificatePEM: Data("x".utf8))))
    }
  }
}
