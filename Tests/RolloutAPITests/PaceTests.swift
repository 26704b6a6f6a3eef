import KubernetesAPI
import Testing

@testable import RolloutAPI

@Suite struct PaceTests {
  static func plan(_ autopilot: String, analysis: String? = nil) throws -> Plan {
    var document = try json(checkout)
    document[path: ["spec", "steps"]] = nil
    document[path: ["spec", "autopilot"]] = try json(autopilot)
    document[path: ["spec", "bake"]] = ["for": "10m"]
    if let analysis { document[path: ["spec", "analysis"]] = try json(analysis) }
    return try RolloutAPITests.plan(document)
  }

  @Test("an autopilot takes the place of the steps, with an hour and five percent where it says nothing else")
  func autopilot() throws {
    let plan = try Self.plan("{riskBudget: 200}")
    #expect(
      plan.autopilot
        == Plan.Autopilot(riskBudget: 200, maxDuration: .seconds(3600), startWeight: try #require(Weight(5))))
    #expect(plan.steps.isEmpty)
    #expect(plan.bake == .seconds(600))
    #expect(try RolloutAPITests.plan(checkout).bake == nil)
  }

  @Test(
    "a bad autopilot is refused with the field named",
    arguments: [
      ("{riskBudget: 0}", "spec.autopilot.riskBudget", "from 1 to 1000000000"),
      ("{riskBudget: 9, maxDuration: 30s}", "spec.autopilot.maxDuration", "1m to 720h"),
      ("{riskBudget: 9, startWeight: 51}", "spec.autopilot.startWeight", "from 1 to 50"),
    ])
  func refused(yaml: String, field: String, wanted: String) throws {
    let errors = try #require(throws: PlanErrors.self) { try Self.plan(yaml) }
    #expect(errors.problems.map(\.field) == [field])
    #expect(errors.problems.first?.wanted.contains(wanted) == true)
  }

  @Test("without a mesh nothing counts failed requests, so an autopilot is refused")
  func withoutMesh() throws {
    var document = try json(checkout)
    document[path: ["spec", "steps"]] = nil
    document[path: ["spec", "autopilot"]] = ["riskBudget": 9]
    document[path: ["spec", "traffic"]] = ["replicas": [:]]
    let errors = try #require(throws: PlanErrors.self) { try RolloutAPITests.plan(document) }
    #expect(errors.problems.map(\.field) == ["spec.autopilot"])
  }

  @Test("an autopilot and a bake need a check that decides")
  func needChecks() throws {
    let errors = try #require(throws: PlanErrors.self) {
      try Self.plan("{riskBudget: 9}", analysis: "{slos: [{name: e, mode: DryRun, errorRate: {max: 1%}}]}")
    }
    #expect(errors.problems.map(\.field) == ["spec.autopilot", "spec.bake"])
  }
}
