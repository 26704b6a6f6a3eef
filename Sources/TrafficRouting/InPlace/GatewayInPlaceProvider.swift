import KubernetesAPI
import RolloutAPI

/// The Gateway API, by one rule of an HTTPRoute that a person keeps.
struct GatewayInPlaceProvider: InPlaceProvider {
  let type = ResourceType.httpRoutes
  let list = "rules"
  let members = ["backendRefs", "filters"]

  let base: GatewayProvider
  let route: RouteReference
  let service: RoutedService
  /// By which Gateways and Services requests come to the route; empty where it is not there.
  let parents: [ParentReference]
  private let isThere: Bool

  var plan: Plan { base.plan }
  var metrics: (any MeshMetrics)? { base.metrics }
  var measuresShare: Bool { base.measuresShare }

  /// - Throws: ``RoutingRefusal`` with what of the plan itself cannot be done.
  init(plan: Plan, setting: ProviderSetting) throws(RoutingRefusal) {
    guard case .gatewayAPI(let gateway) = plan.provider, let route = gateway.route else {
      throw RoutingRefusal(["traffic.gatewayAPI.route is not what Rollout \(plan.key) names"])
    }
    guard let service = setting.services.first, setting.services.count == 1 else {
      throw RoutingRefusal([
        "serviceRefs names \(setting.services.count) Services, and traffic.gatewayAPI.route one rule for one"
      ])
    }
    self.route = route
    self.service = service
    let key = ObjectKey(namespace: plan.namespace, name: route.name)
    let object = setting.routes.first { $0.objectKey == key }
    isThere = object != nil
    parents = (object?[path: ["spec", "parentRefs"]]?.array ?? []).compactMap { try? $0.decode() }
    base = GatewayProvider(
      plan: plan, setting: setting,
      gateway: GatewayTraffic(
        parents: parents.filter { $0.kind != "Service" },
        hostnames: (object?[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string), matches: [],
        mesh: parents.contains { $0.kind == "Service" }, metrics: gateway.metrics, route: route))
  }

  // MARK: Which rule

  func inserted(in object: JSON) -> [Int] {
    let rules = object[path: ["spec", list]]?.array ?? []
    let lent = rules.indices.filter { isLent(rules[$0]) }
    let named = LentRule.inserted(in: rules, rollout: plan.name)
    if route.rule != nil { return lent.filter { rules[$0]["name"]?.string != route.rule } }
    // Without names the person's is the last of them.
    return lent.isEmpty ? named : Array(Set(named + lent.dropLast())).sorted()
  }

  func rule(in object: JSON) throws(RoutingRefusal) -> LentRule {
    let rules = object[path: ["spec", list]]?.array ?? []
    let inserted = inserted(in: object)
    if let name = route.rule {
      return try LentRule(named: name, in: object, type, rules: rules, inserted: inserted, noun: "rule")
    }
    func found(_ index: Int) -> LentRule {
      LentRule(object: object, type: type, rules: rules, index: index, inserted: inserted)
    }
    let theirs = rules.indices.filter { !inserted.contains($0) }
    if let lent = theirs.last(where: { isLent(rules[$0]) }) { return found(lent) }
    let sending = theirs.filter { (rules[$0]["backendRefs"]?.array ?? []).contains { isService($0, service.name) } }
    let title = "\(type.kind) \(object.objectKey)"
    guard let first = sending.first else {
      let backends = theirs.flatMap { backendNames(rules[$0]) }.uniqued
      throw RoutingRefusal([
        "\(title) has no rule with a backendRef to the Service \(service.name), which serviceRefs names; its rules send "
          + "to \(backends.isEmpty ? "nothing" : backends.joined(separator: ", "))"
      ])
    }
    guard sending.count == 1 else {
      let names = sending.map { rules[$0]["name"]?.string ?? "spec.rules[\($0)]" }.joined(separator: ", ")
      let way =
        base.cluster.hasField(since: 3)
        ? "name one of them as route.rule"
        : "rules have names only since Gateway API v1.3 and \(base.cluster.title), so join the matches of these in one"
      throw RoutingRefusal([
        "\(title) has \(sending.count) rules that send to the Service \(service.name) (\(names)): \(way)"
      ])
    }
    return found(first)
  }

  // MARK: Whose backends

  private func isService(_ backend: JSON, _ name: String) -> Bool {
    ["", "core"].contains(backend["group"]?.string ?? "") && backend["kind"]?.string ?? "Service" == "Service"
      && backend["namespace"]?.string ?? plan.namespace == plan.namespace && backend["name"]?.string == name
  }

  /// Whether a backend is one of the tracks' Services.
  private func isTrack(_ backend: JSON) -> Bool {
    [service.stableName, service.canaryName].contains { isService(backend, $0) }
  }

  private func isOwnMirror(_ filter: JSON) -> Bool {
    filter[path: ["requestMirror", "backendRef"]].map(isTrack) ?? false
  }

  func isLent(_ rule: JSON) -> Bool {
    (rule["backendRefs"]?.array ?? []).contains(where: isTrack)
      || (rule["filters"]?.array ?? []).contains(where: isOwnMirror)
  }

  func canaryWeight(_ rule: JSON) -> Int { base.canaryWeight(rule) ?? 0 }

  func backendNames(_ rule: JSON) -> [String] {
    (rule["backendRefs"]?.array ?? []).map { backend in
      let kind = backend["kind"]?.string ?? "Service"
      let namespace = backend["namespace"]?.string.map { "\($0)/" } ?? ""
      return (kind == "Service" ? "" : "\(kind) ") + namespace + (backend["name"]?.string ?? "?")
    }
  }

  /// Whether a backend is the callers' Service.
  func isCallers(_ backend: JSON) -> Bool { isService(backend, service.name) }

  // MARK: What a rule is made to say

  /// A record that was taken away is made up for from the backends: the stable one is the person's under another name.
  func original(_ found: LentRule) -> JSON {
    var original = members(of: found.rule)
    guard isLent(found.rule) else { return original }
    if let record = record(found.object), let backends = record.original["backendRefs"] {
      original["backendRefs"] = backends
    } else {
      let backends = found.rule["backendRefs"]?.array ?? []
      var backend = backends.first { isService($0, service.stableName) } ?? .emptyObject
      backend["name"] = .string(service.name)
      backend["weight"] = 1
      if backend["port"] == nil { backend["port"] = service.ports.first.map { JSON($0) } }
      if backend["filters"] == [EnvoyGatewayMetrics.emptyFilter] { backend["filters"] = nil }
      original["backendRefs"] = [backend]
    }
    // What else a rule filters is the person's at all times.
    let filters = (found.rule["filters"]?.array ?? []).filter { !isOwnMirror($0) }
    original["filters"] = filters.isEmpty && found.rule["filters"] != [] ? nil : .array(filters)
    return original
  }

  func rules(_ target: TrafficTarget, _ found: LentRule) -> (inserted: [JSON], rule: JSON) {
    let original = original(found)
    var person = found.rule
    for member in members { person[member] = original[member] }
    var rule = person
    var backends = split(person, canary: target.weight.value)
    var inserted: [JSON] = []
    func insert(_ what: String, _ matches: [JSON]) {
      var new = person
      // A route whose rules have no names may be one of a version or a controller that does not know any.
      new["name"] = person["name"].map { _ in .string(LentRule.insertedName(plan.name, what)) }
      new["matches"] = .array(matches)
      new["backendRefs"] = .array(split(person, canary: 100))
      inserted.append(new)
    }
    let routes = (Self.matches(person) ?? []).meeting(target.routes).met
    if !routes.isEmpty { insert("route", routes.map(GatewayMatch.json)) }
    if let sticky = target.sticky {
      let cookie = sticky.match(base.revision)
      insert(
        "sticky",
        Self.entries(person).map { entry in
          var entry = entry
          entry["headers"] = .array((entry["headers"]?.array ?? []) + [cookie])
          return entry
        })
      let filter = GatewayProvider.filter(addingHeader: "Set-Cookie", sticky.setCookie(base.revision))
      backends[1] = GatewayProvider.adding(filter, to: backends[1])
    }
    rule["backendRefs"] = .array(backends)
    if let mirror = target.mirror {
      var backend = person["backendRefs"]?[0] ?? .emptyObject
      for member in ["weight", "filters"] { backend[member] = nil }
      backend["name"] = .string(service.canaryName)
      let filter = GatewayProvider.filter(mirroring: mirror, to: backend)
      rule["filters"] = .array((person["filters"]?.array ?? []) + [filter])
    }
    return (inserted, rule)
  }

  /// The person's backend twice, with all that it says besides.
  private func split(_ person: JSON, canary: Int) -> [JSON] {
    let backend = person["backendRefs"]?[0] ?? .emptyObject
    func track(_ name: String, _ weight: Int) -> JSON {
      var track = backend
      track["name"] = .string(name)
      track["weight"] = JSON(weight)
      // Only backends with a filter get a cluster each, without which it would count both tracks as one.
      let isAlone = (track["filters"]?.array ?? []).isEmpty
      guard base.cluster.metrics == .envoyGateway, isAlone else { return track }
      return GatewayProvider.adding(EnvoyGatewayMetrics.emptyFilter, to: track)
    }
    return [track(service.stableName, 100 - canary), track(service.canaryName, canary)]
  }

  /// A rule's match entries; one that takes everything where it has none.
  static func entries(_ rule: JSON) -> [JSON] {
    let matches = rule["matches"]?.array ?? []
    return matches.isEmpty ? [GatewayMatch.json(HTTPMatch())] : matches
  }

  /// The same in a plan's words; `nil` where those cannot say it.
  static func matches(_ rule: JSON) -> [HTTPMatch]? {
    let entries = entries(rule)
    let matches = entries.compactMap(GatewayMatch.match)
    return matches.count == entries.count ? matches : nil
  }

  // MARK: Others

  func limits(_ target: TrafficTarget) -> [String] { base.limitsOfCluster(target) }

  var obstacles: [String] {
    // What is to be known of its parents is not, where the route itself is missing.
    guard isThere else { return [] }
    let gone = base.cluster.parents.filter { !$0.isThere }
    return gone.map { "HTTPRoute \(key): spec.parentRefs: there is no Gateway \($0.key)" } + base.metricsObstacles
      + base.securityObstacles + base.grpcObstacles(claims(matches: []))
  }

  func pending(_ live: [JSON]) -> [String] { find(live).map { base.pending($0, parents) } ?? [] }

  func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] { try base.policies(existing: existing) }

  private func claims(matches: [HTTPMatch]) -> [GatewayClaim] {
    parents.map {
      GatewayClaim(
        namespace: plan.namespace, parent: $0, hostnames: base.gateway.hostnames, matches: matches,
        clusterDomain: base.clusterDomain)
    }
  }

  /// Older routes that answer the same requests: of two that ask for the same the older one gets them.
  func conflicts(existing: [JSON]) -> [RoutingConflict] {
    guard let own = find(existing), let rule = try? rule(in: own), let matches = Self.matches(rule.rule) else {
      return []
    }
    let claims = claims(matches: matches)
    return older(than: own, among: existing).flatMap { other in claims.compactMap { $0.conflict(with: other) } }
  }
}
