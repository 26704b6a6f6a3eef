import Testing

@testable import Operator

@Suite("The operator in a sandbox")
struct WorldTests {
  @Test("a good image is promoted and a bad one is rolled back, with pods behind every route after every write")
  func promotionAndRollback() async throws {
    let world = try await OperatorWorld.running(until: "Promoted")
    try await world.settle("rest") { $0.phase == "Idle" }
    #expect(world.deployment?[path: ["spec", "paused"]] == nil)
    #expect(world.replicas("v2") == 4 && world.replicas("v1") == 0)

    world.failing = ["v3"]
    try world.setImage("v3")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.canaryWeight == 0)
    #expect(world.replicas("v2") == 4 && world.replicas("v3") == 0)
    #expect(world.breaches == [])
  }
}
