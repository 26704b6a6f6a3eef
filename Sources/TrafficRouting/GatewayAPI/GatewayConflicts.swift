import KubernetesAPI
import RolloutAPI

/// Which requests a route asks for, as far as another route can ask for the same.
struct GatewayClaim: Sendable {
  var namespace: String
  var parent: ParentReference
  /// Empty for all of the parent's.
  var hostnames: [String]
  /// Empty for every request.
  var matches: [HTTPMatch]
  var clusterDomain: String

  /// A host that another route asks for by the same parent and with the same match.
  func host(sharedWith other: JSON) -> String? {
    guard isAttached(other), let host = commonHost(other), isMet(by: other) else { return nil }
    return host
  }

  func conflict(with other: JSON) -> RoutingConflict? {
    host(sharedWith: other).map { host in
      RoutingConflict(
        object: other.objectKey, kind: "HTTPRoute", rollout: other.labels[RoutingNames.rollout], host: host,
        gateway: isMesh ? "mesh" : "\(parent.namespace ?? namespace)/\(parent.name)")
    }
  }

  /// Whether a GRPCRoute asks for calls of the same parent and host, whatever they match: of the two kinds only one is
  /// served there (gateway-api.sigs.k8s.io, under GRPCRoute; for a Service as parent GEP-1426).
  func excludes(_ other: JSON) -> Bool {
    guard isAttached(other) else { return false }
    if isMesh { return true }
    let others = (other[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string)
    if hostnames.isEmpty || others.isEmpty { return true }
    func covers(_ wide: String, _ host: String) -> Bool {
      wide == host || (wide.hasPrefix("*.") && host.hasSuffix(wide.dropFirst()))
    }
    return hostnames.contains { mine in others.contains { covers(mine, $0) || covers($0, mine) } }
  }

  private func isAttached(_ other: JSON) -> Bool {
    (other[path: ["spec", "parentRefs"]]?.array ?? []).contains { json in
      (try? json.decode(ParentReference.self)).map { meets($0, namespace: other.namespace) } ?? false
    }
  }

  private var isMesh: Bool { parent.kind == "Service" }

  /// Whether two references may mean the same listener.
  private func meets(_ other: ParentReference, namespace: String) -> Bool {
    func group(_ parent: ParentReference) -> String {
      parent.group == "core" ? "" : parent.group ?? Defaults.parentGroup
    }
    func agree<Value: Equatable>(_ left: Value?, _ right: Value?) -> Bool {
      left == nil || right == nil || left == right
    }
    return group(parent) == group(other) && parent.kind ?? Defaults.parentKind == other.kind ?? Defaults.parentKind
      && parent.name == other.name && parent.namespace ?? self.namespace == other.namespace ?? namespace
      && agree(parent.sectionName, other.sectionName) && agree(parent.port, other.port)
  }

  /// A host that both serve; a route without any serves all of its parent's.
  private func commonHost(_ other: JSON) -> String? {
    if isMesh { return "\(parent.name).\(parent.namespace ?? namespace).svc.\(clusterDomain)" }
    let others = (other[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string)
    if hostnames.isEmpty { return others.isEmpty ? "*" : nil }
    // The more particular host decides, so only the same one is fought over.
    return hostnames.first(where: others.contains)
  }

  private func isMet(by other: JSON) -> Bool {
    let ours = Set((matches.isEmpty ? [HTTPMatch()] : matches).map(GatewayCondition.init))
    let rules = other[path: ["spec", "rules"]]?.array ?? [.emptyObject]
    return rules.contains { !GatewayCondition.all(of: $0).isDisjoint(with: ours) }
  }
}

/// A match, its parts in an order of their own.
struct GatewayCondition: Hashable {
  private var path: String
  private var method: String
  private var headers: Set<String>
  private var parameters: Set<String>

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

  /// Those of a rule, without what a plan's matches cannot say.
  static func all(of rule: JSON) -> Set<GatewayCondition> {
    let matches = rule["matches"]?.array ?? []
    return Set((matches.isEmpty ? [.emptyObject] : matches).compactMap(GatewayMatch.match).map(GatewayCondition.init))
  }
}

extension GatewayProvider {
  /// Routes of the same parent, a host in common and a match in common are decided by their age; the younger one never
  /// gets a request. One whose match is more or less particular lives beside.
  public func conflicts(existing: [JSON]) -> [RoutingConflict] {
    existing.sorted { $0.objectKey < $1.objectKey }.filter { !isOwn($0) }.flatMap { other in
      entrances.compactMap { entrance in
        parents(entrance).lazy.compactMap { claim(entrance, $0).conflict(with: other) }.first
      }
    }
  }

  /// GRPCRoutes beside which none of these HTTPRoutes would be served.
  var grpcObstacles: [String] {
    grpcObstacles(entrances.flatMap { entrance in parents(entrance).map { claim(entrance, $0) } })
  }

  func grpcObstacles(_ claims: [GatewayClaim]) -> [String] {
    surroundings.filter { route in
      route.kind == ResourceType.grpcRoutes.kind && claims.contains { $0.excludes(route) }
    }.map { route in
      "GRPCRoute \(route.objectKey) has the same parent and host, where an HTTPRoute beside it is not served; Sluice weighs "
        + "gRPC by HTTPRoutes alone (a call is a POST to /SERVICE/METHOD): delete the GRPCRoute once matches cover its "
        + "calls, or give them a host of their own"
    }
  }

  private func claim(_ entrance: Entrance, _ parent: ParentReference) -> GatewayClaim {
    GatewayClaim(
      namespace: plan.namespace, parent: parent, hostnames: entrance.isMesh ? [] : gateway.hostnames,
      matches: entrance.matches, clusterDomain: clusterDomain)
  }

  private func isOwn(_ other: JSON) -> Bool {
    other.namespace == plan.namespace
      && (other.labels[RoutingNames.rollout] == plan.name || other.name == gateway.adopt)
  }
}
