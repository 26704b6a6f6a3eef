import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

/// SplitMix64 (Steele, Lea and Flood 2014): a seed makes a test repeatable.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite("Interleavings")
struct InterleavingTests {
  enum Ending: String, CaseIterable, CustomStringConvertible {
    case promotion, rollback, supersede
    var description: String { rawValue }
  }

  /// A plan of steps, also one that edits a person's route in place, or one of an autopilot with a bake.
  enum Pace: String, CaseIterable, CustomStringConvertible {
    case steps, inPlace, autopilot
    var description: String { rawValue }

    var plan: Plan {
      switch self {
      case .steps: .example()
      case .inPlace: .example(istio: IstioSpec(route: RouteReference(name: "web")))
      case .autopilot: .example(autopilot: AutopilotSpec(riskBudget: 100, maxDuration: "10m"), bake: "20s")
      }
    }

    /// What is routed at rest: nothing where the route is a person's.
    var rest: TrafficTarget? { self == .inPlace ? nil : .stableOnly }

    /// The weights of a good run.
    var weights: [Int] {
      switch self {
      case .steps, .inPlace: [0, 10, 50, 100, 0]
      case .autopilot: [0, 1, 4, 16, 50, 100, 0]
      }
    }
  }

  func play(_ ending: Ending, _ pace: Pace, crashAt crash: Int?) -> World {
    var world = World(plan: pace.plan)
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    if ending == .rollback { world.failing = ["v2"] }
    var carriedOut = 0
    for _ in 0..<150 {
      if ending == .supersede, world.stage == .step(1, .analyzing), world.run?.revision == "v2" {
        world.cluster.apply(template: "v3")
      }
      world.change { $0.controllers() }
      let before = world.cluster.writes
      if let crash, (carriedOut...(carriedOut + 8)).contains(crash), crash >= carriedOut {
        world.turn(crashAfter: crash - carriedOut)
      } else {
        world.turn()
      }
      carriedOut += world.cluster.writes - before
      if let crash, carriedOut >= crash, crash >= 0, world.cluster.writes == before { carriedOut += 1 }
    }
    return world
  }

  @Test(
    "a crash after any effect ends in the same state as no crash", arguments: Ending.allCases, Pace.allCases)
  func crashes(ending: Ending, pace: Pace) {
    let calm = play(ending, pace, crashAt: nil)
    #expect(calm.broken == [])
    for crash in 0..<60 {
      let world = play(ending, pace, crashAt: crash)
      #expect(world.broken == [], "crash after effect \(crash)")
      #expect(world.rollout.stable?.hash == calm.rollout.stable?.hash, "crash after effect \(crash)")
      #expect(world.rollout.situation == calm.rollout.situation, "crash after effect \(crash)")
      #expect(world.cluster.target == calm.cluster.target)
      #expect(world.cluster.deployment?.paused == calm.cluster.deployment?.paused)
      #expect(world.cluster.service.pin == nil && world.cluster.service.stable == .some(nil))
      #expect(
        world.cluster.sets.mapValues { "\($0.owned) \($0.replicas) \($0.rejected)" }
          == calm.cluster.sets.mapValues { "\($0.owned) \($0.replicas) \($0.rejected)" }, "crash after effect \(crash)")
    }
  }

  @Test(
    "a leader that is lost between writing a step's weight and storing that it did is not undone by the next one",
    arguments: Pace.allCases)
  func lostAfterRouting(pace: Pace) {
    var world = World(plan: pace.plan)
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    var weights: [Int] = []
    var losses = 0
    for _ in 0..<150 {
      world.change { $0.controllers() }
      var attempt = world
      attempt.turn()
      let isLost =
        attempt.stage?.stepIndex != nil && attempt.effects.contains { $0.description.hasPrefix("set traffic") }
      if isLost { losses += 1 }
      world.turn(crashAfter: isLost ? attempt.effects.count : nil)
      let weight = world.cluster.target?.weight.value ?? 0
      if weight != weights.last { weights.append(weight) }
    }
    // Of a person's route even weight 0 is a write.
    let writes = pace.weights.count - (pace == .inPlace ? 2 : 3)
    #expect(losses == writes && world.stage == .finished(.promoted))
    #expect(weights == pace.weights)
    #expect(world.broken == [])
  }

  @Test("an abort at any moment before the point of no return is one reconcile", arguments: 0..<40, Pace.allCases)
  func abortsAtOnce(turns: Int, pace: Pace) {
    var world = World(plan: pace.plan)
    world.settle(turns: 6)
    world.cluster.apply(template: "v2")
    world.settle(turns: turns)
    guard let run = world.run, !run.stage.isFinished else { return }
    if case .promoting(let stage) = run.stage, !stage.isReversible { return }
    world.command = PersonsCommand(action: .abort, sequence: 1)
    world.turn()
    #expect(world.cluster.target == .stableOnly || (pace == .inPlace && run.trafficWrittenAt == nil))
    #expect(world.effects.first == .setTraffic(.stableOnly) || run.trafficWrittenAt == nil)
    #expect(world.broken == [])
  }

  @Test("no interleaving of events, crashes and stale reads breaks an invariant", arguments: 0..<200, Pace.allCases)
  func random(seed: Int, pace: Pace) {
    var generator = SeededGenerator(state: UInt64(seed))
    var world = World(plan: pace.plan)
    world.settle(turns: 6)
    var past = world.observe()
    for _ in 0..<160 {
      disturb(&world, &generator)
      world.change { $0.controllers() }
      world.podsWereLost = false
      switch Int.random(in: 0..<10, using: &generator) {
      case 0: world.turn(crashAfter: Int.random(in: 0..<3, using: &generator))
      case 1: world.turn(seen: freshened(past, by: world.observe()))
      default: world.turn()
      }
      past = world.observe()
    }
    #expect(world.broken == [])
    // Left alone, everything comes to an end that a person can understand.
    world.failing = []
    world.command = nil
    world.answers = true
    world.isBlind = false
    world.rate = 200
    world.excess = 0
    world.settle(turns: 250)
    #expect(world.broken == [])
    switch world.rollout.situation {
    case .idle:
      #expect(world.cluster.deployment?.template == world.rollout.stable?.hash)
      #expect(world.cluster.deployment?.paused == false)
      #expect(world.cluster.target == pace.rest)
    case .rejected: #expect(world.cluster.target == pace.rest)
    case .paused: #expect(world.run?.pause != nil)
    default: Issue.record("ended as \(world.rollout.situation), stage \(String(describing: world.stage))")
    }
  }

  /// The cache lags behind for what others write; what this process wrote itself it always sees.
  private func freshened(_ past: Observation, by present: Observation) -> Observation {
    var seen = present
    seen.measured = past.measured
    seen.sets = present.sets.map { set in
      var copy = set
      if let before = past.set(named: set.name) {
        copy.available = min(before.available, set.replicas)
        // A status counts only once its controller has seen the newest spec; until then pods may be left.
        copy.pods = max(before.pods, before.replicas == set.replicas ? 0 : 1)
      }
      return copy
    }
    return seen
  }

  private func disturb(_ world: inout World, _ generator: inout SeededGenerator) {
    switch Int.random(in: 0..<40, using: &generator) {
    case 0:
      let template = ["v1", "v2", "v3", "v4"].randomElement(using: &generator) ?? "v2"
      world.change { $0.apply(template: template) }
    case 1: world.change { $0.deployment?.replicas = Int.random(in: 1...8, using: &generator) }
    case 2: world.failing = [["v2"], ["v3"], []].randomElement(using: &generator) ?? []
    case 3: world.answers.toggle()
    case 4:
      let actions: [CommandAction] = [.promote, .promoteFull, .pause, .resume, .abort, .retry]
      world.command = PersonsCommand(
        action: actions.randomElement(using: &generator) ?? .pause, requestedBy: "ann",
        sequence: (world.run?.commandSequence ?? 0) + 1)
    case 5: world.change { $0.intact = false }
    case 6:
      world.podsWereLost = true
      let name = world.cluster.sets.keys.sorted().randomElement(using: &generator) ?? ""
      world.change { cluster in
        let available = cluster.sets[name]?.available ?? 0
        cluster.sets[name]?.available = max(0, available - 1)
      }
    case 7: world.isBlind.toggle()
    case 8: world.rate = [20, 200, 2000].randomElement(using: &generator) ?? 200
    case 9: world.excess = [0, 0.01, 0.5].randomElement(using: &generator) ?? 0
    default: break
    }
  }
}
