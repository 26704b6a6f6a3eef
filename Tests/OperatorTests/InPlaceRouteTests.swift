import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator
@testable import Sandbox

/// A run whose weights are those of one rule in a person's VirtualService.
@Suite("A VirtualService of a person's, edited in place")
struct InPlaceRouteTests {
  /// The team's object; the rule `checkout` is the one that the Rollout names.
  static let route = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop, namespace: shop, annotations: {team: shop}}
    spec:
      hosts: [checkout, cart]
      http:
      - name: checkout
        match: [{uri: {prefix: /checkout}}]
        timeout: 3s
        route: [{destination: {host: checkout, port: {number: 80}}}]
      - name: cart
        route: [{destination: {host: cart}}]
    """

  static func manifests(
    steps: [String] = ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"],
    route: String = Self.route
  ) -> Manifests {
    var manifests = Manifests(steps: steps)
    manifests.traffic = "{istio: {route: {name: shop, rule: checkout}}}"
    manifests.companions = [route]
    return manifests
  }

  private static let paused = manifests(steps: ["{weight: 20, pause: {}}", "{weight: 50}"])

  /// What Git holds of the live object, in the order of its parts.
  private func gitPart(_ world: OperatorWorld) -> JSON? { world.object(.virtualServices, "shop")?["spec"] }

  private func record(_ world: OperatorWorld) -> String? {
    world.object(.virtualServices, "shop")?.annotations["route.sluice.dev/checkout"]
  }

  @Test("a promotion moves the weights of the named rule, and gives the rule back as it was")
  func promotion() async throws {
    let world = try await OperatorWorld.resting(Self.manifests())
    let before = try #require(world.object(.virtualServices, "shop"))
    #expect(world.object(.virtualServices) == nil, "none of Sluice's own is made")
    #expect(before.annotations == ["team": "shop"], "at rest nothing of Sluice is on it")
    try world.setImage("v2")
    for weight in [20, 50, 100] {
      try await world.settle("weight \(weight)") { $0.canaryWeight == weight }
    }
    try await world.settle("the promotion") { $0.phase == "Idle" }
    #expect(gitPart(world) == before["spec"])
    #expect(world.object(.virtualServices, "shop")?.annotations == ["team": "shop"])
    #expect(world.object(.virtualServices, "shop")?.labels == [:])
    #expect(world.pods("v2").count == 4 && world.pods("v1").isEmpty)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("an abort sends all to stable in its first write, and gives the rule back when the canary has no pod")
  func abort() async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    let before = world.transport.writes.count
    try world.command(.abort)
    await world.turn()
    #expect(world.transport.writes.dropFirst(before).first?.contains("virtualservices/shop") == true)
    #expect(world.canaryWeight == 0 && record(world) != nil)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(gitPart(world) == (try JSON.documents(yaml: Self.route)).first?.json["spec"] && record(world) == nil)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("a foreign edit elsewhere in the object stays, and disturbs nothing")
  func elsewhere() async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    var http = world.object(.virtualServices, "shop")?[path: ["spec", "http"]]?.array ?? []
    let index = try #require(http.firstIndex { $0["name"] == "cart" })
    http[index]["timeout"] = "1s"
    http.insert(
      ["name": "new", "match": [["uri": ["exact": "/new"]]], "route": [["destination": ["host": "cart"]]]], at: 0)
    try world.patch(
      .virtualServices, named: "shop", ["spec": ["http": .array(http), "hosts": ["checkout", "cart", "new"]]])
    await world.pass(5)
    #expect(world.canaryWeight == 20 && world.status["reassertions"] == nil)
    #expect(world.stage == "Paused/Pausing/1")
    try world.command(.resume)
    try await world.settle("the promotion") { $0.phase == "Idle" }
    let after = try #require(gitPart(world))
    #expect(after["hosts"] == ["checkout", "cart", "new"])
    #expect(after["http"]?.array?.compactMap { $0["name"]?.string } == ["new", "checkout", "cart"])
    #expect(after["http"]?[2]?["timeout"] == "1s")
    #expect(after["http"]?[1]?["route"] == [["destination": ["host": "checkout", "port": ["number": 80]]]])
  }

  @Test("who sets the weights back is undone three times; then the run pauses and says who, and what to do")
  func contested() async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    let git = try #require(try JSON.documents(yaml: Self.route).first?.json["spec"])
    for count in 1...4 {
      try world.patch(.virtualServices, named: "shop", ["spec": git], by: "argocd-controller")
      await world.turn()
      #expect(world.canaryWeight == (count < 4 ? 20 : 0))
    }
    #expect(world.phase == "Paused")
    #expect(world.condition("Reconciling")?["message"]?.string?.contains("changed by argocd-controller again") == true)
    #expect(world.runs.last?[path: ["status", "pause", "kind"]] == "Conflict")
    try world.command(.abort)
    await world.turn()
    #expect(world.canaryWeight == 0)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(gitPart(world) == git && record(world) == nil)
  }

  @Test("an abort gets through although somebody writes the object at the same moment")
  func conflict() async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    try world.command(.abort)
    let server = world.server
    world.transport.beforeNext(where: { $0.method != .get && $0.url.contains("virtualservices/shop") }) {
      _ = server.handle(
        ServerRequest(
          "PATCH", "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/shop", query: [],
          headers: [("Accept", "application/json"), ("Content-Type", "application/merge-patch+json")],
          body: JSON.object(["metadata": ["annotations": ["team": "other"]]]).bytes))
    }
    // One look: no second reconcile is needed.
    await world.turnWithoutAnswers()
    #expect(world.canaryWeight == 0 && world.object(.virtualServices, "shop")?.annotations["team"] == "other")
  }

  @Test(
    "an object whose rule is taken away, or which goes, pauses the run with what to do, and does not block an abort",
    arguments: [true, false])
  func gone(whole: Bool) async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    if whole {
      try world.delete(.virtualServices, "shop")
    } else {
      let http = world.object(.virtualServices, "shop")?[path: ["spec", "http"]]?.array ?? []
      try world.patch(
        .virtualServices, named: "shop", ["spec": ["http": .array(http.filter { $0["name"] != "checkout" })]])
    }
    await world.turn()
    #expect(world.phase == "Paused")
    let text = world.condition("Reconciling")?["message"]?.string ?? ""
    #expect(text.contains("VirtualService shop/shop") && text.contains("put it right"), "\(text)")
    #expect((world.object(.virtualServices, "shop") == nil) == whole, "it is not made by Sluice")
    try world.command(.abort)
    try await world.settle("the rejection") { $0.phase == "Rejected" || $0.phase == "Stalled" }
    #expect(world.stage == "Aborted" && world.pods("v2").isEmpty)
    #expect(world.problems == [])
  }

  @Test("deleting the Rollout in mid-run gives the rule back", arguments: ["Foreground", "Background"])
  func deletion(propagation: String) async throws {
    let world = try await OperatorWorld.running(Self.paused, until: "Paused/Pausing/1")
    try world.delete(.rollouts, "checkout", propagation)
    try await world.settle("the Rollout to be gone") { $0.object(.rollouts) == nil }
    #expect(gitPart(world) == (try JSON.documents(yaml: Self.route)).first?.json["spec"] && record(world) == nil)
    #expect(world.object(.services, "checkout-stable") == nil)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("a process that ends at any weight goes on from it")
  func restarts() async throws {
    let world = try await OperatorWorld.running(Self.manifests(), until: "Progressing/Scaling")
    for weight in [20, 50, 100] {
      try await world.settle("weight \(weight)") { $0.canaryWeight == weight }
      world.restartController()
      for _ in 0..<8 {
        await world.pass(0.25, step: 0.25)
        #expect(world.canaryWeight == weight)
      }
    }
    try await world.settle("the promotion") { $0.phase == "Idle" }
    #expect(record(world) == nil)
  }

  @Test("a rule that cannot be edited stalls the Rollout before a run, and says what would be right")
  func unusable() async throws {
    let world = try OperatorWorld()
    let manifests = Self.manifests(
      route: Self.route.replacing("{host: checkout, port: {number: 80}}", with: "{host: web}"))
    for manifest in [manifests.service, manifests.deployment] + manifests.companions + [manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    let stalled = world.condition("Stalled")
    #expect(stalled?["reason"] == "RouteUnusable")
    #expect(
      stalled?["message"]
        == "rule checkout of VirtualService shop/shop routes to web; wanted the Service checkout, which serviceRefs names, alone"
    )
    try world.patch(.virtualServices, named: "shop", ["spec": (try JSON.documents(yaml: Self.route))[0].json["spec"]!])
    try await world.settle("it to be put right") { $0.phase == "Idle" }
  }

  @Test("of two Rollouts on the same rule the younger one is told, and told what to change")
  func clash() async throws {
    let world = try await OperatorWorld.resting(Self.manifests())
    let rollout = try #require(world.object(.rollouts))
    var spec = try #require(rollout["spec"])
    spec[path: ["workloadRef", "name"]] = "other"
    spec["serviceRefs"] = [["name": "other", "port": 80]]
    let other: JSON = [
      "metadata": ["name": "other", "namespace": "shop", "uid": "x", "creationTimestamp": "2999-01-01T00:00:00Z"],
      "spec": spec,
    ]
    let plan = try Plan(Rollout(metadata: ObjectMeta(name: "other", namespace: "shop"), spec: spec.decode()))
    let problems = RolloutClash.problems(of: plan, own: other, among: [rollout])
    #expect(problems.map(\.field) == ["spec.traffic.istio.route"])
    #expect(
      problems.first?.found == "rule checkout of VirtualService shop, which Rollout shop/checkout has already")
    spec[path: ["traffic", "istio", "route", "rule"]] = "cart"
    let third = try Plan(Rollout(metadata: ObjectMeta(name: "other", namespace: "shop"), spec: spec.decode()))
    #expect(RolloutClash.problems(of: third, own: other, among: [rollout]).isEmpty)
  }
}
