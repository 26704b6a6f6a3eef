import KubernetesAPI
import RolloutAPI
import Testing
import TrafficRouting

@testable import Operator

@Suite("The operator in a sandbox, by the Gateway API")
struct GatewayWorldTests {
  private static let gateways = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: GatewayClass
    metadata: {name: istio}
    spec: {controllerName: istio.io/gateway-controller}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public, namespace: shop}
    spec:
      gatewayClassName: istio
      listeners: [{name: http, port: 80, protocol: HTTP}]
    """

  @Test(
    "a good image is promoted and a bad one is rolled back, by Gateways and as a mesh",
    arguments: [
      "{gatewayAPI: {metrics: Istio}}",
      "{gatewayAPI: {parentRefs: [{name: public}], hostnames: [shop.example.com], matches: [{path: {value: /checkout}}]}}",
    ])
  func promotionAndRollback(traffic: String) async throws {
    var manifests = Manifests()
    manifests.traffic = traffic
    let world = try OperatorWorld()
    for manifest in [Self.gateways, manifests.service, manifests.deployment, manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the first revision to be stable") { $0.phase == "Idle" }
    try world.setImage("v2")
    try await world.settle("the promotion") { $0.stage.hasPrefix("Promoted") && $0.phase == "Idle" }
    #expect(world.replicas("v2") == 4 && world.replicas("v1") == 0)

    world.failing = ["v3"]
    try world.setImage("v3")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.canaryWeight == 0)
    #expect(world.replicas("v2") == 4 && world.replicas("v3") == 0)
    #expect(world.breaches == [])
    #expect(world.problems == [])
  }

  @Test("no share is believed before the parent's controller has taken the route, and the run says what it waits for")
  func acceptance() async throws {
    var manifests = Manifests()
    manifests.traffic = "{gatewayAPI: {parentRefs: [{name: public}], mesh: false}}"
    let world = try OperatorWorld()
    for manifest in [Self.gateways, manifests.service, manifests.deployment, manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the first revision to be stable") { $0.phase == "Idle" }
    // Nobody implements the Gateway any more.
    try world.delete(.gatewayClasses, "istio")
    try world.create(
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata: {name: other}
      spec: {controllerName: istio.io/gateway-controller}
      """)
    try world.setImage("v2")
    await world.pass(60)
    #expect(world.canaryWeight == 0, "no run starts while it is not known by whose metrics it would be judged")
    #expect(world.condition("Stalled")?["message"]?.string?.contains("traffic.gatewayAPI.metrics") == true)

    try world.patch(.rollouts, ["spec": ["traffic": ["gatewayAPI": ["metrics": "Istio"]]]])
    try await world.settle("the wait") { $0.condition("Ready")?["reason"] == "RoutePending" }
    let istio = """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata: {name: istio}
      spec: {controllerName: istio.io/gateway-controller}
      """
    try world.create(istio)
    try await world.settle("the first weight") { $0.canaryWeight == 20 }
    try world.delete(.gatewayClasses, "istio")
    await world.pass(60)
    #expect(world.stage == "Progressing/Verifying/1")
    #expect(world.condition("Reconciling")?["message"]?.string?.contains("no controller has taken it") == true)
    try world.create(istio)
    try await world.settle("the promotion") { $0.stage.hasPrefix("Promoted") && $0.phase == "Idle" }
    #expect(world.breaches == [])
  }

  @Test("a plan that comes to another provider waits until the route of the former one is gone")
  func anotherProvider() async throws {
    let world = try await OperatorWorld.resting()
    try world.patch(.rollouts, ["spec": ["traffic": ["istio": .null, "gatewayAPI": ["metrics": "Istio"]]]])
    await world.pass(5)
    #expect(
      world.condition("Stalled")?["message"]?.string?.hasPrefix(
        "VirtualService shop/checkout of this Rollout's provider")
        == true)
    #expect(world.object(.httpRoutes) == nil)
    try world.delete(.virtualServices)
    try await world.settle("rest by the new route") { $0.phase == "Idle" && $0.object(.httpRoutes) != nil }
    #expect(world.canaryWeight == 0)
    #expect(world.breaches == [])
  }

  @Test("without a mesh's metrics a run goes by the route's status and the plan's own queries")
  func withoutMetrics() async throws {
    var manifests = Manifests()
    manifests.traffic = "{gatewayAPI: {metrics: None}}"
    manifests.steps = ["{weight: 20, pause: {duration: 5s}}"]
    let text = manifests.rollout.replacing("- {name: errors, errorRate: {max: 1%}}", with: "[]")
      .replacing("slos:\n    ", with: "slos: ")
    let world = try OperatorWorld()
    for manifest in [manifests.service, manifests.deployment, text] { try world.create(manifest) }
    try await world.settle("the first revision to be stable") { $0.phase == "Idle" }
    try world.setImage("v2")
    try await world.settle("the first weight") { $0.canaryWeight == 20 }
    let written = world.time.now
    try await world.settle("the step to be over") { $0.canaryWeight == 100 }
    #expect(world.time.now.timeIntervalSince(written) >= 35, "30 s for the proxies to follow, then the pause")
    try await world.settle("the promotion") { $0.stage.hasPrefix("Promoted") && $0.phase == "Idle" }
    #expect(world.breaches == [])
  }

  @Test("a change of provider while no controller ran is seen by the next one, which watches the former kind for it")
  func anotherProviderWhileDown() async throws {
    let world = try await OperatorWorld.resting()
    #expect(world.status["provider"] == "istio")
    try world.patch(.rollouts, ["spec": ["traffic": ["istio": .null, "gatewayAPI": ["metrics": "Istio"]]]])
    world.restartController()
    await world.pass(5)
    let message = world.condition("Stalled")?["message"]?.string ?? ""
    #expect(message.hasPrefix("VirtualService shop/checkout of this Rollout's provider before this one"), "\(message)")
    let rollout = try #require(world.object(.rollouts))
    #expect(RoutingKinds.routes(of: rollout[path: ["status", "provider"]]?.string) == [.virtualServices])
    try world.delete(.virtualServices)
    try await world.settle("rest by the new route") { $0.status["provider"] == "gatewayAPI" && $0.phase == "Idle" }
    #expect(world.object(.httpRoutes) != nil && world.breaches == [])
  }

  @Test("a route that no parent's controller takes is told at rest, and no run starts meanwhile")
  func pendingAtRest() async throws {
    var manifests = Manifests()
    manifests.traffic = "{gatewayAPI: {parentRefs: [{name: public}], mesh: false, metrics: Istio}}"
    let world = try OperatorWorld()
    // A Gateway whose class nobody implements.
    let gateway = Self.gateways.split(separator: "---\n").last.map(String.init) ?? ""
    for manifest in [gateway, manifests.service, manifests.deployment, manifests.rollout] { try world.create(manifest) }
    try await world.settle("the wait") { $0.condition("Ready")?["reason"] == "RoutePending" }
    let message = world.condition("Ready")?["message"]?.string ?? ""
    #expect(
      message.contains("HTTPRoute shop/checkout, parent Gateway shop/public: no controller has taken it"), "\(message)")
    try world.setImage("v2")
    await world.pass(30)
    #expect(world.runs.isEmpty && world.pods("v2").isEmpty)
    try world.create(Self.gateways.split(separator: "---\n").first.map(String.init) ?? "")
    try await world.settle("the first weight") { $0.canaryWeight == 20 }
    #expect(world.breaches == [] && world.problems == [])
  }
}
