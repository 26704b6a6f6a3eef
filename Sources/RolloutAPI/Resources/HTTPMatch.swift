/// Which requests, in the style of the Gateway API: all conditions of one match hold together; of several matches one is
/// enough.
public struct HTTPMatch: Codable, Sendable, Hashable {
  public var path: PathMatch?
  public var headers: [NameValueMatch]?
  public var queryParams: [NameValueMatch]?
  public var method: HTTPMethod?

  public init(
    path: PathMatch? = nil, headers: [NameValueMatch]? = nil, queryParams: [NameValueMatch]? = nil,
    method: HTTPMethod? = nil
  ) {
    self.path = path
    self.headers = headers
    self.queryParams = queryParams
    self.method = method
  }
}

/// The path of a request.
public struct PathMatch: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case exact = "Exact"
    case pathPrefix = "PathPrefix"
    case regularExpression = "RegularExpression"
  }

  /// `PathPrefix` where absent.
  public var type: Kind?
  public var value: String

  public init(type: Kind? = nil, value: String) {
    self.type = type
    self.value = value
  }

  public var kind: Kind { type ?? Defaults.pathType }
}

/// A header or a query parameter.
public struct NameValueMatch: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case exact = "Exact"
    case regularExpression = "RegularExpression"
  }

  /// `Exact` where absent.
  public var type: Kind?
  public var name: String
  public var value: String

  public init(type: Kind? = nil, name: String, value: String) {
    self.type = type
    self.name = name
    self.value = value
  }

  public var kind: Kind { type ?? Defaults.nameValueType }
}

/// The methods that the Gateway API knows.
public enum HTTPMethod: String, Codable, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case delete = "DELETE"
  case connect = "CONNECT"
  case options = "OPTIONS"
  case trace = "TRACE"
  case patch = "PATCH"
}

extension HTTPMatch: CustomStringConvertible {
  /// `path /checkout*, header x-beta=1`; `~` stands for a regular expression.
  public var description: String {
    var parts: [String] = []
    if let method { parts.append(method.rawValue) }
    if let path {
      switch path.kind {
      case .exact: parts.append("path \(path.value)")
      case .pathPrefix: parts.append("path \(path.value)*")
      case .regularExpression: parts.append("path ~\(path.value)")
      }
    }
    for header in headers ?? [] { parts.append("header \(header.text)") }
    for parameter in queryParams ?? [] { parts.append("query \(parameter.text)") }
    return parts.isEmpty ? "every request" : parts.joined(separator: ", ")
  }
}

extension NameValueMatch {
  fileprivate var text: String { kind == .exact ? "\(name)=\(value)" : "\(name)~\(value)" }
}
