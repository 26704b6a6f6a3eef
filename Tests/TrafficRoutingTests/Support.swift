import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

let oneStep: JSON = [["weight": 10, "analyze": ["for": "1m"]]]

/// The plan of the Rollout `checkout` in the namespace `shop`.
func plan(
  traffic: JSON, services: JSON = [["name": "checkout", "port": "http"]], steps: JSON = oneStep
) throws -> Plan {
  let rollout: JSON = [
    "apiVersion": "sluice.dev/v1alpha1", "kind": "Rollout", "metadata": ["name": "checkout", "namespace": "shop"],
    "spec": [
      "workloadRef": ["name": "checkout"], "serviceRefs": services, "traffic": traffic, "steps": steps,
      "analysis": ["slos": [["name": "errors", "errorRate": ["max": "1%"]]]],
    ],
  ]
  return try Plan(rollout.decode(Rollout.self))
}

/// The same plan, routed by Istio.
func plan(
  istio: JSON = .emptyObject, policy: JSON = .emptyObject, services: JSON = [["name": "checkout", "port": "http"]],
  steps: JSON = oneStep
) throws -> Plan {
  var traffic = policy
  traffic["istio"] = istio
  return try plan(traffic: traffic, services: services, steps: steps)
}

/// A live Service of the namespace `shop`.
func service(_ name: String, _ ports: [(String, Int)] = [("http", 80)]) -> JSON {
  [
    "kind": "Service", "metadata": ["name": .string(name), "namespace": "shop"],
    "spec": ["ports": .array(ports.map { ["name": .string($0.0), "port": JSON($0.1)] })],
  ]
}

func provider(
  istio: JSON = .emptyObject, policy: JSON = .emptyObject, services: JSON = [["name": "checkout", "port": "http"]],
  live: [JSON] = [service("checkout")], gatewayNamespaces: Set<String> = [], steps: JSON = oneStep
) throws -> IstioProvider {
  let plan = try plan(istio: istio, policy: policy, services: services, steps: steps)
  return try IstioProvider(
    plan: plan, services: RoutedService.resolve(plan, live: live), revision: "6f7c9",
    gatewayNamespaces: gatewayNamespaces)
}

func weight(_ value: Int) throws -> Weight { try #require(Weight(value)) }

/// What a write carries.
func body(_ write: RoutingWrite?) throws -> JSON {
  switch try #require(write) {
  case .create(let object), .replace(let object): object.object
  case .patch(_, _, let operations): .array(operations.map(\.json))
  }
}

/// The object as a server would return it.
func live(_ object: RoutingObject, version: String = "7") -> JSON {
  var live = object.object
  live[path: ["metadata", "resourceVersion"]] = .string(version)
  live[path: ["metadata", "uid"]] = "u-1"
  live[path: ["metadata", "generation"]] = 3
  live[path: ["metadata", "annotations", "team"]] = "shop"
  return live
}
