import KubernetesAPI
import RolloutAPI
import Testing

@testable import sluice

@Suite("sluice import")
struct ImporterTests {
  private static func route(_ rules: JSON) -> JSON {
    [
      "kind": "VirtualService", "metadata": ["name": "shop", "namespace": "shop"],
      "spec": ["hosts": ["shop.example.com"], "gateways": ["public"], "http": rules],
    ]
  }

  private static let services: [JSON] = [
    [
      "metadata": ["name": "checkout", "namespace": "shop"],
      "spec": ["selector": ["app": "checkout"], "ports": [["name": "http", "port": 80]]],
    ]
  ]
  private static let deployments: [JSON] = [
    [
      "metadata": ["name": "checkout-v3"],
      "spec": ["template": ["metadata": ["labels": ["app": "checkout", "x": "y"]]]],
    ],
    ["metadata": ["name": "web"], "spec": ["template": ["metadata": ["labels": ["app": "web"]]]]],
  ]

  @Test("what is printed is a plan without a problem, which takes the route over")
  func whole() throws {
    let imported = Importer(
      Self.route([["route": [["destination": ["host": "checkout"]]]]]), .virtualService, services: Self.services,
      deployments: Self.deployments)
    #expect(imported.losses == [] && imported.notes == [])
    let plan = try Plan(imported.rollout.decode(Rollout.self))
    #expect(plan.workload == "checkout-v3" && plan.namespace == "shop")
    #expect(plan.services.map(\.name) == ["checkout"] && plan.services.first?.port == .string("http"))
    guard case .istio(let istio) = plan.provider else { return }
    #expect(istio.adopt == "shop" && istio.hosts == ["shop.example.com"] && istio.gateways == ["public"] && !istio.mesh)
  }

  @Test("where a Rollout cannot say it all, the rule is edited in place instead")
  func inPlace() throws {
    let rules: JSON = [
      ["name": "cart", "route": [["destination": ["host": "cart"]]]],
      ["name": "pay", "fault": [:], "route": [["destination": ["host": "checkout"]]]],
    ]
    let imported = Importer(
      Self.route(rules), .virtualService, service: "checkout", services: Self.services, deployments: Self.deployments)
    #expect(imported.losses.count == 2)
    let plan = try Plan(imported.rollout.decode(Rollout.self))
    #expect(plan.editedRoute == RouteReference(name: "shop", rule: "pay"))
  }

  private static func httpRoute(_ rules: JSON) -> JSON {
    [
      "kind": "HTTPRoute", "metadata": ["name": "shop", "namespace": "shop"],
      "spec": [
        "parentRefs": [["group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"]],
        "hostnames": ["shop.example.com"], "rules": rules,
      ],
    ]
  }

  @Test("an HTTPRoute too becomes a plan that takes it over, or one that edits its rule in place")
  func gateway() throws {
    let rule: JSON = [
      "matches": [["path": ["type": "PathPrefix", "value": "/checkout"]]], "timeouts": ["request": "5s"],
      "backendRefs": [["group": "", "kind": "Service", "name": "checkout", "port": 80, "weight": 1]],
    ]
    let whole = Importer(
      Self.httpRoute([rule]), .httpRoute, services: Self.services, deployments: Self.deployments)
    #expect(whole.losses == [] && whole.notes == [])
    let plan = try Plan(whole.rollout.decode(Rollout.self))
    #expect(plan.workload == "checkout-v3" && plan.impossibilities == [])
    guard case .gatewayAPI(let gateway) = plan.provider else {
      Issue.record("it should be the Gateway API's")
      return
    }
    #expect(gateway.adopt == "shop" && gateway.hostnames == ["shop.example.com"] && !gateway.mesh)
    #expect(gateway.parents == [ParentReference(name: "public")])

    let other: JSON = ["name": "cart", "backendRefs": [["name": "cart", "port": 80]]]
    let inPlace = Importer(
      Self.httpRoute([rule, other]), .httpRoute, services: Self.services, deployments: Self.deployments)
    #expect(inPlace.losses.count == 1 && inPlace.notes == [])
    #expect(try Plan(inPlace.rollout.decode(Rollout.self)).editedRoute == RouteReference(name: "shop"))
  }

  @Test("only a VirtualService or an HTTPRoute can be named", arguments: ["shop", "ingress/shop", "vs/", "vs/a/b"])
  func names(text: String) {
    #expect(throws: (any Error).self) { try Importer.Kind.named(in: text) }
    #expect((try? Importer.Kind.named(in: "HTTPRoute/shop"))?.0 == .httpRoute)
  }
}
