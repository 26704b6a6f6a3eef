import CanaryAnalysis
import Foundation

/// Draws the requests of a scenario, look after look, and reads them as the operator would.
struct Traffic {
  let scenario: Scenario
  let isBad: Bool
  private var random: SeededRandom
  private var counters: PodCounters?

  /// What happened in a look, and what was measured of it; nothing is measured in the baseline look of counters.
  struct Look {
    var canary: TrackLook
    var stable: TrackLook
    var measured: MeasuredLook?
  }

  init(_ scenario: Scenario, isBad: Bool, random: SeededRandom) {
    self.scenario = scenario
    self.isBad = isBad
    self.random = random
    counters = scenario.collection.map { _ in PodCounters() }
  }

  mutating func next(_ look: Int) -> Look {
    let all = scenario.requestsPerSecond * Scenario.secondsPerLook * scenario.load(look)
    // Before the run stable has all of the traffic.
    let weight = look < 0 ? 0 : scenario.weight
    let (worse, base) = (scenario.canaryRates(look, isBad: isBad), scenario.stable(look))
    guard let collection = scenario.collection else {
      let (own, others) = (
        pods(Scenario.processes, all * weight, worse, look), pods(Scenario.processes, all * (1 - weight), base, look)
      )
      let (canary, stable) = (own.reduce(TrackLook(), +), others.reduce(TrackLook(), +))
      return Look(
        canary: canary, stable: stable,
        measured: MeasuredLook(canary: canary, stable: stable, canaryParts: own, stableParts: others))
    }
    let canary = pods(look < 0 ? 0 : collection.canaryPods(look), all * weight, worse, look)
    var stable = pods(collection.stablePods(look), all * (1 - weight), base, look)
    if collection.badPod > 0, !stable.isEmpty {
      stable[0] = draw(
        all * (1 - weight) / Double(stable.count), base.adding(errors: collection.badPod), look)
    }
    return Look(
      canary: canary.reduce(TrackLook(), +), stable: stable.reduce(TrackLook(), +),
      measured: counters?.read(canary: canary, stable: stable, collection, &random))
  }

  private mutating func pods(_ count: Int, _ mean: Double, _ rates: Rates, _ look: Int) -> [TrackLook] {
    (0..<count).map { _ in draw(mean / Double(count), rates, look) }
  }

  private mutating func draw(_ mean: Double, _ rates: Rates, _ look: Int) -> TrackLook {
    guard mean > 0 else { return TrackLook() }
    var result = scenario.isWhole ? drawWhole(mean, rates) : TrackLook(requests: random.poisson(mean))
    let requests = result.requests
    let size = scenario.clump(look)
    if size > 1 {
      for _ in 0..<Int(random.poisson(mean * rates.errors / size)) {
        result.errors += random.geometric(mean: size)
      }
      result.errors = min(result.errors, requests)
    } else {
      result.errors = random.binomial(requests, rates.errors)
    }
    if scenario.isWhole { return result }
    var slower = 0.0
    for index in TrackLook.tailBoundaries.indices.reversed() {
      slower = min(requests, slower + random.binomial(requests, rates.slow[index]))
      result.slow[index] = slower
    }
    return result
  }

  /// A Poisson number for each bucket: then that of all requests is one too, and given it the buckets' are multinomial.
  private mutating func drawWhole(_ mean: Double, _ rates: Rates) -> TrackLook {
    var result = TrackLook()
    for index in scenario.boundaries.indices.reversed() {
      result.requests += random.poisson(mean * rates.slow[index])
      result.slow[index] = result.requests
    }
    result.requests += random.poisson(mean * (1 - rates.rate(of: .slower(0))))
    return result
  }
}

/// Counters of pods, read through the operator's own ``CounterIncreases``.
private struct PodCounters {
  struct Process: Codable, Hashable, Sendable {
    var isCanary: Bool
    var pod: Int
    /// A pod that takes the place of one that went is another one.
    var generation: Int
  }

  /// One counter: a process, and a class of its answers.
  struct Key: Codable, Hashable, Sendable {
    var process: Process
    /// 0 and 1: requests that succeeded and failed; from 2 on those slower than each boundary.
    var kind: Int
  }

  private var increases = CounterIncreases<Key>()
  private var gaps = ScrapeGaps<Process>()
  private var totals: [Key: Double] = [:]
  private var readings: [Key: Double] = [:]
  private var generations: [Bool: [Int]] = [:]
  private var now = Date(timeIntervalSince1970: 0)

  mutating func read(
    canary: [TrackLook], stable: [TrackLook], _ collection: Scenario.Collection, _ random: inout SeededRandom
  ) -> MeasuredLook? {
    for (isCanary, pods) in [(true, canary), (false, stable)] {
      var generations = self.generations[isCanary] ?? Array(repeating: 0, count: 16)
      for (pod, look) in pods.enumerated() {
        let process = Process(isCanary: isCanary, pod: pod, generation: generations[pod])
        // A restart in the middle of the look: what came before it was never read.
        let kept = random.unit() < collection.restarts ? random.unit() : nil
        for (kind, added) in Self.kinds(of: look) {
          let key = Key(process: process, kind: kind)
          totals[key] = kept.map { (added * $0).rounded() } ?? totals[key, default: 0] + added
        }
        if random.unit() >= collection.lost {
          for (kind, _) in Self.kinds(of: look) {
            let key = Key(process: process, kind: kind)
            readings[key] = totals[key]
          }
        }
      }
      // Pods that were taken away are no longer read, and one that takes their place begins at zero.
      let gone = totals.keys.filter { $0.process.isCanary == isCanary && $0.process.pod >= pods.count }
      for key in gone {
        readings[key] = nil
        totals[key] = nil
      }
      for pod in Set(gone.map(\.process.pod)) { generations[pod] += 1 }
      self.generations[isCanary] = generations
    }
    now += Scenario.secondsPerLook
    guard let increase = increases.record(readings, at: now) else { return nil }
    // A process that was read and did not grow is there too.
    var processes = Dictionary(readings.keys.map { ($0.process, TrackLook()) }) { first, _ in first }
    for (key, value) in increase.values { processes[key.process, default: TrackLook()].add(value, kind: key.kind) }
    let isUneven = gaps.record(processes.mapValues(\.requests))
    func parts(isCanary: Bool) -> [TrackLook] {
      processes.filter { $0.key.isCanary == isCanary }.sorted { $0.key.pod < $1.key.pod }.map(\.value)
    }
    let (own, others) = (parts(isCanary: true), parts(isCanary: false))
    return MeasuredLook(
      canary: own.reduce(TrackLook(), +), stable: others.reduce(TrackLook(), +), canaryParts: own, stableParts: others,
      isUneven: isUneven)
  }

  private static func kinds(of look: TrackLook) -> [(Int, Double)] {
    [(0, look.requests - look.errors), (1, look.errors)]
      + TrackLook.tailBoundaries.indices.map { ($0 + 2, look.slow[$0]) }
  }
}

extension TrackLook {
  fileprivate mutating func add(_ value: Double, kind: Int) {
    switch kind {
    case 0: requests += value
    case 1:
      requests += value
      errors += value
    default: slow[kind - 2] += value
    }
  }
}
