import KubernetesAPI
import RolloutAPI

/// The Gateway API, by HTTPRoutes that Sluice owns: one for the plan's Gateways, and one for each port of a Service that
/// callers in a mesh use (GAMMA: Istio's sidecars and waypoints, Linkerd, Cilium, Kuma).
///
/// A request goes by the most specific match of all rules, whatever their order (https://gateway-api.sigs.k8s.io, under
/// HTTPRouteRule). Each rule but the last asks for what the last one asks for and something more, so that it is the more
/// specific one; where both ask for the same, the one that stands first in the object decides. Every rule names both
/// tracks with weights that sum to 100, since a backend without a weight has the weight 1.
public struct GatewayProvider: TrafficProvider {
  public let plan: Plan
  public let services: [RoutedService]
  /// Names the canary's revision in the cookie of a sticky target, so that a cookie of an earlier run leads nowhere.
  public let revision: String
  public let clusterDomain: String
  let gateway: GatewayTraffic
  let cluster: GatewayCluster
  let surroundings: [JSON]
  private let workload: JSON?

  /// - Throws: ``RoutingRefusal`` with what of the plan itself cannot be done. What the cluster lacks is told by
  ///   ``obstacles``: it may come and go, and must not keep anybody from writing a route that is there.
  public init(plan: Plan, setting: ProviderSetting) throws(RoutingRefusal) {
    guard case .gatewayAPI(let gateway) = plan.provider else {
      throw RoutingRefusal(["traffic.gatewayAPI is not what Rollout \(plan.key) names as its provider"])
    }
    self.init(plan: plan, setting: setting, gateway: gateway)
    var problems: [String] = []
    if setting.services.isEmpty { problems.append("serviceRefs names no Service that could be routed to") }
    for namespace in gateway.parents.compactMap(\.namespace).uniqued
    where namespace != plan.namespace && !setting.gatewayNamespaces.contains(namespace) {
      problems.append(
        "traffic.gatewayAPI.parentRefs: a Gateway of namespace \(namespace), which the operator's list of allowed gateway "
          + "namespaces does not have")
    }
    if !problems.isEmpty { throw RoutingRefusal(problems) }
  }

  /// - Parameter gateway: by which ways requests come, whoever says so.
  init(plan: Plan, setting: ProviderSetting, gateway: GatewayTraffic) {
    self.plan = plan
    services = setting.services
    revision = setting.revision
    clusterDomain = setting.clusterDomain
    self.gateway = gateway
    surroundings = setting.surroundings
    workload = setting.workload
    cluster = GatewayCluster(setting.surroundings, gateway: gateway, namespace: plan.namespace)
  }

  public var metrics: (any MeshMetrics)? { cluster.metrics.flatMap(Self.metrics(of:)) }

  public var measuresShare: Bool { gateway.metrics != MetricsSource.none }

  /// The names under which a mesh counts; `nil` for one that is not to be asked.
  public static func metrics(of source: MetricsSource) -> (any MeshMetrics)? {
    switch source {
    case .istio: IstioMetrics()
    case .istioAmbient: IstioMetrics(views: [.caller])
    case .linkerd: LinkerdMetrics()
    case .envoyGateway: EnvoyGatewayMetrics()
    case .none: nil
    }
  }

  /// Why mutual TLS cannot be seen, or is not what the plan asks for.
  var securityObstacles: [String] {
    guard let mode = plan.policy.mtls, let source = cluster.metrics else { return [] }
    guard metrics?.tellsSecurity == true else {
      return [
        "traffic.mtls: \(mode.rawValue): the metrics of \(source.rawValue) do not tell which requests come by mutual TLS; "
          + "those of Istio's sidecars and of Linkerd do"
      ]
    }
    guard mode == .strict, let workload else { return [] }
    if source == .istio {
      return PeerAuthentications(surroundings, namespace: plan.namespace).problems(of: workload, services)
    }
    let annotation = "config.linkerd.io/default-inbound-policy"
    let policy = workload[path: ["spec", "template", "metadata", "annotations", annotation]]?.string
    let wanted = ["all-authenticated", "cluster-authenticated", "deny"]
    guard let policy, wanted.contains(policy) else {
      return [
        "traffic.mtls: Strict: the pods of Deployment \(workload.objectKey) take plain text (\(annotation) is "
          + "\(policy ?? "not set") on its template): set it to one of \(wanted.joined(separator: ", ")), or ask for mtls: Verify"
      ]
    }
    return []
  }

  // MARK: Names

  /// One HTTPRoute: of the plan's Gateways, or of one port of a Service.
  struct Entrance {
    var name: String
    var service: RoutedService
    var port: Int
    /// Empty for every request.
    var matches: [HTTPMatch]
    var isMesh: Bool
  }

  /// The Gateways' route first: it has the callers that nobody knows.
  var entrances: [Entrance] {
    var entrances: [Entrance] = []
    if !gateway.parents.isEmpty, let first = services.first, let port = first.ports.first {
      entrances.append(
        Entrance(name: gateway.adopt ?? plan.name, service: first, port: port, matches: gateway.matches, isMesh: false))
    }
    for (index, service) in services.enumerated() where gateway.mesh || index > 0 {
      for port in service.ports {
        let suffix = service.ports.count == 1 ? "" : "-\(port)"
        let name = entrances.isEmpty ? gateway.adopt ?? plan.name : "\(plan.name)-\(service.name)\(suffix)"
        entrances.append(Entrance(name: name, service: service, port: port, matches: [], isMesh: true))
      }
    }
    return entrances
  }

  /// The parents of a route, with all that the API server would fill in, so that it is read back as written.
  func parents(_ entrance: Entrance) -> [ParentReference] {
    guard !entrance.isMesh else {
      return [
        ParentReference(group: "", kind: "Service", name: entrance.service.name, port: entrance.port)
      ]
    }
    return gateway.parents.map { parent in
      var parent = parent
      parent.group = parent.group ?? Defaults.parentGroup
      parent.kind = parent.kind ?? Defaults.parentKind
      return parent
    }
  }

  public var adopted: String? { gateway.adopt }

  var labels: JSON { ["app.kubernetes.io/managed-by": "sluice", RoutingNames.rollout: .string(plan.name)] }

  // MARK: Objects

  public func objects(for routing: Routing) -> [RoutingObject] {
    entrances.map { entrance in
      var spec: JSON = [
        "parentRefs": .array(parents(entrance).map(Self.json)),
        "rules": .array(rules(entrance, routing: routing)),
      ]
      if !entrance.isMesh, !gateway.hostnames.isEmpty {
        spec["hostnames"] = .array(gateway.hostnames.map(JSON.string))
      }
      // What a tool says of an object that was its own stays.
      let labels: JSON = entrance.name == adopted ? [RoutingNames.rollout: .string(plan.name)] : labels
      return RoutingObject(
        type: .httpRoutes,
        object: [
          "apiVersion": .string(ResourceType.httpRoutes.apiVersion), "kind": "HTTPRoute",
          "metadata": [
            "name": .string(entrance.name), "namespace": .string(plan.namespace), "labels": labels,
            "annotations": [RoutingNames.target: .string(RoutingRecord.text(routing))],
          ],
          "spec": spec,
        ])
    }
  }

  private static func json(_ parent: ParentReference) -> JSON {
    var json: JSON = ["name": .string(parent.name)]
    json["group"] = parent.group.map(JSON.string)
    json["kind"] = parent.kind.map(JSON.string)
    json["namespace"] = parent.namespace.map(JSON.string)
    json["sectionName"] = parent.sectionName.map(JSON.string)
    json["port"] = parent.port.map { JSON($0) }
    return json
  }

  public func observe(_ live: [JSON], owned: Bool) -> ObservedRouting {
    observeOwned(live, owned: owned) { objects in
      objects.compactMap { $0[path: ["spec", "rules"]]?.array?.last.flatMap(canaryWeight) }.max()
    }
  }

  /// The share, in percent, that a rule gives to a canary Service now; `nil` for one that serves nobody.
  func canaryWeight(_ rule: JSON) -> Int? {
    let canaries = Set(services.map(\.canaryName))
    let backends = rule["backendRefs"]?.array ?? []
    // Left out, it is 1.
    let weights = backends.map { (name: $0["name"]?.string ?? "", weight: max(0, $0["weight"]?.int ?? 1)) }
    let total = weights.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return nil }
    return weights.filter { canaries.contains($0.name) }.reduce(0) { $0 + $1.weight } * 100 / total
  }
}

extension Sequence where Element: Hashable {
  /// Each element once, where it first stands.
  var uniqued: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
