import CanaryAnalysis
import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("What holds a run beside its objectives")
struct HoldingTests {
  /// A world whose run for v2 has come to a stage.
  private func running(_ plan: Plan = .example(), until stage: Stage = .step(0, .analyzing)) -> World {
    var world = World(plan: plan)
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == stage })
    #expect(world.stage == stage)
    return world
  }

  private static let burning = BurnReport(objective: "errors", finding: .burns, message: "30 times over 1h")
  private static let anomaly = GuardReport(name: "restarts", finding: .anomaly, message: "canary 6, stable 0")

  private func announced(_ world: World, _ kind: Announcement.Kind) -> Bool {
    world.effects.contains { if case .announce(let news) = $0 { news.kind == kind } else { false } }
  }

  @Test("a burning budget holds the step although every check passes, says so, and lets it go when it ends")
  func burning() {
    var world = running()
    world.burnRates = [Self.burning]
    world.settle(turns: 20)
    #expect(world.stage == .step(0, .analyzing))
    #expect(world.run?.pause == nil)
    #expect(
      world.rollout.situation
        == .running(
          "held in step 1 since the service burns its error budget, whoever is to blame: 30 times over 1h"))
    world.turn()
    #expect(announced(world, .held))
    #expect(world.cluster.target?.weight.value == 10)
    world.burnRates = []
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("a budget that burns beyond the deadline pauses, and never aborts, whatever the plan says of undecided steps")
  func burningForLong() {
    var world = running(.example(onUndecided: .abort))
    world.burnRates = [Self.burning]
    world.settle(turns: 150)
    guard case .undecided(let text) = world.run?.pause else {
      Issue.record(
        "expected a pause, found \(String(describing: world.run?.pause)) in \(String(describing: world.stage))")
      return
    }
    #expect(text.contains("30 times"))
    // It goes on only by a person's word, although the burning has ended.
    world.burnRates = []
    world.settle(turns: 10)
    #expect(world.stage == .step(0, .pausing))
    world.command = PersonsCommand(action: .promote, sequence: 1)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test("who promotes while it burns is obeyed for the rest of the run")
  func promotedByPerson() {
    var world = running()
    world.burnRates = [Self.burning]
    world.settle(turns: 10)
    world.command = PersonsCommand(action: .promote, sequence: 1)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.run?.acceptedGuards == [Turn.burnRate])
  }

  @Test("a canary that passes while stable alone burns the budget is its cure, and one that is undecided is not")
  func cure() {
    var world = running()
    world.burnRates = [BurnReport(objective: "errors", finding: .stableAlone, message: "stable burns")]
    world.isOpen = true
    world.settle(turns: 20)
    #expect(world.stage == .step(0, .analyzing))
    world.isOpen = false
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test("a failed check aborts while the budget burns")
  func failsWhileBurning() {
    var world = running()
    world.burnRates = [Self.burning]
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
  }

  @Test("a guard that warns lets the step run to its end, then pauses for a person; resume accepts what it found")
  func warns() {
    var world = running()
    world.guards = [Self.anomaly]
    world.turn()
    #expect(world.run?.pause == nil)
    world.settle(turns: 10)
    guard case .anomaly(let text) = world.run?.pause else {
      Issue.record("expected a pause, found \(String(describing: world.run?.pause))")
      return
    }
    #expect(text.contains("restarts: canary 6, stable 0"))
    #expect(world.cluster.target?.weight.value == 10)
    world.settle(turns: 200)
    #expect(world.stage == .step(0, .analyzing), "an anomaly never aborts by waiting")
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.run?.acceptedGuards == ["restarts"])
    #expect(world.broken == [])
  }

  @Test("a controller that takes over ends no step before its guards have read what they saw")
  func takenOver() {
    var world = running()
    world.guards = [GuardReport(name: "restarts", finding: .unread, message: "being read again")]
    world.settle(turns: 20)
    #expect(world.stage == .step(0, .analyzing))
    #expect(world.run?.pause == nil)
    #expect(
      world.rollout.situation == .running("guards read again what they saw before the controller was started"))
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly), "an abort waits for nobody")
    world = running()
    world.guards = [GuardReport(name: "restarts", finding: .unread, message: "being read again")]
    world.settle(turns: 20)
    world.guards = [GuardReport(name: "restarts", finding: .normal, message: "none")]
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test(
    "a person's word on an anomaly waits for a controller that takes over to know of it, and an abort does not",
    arguments: [CommandAction.resume, .promote, .abort])
  func acceptedAfterTakeover(action: CommandAction) {
    var world = running()
    world.guards = [Self.anomaly]
    world.settle(turns: 10)
    world.guards = []
    world.command = PersonsCommand(action: action, sequence: 1)
    world.turn()
    guard action != .abort else {
      #expect(world.effects.first == .setTraffic(.stableOnly))
      return
    }
    world.settle(turns: 5)
    guard case .anomaly = world.run?.pause else {
      Issue.record("expected a pause, found \(String(describing: world.run?.pause))")
      return
    }
    #expect(world.run?.commandSequence == 0)
    world.guards = [Self.anomaly]
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.run?.acceptedGuards == ["restarts"])
    #expect(world.run?.commandSequence == 1)
  }

  @Test("a second guard holds again after the first one was accepted")
  func second() {
    var world = running()
    world.guards = [Self.anomaly]
    world.settle(turns: 10)
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.guards.append(GuardReport(name: "memory-growth", finding: .anomaly, message: "grows"))
    world.settle(turns: 10)
    guard case .anomaly(let text) = world.run?.pause else {
      Issue.record("expected a pause, found \(String(describing: world.run?.pause))")
      return
    }
    #expect(text.contains("memory-growth") && !text.contains("restarts"))
  }

  @Test("a guard that aborts does so in the decision that learns of it, and what is the service's own only holds")
  func aborts() {
    var world = running(.example(guards: .abort))
    world.guards = [GuardReport(name: "request-volume", finding: .unusualService, message: "half of the usual")]
    world.settle(turns: 10)
    #expect(world.stage == .step(0, .analyzing))
    world.guards = [Self.anomaly]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    world.settle(turns: 20)
    guard case .rejected(let text) = world.rollout.situation else {
      Issue.record("expected a rejection, found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("guard restarts"))
  }

  @Test("what differed most is told after the abort, whose first write never waits for it")
  func explained() {
    var world = running()
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    world.differences = .underWay
    world.settle(turns: 3)
    #expect(world.run?.differences == nil)
    let difference = Difference(
      aspect: .pod, value: "web-v2-x", share: 0.93, counts: Counts(requests: 100, bad: 93) ?? .zero, logEValue: 20)
    world.differences = .found([difference])
    world.change { $0.controllers() }
    world.turn()
    #expect(announced(world, .explained))
    #expect(world.run?.differences == [difference])
    world.settle(turns: 20)
    guard case .finished(.aborted) = world.stage else {
      Issue.record("expected the end, found \(String(describing: world.stage))")
      return
    }
    #expect(world.broken == [])
  }

  @Test("an answer that never comes delays the end of an abort by seconds, and nothing else")
  func neverExplained() {
    var world = running()
    world.failing = ["v2"]
    world.differences = .underWay
    world.settle(turns: 30)
    guard case .finished(.aborted) = world.stage else {
      Issue.record("expected the end, found \(String(describing: world.stage))")
      return
    }
    #expect(world.cluster.target == .stableOnly)
  }

  @Test("nothing holds a revision that returns")
  func fastUndo() {
    var world = running(until: .finished(.promoted))
    world.burnRates = [Self.burning]
    world.guards = [Self.anomaly]
    world.cluster.apply(template: "v1")
    world.settle(until: { $0.runs.count == 2 && $0.stage == .finished(.promoted) })
    #expect(world.rollout.stable?.hash == "v1")
  }
}
