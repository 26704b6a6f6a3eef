import KubernetesAPI
import RolloutAPI

/// Istio, by one rule of a VirtualService that a person keeps.
struct IstioInPlaceProvider: InPlaceProvider {
  let type = ResourceType.virtualServices
  let list = "http"
  let members = ["route", "mirrors"]

  let base: IstioProvider
  let route: RouteReference
  let service: RoutedService

  var plan: Plan { base.plan }
  var metrics: (any MeshMetrics)? { base.metrics }

  /// - Throws: ``RoutingRefusal`` with all that the plan asks for and this provider cannot do.
  init(
    plan: Plan, services: [RoutedService], revision: String, clusterDomain: String = "cluster.local",
    surroundings: [JSON] = [], workload: JSON? = nil
  ) throws(RoutingRefusal) {
    guard case .istio(let istio) = plan.provider, let route = istio.route else {
      throw RoutingRefusal(["traffic.istio.route is not what Rollout \(plan.key) names"])
    }
    guard let service = services.first, services.count == 1 else {
      throw RoutingRefusal(["serviceRefs names \(services.count) Services, and traffic.istio.route one rule for one"])
    }
    self.route = route
    self.service = service
    base = try IstioProvider(
      plan: plan, services: services, revision: revision, clusterDomain: clusterDomain,
      surroundings: surroundings, workload: workload)
  }

  func rule(in object: JSON) throws(RoutingRefusal) -> LentRule {
    try LentRule(
      named: route.rule, in: object, type, rules: object[path: ["spec", list]]?.array ?? [],
      inserted: inserted(in: object), noun: "http rule")
  }

  func inserted(in object: JSON) -> [Int] {
    LentRule.inserted(in: object[path: ["spec", list]]?.array ?? [], rollout: plan.name)
  }

  // MARK: Whose destinations

  /// Whether a destination is one of the tracks' Services.
  func isTrack(_ destination: JSON?) -> Bool {
    let host = base.fullHost(destination?["host"]?.string ?? "", namespace: plan.namespace)
    return [service.stableName, service.canaryName].contains { base.host($0) == host }
  }

  func isCanary(_ destination: JSON?) -> Bool {
    base.fullHost(destination?["host"]?.string ?? "", namespace: plan.namespace) == base.host(service.canaryName)
  }

  func isLent(_ rule: JSON) -> Bool {
    let destinations = (rule["route"]?.array ?? []) + (rule["mirrors"]?.array ?? [])
    return destinations.contains { isTrack($0["destination"]) } || isTrack(rule["mirror"])
  }

  func canaryWeight(_ rule: JSON) -> Int {
    let route = rule["route"]?.array ?? []
    // One that stands alone gets everything.
    let weights = route.map { route.count == 1 ? 1 : max(0, $0["weight"]?.int ?? 0) }
    let total = weights.reduce(0, +)
    guard total > 0 else { return 0 }
    return zip(route, weights).filter { isCanary($0.0["destination"]) }.reduce(0) { $0 + $1.1 } * 100 / total
  }

  // MARK: What a rule must look like

  func limits(_ target: TrafficTarget) -> [String] { base.limits(target) }

  func problems(_ found: LentRule) -> [String] {
    let rule = found.rule
    var problems: [String] = []
    func refuse(_ text: String) { problems.append("\(found.title) \(text)") }
    if let delegate = rule["delegate"] {
      let name = "\(delegate["namespace"]?.string ?? plan.namespace)/\(delegate["name"]?.string ?? "")"
      refuse("delegates to VirtualService \(name): name that one in traffic.istio.route")
      return problems
    }
    for field in ["redirect", "directResponse"] where rule[field] != nil {
      refuse("answers by itself (\(field)), so that there is nothing to weigh")
    }
    let route = rule["route"]?.array ?? []
    let hosts = route.map { $0[path: ["destination", "host"]]?.string ?? "?" }
    let wanted = "the Service \(service.name), which serviceRefs names, alone"
    if route.count != 1 {
      if problems.isEmpty || !route.isEmpty {
        refuse("routes to \(hosts.isEmpty ? "nothing" : hosts.joined(separator: ", ")); wanted \(wanted)")
      }
      return problems
    }
    let destination = route[0]["destination"]
    if base.fullHost(hosts[0], namespace: plan.namespace) != base.host(service.name) {
      refuse("routes to \(hosts[0]); wanted \(wanted)")
    }
    if let subset = destination?["subset"]?.string {
      refuse("routes to the subset \(subset), which the tracks' Services do not have; take destination.subset out")
    }
    if let port = destination?[path: ["port", "number"]]?.int, !service.ports.contains(port) {
      refuse(
        "routes to port \(port); wanted \(service.ports.map(String.init).joined(separator: ", ")), which serviceRefs names"
      )
    }
    if let hiding = found.others.first(where: { $0.index < found.index && Self.takesAll($0.rule) }) {
      refuse("gets no request: \(LentRule.title(of: hiding.rule, in: found.object, type)) before it takes them all")
    }
    return problems + stepProblems(found)
  }

  private static func takesAll(_ rule: JSON) -> Bool {
    let matches = rule["match"]?.array ?? []
    return matches.isEmpty || matches.contains(.emptyObject)
  }

  func targetProblems(_ target: TrafficTarget, _ found: LentRule) -> [String] {
    let rule = found.rule
    var problems: [String] = []
    if target.mirror != nil, rule["mirror"] != nil {
      problems.append(
        "mirror: \(found.title) has a mirror of its own, which Istio joins with no other; make it mirrors")
    }
    if !target.routes.isEmpty {
      let (met, unclear) = meeting(target.routes, entries(rule))
      problems += unclear.map { "route.matches: \(found.title) matches on \($0) too, which Istio cannot join" }
      if met.isEmpty, unclear.isEmpty {
        problems.append("route.matches: \(found.title) takes no request that these match")
      }
    }
    if target.sticky != nil {
      let names = entries(rule).flatMap { entry in
        ["headers", "withoutHeaders"].flatMap { Array((entry[$0]?.object ?? [:]).keys) }
      }
      if names.contains(where: { $0.lowercased() == "cookie" }) {
        problems.append("sticky: \(found.title) matches on the header cookie, which Istio cannot join with another")
      }
      let added = rule["route"]?[0]?[path: ["headers", "response", "add"]]?.object ?? [:]
      if added.keys.contains(where: { $0.lowercased() == "set-cookie" }) {
        problems.append("sticky: \(found.title) adds a Set-Cookie header already")
      }
    }
    return problems
  }

  /// A rule's match entries; one that takes everything where it has none.
  private func entries(_ rule: JSON) -> [JSON] {
    let matches = rule["match"]?.array ?? []
    return matches.isEmpty ? [.emptyObject] : matches
  }

  private func meeting(_ routes: [HTTPMatch], _ entries: [JSON]) -> (met: [JSON], unclear: [String]) {
    var met: [JSON] = []
    var unclear: [String] = []
    for entry in entries {
      for route in routes {
        switch IstioMatch.joined(entry, route) {
        case .one(let both): met += both.filter { !met.contains($0) }
        case .never: break
        case .inexpressible(let property): unclear.append(property)
        }
      }
    }
    return (met, unclear)
  }

  // MARK: What a rule is made to say

  /// A record that was taken away is made up for from the destinations: the stable one is the person's under another name.
  func original(_ found: LentRule) -> JSON {
    guard isLent(found.rule) else { return members(of: found.rule) }
    if let record = record(found.object) { return record.original }
    let route = found.rule["route"]?.array ?? []
    var destination = route.first { isTrack($0["destination"]) && !isCanary($0["destination"]) }
    destination?["weight"] = nil
    if let host = destination?[path: ["destination", "host"]]?.string {
      destination?[path: ["destination", "host"]] = .string(renamed(host, to: service.name))
    }
    var members: JSON = ["route": [destination ?? ["destination": ["host": .string(service.name)]]]]
    let mirrors = (found.rule["mirrors"]?.array ?? []).filter { !isTrack($0["destination"]) }
    if !mirrors.isEmpty { members["mirrors"] = .array(mirrors) }
    return members
  }

  /// A Service's host, spelled as the person spelled another one: short or in full.
  private func renamed(_ host: String, to name: String) -> String {
    let rest = host.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).dropFirst()
    return ([name] + rest.map(String.init)).joined(separator: ".")
  }

  func rules(_ target: TrafficTarget, _ found: LentRule) -> (inserted: [JSON], rule: JSON) {
    let original = original(found)
    var rule = found.rule
    for member in members { rule[member] = original[member] }
    let person = rule
    rule["route"] = split(person, canary: target.weight.value)
    var inserted: [JSON] = []
    func insert(_ what: String, _ matches: [JSON]) {
      var new = person
      new["name"] = .string(LentRule.insertedName(plan.name, what))
      new["match"] = .array(matches)
      new["route"] = split(person, canary: 100)
      inserted.append(new)
    }
    let routes = meeting(target.routes, entries(person)).met
    if !routes.isEmpty { insert("route", routes) }
    if let sticky = target.sticky {
      insert(
        "sticky",
        entries(person).map { entry in
          var entry = entry
          entry[path: ["headers", "cookie"]] = ["regex": .string(sticky.pattern(base.revision))]
          return entry
        })
      rule["route"] = base.setCookie(sticky, on: rule["route"] ?? [])
    }
    if let mirror = target.mirror {
      var destination = person["route"]?[0]?["destination"] ?? .emptyObject
      destination["host"] = .string(renamed(destination["host"]?.string ?? "", to: service.canaryName))
      // As a whole number where it is one, so that it is read back as written.
      let percentage: JSON = mirror.whole.map { JSON($0) } ?? .double(mirror.value)
      let ours: JSON = ["destination": destination, "percentage": ["value": percentage]]
      rule["mirrors"] = .array((person["mirrors"]?.array ?? []) + [ours])
    }
    return (inserted, rule)
  }

  /// The person's destination twice, with all that it says besides.
  private func split(_ person: JSON, canary: Int) -> JSON {
    let destination = person["route"]?[0] ?? ["destination": ["host": .string(service.name)]]
    let host = destination[path: ["destination", "host"]]?.string ?? service.name
    func track(_ name: String, _ weight: Int) -> JSON {
      var track = destination
      track[path: ["destination", "host"]] = .string(renamed(host, to: name))
      track["weight"] = JSON(weight)
      return track
    }
    return [track(service.stableName, 100 - canary), track(service.canaryName, canary)]
  }

  // MARK: Others

  var obstacles: [String] { base.obstacles }

  /// VirtualServices that hide the person's from callers in the mesh: there one object for a host hides all younger ones.
  func conflicts(existing: [JSON]) -> [RoutingConflict] {
    guard let own = find(existing) else { return [] }
    let hosts = base.meshHosts(of: own)
    return older(than: own, among: existing).flatMap { other in
      guard base.isVisible(other) else { return [RoutingConflict]() }
      return base.meshHosts(of: other).filter(hosts.contains).map { host in
        RoutingConflict(
          object: other.objectKey, kind: ResourceType.virtualServices.kind,
          rollout: other.labels[RoutingNames.rollout], host: host, gateway: "mesh")
      }
    }
  }

  func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    try base.policies(existing: existing)
  }
}
