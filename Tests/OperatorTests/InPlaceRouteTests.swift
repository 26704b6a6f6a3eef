import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator
@testable import Sandbox

/// A run whose weights are those of one rule in a person's VirtualService or HTTPRoute.
@Suite("A route of a person's, edited in place")
struct InPlaceRouteTests {
  /// Whose object it is.
  enum Kind: String, CaseIterable, Sendable {
    case virtualService = "VirtualService"
    case httpRoute = "HTTPRoute"

    var type: ResourceType { self == .virtualService ? .virtualServices : .httpRoutes }
    var list: String { self == .virtualService ? "http" : "rules" }

    var traffic: String {
      switch self {
      case .virtualService: "{istio: {route: {name: shop, rule: checkout}}}"
      case .httpRoute: "{gatewayAPI: {route: {name: shop, rule: checkout}, metrics: Istio}}"
      }
    }

    /// The team's object; the rule `checkout` is the one that the Rollout names.
    var route: String { self == .virtualService ? InPlaceRouteTests.route : InPlaceRouteTests.httpRoute }

    /// A rule that takes one path and goes to another Service.
    var newRule: JSON {
      switch self {
      case .virtualService:
        ["name": "new", "match": [["uri": ["exact": "/new"]]], "route": [["destination": ["host": "cart"]]]]
      case .httpRoute:
        [
          "name": "new", "matches": [["path": ["type": "Exact", "value": "/new"]]],
          "backendRefs": [["group": "", "kind": "Service", "name": "cart", "port": 80, "weight": 1]],
        ]
      }
    }

    /// The spec in Git, as the server keeps it.
    func git(_ world: OperatorWorld) throws -> JSON { try #require(world.object(type, "shop")?["spec"]) }
  }

  private static let httpRoute = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop, namespace: shop, annotations: {team: shop}}
    spec:
      parentRefs: [{group: "", kind: Service, name: checkout, port: 80}]
      rules:
      - name: checkout
        matches: [{path: {type: PathPrefix, value: /checkout}}]
        timeouts: {request: 3s}
        backendRefs: [{group: "", kind: Service, name: checkout, port: 80, weight: 1}]
      - name: cart
        matches: [{path: {type: PathPrefix, value: /}}]
        backendRefs: [{group: "", kind: Service, name: cart, port: 80, weight: 1}]
    """

  private static let route = """
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
    _ kind: Kind, steps: [String] = ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"],
    route: String? = nil
  ) -> Manifests {
    var manifests = Manifests(steps: steps)
    manifests.traffic = kind.traffic
    manifests.companions = [route ?? kind.route]
    // A route with a backend that is not there is not taken.
    if kind == .httpRoute {
      manifests.companions.append(
        "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\nspec: {ports: [{port: 80}]}")
    }
    return manifests
  }

  private static func paused(_ kind: Kind) -> Manifests {
    manifests(kind, steps: ["{weight: 20, pause: {}}", "{weight: 50}"])
  }

  /// What Git holds of the live object, in the order of its parts.
  private func gitPart(_ world: OperatorWorld, _ kind: Kind) -> JSON? { world.object(kind.type, "shop")?["spec"] }

  private func record(_ world: OperatorWorld, _ kind: Kind) -> String? {
    world.object(kind.type, "shop")?.annotations["route.sluice.dev/checkout"]
  }

  @Test(
    "a promotion moves the weights of the named rule, and gives the rule back as it was", arguments: Kind.allCases)
  func promotion(kind: Kind) async throws {
    let world = try await OperatorWorld.resting(Self.manifests(kind))
    let before = try #require(world.object(kind.type, "shop"))
    #expect(world.object(kind.type) == nil, "none of Sluice's own is made")
    #expect(before.annotations == ["team": "shop"], "at rest nothing of Sluice is on it")
    try world.setImage("v2")
    for weight in [20, 50, 100] {
      try await world.settle("weight \(weight)") { $0.canaryWeight == weight }
    }
    try await world.settle("the promotion") { $0.phase == "Idle" }
    #expect(gitPart(world, kind) == before["spec"])
    #expect(world.object(kind.type, "shop")?.annotations == ["team": "shop"])
    #expect(world.object(kind.type, "shop")?.labels == [:])
    #expect(world.pods("v2").count == 4 && world.pods("v1").isEmpty)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test(
    "an abort sends all to stable in its first write, and gives the rule back when the canary has no pod",
    arguments: Kind.allCases)
  func abort(kind: Kind) async throws {
    let world = try await OperatorWorld.resting(Self.paused(kind))
    let git = try kind.git(world)
    try world.setImage("v2")
    try await world.settle("the pause") { $0.stage == "Paused/Pausing/1" }
    let before = world.transport.writes.count
    try world.command(.abort)
    await world.turn()
    #expect(world.transport.writes.dropFirst(before).first?.contains("\(kind.type.plural)/shop") == true)
    #expect(world.canaryWeight == 0 && record(world, kind) != nil)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(gitPart(world, kind) == git && record(world, kind) == nil)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("a foreign edit elsewhere in the object stays, and disturbs nothing", arguments: Kind.allCases)
  func elsewhere(kind: Kind) async throws {
    let world = try await OperatorWorld.resting(Self.paused(kind))
    let git = try kind.git(world)
    try world.setImage("v2")
    try await world.settle("the pause") { $0.stage == "Paused/Pausing/1" }
    var rules = world.object(kind.type, "shop")?[path: ["spec", kind.list]]?.array ?? []
    let index = try #require(rules.firstIndex { $0["name"] == "cart" })
    rules[index]["timeout\(kind == .httpRoute ? "s" : "")"] = kind == .httpRoute ? ["request": "1s"] : "1s"
    rules.insert(kind.newRule, at: 0)
    try world.patch(kind.type, named: "shop", ["spec": [kind.list: .array(rules)]])
    await world.pass(5)
    #expect(world.canaryWeight == 20 && world.status["reassertions"] == nil)
    #expect(world.stage == "Paused/Pausing/1")
    try world.command(.resume)
    try await world.settle("the promotion") { $0.phase == "Idle" }
    let after = try #require(gitPart(world, kind)?[kind.list])
    #expect(after.array?.compactMap { $0["name"]?.string } == ["new", "checkout", "cart"])
    #expect(after[2] == rules[2])
    #expect(after[1] == git[kind.list]?[0])
  }

  @Test(
    "who sets the weights back is undone three times; then the run pauses and says who, and what to do",
    arguments: Kind.allCases)
  func contested(kind: Kind) async throws {
    let world = try await OperatorWorld.resting(Self.paused(kind))
    let git = try kind.git(world)
    try world.setImage("v2")
    try await world.settle("the pause") { $0.stage == "Paused/Pausing/1" }
    for count in 1...4 {
      try world.patch(kind.type, named: "shop", ["spec": git], by: "argocd-controller")
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
    #expect(gitPart(world, kind) == git && record(world, kind) == nil)
  }

  @Test("an abort gets through although somebody writes the object at the same moment", arguments: Kind.allCases)
  func conflict(kind: Kind) async throws {
    let world = try await OperatorWorld.running(Self.paused(kind), until: "Paused/Pausing/1")
    try world.command(.abort)
    let server = world.server
    world.transport.beforeNext(where: { $0.method != .get && $0.url.contains("\(kind.type.plural)/shop") }) {
      _ = server.handle(
        ServerRequest(
          "PATCH", "/apis/\(kind.type.apiVersion)/namespaces/shop/\(kind.type.plural)/shop", query: [],
          headers: [("Accept", "application/json"), ("Content-Type", "application/merge-patch+json")],
          body: JSON.object(["metadata": ["annotations": ["team": "other"]]]).bytes))
    }
    // One look: no second reconcile is needed.
    await world.turnWithoutAnswers()
    #expect(world.canaryWeight == 0 && world.object(kind.type, "shop")?.annotations["team"] == "other")
  }

  @Test(
    "an object whose rule is taken away, or which goes, pauses the run with what to do, and does not block an abort",
    arguments: Kind.allCases, [true, false])
  func gone(kind: Kind, whole: Bool) async throws {
    let world = try await OperatorWorld.running(Self.paused(kind), until: "Paused/Pausing/1")
    if whole {
      try world.delete(kind.type, "shop")
    } else {
      let rules = world.object(kind.type, "shop")?[path: ["spec", kind.list]]?.array ?? []
      try world.patch(
        kind.type, named: "shop", ["spec": [kind.list: .array(rules.filter { $0["name"] != "checkout" })]])
    }
    await world.turn()
    #expect(world.phase == "Paused")
    let text = world.condition("Reconciling")?["message"]?.string ?? ""
    #expect(text.contains("\(kind.rawValue) shop/shop") && text.contains("put it right"), "\(text)")
    #expect((world.object(kind.type, "shop") == nil) == whole, "it is not made by Sluice")
    try world.command(.abort)
    try await world.settle("the rejection") { $0.phase == "Rejected" || $0.phase == "Stalled" }
    #expect(world.stage == "Aborted" && world.pods("v2").isEmpty)
    #expect(world.problems == [])
  }

  @Test(
    "deleting the Rollout in mid-run gives the rule back", arguments: Kind.allCases, ["Foreground", "Background"])
  func deletion(kind: Kind, propagation: String) async throws {
    let world = try await OperatorWorld.resting(Self.paused(kind))
    let git = try kind.git(world)
    try world.setImage("v2")
    try await world.settle("the pause") { $0.stage == "Paused/Pausing/1" }
    try world.delete(.rollouts, "checkout", propagation)
    try await world.settle("the Rollout to be gone") { $0.object(.rollouts) == nil }
    #expect(gitPart(world, kind) == git && record(world, kind) == nil)
    #expect(world.object(.services, "checkout-stable") == nil)
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("a process that ends at any weight goes on from it", arguments: Kind.allCases)
  func restarts(kind: Kind) async throws {
    let world = try await OperatorWorld.running(Self.manifests(kind), until: "Progressing/Scaling")
    for weight in [20, 50, 100] {
      try await world.settle("weight \(weight)") { $0.canaryWeight == weight }
      world.restartController()
      for _ in 0..<8 {
        await world.pass(0.25, step: 0.25)
        #expect(world.canaryWeight == weight)
      }
    }
    try await world.settle("the promotion") { $0.phase == "Idle" }
    #expect(record(world, kind) == nil)
  }

  @Test(
    "a rule that cannot be edited stalls the Rollout before a run, and says what would be right",
    arguments: Kind.allCases)
  func unusable(kind: Kind) async throws {
    let world = try OperatorWorld()
    let bad =
      kind == .virtualService
      ? kind.route.replacing("{host: checkout, port: {number: 80}}", with: "{host: web}")
      : kind.route.replacing("Service, name: checkout, port: 80, weight", with: "Service, name: web, port: 80, weight")
    let manifests = Self.manifests(kind, route: bad)
    for manifest in [manifests.service, manifests.deployment] + manifests.companions + [manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    let stalled = world.condition("Stalled")
    #expect(stalled?["reason"] == "RouteUnusable")
    let verb = kind == .virtualService ? "routes" : "sends"
    #expect(
      stalled?["message"]?.string
        == "rule checkout of \(kind.rawValue) shop/shop \(verb) to web; wanted the Service checkout, which serviceRefs names, "
        + "alone")
    try world.patch(kind.type, named: "shop", ["spec": (try JSON.documents(yaml: kind.route))[0].json["spec"]!])
    try await world.settle("it to be put right") { $0.phase == "Idle" }
  }

  @Test("an HTTPRoute whose rules have no names is edited where one of them sends to the Service")
  func nameless() async throws {
    let kind = Kind.httpRoute
    let route = kind.route.replacing("- name: checkout\n    ", with: "- ").replacing("- name: cart\n    ", with: "- ")
    var manifests = Self.manifests(
      kind, steps: ["{route: {matches: [{headers: [{name: x, value: y}]}]}, pause: {}}"], route: route)
    manifests.traffic = "{gatewayAPI: {route: {name: shop}, metrics: Istio}}"
    let world = try await OperatorWorld.resting(manifests)
    let git = try kind.git(world)
    #expect(git["rules"]?[0]?["name"] == nil && git["rules"]?.array?.count == 2)
    try world.setImage("v2")
    try await world.settle("the step") { $0.stage == "Paused/Pausing/1" }
    let rules = try kind.git(world)["rules"]?.array ?? []
    #expect(rules.map { $0["backendRefs"]?[1]?["weight"]?.int } == [100, 0, nil])
    #expect(rules[0]["matches"]?[0]?["headers"]?[0]?["name"] == "x" && rules[0]["name"] == nil)
    try world.command(.abort)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(try kind.git(world) == git && record(world, kind) == nil)
    #expect(world.breaches == [] && world.problems == [])
  }

  @Test("of two Rollouts on the same rule the younger one is told, and told what to change")
  func clash() async throws {
    let world = try await OperatorWorld.resting(Self.manifests(.virtualService))
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
