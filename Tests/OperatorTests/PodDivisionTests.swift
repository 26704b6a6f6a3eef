import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator

@Suite("Without a mesh")
struct PodDivisionTests {
  private static let query = "{name: errors, query: 'sum(errors{pod=~\"$(pods)\"})', value: {max: \"0.1\"}}"

  private static func byPods(_ replicas: Int = 4) -> Manifests {
    Manifests(
      replicas: replicas, steps: ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"],
      traffic: "{replicas: {}}", slo: query)
  }

  private static func blueGreen(managed: Bool) -> Manifests {
    Manifests(
      steps: ["{name: green, scale: 100%, pause: {duration: 3s}}", "{name: switch, weight: 100, analyze: {for: 3s}}"],
      traffic: "{replicas: {}}", slo: query, serviceMore: managed ? ", selector: Managed" : "",
      selector: managed ? nil : "{app: checkout}")
  }

  /// The ready pods behind the callers' Service, by the tag of their image.
  private func endpoints(_ world: OperatorWorld) -> [String: Int] {
    var found: [String: Int] = [:]
    for slice in world.objects(.endpointSlices) where slice.labels["kubernetes.io/service-name"] == "checkout" {
      for endpoint in slice["endpoints"]?.array ?? [] where endpoint[path: ["conditions", "ready"]]?.bool != false {
        let pod = world.object(.pods, endpoint[path: ["targetRef", "name"]]?.string ?? "")
        let image = pod?[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
        found[String(image.split(separator: ":").last ?? ""), default: 0] += 1
      }
    }
    return found
  }

  private func promoted(_ world: OperatorWorld) -> Bool { world.phase == "Idle" && world.stage == "Promoted" }

  // MARK: - Weights by pods

  @Test("the canary gets the pods that come nearest to its weight, the real share is said, and stable keeps its own")
  func promotion() async throws {
    let world = try await OperatorWorld.running(Self.byPods(), until: "Progressing/Analyzing/1")
    #expect(endpoints(world) == ["v1": 4, "v2": 1])
    #expect(world.status["weight"]?.int == 20)
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    let old = world.pods("v1")
    try await world.settle("the second step") { $0.stage == "Progressing/Analyzing/2" }
    #expect(endpoints(world) == ["v1": 4, "v2": 4])
    #expect(world.status["weight"]?.int == 50)
    #expect(
      world.announcer.news.filter { $0.kind == .step }.map(\.message) == [
        "step 1 of 2: weight 20%, verified: 1 of 5 ready pods behind Service checkout (20.0%)",
        "step 2 of 2: weight 50%, verified: 4 of 8 ready pods behind Service checkout (50.0%)",
      ])
    try await world.settle("the wait for the old pods") { $0.stage == "Promoting/Waiting" }
    #expect(world.pods("v1") == old)
    let new = world.pods("v2")
    try await world.settle("the promotion", until: promoted)
    #expect(endpoints(world) == ["v2": 4])
    #expect(world.pods("v2") == new, "no pod is started twice")
    #expect(world.deployment?[path: ["spec", "paused"]] == nil)
    #expect(world.breaches == [])
  }

  @Test(
    "the first write of an abort is the canary's scale to 0",
    arguments: [
      "Progressing/Analyzing/1", "Progressing/Analyzing/2", "Promoting/Waiting", "Promoting/ReleasingStable",
      "Promoting/HandingOver",
    ])
  func abort(stage: String) async throws {
    let world = try await OperatorWorld.running(Self.byPods(), until: stage)
    try world.command(.abort)
    await world.turnWithoutAnswers()
    #expect(world.replicas("v2") == 0)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(endpoints(world) == ["v1": 4])
    #expect(world.replicas("v1") == 4)
    #expect(world.breaches == [])
    // It stays so.
    await world.pass(30)
    #expect(endpoints(world) == ["v1": 4])
    try world.setImage("v3")
    try await world.settle("the promotion of a fix", until: promoted)
    #expect(endpoints(world) == ["v3": 4])
  }

  @Test("a failed query takes the canary's pods away by itself")
  func failure() async throws {
    let world = try await OperatorWorld.resting(Self.byPods())
    world.failing = ["v2"]
    try world.setImage("v2")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.status["message"]?.string?.contains("errors") == true)
    #expect(endpoints(world) == ["v1": 4])
    #expect(world.breaches == [])
  }

  @Test("pod counts come as near to a weight as they can", arguments: [(1, 1), (10, 1), (20, 2), (33, 4), (50, 9)])
  func nearest(weight: Int, pods: Int) async throws {
    var manifests = Self.byPods(9)
    manifests.steps = ["{weight: \(weight), analyze: {for: 3s}}"]
    let world = try await OperatorWorld.running(manifests, until: "Progressing/Analyzing/1")
    #expect(endpoints(world) == ["v1": 9, "v2": pods])
  }

  // MARK: - Blue/green

  @Test(
    "blue/green moves the selector in one write, each revision alone, and gives it back at the end",
    arguments: [(true, OperatorWorld.Policies.none), (true, .shipped), (false, .shipped)])
  func blueGreen(managed: Bool, policies: OperatorWorld.Policies) async throws {
    let world = try await OperatorWorld.resting(Self.blueGreen(managed: managed), policies: policies)
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(endpoints(world) == ["v1": 4])
    try world.setImage("v2")
    try await world.settle("the green pods") { $0.pods("v2").count == 4 && $0.stage == "Progressing/Pausing/1" }
    #expect(endpoints(world) == ["v1": 4])
    try await world.settle("the switch") { $0.stage == "Progressing/Analyzing/2" }
    #expect(endpoints(world) == ["v2": 4])
    #expect(world.status["weight"]?.int == 100)
    #expect(world.pods("v1").count == 4)
    try await world.settle("the hand-over") { $0.stage == "Promoting/GivingBack" }
    #expect(endpoints(world) == ["v2": 4])
    try await world.settle("the promotion", until: promoted)
    #expect(endpoints(world) == ["v2": 4])
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.object(.services)?.annotations["sluice.dev/pin"] == nil)
    #expect(world.breaches == [])
  }

  @Test(
    "an abort moves the selector back first, whatever the stage",
    arguments: ["Progressing/Analyzing/2", "Promoting/Waiting", "Promoting/HandingOver"])
  func blueGreenAbort(stage: String) async throws {
    let world = try await OperatorWorld.running(Self.blueGreen(managed: true), policies: .none, until: stage)
    #expect(endpoints(world) == ["v2": 4])
    try world.command(.abort)
    await world.turnWithoutAnswers()
    let stable = world.set("v1")?[path: ["spec", "selector", "matchLabels", "pod-template-hash"]]?.string
    #expect(world.object(.services)?[path: ["spec", "selector", "pod-template-hash"]]?.string == stable)
    #expect(world.replicas("v2") == 4)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(endpoints(world) == ["v1": 4])
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.breaches == [])
  }

  @Test("a manifest that is replaced without the selector costs a look, and not the run")
  func replaced() async throws {
    let world = try await OperatorWorld.running(
      Self.blueGreen(managed: true), policies: .none, until: "Progressing/Analyzing/2")
    try world.patch(.services, ["spec": ["selector": .null], "metadata": ["annotations": ["sluice.dev/pin": .null]]])
    await world.pass(1)
    #expect(endpoints(world) == ["v2": 4])
    try await world.settle("the promotion", until: promoted)
    #expect(endpoints(world) == ["v2": 4])
  }

  @Test("a Rollout that is deleted at weight 100 leaves the Service with its selector and the stable revision")
  func deletion() async throws {
    let world = try await OperatorWorld.running(
      Self.blueGreen(managed: true), policies: .none, until: "Progressing/Analyzing/2")
    try world.delete(.rollouts)
    try await world.settle("the end") { $0.object(.rollouts) == nil }
    #expect(endpoints(world) == ["v1": 4])
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.objects(.services).map(\.name) == ["checkout"])
    #expect(world.breaches == [])
  }

  @Test("blue/green on a selector that nobody can hold is refused, and said how it can be had")
  func refused() async throws {
    let world = try OperatorWorld(policies: .none)
    let manifests = Self.blueGreen(managed: false)
    for manifest in [manifests.service, manifests.deployment, manifests.rollout] { try world.create(manifest) }
    try await world.settle("the refusal") { $0.phase == "Stalled" }
    #expect(world.condition("Stalled")?["reason"] == "Unsupported")
    #expect(world.condition("Stalled")?["message"]?.string?.contains("set selector: Managed") == true)
  }
}
