import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("The bake")
struct BakeTests {
  func baking(_ bake: String = "60s", onUndecided: UndecidedAction? = nil) -> World {
    var world = World(plan: .example(bake: bake, onUndecided: onUndecided))
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .promoting(.baking) })
    return world
  }

  @Test("the canary has all traffic for that long, with every old pod there and the callers' Service pinned to stable")
  func kept() {
    var world = baking()
    let begin = world.now
    #expect(world.cluster.target == .allToCanary)
    #expect(world.cluster.news.contains { $0.kind == .baking && $0.message.contains("watched for 1m") })
    world.settle(turns: 11)
    #expect(world.stage == .promoting(.baking))
    #expect(world.cluster.sets["web-v1"]?.available == 4)
    #expect(world.cluster.service.pin == "v1")
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.now.timeIntervalSince(begin) >= 60)
    #expect(world.cluster.service.pin == nil)
    #expect(world.broken == [])
  }

  @Test("a check that fails while it bakes takes all traffic back with the first write, and stable was never touched")
  func fails() {
    var world = baking()
    world.settle(turns: 4)
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    #expect(world.cluster.sets["web-v1"]?.available == 4 && world.cluster.sets["web-v1"]?.owned == true)
    world.settle(until: { $0.stage?.isFinished == true })
    guard case .rejected = world.rollout.situation else {
      Issue.record("found \(world.rollout.situation)")
      return
    }
    #expect(world.broken == [])
  }

  @Test("what is undecided when the time is over holds, then pauses or aborts, and never passes")
  func undecided() {
    var world = baking()
    world.isBlind = true
    world.settle(turns: 60)
    #expect(world.stage == .promoting(.baking))
    #expect(world.rollout.situation == .running("while it bakes: undecided: errors (Unknown)"))
    world.settle(turns: 100)
    guard case .paused(let text) = world.rollout.situation else {
      Issue.record("found \(world.rollout.situation)")
      return
    }
    #expect(text.hasPrefix("while it bakes: errors (Unknown) stayed undecided"))
    // The longer one of its own time and the deadline.
    #expect(text.hasSuffix("for 10m"))
    var long = baking("15m")
    long.isBlind = true
    long.settle(turns: 300)
    #expect(long.run?.pause == .undecided("errors (Unknown) stayed undecided for 15m"))
    world.isBlind = false
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    var other = baking(onUndecided: .abort)
    other.isBlind = true
    other.settle(turns: 200, until: { $0.stage?.isFinished == true })
    guard case .finished(.aborted(.undecided)) = other.stage else {
      Issue.record("found \(String(describing: other.stage))")
      return
    }
  }

  @Test("a revision that was stable a short time ago needs no bake")
  func fastUndo() {
    var world = baking()
    world.settle(until: { $0.rollout.stable?.hash == "v2" })
    world.settle(turns: 3)
    world.cluster.apply(template: "v1")
    var stages: [Stage] = []
    world.settle(until: {
      if let stage = $0.stage { stages.append(stage) }
      return $0.runs.count == 2 && $0.stage?.isFinished == true
    })
    #expect(world.rollout.stable?.hash == "v1")
    #expect(!stages.contains(.promoting(.baking)))
    #expect(world.broken == [])
  }

  @Test("a person ends the bake, or holds it")
  func people() {
    var world = baking()
    world.command = PersonsCommand(action: .pause, requestedBy: "ann", sequence: 1)
    world.settle(turns: 40)
    #expect(world.rollout.situation == .paused("while it bakes: paused by ann"))
    world.command = PersonsCommand(action: .promote, requestedBy: "ann", sequence: 2)
    world.settle(turns: 2)
    #expect(world.run?.commandMessage == "bake ended by ann")
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }
}
