import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("Budgets of disruptions")
struct DisruptionTests {
  private func world(_ budget: JSON) throws -> World {
    let world = World(images: ["app:2": .neverReady(startsAfter: .zero)])
    try world.deploy()
    try world.create(
      .budgets, "web", ["spec": .object(["selector": ["matchLabels": ["app": "web"]]])], metadata: [:])
    try world.cluster.edit(.budgets, "web") { object in
      for (field, value) in budget.object ?? [:] { object[path: ["spec", field]] = value }
    }
    world.settle()
    return world
  }

  private func status(_ world: World) throws -> [Int] {
    let status = try world.object(.budgets, "web")["status"]
    return ["expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"].map { status?[$0]?.int ?? -1 }
  }

  @Test("pods of a set that nothing controls count by its own size; those that are not ready use the budget up")
  func canary() throws {
    let world = try world(["maxUnavailable": 1])
    #expect(try status(world) == [4, 3, 4, 1])
    try world.createCanary("app:2", replicas: 1)
    world.settle()
    #expect(try status(world) == [5, 4, 4, 0])
    try world.scale(.replicaSets, "web-canary", to: 0)
    world.settle()
    #expect(try status(world) == [4, 3, 4, 1])
  }

  @Test("percentages are rounded up; an absolute minimum is of the pods that exist")
  func kinds() throws {
    let share = try world(["minAvailable": "75%"])
    #expect(try status(share) == [4, 3, 4, 1])
    try share.createCanary("app:2", replicas: 1)
    share.settle()
    #expect(try status(share) == [5, 4, 4, 0])
    let number = try world(["minAvailable": 2])
    try number.createCanary("app:2", replicas: 1)
    number.settle()
    #expect(try status(number) == [5, 2, 4, 2])
  }
}
