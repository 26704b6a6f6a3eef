import KubernetesAPI
import RolloutAPI
import Testing
import TrafficRouting

@testable import Operator

/// What is deleted, in which way, and when: callers always have pods, and it ends as the design says.
@Suite("Deletions")
struct DeletionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var stage: String
    var propagation: String
    var testDescription: String { "\(propagation) at \(stage)" }
  }

  static let stages = ["Progressing/Analyzing/1", "Paused/Pausing/2", "Promoting/ReleasingStable", "Aborting/Draining"]
  /// Foreground deletion, which takes dependents before any finalizer can act, at every stage; the others at one.
  static let cases =
    stages.map { Case(stage: $0, propagation: "Foreground") }
    + ["Background", "Orphan"].map { Case(stage: "Paused/Pausing/2", propagation: $0) }

  private func world(at stage: String) async throws -> OperatorWorld {
    let manifests = Manifests(steps: [
      "{weight: 20, analyze: {for: 3s}}",
      stage.hasPrefix("Paused") ? "{weight: 50, pause: {}}" : "{weight: 50, analyze: {for: 3s}}",
    ])
    let world = try await OperatorWorld.running(
      manifests, until: stage.hasPrefix("Aborting") ? "Progressing/Analyzing/1" : stage)
    if stage.hasPrefix("Aborting") {
      try world.command(.abort)
      try await world.settle(stage) { $0.stage.hasPrefix(stage) }
    }
    return world
  }

  @Test("a Rollout", arguments: cases)
  func rollout(which: Case) async throws {
    let world = try await world(at: which.stage)
    let stablePods = world.pods("v1")
    try world.delete(.rollouts, "checkout", which.propagation)
    try await world.settle("the Rollout to be gone") { $0.object(.rollouts) == nil }
    await world.pass(5)
    #expect(world.objects(.rolloutRuns).allSatisfy { which.propagation == "Orphan" && $0.finalizers.isEmpty })
    #expect(world.object(.virtualServices).map(Breaches.destinations) == ["checkout": 100])
    #expect(world.object(.services, "checkout-stable") == nil && world.object(.services, "checkout-canary") == nil)
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.deployment?[path: ["spec", "paused"]] == true, "v2 was never tested to its end")
    #expect(world.deployment?.labels["sluice.dev/managed"] == nil)
    #expect(world.pods("v1") == stablePods && world.pods("v2").isEmpty)
    #expect(world.announcer.news.contains { $0.kind == .released })
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("a RolloutRun", arguments: cases)
  func run(which: Case) async throws {
    let world = try await world(at: which.stage)
    let stablePods = world.pods("v1")
    try world.delete(.rolloutRuns, try #require(world.runs.last?.name), which.propagation)
    try await world.settle("the rejection") { $0.phase == "Rejected" && $0.runs.isEmpty }
    #expect(world.canaryWeight == 0)
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.deployment?[path: ["spec", "paused"]] == true)
    #expect(world.replicas("v2") == 0 && world.pods("v1") == stablePods)
    await world.pass(10)
    #expect(world.runs.isEmpty, "the revision is not tried again")
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  static let madeObjects: [(ResourceType, String)] = [
    (.services, "checkout-stable"), (.services, "checkout-canary"), (.virtualServices, "checkout"),
  ]

  @Test("a generated Service or the routing object: it is made again, and the run goes on", arguments: stages)
  func generated(stage: String) async throws {
    let world = try await world(at: stage)
    for (type, name) in Self.madeObjects {
      try world.delete(type, name, type == .services ? "Foreground" : "Background")
      await world.turn()
      #expect(world.object(type, name) != nil, "\(name) is made again at once")
      #expect(world.breach == nil)
    }
    let end = stage.hasPrefix("Aborting") ? "Aborted" : "Promoted"
    if stage.hasPrefix("Paused") { try world.command(.resume) }
    try await world.settle("the end") { $0.stage == end && ["Idle", "Rejected"].contains($0.phase) }
    #expect(world.breaches == [] && world.breach == nil && world.problems == [])
  }

  @Test("the canary's ReplicaSet: traffic leaves it before anything else, and the run is over", arguments: cases)
  func canarySet(which: Case) async throws {
    guard !which.stage.hasPrefix("Aborting") else { return }
    let world = try await world(at: which.stage)
    let name = try #require(world.set("v2")?.name)
    let before = world.transport.writes.count
    try world.delete(.replicaSets, name, which.propagation)
    await world.turn()
    #expect(world.transport.writes.dropFirst(before).first?.contains("virtualservices") == true)
    #expect(world.canaryWeight == 0)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.deployment?[path: ["spec", "paused"]] == true)
    #expect(world.replicas("v1") == 4)
    #expect(world.breaches == [] && world.breach == nil)
  }

  @Test("the Deployment: traffic goes to the callers' Services, and what Sluice held of it ends", arguments: cases)
  func deployment(which: Case) async throws {
    let world = try await world(at: which.stage)
    try world.delete(.deployments, "checkout", which.propagation)
    try await world.settle("the end of the run") { $0.stage == "Aborted" && $0.phase == "Waiting" }
    await world.pass(30)
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.object(.services, "checkout-stable")?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.canaryWeight ?? 0 == 0)
    #expect(world.condition("Ready")?["reason"] == "WaitingForWorkload")
    #expect(world.breach == nil)
  }
}
