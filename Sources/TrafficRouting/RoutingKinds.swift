import KubernetesAPI
import RolloutAPI

/// The kinds of object that one way to route has to do with. A cluster serves only those of the meshes that it has.
public struct RoutingKinds: Sendable, Hashable {
  /// They carry the routing.
  public var routes: [ResourceType] = []
  /// They hold policies for Services, which the generated Services need as well.
  public var policies: [ResourceType] = []
  /// They are read, and say what the cluster can do.
  public var surroundings: [ResourceType] = []

  public var all: [ResourceType] { routes + policies + surroundings }

  /// By the member of a Rollout's `spec.traffic` that names the provider.
  public static let byMember: [(member: String, kinds: RoutingKinds)] = [
    (
      "istio",
      RoutingKinds(
        routes: [.virtualServices], policies: [.destinationRules], surroundings: [.peerAuthentications])
    ),
    (
      "gatewayAPI",
      RoutingKinds(
        routes: [.httpRoutes], policies: [.destinationRules, .backendTLSPolicies, .serviceProfiles],
        surroundings: [.gateways, .grpcRoutes, .gatewayClasses, .customResourceDefinitions, .peerAuthentications])
    ),
  ]

  /// Those of every provider, each once.
  public static let every = RoutingKinds(
    routes: byMember.flatMap(\.kinds.routes).uniqued, policies: byMember.flatMap(\.kinds.policies).uniqued,
    surroundings: byMember.flatMap(\.kinds.surroundings).uniqued)

  /// The kinds that carry the routing of the provider of this name; none for an unknown one.
  public static func routes(of member: String?) -> [ResourceType] {
    byMember.first { $0.member == member }?.kinds.routes ?? []
  }

  /// Those of the provider that a Rollout's or a run's `spec.traffic` names, valid or not.
  public static func wanted(by traffic: JSON?) -> [ResourceType] {
    byMember.filter { traffic?[$0.member] != nil }.flatMap(\.kinds.all)
  }
}

extension Plan.Provider {
  /// The member of `spec.traffic`.
  public var member: String {
    switch self {
    case .istio: "istio"
    case .gatewayAPI: "gatewayAPI"
    case .replicas: "replicas"
    }
  }

  /// The namespaces that the plan's gateways name.
  public var gatewayNamespaces: [String] {
    switch self {
    case .istio(let istio):
      istio.gateways.compactMap { gateway in
        let parts = gateway.split(separator: "/")
        return parts.count == 2 ? String(parts[0]) : nil
      }
    case .gatewayAPI(let gateway): gateway.parents.compactMap(\.namespace)
    case .replicas: []
    }
  }

  public var kinds: RoutingKinds { RoutingKinds.byMember.first { $0.member == member }?.kinds ?? RoutingKinds() }
}

extension Plan {
  /// The name of the routing object that carries requests from outside, for a mesh that counts by it.
  public var countedRoute: String {
    switch provider {
    case .istio(let istio): istio.route?.name ?? istio.adopt ?? name
    case .gatewayAPI(let gateway): gateway.route?.name ?? gateway.adopt ?? name
    case .replicas: name
    }
  }
}
