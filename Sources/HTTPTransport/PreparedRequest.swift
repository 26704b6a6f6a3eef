import Foundation

/// A request checked and put into the terms of libcurl.
struct PreparedRequest: Sendable {
  var method: String
  var url: String
  /// Whole header lines, as libcurl wants them.
  var headerLines: [String]
  var body: Data?
  var timeout: Duration?
  /// From when on the timeout counts.
  var begun: ContinuousClock.Instant
  var stallTimeout: Duration?
  var lane: HTTPRequest.Lane
  var freshConnection: Bool
  /// Where to connect instead of to the URL's host, in the form of `CURLOPT_CONNECT_TO`.
  var connectTo: String?
  var proxy: String?
  var acceptsCompression: Bool
  /// Whether HTTP/2 may be agreed on: over TLS only.
  var mayShare: Bool
  /// Method, scheme, host and port: what an error may show. Never the path, which can be a secret (webhooks).
  var label: String

  /// - Throws: ``TransportError/invalidRequest(_:)``.
  init(_ request: HTTPRequest, configuration: TransportConfiguration) throws(TransportError) {
    let address = try Self.address(of: request.url)
    self.method = request.method.rawValue
    self.body = request.body
    self.timeout = request.timeout
    self.begun = request.begun
    self.stallTimeout = request.stallTimeout
    self.lane = request.lane
    self.freshConnection = request.freshConnection
    let authority = "\(address.isIPv6 ? "[\(address.host)]" : address.host):\(address.port)"
    self.label = "\(request.method.rawValue) \(address.scheme)://\(authority)"
    self.proxy = configuration.proxy.proxy(scheme: address.scheme, host: address.host, port: address.port)
    // An event in a watch must not wait until a compressor has filled its block.
    self.acceptsCompression = request.lane != .watch
    self.mayShare = address.scheme == "https"

    if let timeout = request.timeout, timeout <= .zero {
      throw .invalidRequest("\(label): a timeout of \(timeout) leaves no time")
    }
    self.headerLines = try Self.lines(request, label: label)
    self.url = request.url
    if let name = configuration.tls.serverName, address.scheme == "https", name != address.host {
      // libcurl verifies the URL's host: name the server there, connect to the address, and keep the Host header.
      guard var components = URLComponents(string: request.url), !name.contains("/"), IPAddress(name) == nil else {
        throw .invalidRequest("\(label): the TLS server name '\(name)' is not a DNS name")
      }
      components.host = name
      guard let renamed = components.string else {
        throw .invalidRequest("\(label): the TLS server name '\(name)' is not a DNS name")
      }
      self.url = renamed
      self.connectTo = "\(name):\(address.port):\(authority)"
      if !request.headers.contains(where: { $0.name.lowercased() == "host" }) {
        self.headerLines.append("Host: \(authority)")
      }
    }
  }

  private struct Address {
    var scheme: String
    var host: String
    var port: Int
    var isIPv6: Bool
  }

  private static func address(of url: String) throws(TransportError) -> Address {
    guard let components = URLComponents(string: url, encodingInvalidCharacters: false),
      let scheme = components.scheme?.lowercased(), var host = components.host, !host.isEmpty
    else { throw .invalidRequest("the URL is not an absolute one with scheme and host") }
    guard scheme == "http" || scheme == "https" else {
      throw .invalidRequest("the URL's scheme is '\(scheme)', not http or https")
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    let port = components.port ?? (scheme == "https" ? 443 : 80)
    guard (1...65535).contains(port) else { throw .invalidRequest("the URL's port \(port) is not in 1…65535") }
    return Address(scheme: scheme, host: host, port: port, isIPv6: host.contains(":"))
  }

  private static func lines(_ request: HTTPRequest, label: String) throws(TransportError) -> [String] {
    // Without an empty "Expect:" libcurl waits up to a second for "100 Continue" before a large body.
    var lines = ["Expect:"]
    var hasContentType = false
    for (name, value) in request.headers {
      guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
        throw .invalidRequest("\(label): \(name.debugDescription) is not the name of a header")
      }
      guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
        // The value stays out of the message: it may be a token.
        throw .invalidRequest("\(label): the value of the header '\(name)' holds a control character")
      }
      if name.lowercased() == "content-type" { hasContentType = true }
      let isBlank = value.allSatisfy(\.isWhitespace)
      lines.append(isBlank ? "\(name);" : "\(name): \(value)")
    }
    // Otherwise libcurl calls every body a form.
    if !hasContentType { lines.append("Content-Type:") }
    return lines
  }

  /// The `tchar` of RFC 9110, section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
