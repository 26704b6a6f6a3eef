import KubernetesAPI
import RolloutAPI

@testable import TrafficRouting

/// A plan of the Rollout `checkout` in the namespace `shop` that routes by the Gateway API.
func gatewayPlan(
  _ gateway: JSON, policy: JSON = .emptyObject, services: JSON = [["name": "checkout", "port": "http"]],
  steps: JSON = [["weight": 10, "analyze": ["for": "1m"]]]
) throws -> Plan {
  var traffic = policy
  traffic["gatewayAPI"] = gateway
  let rollout: JSON = [
    "apiVersion": "sluice.dev/v1alpha1", "kind": "Rollout", "metadata": ["name": "checkout", "namespace": "shop"],
    "spec": [
      "workloadRef": ["name": "checkout"], "serviceRefs": services, "traffic": traffic, "steps": steps,
      "analysis": ["slos": [["name": "errors", "errorRate": ["max": "1%"]]]],
    ],
  ]
  return try Plan(rollout.decode(Rollout.self))
}

func gatewayProvider(
  _ gateway: JSON = ["metrics": "Istio"], policy: JSON = .emptyObject,
  services: JSON = [["name": "checkout", "port": "http"]], live: [JSON] = [service("checkout")],
  steps: JSON = [["weight": 10, "analyze": ["for": "1m"]]], namespaces: Set<String> = [], surroundings: [JSON] = []
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
