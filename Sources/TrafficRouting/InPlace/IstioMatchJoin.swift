import KubernetesAPI
import RolloutAPI

extension IstioMatch {
  /// Requests that a match entry of a person's rule takes and that satisfy a match of the plan too, as entries of which
  /// one must hold. What the person's entry says besides (ports, gateways, source labels …) stays.
  static func joined(_ entry: JSON, _ match: HTTPMatch) -> MatchIntersection.Meeting<[JSON]> {
    var joined = entry
    for header in match.headers ?? [] {
      let name = header.name.lowercased()
      let without = (entry["withoutHeaders"]?.object ?? [:]).keys.contains { $0.lowercased() == name }
      if without { return .inexpressible("header \(name)") }
      let theirs = (entry["headers"]?.object ?? [:]).first { $0.key.lowercased() == name }?.value
      switch meeting(theirs, text(header), "header \(name)") {
      case .one(let text): if theirs == nil { joined[path: ["headers", name]] = text }
      case .never: return .never
      case .inexpressible(let property): return .inexpressible(property)
      }
    }
    for parameter in match.queryParams ?? [] {
      let theirs = entry[path: ["queryParams", parameter.name]]
      switch meeting(theirs, text(parameter), "query parameter \(parameter.name)") {
      case .one(let text): joined[path: ["queryParams", parameter.name]] = text
      case .never: return .never
      case .inexpressible(let property): return .inexpressible(property)
      }
    }
    if let method = match.method {
      switch meeting(entry["method"], ["exact": .string(method.rawValue)], "method") {
      case .one(let text): joined["method"] = text
      case .never: return .never
      case .inexpressible(let property): return .inexpressible(property)
      }
    }
    guard let path = match.path else { return .one([joined]) }
    return paths(joined, uris(path), of: path)
  }

  private static func meeting(_ theirs: JSON?, _ ours: JSON, _ property: String) -> MatchIntersection.Meeting<JSON> {
    guard let theirs, !theirs.isNull, theirs != ours else { return .one(ours) }
    return theirs["exact"] != nil && ours["exact"] != nil ? .never : .inexpressible(property)
  }

  private static func paths(_ entry: JSON, _ ours: [JSON?], of path: PathMatch) -> MatchIntersection.Meeting<[JSON]> {
    let theirs = entry["uri"]
    var entries: [JSON] = []
    for uri in ours {
      var joined = entry
      switch (theirs, uri) {
      case (let theirs, nil): joined["uri"] = theirs
      case (nil, let uri?): joined["uri"] = uri
      case (let theirs?, let uri?):
        // Letter case would have to be ignored for one of them and not for the other.
        if theirs != uri, entry["ignoreUriCase"]?.bool == true { return .inexpressible("path \(path.value)") }
        switch narrower(theirs, uri) {
        case .one(let both): joined["uri"] = both
        case .never: continue
        case .inexpressible: return .inexpressible("path (\(theirs) and \(path.value))")
        }
      }
      if !entries.contains(joined) { entries.append(joined) }
    }
    return entries.isEmpty ? .never : .one(entries)
  }

  /// What two paths have in common; Istio's prefix compares letters.
  private static func narrower(_ left: JSON, _ right: JSON) -> MatchIntersection.Meeting<JSON> {
    if left == right { return .one(left) }
    func takes(_ prefix: String, _ other: JSON) -> Bool? {
      (other["exact"] ?? other["prefix"])?.string.map { $0.hasPrefix(prefix) }
    }
    guard left["regex"] == nil, right["regex"] == nil else { return .inexpressible("path") }
    if let prefix = left["prefix"]?.string, takes(prefix, right) == true { return .one(right) }
    if let prefix = right["prefix"]?.string, takes(prefix, left) == true { return .one(left) }
    return .never
  }
}
