import Foundation
import KubernetesAPI
import RolloutEngine
import Testing

@testable import Operator

@Suite("Upgrades")
struct UpgradeTests {
  /// A server of a later version that gives a new field a default, in whatever it reads from its store.
  private func defaulting(_ type: ResourceType, _ object: JSON) -> JSON {
    guard type == .deployments || type == .replicaSets else { return object }
    var object = object
    object[path: ["spec", "template", "spec", "shareProcessNamespace"]] = false
    return object
  }

  @Test("neither another version of Sluice nor a server that defaults a new field starts a run on an idle Rollout")
  func idle() async throws {
    let world = try await OperatorWorld.resting()
    try world.setImage("v2")
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    let pods = world.pods("v2")
    world.defaulting = defaulting
    world.restartController()
    await world.pass(60, step: 2)
    #expect(world.runs.count == 1)
    #expect(world.phase == "Idle")
    #expect(world.pods("v2") == pods)
    #expect(world.deployment?[path: ["spec", "paused"]] == nil)
    // And a change is a run, as ever.
    try world.setImage("v3")
    try await world.settle("the next promotion") { $0.phase == "Idle" && $0.runs.count == 2 && $0.stage == "Promoted" }
    #expect(world.problems == [] && world.breaches == [])
  }

  @Test("a rejected revision stays rejected, and a run in flight goes on, across an upgrade of the server")
  func underWay() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/1")
    world.defaulting = defaulting
    world.restartController()
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.runs.count == 1)
    world.failing = ["v3"]
    world.defaulting = nil
    try world.setImage("v3")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    world.defaulting = defaulting
    world.restartController()
    await world.pass(20)
    #expect(world.phase == "Rejected")
    #expect(world.runs.count == 2)
    #expect(world.replicas("v3") == 0)
    #expect(world.breaches == [])
  }
}
