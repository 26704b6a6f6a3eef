import Foundation
import Testing

@testable import HTTPTransport

@Suite(.nginx, .timeLimit(.minutes(1))) struct NginxTests {
  @Test("over TLS the protocol is HTTP/2, and hundreds of requests share few connections")
  func multiplexes() async throws {
    let nginx = try Nginx.current
    try await withTransport(try nginx.configuration()) { transport async throws in
      let connections = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<500 {
          group.addTask {
            let response = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
            #expect(response.status == 200)
            #expect(response.header("X-Protocol") == "HTTP/2.0")
            return response.header("x-connection") ?? ""
          }
        }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(connections.count <= 4)
    }
  }

  @Test("lanes never share a connection")
  func lanes() async throws {
    let nginx = try Nginx.current
    try await withTransport(try nginx.configuration()) { transport async throws in
      var connections: [String] = []
      for lane in HTTPRequest.Lane.allCases + HTTPRequest.Lane.allCases {
        let response = try await transport.send(HTTPRequest(.get, nginx.url + "/echo", lane: lane))
        connections.append(response.header("x-connection") ?? "")
      }
      #expect(Set(connections).count == 3)
      #expect(connections.prefix(3) == connections.suffix(3))
    }
  }

  @Test("a fresh connection is one also where HTTP/2 could share")
  func freshConnection() async throws {
    let nginx = try Nginx.current
    try await withTransport(try nginx.configuration()) { transport async throws in
      let first = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
      let second = try await transport.send(HTTPRequest(.get, nginx.url + "/echo", freshConnection: true))
      #expect(first.header("x-connection") != second.header("x-connection"))
    }
  }

  @Test("an HTTP/2 connection on which a request timed out is not used again")
  func distrust() async throws {
    let nginx = try Nginx.current
    try await withTransport(try nginx.configuration()) { transport async throws in
      let first = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
      let same = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
      #expect(first.header("x-connection") == same.header("x-connection"))
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, nginx.url + "/hang", timeout: .milliseconds(100)))
      }
      #expect(error.kind == "timedOut")
      let later = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
      #expect(first.header("x-connection") != later.header("x-connection"))
    }
  }

  @Test("a client certificate from memory is shown")
  func clientCertificate() async throws {
    let nginx = try Nginx.current
    var configuration = try nginx.configuration()
    let url = "https://127.0.0.1:\(nginx.mutualPort)/echo"
    try await withTransport(configuration) { transport async throws in
      #expect(try await transport.send(HTTPRequest(.get, url)).status == 400)
    }
    configuration.tls.clientCertificatePEM = try nginx.certificates.client.certificatePEM
    configuration.tls.clientKeyPEM = try nginx.certificates.client.keyPEM
    try await withTransport(configuration) { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, url))
      #expect(response.status == 200)
      #expect(response.text.hasSuffix("CN=tester"))
    }
  }

  @Test("a key that does not fit its certificate is a TLS error")
  func wrongKey() async throws {
    let nginx = try Nginx.current
    var configuration = try nginx.configuration()
    configuration.tls.clientCertificatePEM = try nginx.certificates.client.certificatePEM
    configuration.tls.clientKeyPEM = try nginx.certificates.server.keyPEM
    try await withTransport(configuration) { transport async throws in
      let error = try await failure { try await transport.send(HTTPRequest(.get, nginx.url + "/echo")) }
      #expect(error.kind == "tls")
    }
  }

  @Test("an authority of the same name with another key is not trusted, nor is anyone unless verification is off")
  func authority() async throws {
    let nginx = try Nginx.current
    let stranger = try nginx.certificates.stranger.certificatePEM
    for tls in [TransportConfiguration.TLS(caPEM: stranger), TransportConfiguration.TLS()] {
      try await withTransport(TransportConfiguration(tls: tls, proxy: .none)) { transport async throws in
        #expect(try await failure { try await transport.send(HTTPRequest(.get, nginx.url + "/echo")) }.kind == "tls")
      }
    }
    try await withTransport(TransportConfiguration(tls: .init(caPEM: stranger, verify: false), proxy: .none)) {
      transport async throws in
      #expect(try await transport.send(HTTPRequest(.get, nginx.url + "/echo")).status == 200)
    }
  }

  @Test("a certificate for another name is refused, and accepted under its server name with the Host header kept")
  func serverName() async throws {
    let nginx = try Nginx.current
    var configuration = try nginx.configuration()
    let url = "https://127.0.0.1:\(nginx.namedPort)/echo"
    try await withTransport(configuration) { transport async throws in
      #expect(try await failure { try await transport.send(HTTPRequest(.get, url)) }.kind == "tls")
    }
    configuration.tls.serverName = "api.sluice.test"
    try await withTransport(configuration) { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, url))
      #expect(response.text.hasPrefix("GET 127.0.0.1"))
      #expect(response.header("X-Protocol") == "HTTP/2.0")
    }
  }

  @Test("a server that speaks nothing newer than TLS 1.1 is refused")
  func oldTLS() async throws {
    let nginx = try Nginx.current
    // First that it does serve whoever asks for that version.
    let session = try Tool.run(
      "openssl",
      ["s_client", "-connect", "127.0.0.1:\(nginx.oldPort)", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
    #expect(session.contains("Protocol  : TLSv1.1"))
    try await withTransport(try nginx.configuration()) { transport async throws in
      let url = "https://127.0.0.1:\(nginx.oldPort)/echo"
      #expect(try await failure { try await transport.send(HTTPRequest(.get, url)) }.kind == "tls")
    }
  }

  @Test("compressed answers are decompressed, and the bound counts what comes out")
  func compression() async throws {
    let nginx = try Nginx.current
    try await withTransport(try nginx.configuration()) { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, nginx.url + "/text.txt"))
      #expect(response.header("content-encoding") == "gzip")
      #expect(response.text == String(repeating: "compress me ", count: 1000))
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, nginx.url + "/text.txt", maxResponseBytes: 11_999))
      }
      #expect(error == .responseTooLarge(limit: 11_999))
      let watch = try await transport.send(HTTPRequest(.get, nginx.url + "/text.txt", lane: .watch))
      #expect(watch.header("content-encoding") == nil)
    }
  }

  @Test("an unread stream does not hold up another on the same HTTP/2 connection, and its memory is bounded")
  func pausedStream() async throws {
    let nginx = try Nginx.current
    let relay = try RawServer { Relay.run($0, port: nginx.port) }
    try await withTransport(try nginx.configuration()) { transport async throws in
      let base = "https://127.0.0.1:\(relay.port)"
      let slow = try await transport.stream(HTTPRequest(.get, base + "/large", timeout: nil, lane: .watch))
      for _ in 0..<20 {
        let other = try await transport.send(HTTPRequest(.get, base + "/echo", timeout: .seconds(5), lane: .watch))
        #expect(other.status == 200)
      }
      #expect(relay.counts.value.accepted == 1)
      #expect(relay.counts.value.bytesWritten < 48 << 20)
      var total = 0
      for try await piece in slow.body { total += piece.count }
      #expect(total == Nginx.largeBody)
    }
  }

  @Test("a cancelled stream leaves the HTTP/2 connection to the others")
  func cancelledStream() async throws {
    let nginx = try Nginx.current
    let relay = try RawServer { Relay.run($0, port: nginx.port) }
    try await withTransport(try nginx.configuration()) { transport async throws in
      let large = HTTPRequest(.get, "https://127.0.0.1:\(relay.port)/large", timeout: nil, lane: .watch)
      let other = try await transport.stream(large)
      _ = try await transport.stream(large).status
      var total = 0
      for try await piece in other.body { total += piece.count }
      #expect(total == Nginx.largeBody)
      #expect(relay.counts.value.accepted == 1)
    }
  }

  @Test("an HTTP/2 connection whose only stream was dropped in the middle is closed, for its flow control may be off")
  func droppedAlone() async throws {
    let nginx = try Nginx.current
    let relay = try RawServer { Relay.run($0, port: nginx.port) }
    try await withTransport(try nginx.configuration()) { transport async throws in
      let base = "https://127.0.0.1:\(relay.port)"
      // Often, since libcurl closes such a connection most of the time by itself.
      for count in 1...40 {
        _ = try await transport.stream(HTTPRequest(.get, base + "/large", timeout: nil, lane: .watch)).status
        await relay.counts.wait { $0.accepted == count && $0.open == 0 }
      }
      let error = try await failure {
        try await transport.send(HTTPRequest(.get, base + "/large", maxResponseBytes: 1 << 20))
      }
      #expect(error.kind == "responseTooLarge")
      await relay.counts.wait { $0.accepted == 41 && $0.open == 0 }
    }
  }

  @Test("an https request goes through a tunnel of the proxy")
  func tunnel() async throws {
    let nginx = try Nginx.current
    let proxy = try Relay.proxy()
    var configuration = try nginx.configuration()
    configuration.proxy = .explicit(proxy.url)
    try await withTransport(configuration) { transport async throws in
      let response = try await transport.send(HTTPRequest(.get, nginx.url + "/echo"))
      #expect(response.header("X-Protocol") == "HTTP/2.0")
      #expect(response.headers.first { $0.name.contains("established") } == nil)
    }
    #expect(proxy.counts.value.requests.map { $0.prefix(7) } == ["CONNECT"])
  }
}
