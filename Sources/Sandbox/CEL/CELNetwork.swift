import Foundation

/// An absolute URL, or an absolute path, as Go's `url.ParseRequestURI` takes them.
struct CELURL: Sendable, Hashable {
  var text: String
  var scheme: String
  /// With the port; IPv6 addresses in brackets.
  var host: String
  var hostname: String
  var port: String
  /// Percent-encoded.
  var path: String
  var query: [String: [String]]

  init?(_ text: String) {
    guard !text.isEmpty, !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }),
      let parts = URLComponents(string: text), parts.scheme != nil || text.hasPrefix("/")
    else { return nil }
    self.text = text
    scheme = parts.scheme ?? ""
    let name = parts.host ?? ""
    hostname = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
    port = parts.port.map(String.init) ?? ""
    let bracketed = hostname.contains(":") ? "[\(hostname)]" : hostname
    host = port.isEmpty ? bracketed : "\(bracketed):\(port)"
    path = parts.percentEncodedPath
    query = Dictionary(grouping: parts.queryItems ?? [], by: \.name).mapValues { $0.map { $0.value ?? "" } }
  }
}

extension CELFunctions {
  /// URLs, IP addresses and names, of the Kubernetes libraries.
  static func network(_ name: String, _ target: CELValue?, _ arguments: [CELValue]) throws(CELError) -> CELValue? {
    if case .url(let url)? = target, arguments.isEmpty {
      switch name {
      case "getScheme": return .string(url.scheme)
      case "getHost": return .string(url.host)
      case "getHostname": return .string(url.hostname)
      case "getPort": return .string(url.port)
      case "getEscapedPath": return .string(url.path)
      case "getQuery":
        let values = url.query.map { (CELKey.string($0.key), CELValue.list($0.value.map(CELValue.string))) }
        return .map(Dictionary(uniqueKeysWithValues: values))
      default: return nil
      }
    }
    guard target == nil, arguments.count == 1, case .string(let text) = arguments[0] else { return nil }
    switch name {
    case "url":
      guard let url = CELURL(text) else { throw CELError("URL parse error during conversion from string: \"\(text)\"") }
      return .url(url)
    case "isURL": return .bool(CELURL(text) != nil)
    case "isIP": return .bool(isIPv4(text) || isIPv6(text))
    default: return nil
    }
  }

  /// Four decimal numbers without leading zeros.
  static func isIPv4(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        part.allSatisfy { $0.isASCII && $0.isNumber } && (part == "0" || !part.hasPrefix("0")) && UInt8(part) != nil
      }
  }

  /// RFC 4291, section 2.2, without zone.
  static func isIPv6(_ text: String) -> Bool {
    let halves = split(text, by: "::")
    guard halves.count <= 2, text.contains(":") else { return false }
    var groups = 0
    for half in halves where !half.isEmpty {
      let parts = half.split(separator: ":", omittingEmptySubsequences: false)
      for (position, part) in parts.enumerated() {
        if part.contains(".") {
          guard position == parts.count - 1, half == halves.last, isIPv4(String(part)) else { return false }
          groups += 2
        } else {
          guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit), part.allSatisfy(\.isASCII) else {
            return false
          }
          groups += 1
        }
      }
    }
    return halves.count == 2 ? groups < 8 : groups == 8
  }
}
