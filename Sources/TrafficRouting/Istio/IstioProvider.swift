import KubernetesAPI
import RolloutAPI

extension ResourceType {
  public static let virtualServices = ResourceType(
    group: "networking.istio.io", kind: "VirtualService", plural: "virtualservices")
  public static let destinationRules = ResourceType(
    group: "networking.istio.io", kind: "DestinationRule", plural: "destinationrules")
  public static let peerAuthentications = ResourceType(
    group: "security.istio.io", kind: "PeerAuthentication", plural: "peerauthentications")
}

/// Istio, by VirtualServices that Sluice owns: one for each callers' Service, the first of which also takes the plan's
/// hosts and gateways.
///
/// The split is by host: each track is a Service of its own, so that failures without an endpoint can be told apart, and
/// no subset's labels have to move under traffic. Every rule names both tracks with weights that sum to 100, since Istio
/// ignores the weight of a destination that stands alone.
public struct IstioProvider: TrafficProvider {
  public let plan: Plan
  public let services: [RoutedService]
  /// Names the canary's revision in the cookie of a sticky target, so that a cookie of an earlier run leads nowhere.
  public let revision: String
  public let clusterDomain: String
  let istio: IstioTraffic
  private let surroundings: [JSON]
  private let workload: JSON?

  public var metrics: (any MeshMetrics)? { IstioMetrics() }

  /// - Parameters:
  ///   - services: what ``RoutedService/resolve(_:live:)`` found.
  ///   - gatewayNamespaces: namespaces, other than the plan's, whose gateways it may use; the operator's to allow, since
  ///     a tenant could else take another's host.
  ///   - surroundings: the live PeerAuthentications.
  ///   - workload: the live Deployment; `nil` where it is not known, and then nothing is said of its pods.
  /// - Throws: ``RoutingRefusal`` with all that the plan asks for and this provider cannot do.
  public init(
    plan: Plan, services: [RoutedService], revision: String, gatewayNamespaces: Set<String> = [],
    clusterDomain: String = "cluster.local", surroundings: [JSON] = [], workload: JSON? = nil
  ) throws(RoutingRefusal) {
    guard case .istio(let istio) = plan.provider else {
      throw RoutingRefusal(["traffic.istio is not what Rollout \(plan.key) names as its provider"])
    }
    self.plan = plan
    self.services = services
    self.revision = revision
    self.clusterDomain = clusterDomain
    self.istio = istio
    self.surroundings = surroundings
    self.workload = workload
    let problems = Self.problems(plan, istio, services: services, gatewayNamespaces: gatewayNamespaces)
    if !problems.isEmpty { throw RoutingRefusal(problems) }
  }

  private static func problems(
    _ plan: Plan, _ istio: IstioTraffic, services: [RoutedService], gatewayNamespaces: Set<String>
  ) -> [String] {
    var problems: [String] = []
    if services.isEmpty { problems.append("serviceRefs names no Service that could be routed to") }
    for gateway in istio.gateways {
      let parts = gateway.split(separator: "/")
      if parts.count == 2, parts[0] != plan.namespace, !gatewayNamespaces.contains(String(parts[0])) {
        problems.append(
          "traffic.istio.gateways: \(gateway) is in another namespace, which the operator's list of allowed gateway "
            + "namespaces does not have")
      }
    }
    return problems
  }

  public var obstacles: [String] {
    guard plan.policy.mtls == .strict, let workload else { return [] }
    return PeerAuthentications(surroundings, namespace: plan.namespace).problems(of: workload, services)
  }

  public func limits(_ target: TrafficTarget) -> [String] {
    var problems: [String] = []
    if let mirror = target.mirror, mirror.whole == nil {
      problems.append("mirror: \(mirror) is no whole number of percent, which is all that a target on the wire holds")
    }
    for step in entrances.filter(\.isRouted) {
      if !target.routes.isEmpty {
        let (met, unclear) = step.matches.meeting(target.routes)
        problems += unclear.map {
          "route.matches and traffic.istio.matches both ask for \($0), which Istio cannot join"
        }
        if met.isEmpty && unclear.isEmpty {
          problems.append("route.matches and traffic.istio.matches have no request in common")
        }
      }
      if target.sticky != nil, step.matches.contains(where: Sticky.meets) {
        problems.append("sticky cannot be joined with a match on the header cookie; match on another header")
      }
    }
    return Set(problems).sorted()
  }

  public func objects(for routing: Routing) -> [RoutingObject] {
    owned.map { RoutingObject(type: .virtualServices, object: virtualService($0, routing: routing)) }
  }

  public func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    try IstioServicePolicies(plan: plan, services: services, clusterDomain: clusterDomain, labels: labels)
      .destinationRules(existing: existing)
  }

  // MARK: Names

  /// The name of a Service's VirtualService: the Rollout's own for the first, or that of the one that it takes over.
  func objectName(_ service: RoutedService) -> String {
    service.name == services.first?.name ? istio.adopt ?? plan.name : "\(plan.name)-\(service.name)"
  }

  public var adopted: String? { istio.adopt }

  /// One VirtualService.
  struct Owned {
    var name: String
    var service: RoutedService
    /// Whether it has the plan's hosts and gateways, or is the one that is delegated to.
    var isOutside: Bool
    var isMesh: Bool
  }

  var owned: [Owned] {
    var owned = services.enumerated().map { index, service in
      Owned(
        name: objectName(service), service: service,
        isOutside: index == 0 && (!istio.hosts.isEmpty || istio.delegate),
        isMesh: index > 0 || (istio.mesh && !istio.delegate))
    }
    // One that is delegated to has no hosts, so callers in the mesh need another.
    if istio.delegate, istio.mesh, let first = services.first {
      owned.insert(Owned(name: "\(plan.name)-\(first.name)", service: first, isOutside: false, isMesh: true), at: 1)
    }
    return owned
  }

  func host(_ service: String) -> String { "\(service).\(plan.namespace).svc.\(clusterDomain)" }

  func fullHost(_ host: String, namespace: String) -> String {
    IstioHost.full(host, namespace: namespace, clusterDomain: clusterDomain)
  }

  var labels: JSON { ["app.kubernetes.io/managed-by": "sluice", RoutingNames.rollout: .string(plan.name)] }

  // MARK: Rendering

  private func virtualService(_ owned: Owned, routing: Routing) -> JSON {
    var hosts = owned.isOutside ? istio.hosts : []
    var gateways = owned.isOutside ? istio.gateways : []
    if owned.isMesh {
      hosts.append(host(owned.service.name))
      gateways.append("mesh")
    }
    var spec: JSON = [
      "http": .array(entrances(owned).flatMap { rules($0, of: owned.service, routing: routing) })
    ]
    if !hosts.isEmpty {
      spec["hosts"] = .array(hosts.map(JSON.string))
      spec["gateways"] = .array(gateways.map(JSON.string))
    }
    // What a tool says of an object that was its own stays.
    let labels: JSON = owned.name == istio.adopt ? [RoutingNames.rollout: .string(plan.name)] : labels
    return [
      "apiVersion": .string(ResourceType.virtualServices.apiVersion), "kind": "VirtualService",
      "metadata": [
        "name": .string(owned.name), "namespace": .string(plan.namespace), "labels": labels,
        "annotations": [RoutingNames.target: .string(RoutingRecord.text(routing))],
      ],
      "spec": spec,
    ]
  }

  /// By which way requests come to a Service: each has rules of its own.
  struct Entrance {
    /// What its rules' names begin with; empty where it is the only one.
    var name: String
    var gateways: [String]?
    /// The port that callers address.
    var matchPort: Int?
    /// Empty for every request.
    var matches: [HTTPMatch]
    var port: Int
    /// Whether the plan's target applies; else everything goes to stable.
    var isRouted = true
  }

  private var entrances: [Entrance] { owned.flatMap { entrances($0) } }

  private func entrances(_ owned: Owned) -> [Entrance] {
    let service = owned.service
    guard let first = service.ports.first else { return [] }
    let (isOutside, isMesh) = (owned.isOutside, owned.isMesh)
    let hasOnePort = service.ports.count + service.otherPorts.count == 1
    if hasOnePort, isOutside != isMesh || istio.matches.isEmpty {
      return [Entrance(name: "", matches: isOutside ? istio.matches : [], port: first)]
    }
    var entrances: [Entrance] = []
    if isOutside {
      entrances.append(
        Entrance(name: "gateway-", gateways: isMesh ? istio.gateways : nil, matches: istio.matches, port: first))
    }
    guard isMesh else { return entrances }
    let gateways = isOutside ? ["mesh"] : nil
    // A routing object takes over all ports of its host, so those that the plan leaves out need rules too.
    for port in service.ports + service.otherPorts {
      entrances.append(
        Entrance(
          name: hasOnePort ? "mesh-" : "mesh-\(port)-", gateways: gateways, matchPort: hasOnePort ? nil : port,
          matches: [], port: port, isRouted: service.ports.contains(port)))
    }
    return entrances
  }

  private func rules(_ entrance: Entrance, of service: RoutedService, routing: Routing) -> [JSON] {
    guard case .split(let target) = routing else {
      let route: JSON = [["destination": destination(service.name, entrance.port), "weight": 100]]
      return [rule(entrance, "primary", matches: entrance.matches.flatMap(IstioMatch.entries), route: route)]
    }
    guard entrance.isRouted else {
      return [rule(entrance, "primary", matches: [], route: split(service, entrance.port, canary: 0))]
    }
    let toCanary = split(service, entrance.port, canary: 100)
    var rules: [JSON] = []
    let routes = entrance.matches.meeting(target.routes).met
    if !routes.isEmpty {
      rules.append(rule(entrance, "route", matches: routes.flatMap(IstioMatch.entries), route: toCanary))
    }
    var primary = split(service, entrance.port, canary: target.weight.value)
    if let sticky = target.sticky {
      let all = entrance.matches.isEmpty ? [JSON.emptyObject] : entrance.matches.flatMap(IstioMatch.entries)
      let matches = all.map { entry in
        var entry = entry
        entry[path: ["headers", "cookie"]] = ["regex": .string(sticky.pattern(revision))]
        return entry
      }
      rules.append(rule(entrance, "sticky", matches: matches, route: toCanary))
      primary = setCookie(sticky, on: primary)
    }
    var last = rule(entrance, "primary", matches: entrance.matches.flatMap(IstioMatch.entries), route: primary)
    if let mirror = target.mirror {
      // As a whole number where it is one, so that it is read back as written.
      let percentage: JSON = mirror.whole.map { JSON($0) } ?? .double(mirror.value)
      last["mirrors"] = [
        ["destination": destination(service.canaryName, entrance.port), "percentage": ["value": percentage]]
      ]
    }
    return rules + [last]
  }

  private func rule(_ entrance: Entrance, _ name: String, matches: [JSON], route: JSON) -> JSON {
    var rule: JSON = ["name": .string(entrance.name + name), "route": route]
    var matches = matches.contains(.emptyObject) ? [] : matches
    if matches.isEmpty, entrance.gateways != nil || entrance.matchPort != nil { matches = [.emptyObject] }
    if !matches.isEmpty {
      rule["match"] = .array(
        matches.map { match in
          var match = match
          match["gateways"] = entrance.gateways.map { .array($0.map(JSON.string)) }
          match["port"] = entrance.matchPort.map { JSON($0) }
          return match
        })
    }
    for (field, value) in IstioPolicy.rule(plan.policy) { rule[field] = value }
    return rule
  }

  private func split(_ service: RoutedService, _ port: Int, canary: Int) -> JSON {
    [
      ["destination": destination(service.stableName, port), "weight": JSON(100 - canary)],
      ["destination": destination(service.canaryName, port), "weight": JSON(canary)],
    ]
  }

  private func destination(_ service: String, _ port: Int) -> JSON {
    ["host": .string(host(service)), "port": ["number": JSON(port)]]
  }

  // MARK: Stickiness

  /// Istio chooses the track anew for each request; the cookie that the canary's answers set leads back to it. An abort
  /// needs no other cookie: without its rule it means nothing.
  func setCookie(_ sticky: Sticky, on route: JSON) -> JSON {
    .array(
      (route.array ?? []).enumerated().map { index, destination in
        guard index == 1 else { return destination }
        var destination = destination
        destination[path: ["headers", "response", "add", "Set-Cookie"]] = .string(sticky.setCookie(revision))
        return destination
      })
  }
}
