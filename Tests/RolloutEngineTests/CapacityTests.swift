import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("Room for a canary")
struct CapacityTests {
  private func resting() -> World {
    var world = World(
      plan: .example(steps: [
        StepSpec(weight: 25, analyze: AnalyzeSpec(for: "20s")),
        StepSpec(name: "half", weight: 50, analyze: AnalyzeSpec(for: "20s")),
      ]))
    world.settle(turns: 6)
    return world
  }

  @Test("a quota without room for the first step is named, nothing is created, and the run goes on once there is room")
  func waits() {
    var world = resting()
    world.quota = 0
    world.cluster.apply(template: "v2")
    world.settle(turns: 30)
    #expect(world.stage == .step(0, .scaling))
    #expect(world.cluster.sets["web-v2"] == nil)
    #expect(world.run?.shortSince == nil)
    let text =
      "step 1 needs 1 more canary pod, and ResourceQuota compute admits 0 (requests.cpu: 0 of 2 left, a pod counts for "
      + "500m): raise it, or make room in the namespace"
    #expect(world.rollout.limits == [CapacityLimit(.quotaExceeded, text)])
    #expect(world.rollout.situation == .running("waiting for room: \(text)"))
    #expect(world.cluster.news.count { $0.kind == .limited } == 1)
    world.quota = 10
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("what a later step lacks is said while an earlier one is analyzed, and the run waits there with its traffic")
  func ahead() {
    var world = resting()
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    world.quota = 0
    world.settle(turns: 1)
    #expect(
      world.rollout.limits.map(\.message) == [
        "step 2 (half) will need 1 more canary pod, and ResourceQuota compute admits 0 (requests.cpu: 0 of 2 left, a "
          + "pod counts for 500m): raise it, or make room in the namespace"
      ])
    world.settle(turns: 20)
    #expect(world.stage == .step(1, .scaling))
    #expect(world.cluster.target?.weight.value == 25)
    #expect(world.cluster.sets["web-v2"]?.replicas == 1)
  }

  @Test("what only the promotion lacks is said from the start")
  func promotion() {
    var world = resting()
    world.quota = 2
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .step(0, .scaling) })
    #expect(world.rollout.limits.first?.message.hasPrefix("promotion will need 4 more canary pods") == true)
  }

  @Test("a run that waits for room longer than its deadline asks a person, and its revision is not rejected for that")
  func deadline() {
    var world = resting()
    world.quota = 0
    world.cluster.apply(template: "v2")
    world.settle(turns: 200)
    #expect(world.run?.pause == .undecided("a quota without room for the canary stayed undecided for 10m"))
    #expect(world.stage == .step(0, .scaling))
  }

  @Test("pods that no node has room for are named at once, and abort with that cause after the progress deadline")
  func unschedulable() {
    var world = resting()
    world.cluster.unschedulable = ["v2"]
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.run?.shortSince != nil })
    world.settle(turns: 1)
    #expect(
      world.rollout.limits.map(\.message) == [
        "0 of 1 canary pods are available, since no node has room: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."
      ])
    world.settle(turns: 40)
    guard case .finished(.aborted(.notAvailable(let text))) = world.stage else {
      Issue.record("expected an abort, found \(String(describing: world.stage))")
      return
    }
    #expect(text.contains("Unschedulable: 0/3 nodes"))
    #expect(world.rollout.limits == [])
  }

  @Test("a budget that a crash-looping canary uses up is named while it does, and free again after the abort")
  func budget() {
    var world = resting()
    world.cluster.broken = ["v2"]
    world.budget = 1
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.rollout.limits.contains { $0.reason == .disruptionsBlocked } })
    #expect(
      world.rollout.limits.map(\.message) == [
        "PodDisruptionBudget web allows no disruption while 1 canary pod is not ready: nodes cannot be drained until "
          + "then, or until the canary is scaled down after an abort"
      ])
    world.settle(turns: 60)
    #expect(world.cluster.sets["web-v2"]?.pods == 0)
    #expect(world.isDrainable)
    #expect(world.rollout.limits == [])
  }
}
