import KubernetesAPI
import RolloutAPI

/// Reads a person's HTTPRoute into `traffic.gatewayAPI` and the policy beside it.
public struct GatewayImport: Sendable {
  private let object: JSON
  private let wanted: String?
  private var losses: [String] = []
  private var notes: [String] = []

  /// What the API server lets an HTTPRoute have of matches, and a Rollout.
  private static let mostMatches = 16

  private init(_ object: JSON, service: String?) {
    self.object = object
    wanted = service
  }

  /// - Parameters:
  ///   - service: the Service whose rules are read; that of the first rule where it is not named.
  ///   - live: the Services of the namespace, from which a port is taken that the object does not name.
  public static func read(_ object: JSON, service: String? = nil, live: [JSON] = []) -> RouteImport {
    var reader = GatewayImport(object, service: service)
    return reader.read(live)
  }

  private var title: String { "HTTPRoute \(object.objectKey)" }

  private mutating func lose(_ field: String, _ why: String) { losses.append("\(title): \(field): \(why)") }

  private mutating func read(_ live: [JSON]) -> RouteImport {
    for member in (object["spec"]?.object ?? [:]).keys.sorted()
    where !["parentRefs", "hostnames", "rules"].contains(member) {
      lose("spec.\(member)", "a Rollout has no such thing; edit yours in place (traffic.gatewayAPI.route)")
    }
    let rules = object[path: ["spec", "rules"]]?.array ?? []
    if rules.isEmpty { lose("spec.rules", "it has no rule") }
    let name = wanted ?? rules.compactMap(service).first
    var own: [(index: Int, rule: JSON)] = []
    for (index, rule) in rules.enumerated() {
      if let name, service(rule) == name {
        own.append((index, rule))
      } else {
        lose(
          "spec.rules[\(index)]",
          "it sends to \(backends(rule)), and a Rollout to the one Service that it weighs; move the rule to an object of "
            + "its own, or edit yours in place (traffic.gatewayAPI.route)")
      }
    }
    let matches = matches(own)
    var traffic = TrafficSpec(gatewayAPI: gateway(name, matches))
    if let rule = own.first { policy(rule.rule, "spec.rules[\(rule.index)]", &traffic) }
    return RouteImport(
      service: name.map { reference($0, own.first?.rule, live) }, traffic: traffic, losses: losses, notes: notes)
  }

  // MARK: Parents

  private mutating func gateway(_ service: String?, _ matches: [HTTPMatch]) -> GatewayAPISpec {
    var spec = GatewayAPISpec(matches: matches.isEmpty ? nil : matches, mesh: false)
    var parents: [ParentReference] = []
    for (index, json) in (object[path: ["spec", "parentRefs"]]?.array ?? []).enumerated() {
      let field = "spec.parentRefs[\(index)]"
      guard var parent: ParentReference = try? json.decode() else {
        lose(field, "it cannot be read")
        continue
      }
      if parent.kind == "Service" {
        if parent.name == service, parent.namespace ?? object.namespace == object.namespace {
          spec.mesh = true
        } else {
          lose(field, "Service \(parent.name) is not the one that the rules send to, whose callers a Rollout covers")
        }
        continue
      }
      if parent.group == Defaults.parentGroup { parent.group = nil }
      if parent.kind == Defaults.parentKind { parent.kind = nil }
      if parent.namespace == object.namespace { parent.namespace = nil }
      parents.append(parent)
    }
    let hostnames = (object[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string)
    if parents.isEmpty {
      if spec.mesh != true { lose("spec.parentRefs", "it has none that a Rollout could name") }
      if !matches.isEmpty {
        lose("spec.rules", "its matches are for callers of the Service, and a Rollout takes all requests of those")
      }
      spec.matches = nil
      notes.append("\(title): traffic.gatewayAPI.metrics: put in whose metrics judge the tracks")
      return spec
    }
    spec.parentRefs = parents
    if !hostnames.isEmpty { spec.hostnames = hostnames }
    if spec.mesh == true, !matches.isEmpty {
      notes.append("\(title): for callers of the Service a Rollout takes all requests, whatever matches say")
    }
    return spec
  }

  // MARK: Rules

  private func backends(_ rule: JSON) -> String {
    let names = (rule["backendRefs"]?.array ?? []).compactMap { $0["name"]?.string }
    return names.isEmpty ? "nothing" : names.joined(separator: ", ")
  }

  /// The Service of the object's namespace that a rule sends to, alone.
  private func service(_ rule: JSON) -> String? {
    let backends = rule["backendRefs"]?.array ?? []
    guard backends.count == 1, backends[0]["kind"]?.string ?? "Service" == "Service",
      backends[0]["namespace"]?.string ?? object.namespace == object.namespace
    else { return nil }
    return backends[0]["name"]?.string
  }

  private mutating func reference(_ name: String, _ rule: JSON?, _ live: [JSON]) -> ServiceReference {
    if let port = rule?["backendRefs"]?[0]?["port"]?.int { return ServiceReference(name: name, port: .int(port)) }
    notes.append("serviceRefs: \(title) names no port of Service \(name); put in the one that callers use")
    let ports = live.first { $0.name == name && $0.namespace == object.namespace }?[path: ["spec", "ports"]]?.array
    return ServiceReference(name: name, port: .int(ports?.first?["port"]?.int ?? 80))
  }

  /// What makes a rule besides its name and matches.
  private static func besides(_ rule: JSON) -> JSON {
    var rule = rule
    for member in ["name", "matches"] { rule[member] = nil }
    return rule
  }

  /// Empty for every request.
  private mutating func matches(_ own: [(index: Int, rule: JSON)]) -> [HTTPMatch] {
    var matches: [HTTPMatch] = []
    var takesAll = false
    for (index, rule) in own {
      if let first = own.first, Self.besides(rule) != Self.besides(first.rule) {
        lose(
          "spec.rules[\(index)]",
          "it differs from rule \(first.index) in more than its matches, and a Rollout has one rule")
      }
      let entries = rule["matches"]?.array ?? []
      takesAll = takesAll || entries.isEmpty
      for (place, entry) in entries.enumerated() {
        guard var match = GatewayMatch.match(entry) else {
          lose("spec.rules[\(index)].matches[\(place)]", "a Rollout's matches have no such thing")
          continue
        }
        // What the API server fills in.
        if match.path == PathMatch(type: .pathPrefix, value: "/") { match.path = nil }
        takesAll = takesAll || match == HTTPMatch()
        if !matches.contains(match) { matches.append(match) }
      }
    }
    if takesAll { return [] }
    if matches.count > Self.mostMatches {
      lose("spec.rules", "it has \(matches.count) matches, and a Rollout at most \(Self.mostMatches)")
    }
    return matches
  }

  private mutating func policy(_ rule: JSON, _ field: String, _ traffic: inout TrafficSpec) {
    let kept = "a Rollout has no such thing; edit yours in place (traffic.gatewayAPI.route), which keeps it"
    for member in (rule.object ?? [:]).keys.sorted()
    where !["name", "matches", "backendRefs", "timeouts", "retry"].contains(member) {
      lose("\(field).\(member)", kept)
    }
    let backend = rule["backendRefs"]?[0]
    for member in (backend?.object ?? [:]).keys.sorted()
    where !["group", "kind", "namespace", "name", "port", "weight"].contains(member) {
      lose("\(field).backendRefs[0].\(member)", kept)
    }
    if backend?["weight"]?.int == 0 { lose("\(field).backendRefs[0].weight", "it is 0, so that every request fails") }
    if let timeouts = rule["timeouts"] {
      traffic.timeouts = TimeoutsSpec(
        request: timeouts["request"]?.string, backendRequest: timeouts["backendRequest"]?.string)
    }
    if let retry = rule["retry"] {
      traffic.retries = RetriesSpec(
        attempts: retry["attempts"]?.int ?? 1, codes: retry["codes"]?.array?.compactMap(\.int),
        backoff: retry["backoff"]?.string)
    }
  }
}

extension GatewayProvider {
  /// What a person's HTTPRoute says and this plan does not: requests that it takes would have no route afterwards.
  public func losses(adopting object: JSON) -> [String] {
    guard let first = services.first else { return [] }
    let read = GatewayImport.read(object, service: first.name)
    let title = "HTTPRoute \(object.objectKey)"
    var losses = read.losses
    func lose(_ field: String, _ what: String) {
      losses.append(
        "\(title) \(what), and spec.traffic.gatewayAPI.\(field) does not: add it, or take it out of the object first")
    }
    let theirs = read.traffic.gatewayAPI ?? GatewayAPISpec()
    func filled(_ parent: ParentReference) -> ParentReference {
      var parent = parent
      parent.group = parent.group ?? Defaults.parentGroup
      parent.kind = parent.kind ?? Defaults.parentKind
      parent.namespace = parent.namespace ?? plan.namespace
      return parent
    }
    let ours = gateway.parents.map(filled)
    for parent in theirs.parentRefs ?? [] where !ours.contains(where: { Self.covers($0, filled(parent)) }) {
      lose("parentRefs", "serves \(parent.kind ?? Defaults.parentKind) \(parent.name)")
    }
    if theirs.mesh == true, !gateway.mesh { lose("mesh", "serves callers of the Service") }
    let hosts = theirs.hostnames ?? []
    if !gateway.hostnames.isEmpty, theirs.parentRefs != nil {
      if hosts.isEmpty { lose("hostnames", "serves every host") }
      for host in hosts where !gateway.hostnames.contains(host) { lose("hostnames", "serves host \(host)") }
    }
    if let port = read.service?.port, case .int(let number) = port, !first.ports.contains(number) {
      losses.append("\(title) sends to port \(number) of Service \(first.name), and spec.serviceRefs does not")
    }
    guard !gateway.matches.isEmpty, theirs.parentRefs != nil else { return losses }
    let theirMatches = theirs.matches ?? []
    for match in theirMatches.isEmpty ? [HTTPMatch()] : theirMatches
    where !gateway.matches.contains(where: { Self.covers($0, match) }) {
      lose("matches", "takes requests with \(match == HTTPMatch() ? "any path" : "\(GatewayMatch.json(match))")")
    }
    return losses
  }

  /// Whether a reference means all listeners that another one means.
  private static func covers(_ ours: ParentReference, _ theirs: ParentReference) -> Bool {
    func takes<Value: Equatable>(_ mine: Value?, _ other: Value?) -> Bool { mine == nil || mine == other }
    return ours.group == theirs.group && ours.kind == theirs.kind && ours.namespace == theirs.namespace
      && ours.name == theirs.name && takes(ours.sectionName, theirs.sectionName) && takes(ours.port, theirs.port)
  }

  /// Whether a match takes all requests that another one takes, as far as that can be told.
  static func covers(_ ours: HTTPMatch, _ theirs: HTTPMatch) -> Bool {
    if case .one(let both) = MatchIntersection.of(ours, theirs) {
      GatewayCondition(both) == GatewayCondition(theirs)
    } else {
      false
    }
  }
}
