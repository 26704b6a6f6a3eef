import KubernetesAPI
import Testing
import TrafficRouting

@testable import Operator

@Suite("Mutual TLS that a plan asks for")
struct MutualTLSTests {
  private static func manifests(_ mode: String, traffic: String = "istio: {}") -> Manifests {
    var manifests = Manifests()
    manifests.traffic = "{\(traffic), mtls: \(mode)}"
    return manifests
  }

  @Test("where all requests come by it a run goes its way")
  func all() async throws {
    let world = try await OperatorWorld.resting(Self.manifests("Verify"))
    try world.setImage("v2")
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.object(.destinationRules) == nil && world.breaches == [] && world.problems == [])
  }

  @Test("less than all pauses a run before its weight grows, with the share and the callers, until a person accepts it")
  func someInPlainText() async throws {
    let world = try await OperatorWorld.resting(Self.manifests("Verify"))
    world.plainText = 30
    try world.setImage("v2")
    try await world.settle("the pause") { $0.phase == "Paused" }
    #expect(world.canaryWeight == 0 && world.pods("v2").count == 1)
    #expect(world.runs.last?[path: ["status", "pause", "kind"]] == "PlainText")
    let message = try #require(world.condition("Reconciling")?["message"]?.string)
    #expect(message.contains("97.0% of the requests") && message.contains("from web/front"), "\(message)")
    await world.pass(30)
    #expect(world.canaryWeight == 0)
    world.restartController()
    await world.pass(30)
    #expect(world.canaryWeight == 0 && world.phase == "Paused")
    try world.command(.resume)
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.breaches == [] && world.problems == [])
  }

  @Test("a caller that comes later stops the next weight, and no abort")
  func later() async throws {
    let world = try await OperatorWorld.running(Self.manifests("Verify"), until: "Progressing/Analyzing/1")
    #expect(world.canaryWeight == 20)
    world.plainText = 5
    try await world.settle("the pause") { $0.phase == "Paused" }
    #expect(world.canaryWeight == 20)
    try world.command(.abort)
    await world.turn()
    #expect(world.canaryWeight == 0)
  }

  @Test("what nobody tells is not taken for mutual TLS")
  func unknown() async throws {
    let world = try await OperatorWorld.resting(Self.manifests("Verify"))
    world.plainText = nil
    try world.setImage("v2")
    await world.pass(60)
    #expect(world.canaryWeight == 0)
    let message = world.condition("Reconciling")?["message"]?.string ?? ""
    #expect(message.contains("it is not known whether requests come by mutual TLS"), "\(message)")
    world.plainText = 0
    try await world.settle("the first weight") { $0.canaryWeight == 20 }
  }

  @Test(
    "Strict starts no run while the pods would take plain text, and has callers of both tracks use mutual TLS",
    arguments: ["istio: {}", "gatewayAPI: {metrics: Istio}"])
  func strict(traffic: String) async throws {
    let world = try OperatorWorld()
    let manifests = Self.manifests("Strict", traffic: traffic)
    for manifest in [manifests.service, manifests.deployment, manifests.rollout] { try world.create(manifest) }
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    let message = world.condition("Stalled")?["message"]?.string ?? ""
    #expect(
      message.contains(
        "pods of Deployment shop/checkout take plain text at port 8080 (no PeerAuthentication says STRICT)"),
      "\(message)")
    try world.create(
      """
      apiVersion: security.istio.io/v1
      kind: PeerAuthentication
      metadata: {name: checkout, namespace: shop}
      spec: {selector: {matchLabels: {app: checkout}}, mtls: {mode: STRICT}}
      """)
    try await world.settle("rest") { $0.phase == "Idle" }
    try world.setImage("v2")
    try await world.settle("the first weight") { $0.canaryWeight == 20 }
    for track in ["stable", "canary"] {
      #expect(
        world.object(.destinationRules, "checkout-\(track)")?[path: ["spec", "trafficPolicy", "tls", "mode"]]
          == "ISTIO_MUTUAL")
    }
    #expect(world.breaches == [] && world.problems == [])
  }
}
