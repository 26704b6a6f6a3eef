import KubernetesAPI
import RolloutAPI

/// Matches in Istio's words (`HTTPMatchRequest`).
enum IstioMatch {
  /// The entries of which one must hold. A path prefix becomes two, since Istio's `prefix` compares letters and the plan
  /// means path elements: `/checkout` must not take `/checkouts`.
  static func entries(_ match: HTTPMatch) -> [JSON] {
    var entry = JSON.emptyObject
    if let method = match.method { entry["method"] = ["exact": .string(method.rawValue)] }
    // Istio wants header names in lower case.
    for header in match.headers ?? [] { entry[path: ["headers", header.name.lowercased()]] = text(header) }
    for parameter in match.queryParams ?? [] { entry[path: ["queryParams", parameter.name]] = text(parameter) }
    guard let path = match.path else { return [entry] }
    return uris(path).map { uri in
      var entry = entry
      entry["uri"] = uri
      return entry
    }
  }

  static func uris(_ path: PathMatch) -> [JSON?] {
    switch path.kind {
    case .exact: return [["exact": .string(path.value)]]
    case .regularExpression: return [["regex": .string(path.value)]]
    case .pathPrefix:
      let prefix = path.value.hasSuffix("/") ? String(path.value.dropLast()) : path.value
      if prefix.isEmpty { return [nil] }
      return [["exact": .string(prefix)], ["prefix": .string(prefix + "/")]]
    }
  }

  static func text(_ match: NameValueMatch) -> JSON {
    match.kind == .exact ? ["exact": .string(match.value)] : ["regex": .string(match.value)]
  }
}
