import KubernetesAPI
import RolloutAPI

extension GatewayProvider {
  /// Routes of the same parent, a host in common and a match in common are decided by their age; the younger one never
  /// gets a request. One whose match is more or less particular lives beside.
  public func conflicts(existing: [JSON]) -> [RoutingConflict] {
    var conflicts: [RoutingConflict] = []
    for other in existing.sorted(by: { $0.objectKey < $1.objectKey }) where !isOwn(other) {
      let parents = (other[path: ["spec", "parentRefs"]]?.array ?? []).compactMap {
        try? $0.decode(ParentReference.self)
      }
      for entrance in entrances {
        let shared = self.parents(entrance).first { mine in
          parents.contains { meet(mine, $0, namespace: other.namespace) }
        }
        guard let shared, let host = commonHost(entrance, other), matches(entrance, meet: other) else { continue }
        conflicts.append(
          RoutingConflict(
            object: other.objectKey, kind: "HTTPRoute", rollout: other.labels[RoutingNames.rollout], host: host,
            gateway: entrance.isMesh ? "mesh" : "\(shared.namespace ?? plan.namespace)/\(shared.name)"))
      }
    }
    return conflicts
  }

  private func isOwn(_ other: JSON) -> Bool {
    other.namespace == plan.namespace && other.labels[RoutingNames.rollout] == plan.name
  }

  /// Whether two references may mean the same listener.
  private func meet(_ mine: ParentReference, _ other: ParentReference, namespace: String) -> Bool {
    func group(_ parent: ParentReference) -> String {
      parent.group == "core" ? "" : parent.group ?? Defaults.parentGroup
    }
    func agree<Value: Equatable>(_ left: Value?, _ right: Value?) -> Bool {
      left == nil || right == nil || left == right
    }
    return group(mine) == group(other) && mine.kind ?? Defaults.parentKind == other.kind ?? Defaults.parentKind
      && mine.name == other.name && mine.namespace ?? plan.namespace == other.namespace ?? namespace
      && agree(mine.sectionName, other.sectionName) && agree(mine.port, other.port)
  }

  /// A host that both serve; a route without any serves all of its parent's.
  private func commonHost(_ entrance: Entrance, _ other: JSON) -> String? {
    if entrance.isMesh { return "\(entrance.service.name).\(plan.namespace).svc.\(clusterDomain)" }
    let others = (other[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string)
    if gateway.hostnames.isEmpty { return others.isEmpty ? "*" : nil }
    // The more particular host decides, so only the same one is fought over.
    return gateway.hostnames.first(where: others.contains)
  }

  private func matches(_ entrance: Entrance, meet other: JSON) -> Bool {
    let ours = Set((entrance.matches.isEmpty ? [HTTPMatch()] : entrance.matches).map(Condition.init))
    let rules = other[path: ["spec", "rules"]]?.array ?? [.emptyObject]
    return rules.contains { rule in
      let matches = rule["matches"]?.array ?? [.emptyObject]
      return matches.contains { json in GatewayMatch.match(json).map { ours.contains(Condition($0)) } ?? false }
    }
  }

  /// A match, its parts in an order of their own.
  private struct Condition: Hashable {
    var path: String
    var method: String
    var headers: Set<String>
    var parameters: Set<String>

    init(_ match: HTTPMatch) {
      let value = match.path?.value ?? "/"
      let isPrefix = (match.path?.kind ?? .pathPrefix) == .pathPrefix
      path =
        "\((match.path?.kind ?? .pathPrefix).rawValue) "
        + (isPrefix && value.count > 1 && value.hasSuffix("/") ? String(value.dropLast()) : value)
      method = match.method?.rawValue ?? ""
      headers = Set((match.headers ?? []).map { "\($0.name.lowercased()) \($0.kind.rawValue) \($0.value)" })
      parameters = Set((match.queryParams ?? []).map { "\($0.name) \($0.kind.rawValue) \($0.value)" })
    }
  }
}
