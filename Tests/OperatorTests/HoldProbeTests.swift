import Foundation
import HTTPTransport
import KubernetesAPI
import RolloutAPI
import Testing

@testable import Operator

@Suite("Holding a Deployment")
struct HoldProbeTests {
  @Test("an abort is routed while the API server leaves every question about policies and every dry run open")
  func abortWaitsForNothing() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/1")
    #expect(world.canaryWeight == 20)
    // A process that knows nothing yet takes over, so that it has reason to ask.
    world.restartController()
    world.transport.hang { $0.url.contains("admissionregistration") || $0.url.contains("dryRun") }
    try world.command(.abort)
    let before = world.transport.writes.count
    await world.turnWithoutAnswers()
    #expect(world.canaryWeight == 0)
    #expect(world.transport.writes[before].contains("virtualservices"), "the route is the first write")
    #expect(world.breaches == [])
  }

  @Test("a run keeps the mode that it began with, and nothing is asked while it is on")
  func modeOfARun() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/1")
    try world.delete(.mutatingAdmissionPolicies, HoldProbe.policy)
    await world.turn()
    #expect(world.status[path: ["hold", "mode"]] == "Admission")
    try await world.settle("the end of the run") { $0.phase == "Idle" && $0.stage == "Promoted" }
    await world.pass(2)
    #expect(world.status[path: ["hold", "mode"]] == "Always", "the next change is held by a pause")
    #expect(world.deployment?[path: ["spec", "paused"]] == true)
    #expect(world.breaches == [])
  }

  @Test("a policy that is deleted at rest is noticed at once: the Deployment is paused, or the condition says so")
  func policyDeleted() async throws {
    for kind in [ResourceType.mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings] {
      let world = try await OperatorWorld.resting()
      #expect(world.deployment?[path: ["spec", "paused"]] == nil)
      try world.delete(kind, HoldProbe.policy)
      await world.turn()
      #expect(world.deployment?[path: ["spec", "paused"]] == true, "\(kind.kind)")
      await world.turn()
      #expect(world.phase == "Idle")
      #expect(world.status[path: ["hold", "mode"]] == "Always")
    }
    let strict = try await OperatorWorld.resting(Manifests(more: ["hold: Admission"]))
    try strict.delete(.mutatingAdmissionPolicies, HoldProbe.policy)
    await strict.turn()
    #expect(strict.phase == "Waiting")
    #expect(strict.condition("Ready")?["status"] == "False")
    #expect(strict.condition("Ready")?["reason"] == "WaitingForHold")
    #expect(strict.deployment?[path: ["spec", "paused"]] == nil)
  }

  @Test("a probe is made once, not with every look, and again when the policy was changed")
  func probesOnce() async throws {
    let world = try await OperatorWorld.resting()
    // A status that may wait has been written by then.
    await world.pass(10)
    let before = world.transport.requests
    await world.pass(120, step: 10)
    #expect(world.transport.requests == before, "nothing is asked at rest")
    var policy = try #require(world.object(.mutatingAdmissionPolicies, HoldProbe.policy))
    policy[path: ["metadata", "labels"]] = ["changed": "yes"]
    try world.replace(.mutatingAdmissionPolicies, policy)
    await world.turn()
    #expect(world.transport.requests > before)
    #expect(world.phase == "Idle")
  }
}
