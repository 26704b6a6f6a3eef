import KubernetesAPI
import RolloutAPI

/// What makes a provider, besides the plan.
public struct ProviderSetting: Sendable {
  /// What ``RoutedService/resolve(_:live:)`` found.
  public var services: [RoutedService]
  /// Names the canary's revision in the cookie of a sticky target, so that a cookie of an earlier run leads nowhere.
  public var revision: String
  /// Namespaces, other than the plan's, whose gateways it may use; the operator's to allow, since a tenant could else
  /// take another's host.
  public var gatewayNamespaces: Set<String>
  public var clusterDomain: String
  /// The live objects of the kinds that ``RoutingKinds/surroundings`` names.
  public var surroundings: [JSON]
  /// The live routing objects of the plan's namespace, for one that edits a person's: that tells by which Gateways
  /// requests come.
  public var routes: [JSON]
  /// The live Deployment; `nil` where it is not known.
  public var workload: JSON?

  public init(
    services: [RoutedService], revision: String, gatewayNamespaces: Set<String> = [],
    clusterDomain: String = "cluster.local", surroundings: [JSON] = [], routes: [JSON] = [], workload: JSON? = nil
  ) {
    self.services = services
    self.revision = revision
    self.gatewayNamespaces = gatewayNamespaces
    self.clusterDomain = clusterDomain
    self.surroundings = surroundings
    self.routes = routes
    self.workload = workload
  }
}

extension Plan {
  /// What the plan asks for and its provider can do on no cluster at all, for those who see none.
  public var impossibilities: [String] {
    // No routing object stands behind the number of pods.
    if case .replicas = provider { return [] }
    let services = services.map { service in
      // Which number a name stands for does not matter here.
      if case .int(let number) = service.port {
        RoutedService(name: service.name, ports: [number], otherPorts: [])
      } else {
        RoutedService(name: service.name, ports: [80], otherPorts: [])
      }
    }
    let setting = ProviderSetting(
      services: services, revision: "revision", gatewayNamespaces: Set(provider.gatewayNamespaces))
    do throws(RoutingRefusal) {
      let provider = try trafficProvider(setting)
      // Who implements a Gateway may be known in the cluster.
      if case .gatewayAPI(let gateway) = self.provider, gateway.metrics == nil, !gateway.parents.isEmpty {
        return provider.limitsOfSteps
      }
      return provider.problems
    } catch {
      return error.problems
    }
  }

  /// The provider that carries out this plan's traffic targets.
  /// - Throws: ``RoutingRefusal`` with all that the plan asks for and its provider cannot do.
  public func trafficProvider(_ setting: ProviderSetting) throws(RoutingRefusal) -> any TrafficProvider {
    switch provider {
    case .istio(let istio) where istio.route != nil:
      return try IstioInPlaceProvider(
        plan: self, services: setting.services, revision: setting.revision, clusterDomain: setting.clusterDomain,
        surroundings: setting.surroundings, workload: setting.workload)
    case .istio:
      return try IstioProvider(
        plan: self, services: setting.services, revision: setting.revision,
        gatewayNamespaces: setting.gatewayNamespaces, clusterDomain: setting.clusterDomain,
        surroundings: setting.surroundings, workload: setting.workload)
    case .gatewayAPI(let gateway) where gateway.route != nil:
      return try GatewayInPlaceProvider(plan: self, setting: setting)
    case .gatewayAPI: return try GatewayProvider(plan: self, setting: setting)
    case .replicas:
      throw RoutingRefusal(["traffic.\(provider.member) is not served"])
    }
  }
}
