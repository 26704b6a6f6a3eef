import KubernetesAPI
import TrafficRouting
import Testing

@testable import Operator

@Suite("A VirtualService that somebody else writes")
struct ContestedRouteTests {
  @Test("who wrote it is read from its managed fields, and the run says so when it pauses")
  func namesTheWriter() async throws {
    let world = try await OperatorWorld.running(
      Manifests(steps: ["{weight: 20, pause: {}}", "{weight: 50}"]), until: "Paused/Pausing/1")
    var route = try #require(world.object(.virtualServices))
    route[path: ["metadata", "managedFields"]] = nil
    route[path: ["metadata", "resourceVersion"]] = nil
    route[path: ["spec", "http"]] = .array(
      (route[path: ["spec", "http"]]?.array ?? []).map { rule in
        var rule = rule
        rule["route"] = [["destination": ["host": "elsewhere"]]]
        return rule
      })
    for _ in 0..<4 {
      try world.patch(.virtualServices, ["spec": route["spec"] ?? .null], by: "team-gitops")
      await world.turn()
    }
    #expect(world.canaryWeight == 0, "the fourth time it stays as they wrote it")
    #expect(world.phase == "Paused")
    #expect(world.condition("Reconciling")?["message"]?.string?.contains("changed by team-gitops again") == true)
    #expect(world.runs.last?[path: ["status", "pause", "kind"]] == "Conflict")
    world.restartController()
    await world.turn()
    #expect(world.canaryWeight == 0, "a new process remembers it")
    try world.command(.resume)
    await world.turn()
    #expect(world.canaryWeight == 20)
  }

  @Test("an edit of the plan at rest is no foreign write")
  func planEdit() async throws {
    let world = try await OperatorWorld.resting()
    for seconds in 1...5 {
      try world.patch(
        .rollouts, ["spec": ["traffic": ["timeouts": ["request": .string("\(seconds)s")]]]])
      await world.turn()
      let timeout = world.object(.virtualServices)?[path: ["spec", "http"]]?[0]?["timeout"]
      #expect(timeout == .string("\(seconds)s"))
    }
    #expect(world.status["reassertions"] == nil)
  }

  @Test(
    "an abort reaches a VirtualService whose label or record somebody has taken away",
    arguments: [#"{"labels":null}"#, #"{"annotations":null}"#, #"{"labels":null,"annotations":null}"#])
  func unlabelled(metadata: String) async throws {
    let world = try await OperatorWorld.running(
      Manifests(steps: ["{weight: 20, pause: {}}", "{weight: 50}"]), until: "Paused/Pausing/1")
    let patch: JSON = ["metadata": try JSON(parsing: metadata)]
    try world.patch(.virtualServices, patch)
    await world.turn()
    let route = try #require(world.object(.virtualServices))
    #expect(world.canaryWeight == 20 && route.labels[Names.rollout] == "checkout", "restored")
    try world.patch(.virtualServices, patch)
    try world.command(.abort)
    await world.turn()
    #expect(world.canaryWeight == 0)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.object(.virtualServices)?.labels[Names.rollout] == "checkout")
  }

  @Test("a process that ends after a weight was written and before its status leaves the weight as it is")
  func writtenBeforeTheEnd() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Scaling")
    for weight in [20, 50, 100] {
      try await world.settle("weight \(weight)") { $0.canaryWeight == weight }
      // What it knew of the run and had not stored is lost with it.
      world.restartController()
      for _ in 0..<8 {
        await world.pass(0.25, step: 0.25)
        #expect(world.canaryWeight == weight)
      }
    }
    try await world.settle("the promotion") { $0.phase == "Idle" }
  }
}
