import KubernetesAPI
import RolloutAPI

/// Reads a person's VirtualService into `spec.traffic`.
public struct IstioImport: Sendable {
  let object: JSON
  /// The Service whose rules are read; that of the first rule where `nil`.
  let wanted: String?
  let clusterDomain: String
  private var losses: [String] = []
  private var notes: [String] = []

  private init(_ object: JSON, service: String?, clusterDomain: String) {
    self.object = object
    wanted = service
    self.clusterDomain = clusterDomain
  }

  /// - Parameters:
  ///   - service: the callers' Service whose rules are read; that of the first rule where `nil`.
  ///   - live: the live Services of the object's namespace, from which a port is taken that the object does not name.
  public static func read(
    _ object: JSON, service: String? = nil, live: [JSON] = [], clusterDomain: String = "cluster.local"
  ) -> RouteImport {
    var reader = IstioImport(object, service: service, clusterDomain: clusterDomain)
    return reader.read(live)
  }

  private var title: String { "VirtualService \(object.objectKey)" }

  private mutating func read(_ live: [JSON]) -> RouteImport {
    for member in ["tcp", "tls"] where !(object[path: ["spec", member]]?.array ?? []).isEmpty {
      lose("spec.\(member)", "a Rollout routes HTTP alone; move it to an object of its own")
    }
    let exported = (object[path: ["spec", "exportTo"]]?.array ?? []).compactMap(\.string)
    if !exported.isEmpty, exported != ["*"] {
      lose("spec.exportTo", "a Rollout's route is for all namespaces; edit yours in place (traffic.istio.route)")
    }
    let http = object[path: ["spec", "http"]]?.array ?? []
    if http.isEmpty { lose("spec.http", "it has no rule") }
    let name = wanted ?? http.compactMap(service).first
    var own: [(index: Int, rule: JSON)] = []
    for (index, rule) in http.enumerated() {
      if let name, service(rule) == name {
        own.append((index, rule))
      } else {
        lose(
          "spec.http[\(index)]",
          "it routes to \(destinations(rule)), and a Rollout to the one Service that it weighs; "
            + "move the rule to an object of its own, or edit yours in place (traffic.istio.route)")
      }
    }
    var matches: [HTTPMatch] = []
    for (index, rule) in own {
      if let first = own.first, Self.besides(rule) != Self.besides(first.rule) {
        lose(
          "spec.http[\(index)]",
          "it differs from rule \(first.index) in more than its match, and a Rollout has one rule")
      }
      let entries = rule["match"]?.array ?? []
      if entries.isEmpty || entries.contains(.emptyObject) {
        if own.count > 1, index != own.last?.index {
          lose("spec.http[\(index)].match", "the rules after it get nothing")
        }
        matches = []
        break
      }
      for (place, entry) in entries.enumerated() {
        if let match = match(entry, "spec.http[\(index)].match[\(place)]"), !matches.contains(match) {
          matches.append(match)
        }
      }
    }
    var traffic = TrafficSpec(istio: istio(name, matches))
    if let rule = own.first { policy(rule.rule, "spec.http[\(rule.index)]", &traffic) }
    return RouteImport(
      service: name.map { reference($0, own.first?.rule, live) }, traffic: traffic, losses: losses, notes: notes)
  }

  private mutating func lose(_ field: String, _ why: String) { losses.append("\(title): \(field): \(why)") }

  // MARK: Hosts

  private func full(_ host: String) -> String {
    IstioHost.full(host, namespace: object.namespace, clusterDomain: clusterDomain)
  }

  private mutating func istio(_ service: String?, _ matches: [HTTPMatch]) -> IstioSpec {
    let named = (object[path: ["spec", "gateways"]]?.array ?? []).compactMap(\.string)
    let gateways = named.filter { $0 != "mesh" }
    let isMesh = named.isEmpty || named.contains("mesh")
    let all = (object[path: ["spec", "hosts"]]?.array ?? []).compactMap(\.string)
    var spec = IstioSpec(matches: matches.isEmpty ? nil : matches)
    guard !all.isEmpty else {
      spec.delegate = true
      spec.mesh = false
      return spec
    }
    let own = service.map { full($0) }
    let others = all.filter { full($0) != own }
    spec.mesh = isMesh && others.count < all.count
    if !gateways.isEmpty {
      spec.gateways = gateways
      spec.hosts = others
      if others.isEmpty {
        lose("spec.hosts", "none of them is for requests that come in by \(gateways.joined(separator: ", "))")
      }
    } else {
      for host in others {
        lose("spec.hosts", "\(host) is for callers in the mesh, and a Rollout covers the Service's own name for them")
      }
    }
    if isMesh, spec.mesh == false, !gateways.isEmpty {
      lose("spec.gateways", "mesh is for callers in the mesh, who here use none of the Service's names")
    }
    if !matches.isEmpty, spec.mesh == true {
      if gateways.isEmpty {
        lose("spec.http", "its matches are for callers in the mesh, and a Rollout takes all requests of those")
      } else {
        notes.append(
          "\(title): for callers in the mesh a Rollout takes all requests to the Service, whatever matches say")
      }
    }
    return spec
  }

  // MARK: Rules

  private func destinations(_ rule: JSON) -> String {
    let hosts = (rule["route"]?.array ?? []).compactMap { $0[path: ["destination", "host"]]?.string }
    if let delegate = rule[path: ["delegate", "name"]]?.string { return "whatever \(delegate) says" }
    return hosts.isEmpty ? "nothing" : hosts.joined(separator: ", ")
  }

  /// The Service of the object's namespace that a rule routes to, alone.
  private func service(_ rule: JSON) -> String? {
    let route = rule["route"]?.array ?? []
    guard route.count == 1, let host = route[0][path: ["destination", "host"]]?.string else { return nil }
    let full = full(host)
    let rest = ".\(object.namespace).svc.\(clusterDomain)"
    guard full.hasSuffix(rest) else { return nil }
    return String(full.dropLast(rest.count))
  }

  private mutating func reference(_ name: String, _ rule: JSON?, _ live: [JSON]) -> ServiceReference {
    if let port = rule?["route"]?[0]?[path: ["destination", "port", "number"]]?.int {
      return ServiceReference(name: name, port: .int(port))
    }
    let ports =
      live.first { $0.name == name && $0.namespace == object.namespace }?[path: ["spec", "ports"]]?.array ?? []
    if ports.count != 1 {
      notes.append("serviceRefs: \(title) names no port of Service \(name); put in the one that callers use")
    }
    let port = ports.first.flatMap {
      $0["name"]?.string.map(IntOrString.string) ?? $0["port"]?.int.map(IntOrString.int)
    }
    return ServiceReference(name: name, port: port ?? .int(80))
  }

  /// What makes a rule besides its name and match.
  private static func besides(_ rule: JSON) -> JSON {
    var rule = rule
    for member in ["name", "match"] { rule[member] = nil }
    return rule
  }

  private mutating func policy(_ rule: JSON, _ field: String, _ traffic: inout TrafficSpec) {
    for member in (rule.object ?? [:]).keys.sorted()
    where !["name", "match", "route", "timeout", "retries"].contains(member) {
      lose(
        "\(field).\(member)", "a Rollout has no such thing; edit yours in place (traffic.istio.route), which keeps it")
    }
    let destination = rule["route"]?[0]
    for member in (destination?.object ?? [:]).keys.sorted() where !["destination", "weight"].contains(member) {
      lose("\(field).route[0].\(member)", "a Rollout has no such thing; edit yours in place (traffic.istio.route)")
    }
    if destination?[path: ["destination", "subset"]] != nil {
      lose("\(field).route[0].destination.subset", "the tracks are Services, not subsets")
    }
    var timeouts = TimeoutsSpec(request: rule["timeout"]?.string)
    if let retries = rule["retries"] {
      timeouts.backendRequest = retries["perTryTimeout"]?.string
      let reasons = retries["retryOn"]?.string.map { $0.split(separator: ",").map(String.init) } ?? []
      let codes = reasons.compactMap { Int($0) }
      let usual = ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"]
      let strange = reasons.filter { Int($0) == nil && !usual.contains($0) }
      if !strange.isEmpty {
        lose(
          "\(field).retries.retryOn",
          "\(strange.joined(separator: ", ")) is not in a Rollout's retries, which name codes")
      }
      traffic.retries = RetriesSpec(
        attempts: retries["attempts"]?.int ?? 2, codes: codes.isEmpty ? nil : codes, backoff: retries["backoff"]?.string
      )
      for member in (retries.object ?? [:]).keys.sorted()
      where !["attempts", "perTryTimeout", "retryOn", "backoff"].contains(member) {
        lose("\(field).retries.\(member)", "a Rollout's retries have no such thing")
      }
    }
    if timeouts != TimeoutsSpec() { traffic.timeouts = timeouts }
  }

  // MARK: Matches

  private mutating func match(_ entry: JSON, _ field: String) -> HTTPMatch? {
    let known = ["uri", "method", "headers", "queryParams", "name", "statPrefix", "ignoreUriCase"]
    for member in (entry.object ?? [:]).keys.sorted() where !known.contains(member) {
      lose("\(field).\(member)", "a Rollout's matches have path, method, headers and queryParams alone")
    }
    if entry["ignoreUriCase"]?.bool == true {
      lose("\(field).ignoreUriCase", "a Rollout's paths are as they are spelled")
    }
    var match = HTTPMatch()
    if let uri = entry["uri"] { match.path = path(uri, field + ".uri") }
    if let method = entry["method"] {
      match.method = method["exact"]?.string.flatMap(HTTPMethod.init)
      if match.method == nil { lose("\(field).method", "a Rollout names one method") }
    }
    let headers = pairs(entry["headers"], field + ".headers")
    let parameters = pairs(entry["queryParams"], field + ".queryParams")
    match.headers = headers.isEmpty ? nil : headers
    match.queryParams = parameters.isEmpty ? nil : parameters
    return match == HTTPMatch() ? nil : match
  }

  private mutating func path(_ uri: JSON, _ field: String) -> PathMatch? {
    if let text = uri["exact"]?.string { return PathMatch(type: .exact, value: text) }
    if let text = uri["regex"]?.string { return PathMatch(type: .regularExpression, value: text) }
    guard let prefix = uri["prefix"]?.string else { return nil }
    if prefix == "/" { return PathMatch(type: .pathPrefix, value: "/") }
    // Istio's prefix compares letters: it takes `/checkouts` too, and nobody may lose a route by being read.
    notes.append(
      "\(title): \(field): prefix \(prefix) also takes paths like \(prefix)s; where none is meant, PathPrefix \(prefix) "
        + "says it better, in your object as a prefix that ends in / beside the exact path")
    return PathMatch(type: .regularExpression, value: PromQL.literal(prefix) + ".*")
  }

  private mutating func pairs(_ json: JSON?, _ field: String) -> [NameValueMatch] {
    (json?.object ?? [:]).sorted { $0.key < $1.key }.map { name, text in
      if let exact = text["exact"]?.string { return NameValueMatch(type: .exact, name: name, value: exact) }
      if let regex = text["regex"]?.string { return NameValueMatch(type: .regularExpression, name: name, value: regex) }
      // Without a text it asks for presence.
      let prefix = text["prefix"]?.string.map(PromQL.literal) ?? ""
      return NameValueMatch(type: .regularExpression, name: name, value: prefix + ".*")
    }
  }
}
