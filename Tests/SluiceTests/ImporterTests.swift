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
      Self.route([["route": [["destination": ["host": "checkout"]]]]]), services: Self.services,
      deployments: Self.deployments)
    #expect(imported.losses == [] && imported.notes == [])
    let plan = try Plan(imported.rollout.decode(Rollout.self))
    #expect(plan.unserved == [] && plan.workload == "checkout-v3" && plan.namespace == "shop")
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
      Self.route(rules), service: "checkout", services: Self.services, deployments: Self.deployments)
    #expect(imported.losses.count == 2)
    let plan = try Plan(imported.rollout.decode(Rollout.self))
    #expect(plan.editedRoute == RouteReference(name: "shop", rule: "pay"))
  }

  @Test("only a VirtualService can be named", arguments: ["shop", "httproute/shop", "vs/", "vs/a/b"])
  func names(text: String) {
    #expect(throws: (any Error).self) { try Importer.name(of: text) }
  }
}
