import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("A route that somebody else writes")
struct ContestedRouteTests {
  private func world(until stage: Stage) -> World {
    var world = World()
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == stage })
    return world
  }

  /// Somebody changes the route, and Sluice looks.
  private func contest(_ world: inout World) {
    world.cluster.intact = false
    world.cluster.routeWriter = "kubectl-edit"
    world.turn()
  }

  @Test("it is restored three times; then the run pauses and names the writer, until a person resumes it")
  func pausesAfterThree() {
    var world = world(until: .step(0, .analyzing))
    for _ in 0..<3 {
      contest(&world)
      #expect(world.effects == [.setTraffic(TrafficTarget(weight: Weight(10)!))])
    }
    contest(&world)
    #expect(!world.effects.contains { if case .setTraffic = $0 { true } else { false } })
    guard case .paused(let text) = world.rollout.situation, case .conflict = world.run?.pause else {
      Issue.record("expected a pause, found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("changed by kubectl-edit again") && text.contains("3 times within 5 minutes"))
    #expect(world.cluster.news.last?.message == text && world.cluster.news.last?.isWarning == true)

    world.settle(turns: 100)
    #expect(world.stage == .step(0, .analyzing), "it stays so, also when the window has passed")
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.turn()
    #expect(world.cluster.intact)
    for _ in 0..<2 { contest(&world) }
    #expect(world.run?.pause == nil && world.cluster.intact, "the count starts anew")
    world.settle(turns: 60, until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("a writer who comes once in a while is undone each time")
  func slowWriter() {
    var world = world(until: .step(0, .analyzing))
    world.answers = false
    for _ in 0..<6 {
      contest(&world)
      #expect(world.cluster.intact && world.run?.pause == nil)
      world.now += 130
    }
  }

  @Test("a route that is deleted again and again in a run counts as well")
  func deleted() {
    var world = world(until: .step(0, .analyzing))
    for _ in 0..<4 {
      world.cluster.target = nil
      world.turn()
    }
    #expect(world.cluster.target == nil)
    guard case .conflict(let text) = world.run?.pause else {
      Issue.record("expected a pause, found \(String(describing: world.run?.pause))")
      return
    }
    #expect(text.contains("deleted by somebody again"))
  }

  @Test("an abort and a failed check are routed at once all the same, and weight 0 is written for ever, ever slower")
  func abortInsists() {
    for byCheck in [true, false] {
      var world = world(until: .step(0, .analyzing))
      for _ in 0..<4 { contest(&world) }
      #expect(world.run?.pause != nil)
      if byCheck {
        world.failing = ["v2"]
      } else {
        world.command = PersonsCommand(action: .abort, sequence: 1)
      }
      world.turn()
      #expect(world.effects.first == .setTraffic(.stableOnly))
      #expect(world.cluster.target == .stableOnly && world.cluster.intact)
      var writes = 0
      for _ in 0..<120 {
        contest(&world)
        if world.cluster.intact { writes += 1 }
      }
      #expect((10...40).contains(writes), "\(writes) writes in ten minutes")
    }
  }

  @Test("at rest it is restored three times within the window, then said to be contested, and tried again later")
  func atRest() {
    var world = World()
    world.settle(turns: 6)
    for _ in 0..<3 {
      contest(&world)
      #expect(world.cluster.intact)
    }
    contest(&world)
    #expect(!world.cluster.intact)
    guard case .stalled(.routeContested, let text) = world.rollout.situation else {
      Issue.record("expected RouteContested, found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("kubectl-edit"))
    world.settle(turns: 70)
    #expect(world.cluster.intact && world.rollout.situation == .idle)
  }

  @Test("a route that differs since the plan was edited is written without being counted")
  func ownChange() {
    var world = World()
    world.settle(turns: 6)
    for _ in 0..<10 {
      world.cluster.intact = false
      world.turn()
      #expect(world.cluster.intact)
    }
    #expect(world.rollout.reassertions == [])
  }
}
