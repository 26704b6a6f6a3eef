import RolloutAPI

/// Requests that satisfy two matches at once, as one match: Istio's match entries hold one condition per property.
enum MatchIntersection {
  /// What two conditions have in common.
  enum Meeting<Value> {
    case one(Value)
    /// No request satisfies both.
    case never
    /// One entry cannot say it; the text names the property.
    case inexpressible(String)
  }

  static func of(_ left: HTTPMatch, _ right: HTTPMatch) -> Meeting<HTTPMatch> {
    var result = HTTPMatch()
    switch optional(left.path, right.path, path) {
    case .one(let path): result.path = path
    case .never: return .never
    case .inexpressible(let text): return .inexpressible(text)
    }
    switch optional(left.method, right.method, { $0 == $1 ? .one($0) : .never }) {
    case .one(let method): result.method = method
    case .never: return .never
    case .inexpressible(let text): return .inexpressible(text)
    }
    switch values(left.headers ?? [], right.headers ?? [], "header", ignoreCase: true) {
    case .one(let headers): result.headers = headers.isEmpty ? nil : headers
    case .never: return .never
    case .inexpressible(let text): return .inexpressible(text)
    }
    switch values(left.queryParams ?? [], right.queryParams ?? [], "query parameter", ignoreCase: false) {
    case .one(let parameters): result.queryParams = parameters.isEmpty ? nil : parameters
    case .never: return .never
    case .inexpressible(let text): return .inexpressible(text)
    }
    return .one(result)
  }

  private static func optional<Value>(
    _ left: Value?, _ right: Value?, _ both: (Value, Value) -> Meeting<Value>
  ) -> Meeting<Value?> {
    guard let left, let right else { return .one(left ?? right) }
    return switch both(left, right) {
    case .one(let value): .one(value)
    case .never: .never
    case .inexpressible(let text): .inexpressible(text)
    }
  }

  private static func path(_ left: PathMatch, _ right: PathMatch) -> Meeting<PathMatch> {
    if left.kind == right.kind && left.value == right.value { return .one(left) }
    switch (left.kind, right.kind) {
    case (.regularExpression, _), (_, .regularExpression):
      return .inexpressible("path (\(left.value) and \(right.value))")
    case (.exact, .exact): return .never
    case (.pathPrefix, _) where covers(left.value, right.value): return .one(right)
    case (_, .pathPrefix) where covers(right.value, left.value): return .one(left)
    default: return .never
    }
  }

  /// Whether a path, or all paths that begin with it, begin with a prefix, element by element.
  static func covers(_ prefix: String, _ path: String) -> Bool {
    let prefix = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
    return path == prefix || path.hasPrefix(prefix + "/")
  }

  private static func values(
    _ left: [NameValueMatch], _ right: [NameValueMatch], _ property: String, ignoreCase: Bool
  ) -> Meeting<[NameValueMatch]> {
    var all = left
    for one in right {
      func isSameName(_ other: NameValueMatch) -> Bool {
        ignoreCase ? other.name.lowercased() == one.name.lowercased() : other.name == one.name
      }
      guard let other = all.first(where: isSameName) else {
        all.append(one)
        continue
      }
      if other.kind == one.kind && other.value == one.value { continue }
      if other.kind == .exact && one.kind == .exact { return .never }
      return .inexpressible("\(property) \(one.name)")
    }
    return .one(all)
  }
}
