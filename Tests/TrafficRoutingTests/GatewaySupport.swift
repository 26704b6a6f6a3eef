import KubernetesAPI
import RolloutAPI

@testable import TrafficRouting

/// The plan of the Rollout `checkout`, routed by the Gateway API.
func gatewayPlan(
  _ gateway: JSON, policy: JSON = .emptyObject, services: JSON = [["name": "checkout", "port": "http"]],
  steps: JSON = oneStep
) throws -> Plan {
  var traffic = policy
  traffic["gatewayAPI"] = gateway
  return try plan(traffic: traffic, services: services, steps: steps)
}

func gatewayProvider(
  _ gateway: JSON = ["metrics": "Istio"], policy: JSON = .emptyObject,
  services: JSON = [["name": "checkout", "port": "http"]], live: [JSON] = [service("checkout")],
  steps: JSON = oneStep, namespaces: Set<String> = [], surroundings: [JSON] = []
) throws -> GatewayProvider {
  let plan = try gatewayPlan(gateway, policy: policy, services: services, steps: steps)
  return try GatewayProvider(
    plan: plan,
    setting: ProviderSetting(
      services: RoutedService.resolve(plan, live: live), revision: "6f7c9", gatewayNamespaces: namespaces,
      surroundings: surroundings))
}

/// A Gateway, and the class that it is of.
func gateway(
  _ name: String = "public", controller: String = "istio.io/gateway-controller", features: [JSON] = [],
  namespace: String = "shop"
) -> [JSON] {
  [
    [
      "kind": "Gateway", "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "spec": ["gatewayClassName": "a-class"],
    ],
    [
      "kind": "GatewayClass", "metadata": ["name": "a-class"], "spec": ["controllerName": .string(controller)],
      "status": ["supportedFeatures": .array(features)],
    ],
  ]
}

/// The definition of HTTPRoute, as far as it tells the version.
func definition(_ version: String, _ channel: String = "standard") -> JSON {
  [
    "kind": "CustomResourceDefinition",
    "metadata": [
      "name": "httproutes.gateway.networking.k8s.io",
      "annotations": [
        "gateway.networking.k8s.io/bundle-version": .string(version),
        "gateway.networking.k8s.io/channel": .string(channel),
      ],
    ],
  ]
}

extension GatewayProvider {
  func rules(_ target: TrafficTarget, _ index: Int = 0) -> [JSON] {
    objects(for: .split(target))[index].object[path: ["spec", "rules"]]?.array ?? []
  }

  /// As the API server would keep them.
  func live(_ routing: Routing, status: JSON? = nil) -> [JSON] {
    objects(for: routing).map { wanted in
      var object = TrafficRoutingTests.live(wanted)
      object["status"] = status
      return object
    }
  }
}

/// `stable 90, canary 10`.
func backends(_ rule: JSON) -> String {
  (rule["backendRefs"]?.array ?? []).map { backend in
    "\((backend["name"]?.string ?? "").split(separator: "-").last ?? "") \(backend["weight"]?.int ?? -1)"
  }.joined(separator: ", ")
}
