import KubernetesAPI
import Testing
import TrafficRouting

@testable import Operator

@Suite("A route of a team's that becomes Sluice's, or delegates to Sluice's")
struct AdoptedRouteTests {
  private static let route = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop, namespace: shop, labels: {team: shop}}
    spec:
      hosts: [checkout]
      http:
      - route: [{destination: {host: checkout}}]
    """

  private static func manifests(_ traffic: String, _ route: String = Self.route) -> Manifests {
    var manifests = Manifests(steps: ["{weight: 20, pause: {}}", "{weight: 50}"])
    manifests.traffic = traffic
    manifests.companions = [route]
    return manifests
  }

  private static let httpRoute = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop, namespace: shop, labels: {team: shop}}
    spec:
      parentRefs: [{group: "", kind: Service, name: checkout, port: 80}]
      rules:
      - matches: [{path: {type: PathPrefix, value: /}}]
        backendRefs: [{group: "", kind: Service, name: checkout, port: 80, weight: 1}]
    """

  @Test(
    "it is taken over in one write, weighed, and given back as it was when the Rollout goes",
    arguments: [
      (ResourceType.virtualServices, "{istio: {adopt: {name: shop}}}", Self.route),
      (.httpRoutes, "{gatewayAPI: {adopt: {name: shop}, metrics: Istio}}", Self.httpRoute),
    ])
  func adopted(type: ResourceType, traffic: String, route: String) async throws {
    let world = try await OperatorWorld.resting(Self.manifests(traffic, route))
    let writes = world.transport.writes.filter { $0.contains(type.plural) }
    #expect(writes == ["PUT /apis/\(type.apiVersion)/namespaces/shop/\(type.plural)/shop"])
    #expect(world.object(type) == nil)
    #expect(world.object(type, "shop")?.labels["sluice.dev/rollout"] == "checkout")
    try world.setImage("v2")
    try await world.settle("the pause") { $0.stage == "Paused/Pausing/1" }
    #expect(world.canaryWeight == 20)
    try world.command(.resume)
    try await world.settle("the promotion") { $0.phase == "Idle" }
    try world.delete(.rollouts)
    try await world.settle("the Rollout to be gone") { $0.object(.rollouts) == nil }
    let left = try #require(world.object(type, "shop"))
    #expect(left["spec"] == (try JSON.documents(yaml: route)).first?.json["spec"])
    #expect(left.labels == ["team": "shop"] && left.annotations == [:])
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("one that takes more requests than the plan stays its team's, and the condition names what to add")
  func losing() async throws {
    let world = try OperatorWorld()
    let route = Self.route.replacing(
      "hosts: [checkout]", with: "hosts: [checkout, a.example.com]\n  gateways: [g, mesh]")
    let manifests = Self.manifests("{istio: {adopt: {name: shop}}}", route)
    for manifest in [manifests.service, manifests.deployment] + manifests.companions + [manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    let message = world.condition("Stalled")?["message"]?.string ?? ""
    #expect(message.contains("serves host a.example.com, and spec.traffic.istio.hosts does not"), "\(message)")
    #expect(!world.transport.writes.contains { $0.contains("virtualservices") })
  }

  @Test("one that is delegated to is made before anybody delegates, and no run starts until somebody does")
  func delegate() async throws {
    let world = try OperatorWorld()
    let manifests = Self.manifests("{istio: {delegate: true}}")
    for manifest in [manifests.service, manifests.deployment, manifests.rollout] { try world.create(manifest) }
    try await world.settle("the delegate") { $0.condition("Ready")?["reason"] == "RouteUnreached" }
    #expect(world.phase == "Waiting")
    #expect(world.object(.virtualServices)?["spec"]?.object?.keys.sorted() == ["http"])
    try world.setImage("v2")
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    #expect(
      world.condition("Stalled")?["message"]?.string?.contains("no VirtualService delegates to shop/checkout") == true)
    try world.create(
      """
      apiVersion: networking.istio.io/v1
      kind: VirtualService
      metadata: {name: root, namespace: shop}
      spec: {hosts: [shop.example.com], gateways: [g], http: [{delegate: {name: checkout, namespace: shop}}]}
      """)
    try await world.settle("the run") { $0.canaryWeight == 20 }
    #expect(world.object(.virtualServices, "checkout-checkout").map(Breaches.destinations)?["checkout-canary"] == 20)
    #expect(world.breaches == [] && world.problems == [])
  }
}
