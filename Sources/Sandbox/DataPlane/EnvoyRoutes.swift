import KubernetesAPI

/// What proxies know of routing: for each entrance a route configuration with a virtual host per name that callers use.
struct EnvoyRoutes: Sendable {
  /// Where requests come in.
  enum Entrance: String, Sendable, CaseIterable {
    /// The proxy beside a caller in the mesh.
    case mesh
    /// Whatever gateways routing objects name, all of them in one.
    case gateway
  }

  private let config: MeshConfig
  private let servicePorts: [ObjectKey: [Int]]

  init(_ config: MeshConfig, servicePorts: [ObjectKey: [Int]]) {
    self.config = config
    self.servicePorts = servicePorts
  }

  /// The route configuration of an entrance, as Envoy's route discovery reads it.
  func configuration(_ entrance: Entrance) -> JSON {
    [
      "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": .string(entrance.rawValue),
      "virtual_hosts": .array(entrance == .mesh ? meshHosts : gatewayHosts),
      // By this header the callee's side knows a request that came through a proxy of the mesh.
      "request_headers_to_add": [
        [
          "header": ["key": .string(Self.peerHeader), "value": .string(entrance.rawValue)],
          "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        ]
      ],
    ]
  }

  /// What sidecars tell each other with, under the name that Istio gives it.
  static let peerHeader = "x-envoy-peer-metadata-id"

  // MARK: Virtual hosts

  private var meshHosts: [JSON] {
    var domains = Domains()
    var hosts: [JSON] = []
    for (service, ports) in servicePorts.sorted(by: { $0.key < $1.key }) {
      for (index, port) in ports.enumerated() {
        let name = MeshConfig.fullName(service)
        let names = [name, "\(service.name).\(service.namespace)", "\(service.name).\(service.namespace).svc"]
        // Without a port callers mean the first.
        let spelled = names.flatMap { index == 0 ? [$0, "\($0):\(port)"] : ["\($0):\(port)"] }
        let rules = config.hosts.first { $0.gateways.contains("mesh") && $0.hosts.contains(name) }?.routes
        let request = Caller(gateways: ["mesh"], port: port, namespace: service.namespace)
        hosts += domains.host(
          "\(name):\(port)", spelled, routes: routes(rules ?? [.plain(to: service)], for: request))
      }
    }
    // Names that are no Service's.
    for host in config.hosts where host.gateways.contains("mesh") {
      for name in host.hosts {
        let request = Caller(gateways: ["mesh"], port: 80, namespace: host.key.namespace)
        hosts += domains.host(name, [name, "\(name):80"], routes: routes(host.routes, for: request))
      }
    }
    return hosts
  }

  private var gatewayHosts: [JSON] {
    var domains = Domains()
    let served = config.hosts.filter { $0.gateways.contains { $0 != "mesh" } }
    return served.flatMap(\.hosts).flatMap { name in
      // A gateway appends the rules of all objects of a host, the oldest first.
      let all = served.filter { $0.hosts.contains(name) }.flatMap { host in
        let request = Caller(gateways: Set(host.gateways).subtracting(["mesh"]), port: 80, namespace: "istio-system")
        return routes(host.routes, for: request)
      }
      return domains.host(name, [name], routes: all)
    }
  }

  /// Names are given once: Envoy refuses a configuration that repeats one.
  private struct Domains {
    private var taken: Set<String> = []

    mutating func host(_ name: String, _ spelled: [String], routes: [JSON]) -> [JSON] {
      let new = spelled.filter { taken.insert($0).inserted }
      guard !new.isEmpty else { return [] }
      return [["name": .string(name), "domains": .array(new.map(JSON.string)), "routes": .array(routes)]]
    }
  }

  // MARK: Routes

  /// What is known of the requests of a virtual host before they come.
  private struct Caller {
    var gateways: Set<String>
    var port: Int
    var namespace: String
  }

  private func routes(_ rules: [VirtualServiceRoute], for caller: Caller) -> [JSON] {
    rules.flatMap { rule in
      let matches = rule.matches.isEmpty ? [VirtualServiceRoute.Match()] : rule.matches
      return matches.compactMap { match -> JSON? in
        if let gateways = match.gateways, caller.gateways.isDisjoint(with: gateways) { return nil }
        if let port = match.port, port != caller.port { return nil }
        if let namespace = match.sourceNamespace, namespace != caller.namespace { return nil }
        guard var route = Self.matcher(match).map({ JSON.object(["match": $0]) }) else { return nil }
        let (field, action) = self.action(rule, caller: caller)
        route[field] = action
        return route
      }
    }
  }

  private func action(_ rule: VirtualServiceRoute, caller: Caller) -> (field: String, value: JSON) {
    if let status = rule.directStatus { return ("direct_response", ["status": JSON(status)]) }
    // One alone gets everything, whatever its weight is.
    let weighted = rule.destinations.count > 1 ? rule.destinations.filter { $0.weight > 0 } : rule.destinations
    guard let first = weighted.first else { return ("direct_response", ["status": 503]) }
    var action: JSON = [:]
    if weighted.count == 1 {
      action["cluster"] = .string(cluster(first.service, first.port, caller))
    } else {
      let clusters = weighted.map { destination -> JSON in
        [
          "name": .string(cluster(destination.service, destination.port, caller)),
          "weight": JSON(destination.weight),
        ]
      }
      action["weighted_clusters"] = ["clusters": .array(clusters)]
    }
    action["timeout"] = .string(Self.seconds(rule.timeout ?? 0))
    if rule.retries.attempts > 0 { action["retry_policy"] = Self.retries(rule.retries) }
    if !rule.mirrors.isEmpty {
      action["request_mirror_policies"] = .array(
        rule.mirrors.map { mirror in
          [
            "cluster": .string(cluster(mirror.service, nil, caller)),
            "runtime_fraction": [
              "default_value": [
                "numerator": JSON(Int((mirror.share * 1_000_000).rounded())), "denominator": "MILLION",
              ]
            ],
          ]
        })
    }
    return ("route", action)
  }

  private func cluster(_ service: ObjectKey, _ port: Int?, _ caller: Caller) -> String {
    let ports = servicePorts[service] ?? []
    let number = port ?? (ports.contains(caller.port) ? caller.port : ports.first) ?? caller.port
    return EnvoyClusters.name(service, port: number)
  }

  /// `1.5s`, from milliseconds.
  private static func seconds(_ milliseconds: Double) -> String {
    milliseconds == 0 ? "0s" : "\(milliseconds / 1000)s"
  }

  private static func retries(_ retries: VirtualServiceRoute.Retries) -> JSON {
    var reasons: [String] = []
    // As istiod spells its default.
    if retries.onConnectFailure { reasons += ["connect-failure", "refused-stream", "unavailable", "cancelled"] }
    if retries.on5xx { reasons.append("5xx") }
    return [
      "retry_on": .string(reasons.joined(separator: ",")), "num_retries": JSON(retries.attempts),
      "retry_host_predicate": [
        [
          "name": "envoy.retry_host_predicates.previous_hosts",
          "typed_config": [
            "@type":
              "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
          ],
        ]
      ],
      "host_selection_retry_max_attempts": "5",
    ]
  }

  // MARK: Matches

  /// - Returns: `nil` for a match that never holds.
  private static func matcher(_ match: VirtualServiceRoute.Match) -> JSON? {
    var matcher: JSON = [:]
    switch match.path {
    case nil: matcher["prefix"] = "/"
    case .exact(let text): matcher["path"] = .string(text)
    case .prefix(let text): matcher["prefix"] = .string(text)
    case .pattern(let pattern): matcher["safe_regex"] = ["regex": .string(pattern.source)]
    case .never: return nil
    }
    if match.ignoreCase { matcher["case_sensitive"] = false }
    var headers: [JSON] = []
    for (name, text) in [(":method", match.method), (":authority", match.authority)] {
      guard let text else { continue }
      guard let header = header(name, text) else { return nil }
      headers.append(header)
    }
    for (name, text) in match.headers.sorted(by: { $0.key < $1.key }) {
      guard let header = header(name, text) else { return nil }
      headers.append(header)
    }
    for (name, text) in match.withoutHeaders.sorted(by: { $0.key < $1.key }) {
      // What never holds, holds for no request: nothing to ask for.
      guard var header = header(name, text) else { continue }
      header["invert_match"] = true
      if text != nil { header["treat_missing_header_as_empty"] = true }
      headers.append(header)
    }
    if !headers.isEmpty { matcher["headers"] = .array(headers) }
    return matcher
  }

  /// - Parameter text: `nil` asks for presence only.
  private static func header(_ name: String, _ text: VirtualServiceRoute.Text?) -> JSON? {
    var header: JSON = ["name": .string(name)]
    switch text {
    case nil: header["present_match"] = true
    case .exact(let value): header["string_match"] = ["exact": .string(value)]
    case .prefix(let value): header["string_match"] = ["prefix": .string(value)]
    case .pattern(let pattern): header["string_match"] = ["safe_regex": ["regex": .string(pattern.source)]]
    case .never: return nil
    }
    return header
  }
}
