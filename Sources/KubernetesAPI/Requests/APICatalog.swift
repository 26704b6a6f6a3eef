/// A kind as discovery shows it.
public struct APIResource: Sendable, Hashable {
  public var type: ResourceType
  public var verbs: [String]
  public var shortNames: [String]
  /// The names alone: `status`, `scale`.
  public var subresources: [String]

  public init(type: ResourceType, verbs: [String] = [], shortNames: [String] = [], subresources: [String] = []) {
    self.type = type
    self.verbs = verbs
    self.shortNames = shortNames
    self.subresources = subresources
  }
}

/// What an API server serves, read from its discovery documents: the aggregated ones, or the older one per version.
/// Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
public struct APICatalog: Sendable, Hashable {
  /// In the server's order: of a group the preferred version comes first.
  public private(set) var resources: [APIResource] = []
  /// Versions (`metrics.k8s.io/v1beta1`) whose resources are not known now, since the server behind them is away. What
  /// is missing there may exist.
  public private(set) var unavailable: [String] = []
  private var order: [String: [String]] = [:]

  public init() {}

  /// The versions of a group in the server's order of preference; empty where the group is not served.
  public func versions(of group: String) -> [String] { order[group] ?? [] }

  /// Whether the kind is served under this very version.
  public func serves(_ type: ResourceType) -> Bool {
    resources.contains { $0.type.apiVersion == type.apiVersion && $0.type.plural == type.plural }
  }

  /// The kind in its preferred version.
  public func resource(group: String, kind: String) -> APIResource? {
    resources.first { $0.type.group == group && $0.type.kind == kind }
  }

  // MARK: Aggregated

  /// The `Accept` header that asks for the aggregated form and takes the older one.
  public static let accept =
    ["v2", "v2beta1"].map {
      "application/json;g=apidiscovery.k8s.io;v=\($0);as=APIGroupDiscoveryList"
    }.joined(separator: ",") + ",application/json"

  /// Adds what an `APIGroupDiscoveryList` says.
  /// - Returns: whether it is one.
  public mutating func add(aggregated list: JSON) -> Bool {
    guard list["kind"]?.string == "APIGroupDiscoveryList" else { return false }
    for item in list["items"]?.array ?? [] {
      let group = item.name
      for version in item["versions"]?.array ?? [] {
        guard let name = version["version"]?.string else { continue }
        addVersion(name, of: group)
        if version["freshness"]?.string == "Stale" { markUnavailable(group: group, version: name) }
        for resource in version["resources"]?.array ?? [] {
          // A subresource without a resource of its own has no response kind.
          guard let plural = resource["resource"]?.string, let kind = resource["responseKind"]?["kind"]?.string,
            !kind.isEmpty
          else { continue }
          let isNamespaced = resource["scope"]?.string == "Namespaced"
          resources.append(
            APIResource(
              type: ResourceType(
                group: group, version: name, kind: kind, plural: plural, namespaced: isNamespaced),
              verbs: Self.texts(resource["verbs"]), shortNames: Self.texts(resource["shortNames"]),
              subresources: (resource["subresources"]?.array ?? []).compactMap { $0["subresource"]?.string }))
        }
      }
    }
    return true
  }

  // MARK: One document per version

  /// Adds the groups of an `APIGroupList`, or the core group's versions of an `APIVersions`.
  /// - Returns: the versions whose resources are to be asked for, each with its group; empty for another document.
  public mutating func add(groups document: JSON) -> [(group: String, version: String)] {
    var found: [(String, String)] = []
    switch document["kind"]?.string {
    case "APIVersions":
      found = Self.texts(document["versions"]).map { ("", $0) }
    case "APIGroupList":
      for entry in document["groups"]?.array ?? [] {
        guard let group = entry["name"]?.string else { continue }
        let preferred = entry["preferredVersion"]?["version"]?.string
        let versions = (entry["versions"]?.array ?? []).compactMap { $0["version"]?.string }
        found += (versions.filter { $0 == preferred } + versions.filter { $0 != preferred }).map { (group, $0) }
      }
    default: break
    }
    for (group, version) in found { addVersion(version, of: group) }
    return found
  }

  /// Adds an `APIResourceList`.
  public mutating func add(resources list: JSON, group: String, version: String) {
    let entries = list["resources"]?.array ?? []
    for entry in entries {
      guard let plural = entry["name"]?.string, !plural.contains("/"), let kind = entry["kind"]?.string else {
        continue
      }
      let prefix = plural + "/"
      let parts = entries.compactMap { $0["name"]?.string }.filter { $0.hasPrefix(prefix) }
      resources.append(
        APIResource(
          type: ResourceType(
            group: group, version: version, kind: kind, plural: plural, namespaced: entry["namespaced"]?.bool == true),
          verbs: Self.texts(entry["verbs"]), shortNames: Self.texts(entry["shortNames"]),
          subresources: parts.map { String($0.dropFirst(prefix.count)) }))
    }
  }

  /// Notes that the server could not say what a version of a group serves.
  public mutating func markUnavailable(group: String, version: String) {
    unavailable.append(group.isEmpty ? version : "\(group)/\(version)")
  }

  private mutating func addVersion(_ version: String, of group: String) {
    if !order[group, default: []].contains(version) { order[group, default: []].append(version) }
  }

  private static func texts(_ list: JSON?) -> [String] { (list?.array ?? []).compactMap(\.string) }
}
