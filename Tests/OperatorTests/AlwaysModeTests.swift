import KubernetesAPI
import RolloutAPI
import Testing
import TrafficRouting

@testable import Operator

@Suite("Holding without policies")
struct AlwaysModeTests {
  private func paused(_ world: OperatorWorld) -> Bool { world.deployment?[path: ["spec", "paused"]]?.bool ?? false }

  @Test(
    "the Deployment is paused at rest with an endless deadline, is promoted, and is paused again; nothing is pinned")
  func promotion() async throws {
    let world = try await OperatorWorld.resting(policies: .none)
    #expect(world.status["hold"] == ["mode": "Always", "ready": true])
    #expect(paused(world) && world.deployment?.annotations["sluice.dev/held"] == "rest")
    #expect(world.deployment?[path: ["spec", "progressDeadlineSeconds"]]?.int == DeploymentHold.endlessDeadline)
    try world.setImage("v2")
    try await world.settle("a weight") { $0.canaryWeight == 20 }
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(paused(world) && world.deployment?.annotations["sluice.dev/held"] == "rest")
    #expect(world.replicas("v2") == 4 && world.replicas("v1") == 0)
    #expect(world.breaches == [] && world.problems == [])

    world.failing = ["v3"]
    try world.setImage("v3")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.canaryWeight == 0 && paused(world))
    #expect(world.breaches == [])
  }

  @Test("a deadline that the team sets is left alone, also where it sets the default")
  func deadline() async throws {
    for seconds in [120, 600] {
      let world = try OperatorWorld(policies: .none)
      try world.create(Manifests().service)
      let manifest = try #require(
        try JSON.documents(yaml: Manifests(deploymentMore: ["progressDeadlineSeconds: \(seconds)"]).deployment).first)
      try world.send(
        "PATCH", ResourceType.deployments.path(namespace: "shop") + "/checkout", manifest.json,
        [("fieldManager", "team-gitops")], contentType: "application/apply-patch+yaml")
      try world.create(Manifests().rollout)
      try await world.settle("rest") { $0.phase == "Idle" }
      #expect(paused(world))
      #expect(world.deployment?[path: ["spec", "progressDeadlineSeconds"]]?.int == seconds)
    }
  }

  @Test("resumed at rest it is paused again; deleted, the Rollout leaves an ordinary Deployment")
  func atRest() async throws {
    let world = try await OperatorWorld.resting(policies: .none)
    try world.patch(.deployments, ["spec": ["paused": .null]])
    await world.turn()
    #expect(paused(world))
    try world.delete(.rollouts)
    try await world.settle("the end") { $0.object(.rollouts) == nil }
    #expect(!paused(world) && world.deployment?.annotations["sluice.dev/held"] == nil)
    #expect(world.deployment?[path: ["spec", "progressDeadlineSeconds"]]?.int == 600)
    #expect(world.breaches == [])
  }

  @Test("resumed by hand in mid-run: all traffic to what the Deployment runs, held again, and it is said who did it")
  func escaped() async throws {
    let world = try await OperatorWorld.running(policies: .none, until: "Progressing/Analyzing/1")
    // The template changes and the hold goes in one write, so that the Deployment rolls a revision of its own.
    try world.patch(
      .deployments,
      [
        "spec": [
          "paused": .null,
          "template": ["spec": ["containers": [["name": "app", "image": .string(Manifests.image("v3"))]]]],
        ]
      ], by: "bobs-tool")
    let before = world.transport.writes.count
    try await world.settle("the escape") { $0.phase == "Stalled" }
    let writes = world.transport.writes.dropFirst(before).filter { !$0.hasSuffix("/status") }
    #expect(writes.first?.hasSuffix("/services/checkout-stable") == true, "it takes whatever the Deployment runs")
    #expect(writes.dropFirst().first?.contains("virtualservices") == true)
    #expect(world.canaryWeight == 0)
    #expect(paused(world))
    #expect(world.condition("Stalled")?["reason"] == "EscapedRollout")
    let news = try #require(world.announcer.news.first { $0.kind == .escaped })
    #expect(news.isWarning && news.message.contains("bobs-tool"))
    #expect(world.breaches == [])
  }

  @Test("requests beside the route are measured and shown, and stop the run before its weight grows")
  func bypass() async throws {
    let world = try await OperatorWorld.resting(policies: .none)
    world.bypass = 100
    try world.create(
      "{apiVersion: v1, kind: Service, metadata: {name: direct, namespace: shop}, spec: {selector: {app: checkout}, ports: [{port: 80}]}}"
    )
    try world.setImage("v2")
    try await world.settle("the pause") { $0.phase == "Paused" }
    #expect(world.canaryWeight == 20)
    #expect(world.runs.last?[path: ["status", "pause", "kind"]] == "Bypass")
    #expect(world.status[path: ["bypass", "services"]] == ["direct"])
    let share = try #require(world.status[path: ["bypass", "share"]]?.string)
    #expect(share.hasPrefix("9."), "100 beside 1000 by the route: \(share)")
    let message = try #require(world.condition("Reconciling")?["message"]?.string)
    #expect(message.contains("by Service direct") && message.contains("maxBypass (1%)"))
    await world.pass(30)
    #expect(world.canaryWeight == 20)
    try world.command(.resume)
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.breaches == [])
  }
}
