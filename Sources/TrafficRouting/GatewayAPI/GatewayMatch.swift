import KubernetesAPI
import RolloutAPI

/// Matches in the Gateway API's words (`HTTPRouteMatch`), and read from there.
enum GatewayMatch {
  static let maxPerRule = 64
  static let maxPerRoute = 128
  static let maxConditions = 16

  /// With all that the API server would fill in, so that it is read back as written.
  static func json(_ match: HTTPMatch) -> JSON {
    var json: JSON = [
      "path": [
        "type": .string((match.path?.kind ?? .pathPrefix).rawValue), "value": .string(match.path?.value ?? "/"),
      ]
    ]
    if let headers = match.headers, !headers.isEmpty { json["headers"] = .array(headers.map(pair)) }
    if let parameters = match.queryParams, !parameters.isEmpty {
      json["queryParams"] = .array(parameters.map(pair))
    }
    json["method"] = match.method.map { .string($0.rawValue) }
    return json
  }

  private static func pair(_ match: NameValueMatch) -> JSON {
    ["type": .string(match.kind.rawValue), "name": .string(match.name), "value": .string(match.value)]
  }

  /// `nil` for one that says what a plan's matches cannot.
  static func match(_ json: JSON) -> HTTPMatch? { try? json.decode(HTTPMatch.self) }

  /// What the Gateway API does not take of a path that a plan may name.
  static func problem(_ path: PathMatch) -> String? {
    guard path.kind != .regularExpression else { return nil }
    let foreign = ["//", "/./", "/../", "%2f", "%2F", "#"].first { path.value.contains($0) }
    let end = ["/..", "/."].first { path.value.hasSuffix($0) }
    let characters = "-._~!$&'()*+,;=:@/%"
    let strange = path.value.first { character in
      !(character.isASCII && (character.isLetter || character.isNumber)) && !characters.contains(character)
    }
    guard let found = foreign ?? end ?? strange.map(String.init) else { return nil }
    return "path \(path.value) has \(found), which the Gateway API does not take"
  }
}

extension [HTTPMatch] {
  /// The plan's routes among these requests, and what cannot be joined. Empty stands for every request.
  func meeting(_ routes: [HTTPMatch]) -> (met: [HTTPMatch], unclear: [String]) {
    var met: [HTTPMatch] = []
    var unclear: [String] = []
    for match in isEmpty ? [HTTPMatch()] : self {
      for route in routes {
        switch MatchIntersection.of(match, route) {
        case .one(let both): if !met.contains(both) { met.append(both) }
        case .never: break
        case .inexpressible(let property): unclear.append(property)
        }
      }
    }
    return (met, unclear)
  }
}

extension Sticky {
  /// A regular expression for the Cookie header of a request that holds this revision's cookie.
  func pattern(_ revision: String) -> String {
    "^(.*;\\s*)?\(PromQL.literal(cookie))=\(PromQL.literal(revision))(;.*)?$"
  }

  /// The header match of such a request.
  func match(_ revision: String) -> JSON {
    ["type": "RegularExpression", "name": "Cookie", "value": .string(pattern(revision))]
  }

  func setCookie(_ revision: String) -> String {
    "\(cookie)=\(revision); Max-Age=\(Int(maxAge / .seconds(1))); Path=/; HttpOnly"
  }

  /// Whether a match asks for the header that the cookie is in.
  static func meets(_ match: HTTPMatch) -> Bool {
    match.headers?.contains { $0.name.lowercased() == "cookie" } ?? false
  }
}
