import Foundation

/// Which requests go through a proxy. Read once, so that what a request does never depends on the environment of the
/// moment.
public struct ProxySettings: Sendable, Equatable {
  /// The proxy for `http` URLs, itself a URL (`http://proxy.example:3128`, also `https`, `socks5`, `socks5h`).
  public var http: String?
  /// The proxy for `https` URLs, through which a tunnel is opened.
  public var https: String?
  /// The hosts that are reached directly.
  public var exceptions: ProxyExceptions

  /// Every request is sent directly.
  public static let none = ProxySettings(http: nil, https: nil, exceptions: ProxyExceptions(""))

  public init(http: String?, https: String?, exceptions: ProxyExceptions) {
    self.http = http
    self.https = https
    self.exceptions = exceptions
  }

  /// One proxy for everything but the exceptions.
  public static func explicit(_ url: String, except exceptions: String = "") -> ProxySettings {
    ProxySettings(http: url, https: url, exceptions: ProxyExceptions(exceptions))
  }

  /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, lower case first. As in client-go, loopback addresses are
  /// always reached directly. `HTTP_PROXY` in upper case is ignored where `REQUEST_METHOD` is set: in a CGI program
  /// the caller controls it.
  public static func environment(_ variables: [String: String] = ProcessInfo.processInfo.environment) -> ProxySettings {
    func value(_ name: String) -> String? {
      let upper = name == "http_proxy" && variables["REQUEST_METHOD"] != nil ? nil : variables[name.uppercased()]
      return [variables[name], upper].lazy.compactMap { $0 }.first { !$0.isEmpty }
    }
    let all = value("all_proxy")
    var exceptions = ProxyExceptions(value("no_proxy") ?? "")
    exceptions.includesLoopback = true
    return ProxySettings(
      http: value("http_proxy") ?? all, https: value("https_proxy") ?? all, exceptions: exceptions)
  }

  /// The proxy to use for a URL of that scheme, host (an IPv6 address without brackets) and port.
  func proxy(scheme: String, host: String, port: Int) -> String? {
    exceptions.contains(host: host, port: port) ? nil : scheme == "https" ? https : http
  }
}

/// The hosts of a `NO_PROXY` list, read as Go reads it, since the same list serves kubectl: `example.com` means the
/// domain and all below, `.example.com` or `*.example.com` only those below, `10.0.0.0/8` a range, `host:port` one port,
/// `*` everything.
public struct ProxyExceptions: Sendable, Equatable {
  private enum Rule: Sendable, Equatable {
    case everything
    case domain(String, below: Bool, port: Int?)
    case range(IPAddress, bits: Int, port: Int?)
  }

  private var rules: [Rule]
  var includesLoopback = false

  /// - Parameter list: entries separated by commas or white space; what is not understood matches nothing.
  public init(_ list: String) {
    rules = list.split { $0 == "," || $0.isWhitespace }.compactMap { Self.rule($0.lowercased()) }
  }

  private static func rule(_ entry: String) -> Rule? {
    if entry == "*" { return .everything }
    if let slash = entry.firstIndex(of: "/") {
      guard let address = IPAddress(String(entry[..<slash])), let bits = Int(entry[entry.index(after: slash)...]),
        (0...address.bytes.count * 8).contains(bits)
      else { return nil }
      return .range(address, bits: bits, port: nil)
    }
    if let address = IPAddress(entry) { return .range(address, bits: address.bytes.count * 8, port: nil) }
    var name = entry
    var port: Int?
    if let colon = entry.lastIndex(of: ":"), let number = Int(entry[entry.index(after: colon)...]) {
      name = String(entry[..<colon])
      port = number
      if let address = IPAddress(name) { return .range(address, bits: address.bytes.count * 8, port: port) }
    }
    if name.hasPrefix("*.") { name.removeFirst() }
    if name.hasPrefix(".") { return .domain(name, below: true, port: port) }
    return name.isEmpty ? nil : .domain(name, below: false, port: port)
  }

  /// Whether a host is reached directly.
  public func contains(host: String, port: Int) -> Bool {
    let host = host.lowercased()
    let address = IPAddress(host)
    if includesLoopback && (host == "localhost" || address?.isLoopback == true) { return true }
    return rules.contains { rule in
      switch rule {
      case .everything: true
      case .domain(let name, let below, let only):
        (only == nil || only == port) && (below ? host.hasSuffix(name) : host == name || host.hasSuffix("." + name))
      case .range(let start, let bits, let only):
        (only == nil || only == port) && address?.matches(start, bits: bits) == true
      }
    }
  }
}

/// A literal IPv4 or IPv6 address, in brackets or without.
struct IPAddress: Sendable, Equatable {
  let bytes: [UInt8]

  init?(_ text: String) {
    let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, bare, &four) == 1 {
      bytes = withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, bare, &six) == 1 {
      bytes = withUnsafeBytes(of: six) { Array($0) }
    } else {
      return nil
    }
  }

  var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == Array(repeating: 0, count: 15) + [1] }

  func matches(_ other: IPAddress, bits: Int) -> Bool {
    guard bytes.count == other.bytes.count else { return false }
    return (0..<bits).allSatisfy { bit in
      let mask = UInt8(0x80) >> UInt8(bit % 8)
      return bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
    }
  }
}
