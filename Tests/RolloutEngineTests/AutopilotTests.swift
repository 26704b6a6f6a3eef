import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("The autopilot")
struct AutopilotTests {
  static func plan(
    riskBudget: Int = 200, maxDuration: String = "1h", startWeight: Int? = nil, onUndecided: UndecidedAction? = nil
  ) -> Plan {
    .example(
      autopilot: AutopilotSpec(riskBudget: riskBudget, maxDuration: maxDuration, startWeight: startWeight),
      onUndecided: onUndecided)
  }

  func flying(_ plan: Plan, _ change: (inout World) -> Void = { _ in }) -> World {
    var world = World(plan: plan)
    world.settle(turns: 6)
    change(&world)
    world.cluster.apply(template: "v2")
    return world
  }

  /// Plays on and notes each weight when it is first routed.
  func weights(_ world: inout World, turns: Int, until stop: (World) -> Bool = { $0.stage?.isFinished == true })
    -> [Int]
  {
    var weights: [Int] = []
    for _ in 0..<turns {
      world.settle(turns: 1)
      let weight = world.cluster.target?.weight.value ?? 0
      if weight != weights.last { weights.append(weight) }
      if stop(world) { break }
    }
    return weights
  }

  // MARK: - Up

  @Test("a good revision climbs as evidence comes, each weight verified, and is promoted in minutes")
  func good() {
    var world = flying(Self.plan())
    let begin = world.now
    #expect(weights(&world, turns: 120) == [0, 3, 12, 50, 100, 0])
    #expect(world.stage == .finished(.promoted))
    #expect(world.now.timeIntervalSince(begin) < 300)
    #expect(world.cluster.news.filter { $0.kind == .step }.count == 3)
    #expect(
      world.cluster.news.contains {
        $0.message.contains("step 2, weight 12% by the autopilot, verified: the canary fails at most")
      })
    #expect(world.broken == [])
  }

  @Test("pods for a weight are there before the traffic")
  func podsFirst() {
    var world = flying(Self.plan())
    for _ in 0..<60 {
      world.settle(turns: 1)
      guard let run = world.run, let weight = world.cluster.target?.weight.value, weight > 0, weight < 100 else {
        continue
      }
      let needed = Int((Double(weight) * Double(run.demand) / 100).rounded(.up))
      #expect(world.cluster.sets["web-v2"]?.available ?? 0 >= needed)
    }
  }

  @Test("no weight is raised before the canary has had the least number of requests at the present one")
  func evidenceFirst() {
    var world = flying(Self.plan(riskBudget: 100_000)) { $0.rate = 1 }
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    #expect(world.cluster.target?.weight == Weight(5))
    // A canary request in 20 s: 50 of them take 1000 s, less the turn of the verification.
    world.settle(turns: 150)
    #expect(world.cluster.target?.weight == Weight(5))
    world.settle(turns: 60)
    #expect(world.cluster.target?.weight ?? .none > Weight(5) ?? .none)
  }

  @Test("the first weight is as large as the budget allows if every request failed, and at most startWeight")
  func firstWeight() {
    for (budget, start, rate, expected) in [
      (200, 5, 200.0, 3), (200, 5, 20, 5), (200, 30, 20, 30), (10_000, 50, 200, 50),
    ] {
      var world = flying(Self.plan(riskBudget: budget, startWeight: start)) { $0.rate = rate }
      world.settle(until: { $0.cluster.target?.reachesCanary == true })
      #expect(world.cluster.target?.weight == Weight(expected), "\(budget) at \(rate)/s")
    }
  }

  @Test(
    "where even one percent could cost more than the budget it does not begin, says so, and begins when traffic falls")
  func tooMuchTraffic() {
    var world = flying(Self.plan()) { $0.rate = 5000 }
    world.settle(turns: 30)
    #expect(world.cluster.target == .stableOnly)
    guard case .running(let text) = world.rollout.situation else {
      Issue.record("found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("riskBudget 200") && text.contains("analysis.interval"), "\(text)")
    world.rate = 200
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  // MARK: - Down

  @Test("a canary that is worse beyond doubt and costs too much is aborted, traffic first, within the budget")
  func worse() {
    var world = flying(Self.plan()) { $0.excess = 0.9 }
    world.settle(until: { $0.cluster.target?.reachesCanary == true })
    world.settle(until: { if case .aborting = $0.stage { true } else { false } })
    #expect(world.effects.first == .setTraffic(.stableOnly))
    guard case .aborting(_, .failedCheck(let text)) = world.stage else {
      Issue.record("found \(String(describing: world.stage))")
      return
    }
    #expect(text.contains("beyond doubt") && text.contains("riskBudget 200"))
    #expect(world.harmed <= 200, "\(world.harmed)")
  }

  @Test(
    "a canary that nothing proves bad never harms more than the budget: it is held at weight 0, or aborted",
    arguments: [UndecidedAction.pause, .abort])
  func doubtful(action: UndecidedAction) {
    var world = flying(Self.plan(riskBudget: 20, maxDuration: "10h", onUndecided: action)) {
      $0.rate = 20
      $0.excess = 0.01
      $0.isOpen = true
    }
    _ = weights(&world, turns: 4000, until: { $0.run?.pause != nil || $0.stage?.isFinished == true })
    world.settle(turns: 20)
    #expect(world.harmed <= 20, "\(world.harmed)")
    #expect(world.cluster.target == .stableOnly)
    if action == .pause {
      guard case .undecided(let text) = world.run?.pause else {
        Issue.record("found \(String(describing: world.run?.pause)), \(world.rollout.situation)")
        return
      }
      #expect(text.contains("riskBudget 20"), "\(text)")
      #expect(world.cluster.sets["web-v1"]?.available == 4)
    } else {
      guard case .finished(.aborted(.undecided)) = world.stage else {
        Issue.record("found \(String(describing: world.stage))")
        return
      }
    }
    #expect(world.broken == [])
  }

  @Test("traffic that grows lowers the weight in the turn that sees it, also while a person has paused the run")
  func trafficGrows() {
    var world = flying(Self.plan())
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    world.command = PersonsCommand(action: .pause, requestedBy: "ann", sequence: 1)
    world.settle(turns: 1)
    world.rate = 2_000_000
    world.turn()
    #expect(world.cluster.target?.weight == Weight.none)
    #expect(world.broken == [])
  }

  @Test("without measurements the weight goes down to what is still covered, and up again when they return")
  func blind() {
    var world = flying(Self.plan())
    world.settle(until: { $0.stage == .step(1, .analyzing) })
    world.isBlind = true
    world.settle(turns: 200)
    #expect(world.cluster.target?.weight ?? .all < Weight(12) ?? .none)
    #expect(world.run?.pause == nil)
    world.isBlind = false
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("after maxDuration it is undecided, and never promoted")
  func tooLong() {
    var world = flying(Self.plan(maxDuration: "2m")) { $0.rate = 5 }
    world.settle(turns: 60)
    guard case .undecided(let text) = world.run?.pause else {
      Issue.record("found \(String(describing: world.run?.pause))")
      return
    }
    #expect(text.contains("maxDuration (2m)"))
    world.settle(turns: 200)
    #expect(world.stage?.isFinished == false && world.cluster.target?.weight ?? .all < Weight.all)
  }

  @Test("a canary that seems to be worse gets no larger weight while that is not decided")
  func suspect() {
    var world = flying(Self.plan(riskBudget: 100_000)) {
      $0.excess = 0.2
      $0.isOpen = true
    }
    world.settle(turns: 200, until: { $0.run?.pause != nil })
    #expect(world.cluster.target?.weight == Weight(5), "\(String(describing: world.run?.flight))")
    #expect(world.run?.flight?.reason?.contains("seems to fail more often than stable") == true)
  }

  // MARK: - People

  @Test("promote raises the weight without evidence, and PromoteFull goes to the promotion")
  func promote() {
    var world = flying(Self.plan(riskBudget: 100)) { $0.rate = 2 }
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    world.command = PersonsCommand(action: .promote, step: 0, requestedBy: "ann", sequence: 1)
    world.settle(until: { $0.stage == .step(1, .analyzing) })
    #expect(world.cluster.target?.weight == Weight(20))
    #expect(world.run?.flight?.reason == "a person raised it" || world.run?.flight?.reason?.hasPrefix("waits") == true)
    world.command = PersonsCommand(action: .promoteFull, requestedBy: "ann", sequence: 2)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("pause stops the climb, resume lets it go on")
  func pause() {
    var world = flying(Self.plan())
    world.settle(until: { $0.stage == .step(0, .verifying) })
    world.command = PersonsCommand(action: .pause, requestedBy: "ann", sequence: 1)
    world.settle(turns: 60)
    #expect(world.cluster.target?.weight == Weight(3))
    #expect(world.rollout.situation == .paused("step 1, weight 3% by the autopilot: paused by ann"))
    world.command = PersonsCommand(action: .resume, requestedBy: "ann", sequence: 2)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test("resume after the budget was used up grants it once more")
  func resume() {
    var world = flying(Self.plan(riskBudget: 20, maxDuration: "10h")) {
      $0.rate = 20
      $0.excess = 0.01
      $0.isOpen = true
    }
    world.settle(turns: 4000, until: { $0.run?.pause != nil })
    let harmed = world.harmed
    world.excess = 0
    world.isOpen = false
    world.command = PersonsCommand(action: .resume, requestedBy: "ann", sequence: 1)
    world.settle(turns: 2)
    #expect(world.run?.flight?.forgiven ?? 0 > 10)
    world.settle(turns: 400, until: { $0.stage?.isFinished == true })
    #expect(world.harmed <= harmed + 20)
  }

  // MARK: - The rule

  func rule(
    harmed: Double = 0, excess: Double = 1, rate: Double = 100, isWorse: Bool = false, age: Double = 0
  ) -> AutopilotRule {
    let now = Date(timeIntervalSince1970: 1000)
    guard let autopilot = Self.plan(riskBudget: 100).autopilot else { preconditionFailure("it has one") }
    return AutopilotRule(
      autopilot: autopilot,
      interval: .seconds(10), flight: Flight(since: now),
      harm: Harm(harmed: harmed, excess: excess, rate: rate, isWorse: isWorse, at: now - age), now: now)
  }

  @Test("a weight costs what it could harm until it is stopped, and age of the measurement adds to that time")
  func cost() {
    #expect(rule().cost(of: 10) == 100 * 0.1 * 25)
    #expect(rule(age: 15).cost(of: 10) == 100 * 0.1 * 40)
    #expect(rule(excess: 0.01).allowed == 100)
    #expect(rule().allowed == 3)
    #expect(rule(harmed: 100).allowed == 0)
  }

  @Test("a weight quadruples at most, but for the rest of the way to 50 %, as far as the budget allows")
  func lastRaise() throws {
    let next = [1, 8, 9, 12, 13, 24, 25].map(AutopilotRule.next)
    // 8 leads to 32, which is below two thirds of 50, and 9 to 36.
    #expect(next == [4, 32, 50, 50, 52, 96, 100])
    func raise(_ rule: AutopilotRule, _ weight: Int) -> AutopilotRule.Raise {
      rule.raise(
        from: weight, requests: 50, minRequests: 50, open: ["p99 (Insufficient)"], doubt: nil, isBlind: false)
    }
    #expect(raise(rule(excess: 0.001), 8) == .to(32))
    #expect(raise(rule(excess: 0.001), 12) == .to(50))
    // 100 requests a second and 25 s: so large an excess allows 40 %, of 80 requests.
    let limited = rule(excess: 0.08)
    #expect(limited.allowed == 40 && raise(limited, 12) == .to(40) && limited.cost(of: 40) <= 80)
    // The first weight is the plan's, whatever it is.
    let first = AutopilotRule(
      autopilot: try #require(Self.plan(startWeight: 40).autopilot), interval: .seconds(10), flight: limited.flight,
      harm: rule(excess: 0.001).harm, now: limited.now)
    #expect(raise(first, 0) == .to(40))
  }

  @Test("small rises are not worth it, and all traffic needs every check")
  func raises() {
    let sure = rule(excess: 0.001)
    func raise(_ rule: AutopilotRule, _ weight: Int, _ requests: Double = 50, open: [String] = [], doubt: String? = nil)
      -> AutopilotRule.Raise
    {
      rule.raise(from: weight, requests: requests, minRequests: 50, open: open, doubt: doubt, isBlind: false)
    }
    #expect(raise(sure, 0, 0) == .to(5))
    #expect(raise(sure, 1) == .to(4))
    #expect(raise(sure, 16) == .to(50))
    #expect(raise(sure, 25) == .promote)
    #expect(raise(sure, 25, open: ["p99 (Insufficient)"]) == .to(50))
    #expect(
      raise(sure, 50, open: ["p99 (Insufficient)"]) == .wait("waits until every check passes: p99 (Insufficient)"))
    #expect(raise(sure, 1, 49) == .wait("waits until the canary has had 50 requests at this weight"))
    guard case .wait = raise(rule(excess: 0.16), 16) else {
      Issue.record("a rise from 16 to 20 is too small")
      return
    }
    #expect(raise(rule(excess: 0.001, age: 31), 1) == .wait("waits for a measurement"))
    guard case .wait(let why) = raise(sure, 1, open: ["errors (Insufficient)"], doubt: "it seems worse") else {
      Issue.record("a canary that seems worse is not given more")
      return
    }
    #expect(why == "waits, since it seems worse; more requests decide, at this weight")
    #expect(raise(sure, 1, doubt: "it seems worse") == .to(4), "tolerated by every check")
  }
}
