import KubernetesAPI

/// Providers, matches, and the policy of both tracks.
extension PlanReader {
  mutating func provider(_ spec: TrafficSpec) -> Plan.Provider {
    exactlyOne(
      [("istio", spec.istio != nil), ("gatewayAPI", spec.gatewayAPI != nil), ("replicas", spec.replicas != nil)],
      "spec.traffic")
    if let istio = spec.istio { return .istio(self.istio(istio, "spec.traffic.istio")) }
    if let gateway = spec.gatewayAPI { return .gatewayAPI(self.gateway(gateway, "spec.traffic.gatewayAPI")) }
    return .replicas
  }

  private mutating func istio(_ spec: IstioSpec, _ field: String) -> IstioTraffic {
    let hosts = spec.hosts ?? []
    let gateways = spec.gateways ?? []
    let mesh = spec.mesh ?? Defaults.mesh
    for (index, host) in hosts.enumerated() { name(host, "\(field).hosts[\(index)]", .host) }
    unique(hosts, { "\(field).hosts[\($0)]" }, "a host")
    for (index, gateway) in gateways.enumerated() {
      if gateway == "mesh" {
        report("\(field).gateways[\(index)]", found: "\"mesh\"", wanted: "mesh: true beside it, which is the default")
      } else {
        name(gateway, "\(field).gateways[\(index)]", .gateway)
      }
    }
    unique(gateways, { "\(field).gateways[\($0)]" }, "a Gateway")
    let isDelegate = spec.delegate ?? false
    if let adopt = spec.adopt { name(adopt.name, field + ".adopt.name", .subdomain) }
    if let route = spec.route {
      person(
        route, field,
        others: [
          ("hosts", spec.hosts != nil), ("gateways", spec.gateways != nil), ("matches", spec.matches != nil),
          ("mesh", spec.mesh == false), ("delegate", isDelegate), ("adopt", spec.adopt != nil),
        ])
    } else if isDelegate {
      for (member, isThere) in [("hosts", !hosts.isEmpty), ("gateways", !gateways.isEmpty)] where isThere {
        report(
          "\(field).\(member)", found: "a value beside delegate: true",
          wanted: "no such field: the VirtualService that delegates has its own")
      }
    } else if hosts.isEmpty != gateways.isEmpty {
      let missing = hosts.isEmpty ? "hosts" : "gateways"
      report(
        "\(field).\(missing)", found: "none",
        wanted: "at least one, since \(hosts.isEmpty ? "gateways" : "hosts") are named")
    } else if hosts.isEmpty, !mesh {
      report(field, found: "neither hosts nor mesh", wanted: "hosts with gateways, or mesh: true")
    }
    return IstioTraffic(
      hosts: hosts, gateways: gateways, matches: matches(spec.matches ?? [], field + ".matches"), mesh: mesh,
      route: spec.route, delegate: isDelegate, adopt: spec.adopt?.name)
  }

  /// What goes with a person's own object and what does not.
  mutating func inPlace(_ spec: RolloutSpec) {
    let route = spec.traffic.istio?.route ?? spec.traffic.gatewayAPI?.route
    if route != nil {
      if spec.serviceRefs.count > 1 {
        report(
          "spec.serviceRefs", found: "\(spec.serviceRefs.count) Services",
          wanted: "one, since the route's rule sends to one; a Rollout that owns its route takes several")
      }
      let traffic = spec.traffic
      for (member, isThere) in [
        ("timeouts", traffic.timeouts != nil), ("retries", traffic.retries != nil),
        ("loadBalancing", traffic.loadBalancing != nil), ("connectionLimits", traffic.connectionLimits != nil),
        ("circuitBreaking", traffic.circuitBreaking != nil),
      ] where isThere {
        report(
          "spec.traffic.\(member)", found: "a value beside route",
          wanted: "no such field: your own route and policies say it, for both tracks alike")
      }
    }
    let adopts = spec.traffic.istio?.adopt != nil || spec.traffic.gatewayAPI?.adopt != nil
    if spec.deletionPolicy == .delete, route != nil || adopts {
      report(
        "spec.deletionPolicy", found: "\"Delete\" beside \(route != nil ? "route" : "adopt")",
        wanted: "Orphan: your route stays, as it was before")
    }
  }

  private mutating func gateway(_ spec: GatewayAPISpec, _ field: String) -> GatewayTraffic {
    let parents = spec.parentRefs ?? []
    let mesh = spec.mesh ?? Defaults.mesh
    for (index, parent) in parents.enumerated() { self.parent(parent, "\(field).parentRefs[\(index)]") }
    for (index, host) in (spec.hostnames ?? []).enumerated() { name(host, "\(field).hostnames[\(index)]", .host) }
    unique(spec.hostnames ?? [], { "\(field).hostnames[\($0)]" }, "a host")
    if let adopt = spec.adopt { name(adopt.name, field + ".adopt.name", .subdomain) }
    if let route = spec.route {
      person(
        route, field,
        others: [
          ("parentRefs", spec.parentRefs != nil), ("hostnames", spec.hostnames != nil),
          ("matches", spec.matches != nil), ("mesh", spec.mesh == false), ("adopt", spec.adopt != nil),
        ])
    } else if parents.isEmpty, !mesh {
      report(field, found: "neither parentRefs nor mesh", wanted: "parentRefs, or mesh: true")
    } else if parents.isEmpty, !(spec.hostnames ?? []).isEmpty {
      report("\(field).parentRefs", found: "none", wanted: "at least one, since hostnames are named")
    }
    return GatewayTraffic(
      parents: parents, hostnames: spec.hostnames ?? [], matches: matches(spec.matches ?? [], field + ".matches"),
      mesh: mesh, metrics: spec.metrics, route: spec.route, adopt: spec.adopt?.name)
  }

  /// Where nobody counts requests, only queries of the plan's own can tell anything.
  mutating func metricsExist(_ provider: Plan.Provider, _ analysis: PlanAnalysis) {
    guard case .gatewayAPI(let gateway) = provider, gateway.metrics == MetricsSource.none else { return }
    for slo in analysis.slos {
      if case .query(let query) = slo.objective {
        if query.needsRequests {
          report(
            "spec.traffic.gatewayAPI.metrics",
            found: query.counted == nil
              ? "None, while the SLO \(slo.name) compares a sum that grows with the traffic of each track"
              : "None, while the SLO \(slo.name) counts events per request",
            wanted: query.counted == nil
              ? "the mesh whose metrics tell how much that is, or a query whose value is per request"
              : "the mesh whose metrics count requests, or per, a counter of your own")
        }
        continue
      }
      if case .ownLatency = slo.objective { continue }
      report(
        "spec.traffic.gatewayAPI.metrics", found: "None, while the SLO \(slo.name) needs the mesh's metrics",
        wanted: "the mesh whose metrics judge it, or SLOs with metrics of your own alone")
    }
  }

  private mutating func parent(_ parent: ParentReference, _ field: String) {
    name(parent.name, field + ".name", .subdomain)
    if let namespace = parent.namespace { name(namespace, field + ".namespace", .label) }
    if let section = parent.sectionName { name(section, field + ".sectionName", .subdomain) }
    if let port = parent.port { _ = integer(port, field + ".port", in: 1...65_535) }
    let kind = parent.kind ?? Defaults.parentKind
    if kind == "Service" {
      report(
        field + ".kind", found: "\"Service\"", wanted: "a Gateway; callers of the Service are routed by mesh: true")
    }
  }

  /// A person's object brings its own hosts and matches.
  private mutating func person(_ route: RouteReference, _ field: String, others: [(name: String, isThere: Bool)]) {
    name(route.name, field + ".route.name", .subdomain)
    for other in others where other.isThere {
      report(
        "\(field).\(other.name)", found: "a value beside route",
        wanted: "no such field: the object that route names has its own")
    }
  }

  // MARK: - Matches

  mutating func matches(_ matches: [HTTPMatch], _ field: String) -> [HTTPMatch] {
    count(matches.count, field, 0...16)
    for (index, match) in matches.enumerated() { self.match(match, "\(field)[\(index)]") }
    return matches
  }

  private mutating func match(_ match: HTTPMatch, _ field: String) {
    let headers = match.headers ?? []
    let parameters = match.queryParams ?? []
    if match.path == nil, match.method == nil, headers.isEmpty, parameters.isEmpty {
      report(field, found: "no condition", wanted: "at least one of path, headers, queryParams and method")
    }
    if let path = match.path {
      if path.kind == .regularExpression {
        expression(path.value, field + ".path.value")
      } else if !path.value.hasPrefix("/") || path.value.contains(where: \.isWhitespace) {
        report(field + ".path.value", found: quoted(path.value), wanted: "a path that begins with / and has no spaces")
      }
    }
    for (index, header) in headers.enumerated() {
      name(header.name, "\(field).headers[\(index)].name", .token)
      value(header, "\(field).headers[\(index)].value")
    }
    unique(headers.map { $0.name.lowercased() }, { "\(field).headers[\($0)].name" }, "a header")
    for (index, parameter) in parameters.enumerated() {
      name(parameter.name, "\(field).queryParams[\(index)].name", .token)
      value(parameter, "\(field).queryParams[\(index)].value")
    }
    unique(parameters.map(\.name), { "\(field).queryParams[\($0)].name" }, "a parameter")
  }

  private mutating func value(_ match: NameValueMatch, _ field: String) {
    if match.kind == .regularExpression {
      expression(match.value, field)
    } else if match.value.isEmpty || match.value.contains(where: \.isNewline) {
      report(field, found: quoted(match.value), wanted: "a text of one line that is not empty")
    }
  }

  /// Proxies read RE2, which has neither look-around nor back-references.
  private mutating func expression(_ text: String, _ field: String) {
    let foreign = ["(?=", "(?!", "(?<=", "(?<!"].first { text.contains($0) }
    if let foreign {
      report(
        field, found: "\(quoted(text)) with \(foreign)", wanted: "a regular expression of RE2, which has no look-around"
      )
    } else if text.isEmpty || (try? Regex(text)) == nil {
      report(field, found: quoted(text), wanted: "a regular expression of RE2")
    }
  }

  // MARK: - Policy

  mutating func policy(_ spec: TrafficSpec) -> TrafficPolicy {
    let policy = TrafficPolicy(
      timeouts: spec.timeouts.map { timeouts($0, "spec.traffic.timeouts") },
      retries: spec.retries.map { retries($0, "spec.traffic.retries") },
      loadBalancing: spec.loadBalancing.flatMap { loadBalancing($0, "spec.traffic.loadBalancing") },
      connectionLimits: spec.connectionLimits.map { connectionLimits($0, "spec.traffic.connectionLimits") },
      circuitBreaking: spec.circuitBreaking.map { circuitBreaking($0, "spec.traffic.circuitBreaking") },
      mtls: spec.mtls)
    if spec.replicas != nil, spec.istio == nil, spec.gatewayAPI == nil {
      let members: [(name: String, isThere: Bool)] = [
        ("timeouts", spec.timeouts != nil), ("retries", spec.retries != nil),
        ("loadBalancing", spec.loadBalancing != nil), ("connectionLimits", spec.connectionLimits != nil),
        ("circuitBreaking", spec.circuitBreaking != nil), ("mtls", spec.mtls != nil),
      ]
      for member in members where member.isThere {
        report(
          "spec.traffic.\(member.name)", found: "a value beside replicas",
          wanted: "no such field: without a mesh nothing could carry it out")
      }
    }
    return policy
  }

  private static let requestTime = Duration.milliseconds(1) ... .seconds(3600)

  private mutating func timeouts(_ spec: TimeoutsSpec, _ field: String) -> TrafficPolicy.Timeouts {
    if spec.request == nil, spec.backendRequest == nil {
      report(field, found: "neither request nor backendRequest", wanted: "at least one of them")
    }
    let timeouts = TrafficPolicy.Timeouts(
      request: duration(spec.request, field + ".request", in: Self.requestTime),
      backendRequest: duration(spec.backendRequest, field + ".backendRequest", in: Self.requestTime))
    if let whole = timeouts.request, let attempt = timeouts.backendRequest, attempt > whole {
      report(field + ".backendRequest", found: attempt.text, wanted: "at most request, which is \(whole.text)")
    }
    return timeouts
  }

  private mutating func retries(_ spec: RetriesSpec, _ field: String) -> TrafficPolicy.Retries {
    let codes = spec.codes ?? []
    for (index, code) in codes.enumerated() { _ = integer(code, "\(field).codes[\(index)]", in: 400...599) }
    unique(codes.map(String.init), { "\(field).codes[\($0)]" }, "a status code")
    return TrafficPolicy.Retries(
      attempts: integer(spec.attempts, field + ".attempts", in: 0...10), codes: codes,
      backoff: duration(spec.backoff, field + ".backoff", in: Self.requestTime))
  }

  private mutating func loadBalancing(_ spec: LoadBalancingSpec, _ field: String) -> TrafficPolicy.LoadBalancing? {
    exactlyOne([("algorithm", spec.algorithm != nil), ("consistentHash", spec.consistentHash != nil)], field)
    if let algorithm = spec.algorithm { return .algorithm(algorithm) }
    guard let hash = spec.consistentHash else { return nil }
    let source = hash.sourceIP == true
    exactlyOne(
      [("header", hash.header != nil), ("cookie", hash.cookie != nil), ("sourceIP: true", source)],
      field + ".consistentHash")
    if let header = hash.header {
      name(header, field + ".consistentHash.header", .token)
      return .header(header)
    }
    if let cookie = hash.cookie {
      name(cookie, field + ".consistentHash.cookie", .token)
      return .cookie(cookie)
    }
    return .sourceIP
  }

  private mutating func connectionLimits(
    _ spec: ConnectionLimitsSpec, _ field: String
  ) -> TrafficPolicy.ConnectionLimits {
    let limits = [
      ("maxConnections", spec.maxConnections), ("maxPendingRequests", spec.maxPendingRequests),
      ("maxRequests", spec.maxRequests), ("maxRequestsPerConnection", spec.maxRequestsPerConnection),
    ]
    for (name, limit) in limits {
      if let limit { _ = integer(limit, "\(field).\(name)", in: 1...1_000_000_000) }
    }
    if limits.allSatisfy({ $0.1 == nil }), spec.connectTimeout == nil {
      report(field, found: "no limit", wanted: "at least one of its fields")
    }
    return TrafficPolicy.ConnectionLimits(
      maxConnections: spec.maxConnections, maxPendingRequests: spec.maxPendingRequests,
      maxRequests: spec.maxRequests, maxRequestsPerConnection: spec.maxRequestsPerConnection,
      connectTimeout: duration(spec.connectTimeout, field + ".connectTimeout", in: Self.requestTime))
  }

  private mutating func circuitBreaking(_ spec: CircuitBreakingSpec, _ field: String) -> TrafficPolicy.CircuitBreaking {
    TrafficPolicy.CircuitBreaking(
      consecutiveErrors: integer(spec.consecutiveErrors, field + ".consecutiveErrors", in: 1...1000),
      interval: duration(
        spec.interval, or: Defaults.breakerInterval, field + ".interval", in: Self.requestTime),
      ejectionTime: duration(
        spec.ejectionTime, or: Defaults.breakerEjectionTime, field + ".ejectionTime", in: Self.requestTime),
      maxEjected: percent(
        spec.maxEjected ?? Defaults.breakerMaxEjected, field + ".maxEjected", in: .zero ... .all))
  }
}
