import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine
@testable import struct Sandbox.ReplicaCalculation

/// An autoscaler over the model cluster, with the formula of kube-controller-manager.
struct ModelAutoscaler {
  /// What its metric does when there are more pods.
  enum Metric {
    /// As much work as so many pods at their target; pods share what their track gets.
    case shared(Double)
    /// Each pod uses this part of the target, whatever it does.
    case constant(Double)
  }

  var metric: Metric
  var maxReplicas = 100
  private var recommendations: [(at: Date, replicas: Int)] = []

  init(_ metric: Metric, maxReplicas: Int = 100) {
    self.metric = metric
    self.maxReplicas = maxReplicas
  }

  mutating func scale(_ cluster: inout ModelCluster, now: Date) {
    guard let current = cluster.deployment?.replicas, current > 0 else { return }
    let weight = Double(cluster.target?.weight.value ?? 0) / 100
    let tracks = [(cluster.service.stable ?? nil, 1 - weight), (cluster.service.canary ?? nil, weight)]
    let pods = cluster.sets.values.sorted { $0.hash < $1.hash }.flatMap { set -> [ReplicaCalculation.Pod] in
      guard set.pods > 0 else { return [] }
      let use: Double =
        switch metric {
        case .constant(let part): part
        case .shared(let work):
          tracks.filter { $0.0 == nil || $0.0 == set.hash }.map { hash, share in
            let all = cluster.sets.values.filter { hash == nil || hash == $0.hash }.map(\.pods)
            return work * share / Double(all.reduce(0, +))
          }.reduce(0, +)
        }
      return Array(repeating: ReplicaCalculation.Pod(usage: use), count: set.pods)
    }
    guard let wanted = ReplicaCalculation(target: .averageValue(1)).replicas(current: current, pods) else { return }
    recommendations = recommendations.filter { now.timeIntervalSince($0.at) < 300 } + [(now, wanted)]
    let stable = recommendations.map(\.replicas).max() ?? wanted
    cluster.deployment?.replicas = min(stable, maxReplicas, ReplicaCalculation.scaleUpLimit(current))
  }
}

@Suite("An autoscaler during a run")
struct AutoscalerTests {
  private static let steps = [
    StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m")), StepSpec(weight: 50, analyze: AnalyzeSpec(for: "3m")),
  ]

  private func resting(replicas: Int, steps: [StepSpec] = steps) -> World {
    var world = World(plan: .example(steps: steps))
    world.cluster.deployment?.replicas = replicas
    world.settle(turns: 6)
    #expect(world.rollout.situation == .idle)
    world.cluster.isAutoscaled = true
    world.rate = 100
    return world
  }

  /// Plays a run with an autoscaler at its period, and looks at every turn.
  private func play(
    _ world: inout World, _ autoscaler: inout ModelAutoscaler, turns: Int = 200, look: (World, Int) -> Void
  ) {
    for turn in 0..<turns {
      world.change { $0.controllers() }
      if turn.isMultiple(of: 3) {
        let now = world.now
        world.change { autoscaler.scale(&$0, now: now) }
      }
      world.turn()
      let canary = world.run.flatMap { $0.set }.flatMap { world.cluster.sets[$0] }
      look(world, canary.map { $0.owned ? 0 : $0.replicas } ?? 0)
    }
  }

  /// The canary's part of the demand at a stage.
  private func share(_ world: World, of demand: Int) -> Int {
    guard let run = world.run else { return 0 }
    switch run.stage {
    case .step(let index, _):
      let weight = world.plan.steps[index].traffic.weight.value
      return max(1, Int((Double(weight * demand) / 100).rounded(.up)))
    case .starting, .finished: return 0
    case .promoting, .aborting: return demand
    }
  }

  @Test("of shared work all pods together are the demand and the canary's share, and no more", arguments: 0..<40)
  func shared(seed: Int) {
    var generator = SeededGenerator(state: UInt64(seed))
    let demand = Int.random(in: 2...40, using: &generator)
    var world = resting(replicas: demand)
    var autoscaler = ModelAutoscaler(.shared(Double(demand) - Double.random(in: 0...0.9, using: &generator)))
    world.cluster.apply(template: "v2")
    var most = 0
    play(&world, &autoscaler) { world, canary in
      #expect(canary <= share(world, of: demand), "stage \(String(describing: world.stage))")
      #expect(world.cluster.deployment?.replicas ?? 0 <= demand)
      most = max(most, canary)
    }
    #expect(world.stage == .finished(.promoted))
    #expect(most == demand)
    #expect(world.cluster.deployment?.replicas == demand)
    #expect(world.broken == [])
  }

  @Test("memory that pods use without work makes the Deployment grow, and never the canary", arguments: 0..<40)
  func constant(seed: Int) {
    var generator = SeededGenerator(state: UInt64(seed))
    let part = Double.random(in: 0.5...1.05, using: &generator)
    let demand = Int.random(in: 2...20, using: &generator)
    var autoscaler = ModelAutoscaler(.constant(part), maxReplicas: 200)
    var world = resting(replicas: demand)
    // The size at which it rests without a canary.
    for round in 0..<100 {
      world.change { $0.controllers() }
      let now = world.now.addingTimeInterval(Double(round) * 400)
      world.change { autoscaler.scale(&$0, now: now) }
    }
    autoscaler = ModelAutoscaler(.constant(part), maxReplicas: 200)
    world.settle(turns: 2)
    let alone = world.cluster.deployment?.replicas ?? 0
    world.cluster.apply(template: "v2")
    var isTold = false
    var most = 0
    play(&world, &autoscaler) { world, canary in
      #expect(canary <= share(world, of: alone), "stage \(String(describing: world.stage))")
      most = max(most, world.cluster.deployment?.replicas ?? 0)
      isTold = isTold || world.rollout.limits.contains { $0.reason == .autoscalerNotFollowed }
    }
    #expect(world.stage == .finished(.promoted))
    #expect(isTold == (most > alone))
    // With n pods of the Deployment and c of the canary it asks for part × (n + c), so that n comes to rest.
    if part < 0.9 { #expect(Double(most) <= max(Double(alone), part * Double(alone) / (1 - part) + 1 / (1 - part))) }
    #expect(world.broken == [])
  }

  @Test("a canary grows with the requests, as far as the autoscaler has grown the Deployment, and keeps what it has")
  func growsWithRequests() {
    var world = resting(replicas: 10, steps: [StepSpec(weight: 50, analyze: AnalyzeSpec(for: "5m"))])
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    #expect(world.cluster.sets["web-v2"]?.replicas == 5)
    world.rate = 230
    world.settle(turns: 2)
    #expect(world.run?.demand == 10, "before the Deployment grows nobody has decided to")
    world.change { $0.deployment?.replicas = 18 }
    world.settle(turns: 2)
    #expect(world.run?.demand == 18)
    world.change { $0.deployment?.replicas = 40 }
    world.settle(turns: 3)
    #expect(world.run?.demand == 23)
    #expect(world.cluster.sets["web-v2"]?.replicas == 12)
    #expect(
      world.rollout.limits.map(\.message) == [
        "web has grown the Deployment from 10 to 40 replicas; the canary's share stays one of 23, since requests have "
          + "grown to 2.3 times those at the start"
      ])
    world.rate = 50
    world.change { $0.deployment?.replicas = 20 }
    world.settle(turns: 3)
    #expect(world.run?.demand == 23)
    #expect(world.rollout.limits == [])
    world.settle(until: { $0.stage == .promoting(.waiting) })
    // No more than the Deployment is told to have.
    #expect(world.cluster.sets["web-v2"]?.replicas == 20)
    #expect(world.broken == [])
  }

  @Test("noise and bursts within the autoscaler's own tolerance are no growth")
  func noise() {
    let start = RequestVolume(requests: 400, seconds: 60)
    #expect(RequestVolume(requests: 435, seconds: 60).growth(since: start) == 1)
    // A quarter more, of a hundred requests, is chance.
    #expect(RequestVolume(requests: 125, seconds: 60).growth(since: RequestVolume(requests: 100, seconds: 60)) == 1)
    #expect(RequestVolume(requests: 800, seconds: 60).growth(since: start) == 2)
    #expect(RequestVolume(requests: 800, seconds: 120).growth(since: start) == 1)
    #expect(RequestVolume(requests: 800, seconds: 60).growth(since: RequestVolume(requests: 0, seconds: 60)) == 1)
  }

  @Test("what a person or Git asks for is the size of the promotion")
  func person() {
    var world = resting(replicas: 4)
    world.cluster.isAutoscaled = false
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .step(1, .analyzing) })
    world.change { $0.deployment?.replicas = 10 }
    world.settle(turns: 3)
    #expect(world.cluster.sets["web-v2"]?.replicas == 2)
    #expect(world.rollout.limits == [])
    world.settle(until: { $0.stage == .promoting(.waiting) })
    #expect(world.cluster.sets["web-v2"]?.replicas == 10)
  }

  @Test("an autoscaler that may not go as far as the requests do is named, with its maximum")
  func maximum() {
    var world = resting(replicas: 10, steps: [StepSpec(weight: 50, analyze: AnalyzeSpec(for: "5m"))])
    world.autoscaler = AutoscalerView(name: "web", maxReplicas: 12)
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .step(0, .analyzing) })
    world.rate = 300
    world.change { $0.deployment?.replicas = 12 }
    world.settle(turns: 3)
    #expect(
      world.rollout.limits == [
        CapacityLimit(
          .autoscalerAtMaximum,
          "requests have grown to 3.0 times those at the start, which 30 pods would carry, and HorizontalPodAutoscaler "
            + "web allows 12: the canary gets its share of 12; raise maxReplicas")
      ])
    #expect(world.cluster.news.count { $0.kind == .limited } == 1)
  }
}
