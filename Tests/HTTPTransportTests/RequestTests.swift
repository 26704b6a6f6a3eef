import Foundation
import Testing

@testable import HTTPTransport

@Suite struct PreparedRequestTests {
  private func prepare(_ request: HTTPRequest, _ configuration: TransportConfiguration = .init(proxy: .none))
    throws -> PreparedRequest
  {
    try PreparedRequest(request, configuration: configuration)
  }

  @Test("a label never shows path, query or user of a URL")
  func label() throws {
    let request = try prepare(HTTPRequest(.post, "https://me:pass@hooks.example.com/services/SECRET?token=SECRET"))
    #expect(request.label == "POST https://hooks.example.com:443")
  }

  @Test(
    "a URL that is not absolute http or https is refused",
    arguments: ["", "example.com/x", "file:///etc/passwd", "https://", "http://a b/", "http://host:99999/"])
  func badURLs(url: String) {
    #expect(throws: TransportError.self) { try prepare(HTTPRequest(.get, url)) }
  }

  @Test("a header cannot smuggle in another one, and its value stays out of the error")
  func headerInjection() throws {
    let error = #expect(throws: TransportError.self) {
      try prepare(HTTPRequest(.get, "http://a/", headers: [("Authorization", "Bearer SECRET\r\nX: y")]))
    }
    #expect(error?.description.contains("'Authorization'") == true)
    #expect(error?.description.contains("SECRET") == false)
    #expect(throws: TransportError.self) { try prepare(HTTPRequest(.get, "http://a/", headers: [("A B", "c")])) }
    #expect(throws: TransportError.self) { try prepare(HTTPRequest(.get, "http://a/", headers: [("", "c")])) }
  }

  @Test("a TLS server name is put in the URL, and the connection and the Host header keep the address")
  func serverName() throws {
    let configuration = TransportConfiguration(tls: .init(serverName: "api.internal"), proxy: .none)
    let request = try prepare(HTTPRequest(.get, "https://[fd00::1]:6443/api/v1/pods?watch=1&x=%2F"), configuration)
    #expect(request.url == "https://api.internal:6443/api/v1/pods?watch=1&x=%2F")
    #expect(request.connectTo == "api.internal:6443:[fd00::1]:6443")
    #expect(request.headerLines.contains("Host: [fd00::1]:6443"))
    #expect(request.label == "GET https://[fd00::1]:6443")
  }

  @Test("a TLS server name that is an address is refused")
  func serverAddress() {
    let configuration = TransportConfiguration(tls: .init(serverName: "10.0.0.1"), proxy: .none)
    #expect(throws: TransportError.self) { try prepare(HTTPRequest(.get, "https://api:6443/"), configuration) }
  }

  @Test("a timeout of nothing is refused")
  func noTime() {
    #expect(throws: TransportError.self) { try prepare(HTTPRequest(.get, "http://a/", timeout: .zero)) }
  }
}

@Suite struct ProxySettingsTests {
  @Test(
    "NO_PROXY is read as Go reads it",
    arguments: [
      ("example.com", "example.com", 443, true),
      ("example.com", "api.example.com", 443, true),
      ("example.com", "badexample.com", 443, false),
      (".example.com", "example.com", 443, false),
      (".example.com", "api.example.com", 443, true),
      ("*.example.com", "api.example.com", 443, true),
      ("EXAMPLE.com", "Example.COM", 80, true),
      ("example.com:8443", "example.com", 8443, true),
      ("example.com:8443", "example.com", 443, false),
      ("10.0.0.0/8", "10.96.0.1", 443, true),
      ("10.0.0.0/8", "11.0.0.1", 443, false),
      ("10.96.0.0/13", "10.103.255.255", 443, true),
      ("10.96.0.0/13", "10.104.0.0", 443, false),
      ("10.0.0.0/8", "10.example.com", 443, false),
      ("10.0.0.1", "10.0.0.1", 443, true),
      ("10.0.0.1:80", "10.0.0.1", 443, false),
      ("fd00::/8", "fd12::1", 443, true),
      ("[fd00::1]:6443", "fd00::1", 6443, true),
      ("::1", "::1", 80, true),
      ("*", "anything", 1, true),
      ("a, b  .svc,c", "x.svc", 80, true),
      ("10.0.0.0/99, nonsense/8", "10.0.0.1", 80, false),
      ("", "localhost", 80, false),
    ])
  func exceptions(list: String, host: String, port: Int, direct: Bool) {
    #expect(ProxyExceptions(list).contains(host: host, port: port) == direct)
  }

  @Test("the environment names proxies by scheme, lower case first, and never for the loopback")
  func environment() {
    let settings = ProxySettings.environment([
      "HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1", "ALL_PROXY": "http://all:1",
      "NO_PROXY": ".svc",
    ])
    #expect(settings.proxy(scheme: "https", host: "a.example", port: 443) == "http://lower:1")
    #expect(settings.proxy(scheme: "http", host: "a.example", port: 80) == "http://all:1")
    #expect(settings.proxy(scheme: "http", host: "prometheus.monitoring.svc", port: 9090) == nil)
    for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
      #expect(settings.proxy(scheme: "https", host: host, port: 443) == nil)
    }
  }

  @Test("HTTP_PROXY is ignored in a CGI program, where the caller controls it")
  func cgi() {
    let settings = ProxySettings.environment(["HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"])
    #expect(settings.http == nil)
    #expect(ProxySettings.environment(["HTTP_PROXY": "http://good:1"]).http == "http://good:1")
  }
}
