import Foundation
import Testing

@testable import CanaryAnalysis

/// Standard normal numbers (Box and Muller 1958).
private func normal(_ random: inout SeededRandom) -> Double {
  let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
  return radius * cos(2 * Double.pi * Double.random(in: 0..<1, using: &random))
}

@Suite("Guards watch levels, growth, events and kinds of answers")
struct WatchTests {
  @Test("events are compared with stable now and with stable's past")
  func events() {
    var watch = EventWatch(past: counts(2_419_200, 0), risk: 1e-5)
    watch.record(canary: counts(300, 0), stable: counts(1200, 0))
    #expect(watch.logEValue < 0.01)
    // Three restarts in 300 seconds of pods, in one look: the cap of one look holds.
    watch = EventWatch(past: counts(2_419_200, 0), risk: 1e-5)
    watch.record(canary: counts(300, 3), stable: counts(1200, 0))
    #expect(watch.logEValue > 2 && watch.logEValue <= log(100))
    for _ in 0..<3 { watch.record(canary: counts(100, 1), stable: counts(400, 0)) }
    #expect(watch.logEValue > 9)
    #expect(watch.canaryEvents.events == 6)
  }

  @Test("without a past, stable of now is what events are compared with")
  func eventsWithoutPast() {
    var watch = EventWatch(past: .zero, risk: 1e-5)
    for _ in 0..<20 { watch.record(canary: counts(60, 1), stable: counts(240, 4)) }
    // Both tracks restart at the same rate: nothing speaks against the canary.
    #expect(watch.logEValue < 1)
  }

  @Test("a level beyond what is tolerated is found in 15 blocks, and one within it never")
  func level() {
    var high = LevelWatch(tolerance: 1.5, floor: 0)
    var within = LevelWatch(tolerance: 1.5, floor: 0)
    for _ in 0..<15 {
      high.record(canary: 1.6, stable: 1)
      within.record(canary: 1.4, stable: 1)
    }
    #expect(high.logEValue > log(1200))
    #expect(within.logEValue < 0)
    #expect(high.levels?.canary == 1.6)
  }

  @Test("what is usual at this hour is no anomaly, however much higher than stable now")
  func usual() {
    var watch = LevelWatch(tolerance: 1.5, floor: 0)
    for _ in 0..<50 { watch.record(canary: 3, stable: 1, usual: PastLevel([2.9, 3.1, 3.0])?.upper) }
    #expect(watch.logEValue < 0)
    // Median 3, deviations 0.1 → three of them are less than a fifth of the median.
    let past = PastLevel([2.9, 3.1, 3.0])
    #expect(isClose(past?.reach, 0.6))
    #expect(isClose(past?.lower, 2.4))
    #expect(PastLevel([.nan]) == nil)
  }

  @Test("pods that differ for good and levels that drift together raise no alarm")
  func falseAlarms() {
    var random = SeededRandom(seed: 7)
    var alarms = 0
    for _ in 0..<150 {
      var watch = LevelWatch(tolerance: 1.5, floor: 0)
      var growth = GrowthWatch()
      // The canary's pod is by nature up to 40 % above stable's; noise is correlated from block to block.
      let offset = Double.random(in: 0.6...1.4, using: &random)
      var (common, noise, walk) = (0.0, 0.0, 0.0)
      for block in 0..<120 {
        common += 0.05 * normal(&random)
        noise = 0.9 * noise + 0.02 * normal(&random)
        walk += normal(&random)
        watch.record(canary: offset * exp(common + noise), stable: exp(common))
        growth.record(
          canary: ["a": 1000 + walk], stable: ["b": 1000 + normal(&random)], at: Double(block) * 30)
      }
      if max(watch.logEValue, growth.logEValue) > log(1200) { alarms += 1 }
    }
    // At a threshold of 1200, Ville allows 1 in 600 for each watch.
    #expect(alarms <= 1, "\(alarms) of 150")
  }

  @Test("a leak is found, with its slope and the time until the limit")
  func leak() throws {
    var watch = GrowthWatch()
    var random = SeededRandom(seed: 1)
    for block in 0..<20 {
      let pods = Dictionary(
        uniqueKeysWithValues: ["x", "y"].map {
          ($0, 100e6 + 2e6 * Double(block) + 2e5 * normal(&random))
        })
      watch.record(canary: pods, stable: ["z": 100e6 + 2e5 * normal(&random)], at: Double(block) * 30)
    }
    #expect(watch.logEValue > log(1200))
    let growth = try #require(watch.growth)
    // 2 MB in 30 seconds.
    #expect(isClose(growth.slope, 2e6 / 30, within: 0.02))
    #expect(growth.matters)
    let left = try #require(growth.timeUntil(200e6))
    #expect(abs(left - (200e6 - growth.level) / growth.slope) < 1e-6)
    #expect(growth.timeUntil(50e6) == nil)
  }

  /// Troughs of a pod whose garbage collector takes four blocks for a round: up by `swing`, then down again, on top of what
  /// it leaks in each block.
  private static func saw(_ block: Int, leak: Double, swing: Double = 30) -> Double {
    1000 + leak * Double(block) + swing * [0, 1, 2.0 / 3, 1.0 / 3][block % 4]
  }

  @Test("a leak that a slow garbage collector hides from block to block is found from span to span")
  func leakBehindCollector() throws {
    var watch = GrowthWatch()
    for block in 0..<80 {
      watch.record(
        canary: ["x": Self.saw(block, leak: 2)], stable: ["z": Self.saw(block, leak: 0)], at: Double(block) * 30)
    }
    // By hand: of the canary's blocks one in four rises, but so does stable's then, by 2 less; the three others fall by 8
    // where less than 0 is allowed. Each span of four has a least value 8 above the one before, and stable's stays. Those of
    // six begin with a least one of the round in turn after 0 and after 2 blocks: 0, 8, 12, 20, 24, 32 blocks, and stable's
    // stays there too. It has one pod, so that one rise in two is the null.
    var blocks = StartMixture(limit: 0.5)
    var spans = StartMixture(limit: 0.5)
    var longer = StartMixture(limit: 0.5)
    for block in 1..<80 { blocks.update(counts(1, block % 4 == 1 ? 1 : 0)) }
    for _ in 1..<20 { spans.update(counts(1, 1)) }
    for _ in 1..<13 { longer.update(counts(1, 1)) }
    #expect(blocks.logEValue < 0)
    #expect(isClose(watch.logEValue, logSum([blocks.logEValue, spans.logEValue, longer.logEValue]) - log(3)))
    #expect(watch.logEValue > log(1200))
    #expect(try #require(watch.growth).matters)
  }

  @Test("a slow leak is found in six spans beside seven pods of stable, whose own ups and downs are larger")
  func slowLeak() {
    func evidence(stablePods: Int, leak: Double, blocks: Int) -> Double {
      var watch = GrowthWatch()
      for block in 0..<blocks {
        let stable = (0..<stablePods).map { ("z\($0)", Self.saw(block + $0, leak: 0)) }
        watch.record(
          canary: ["x": Self.saw(block, leak: leak), "y": Self.saw(block + 1, leak: leak)],
          stable: Dictionary(uniqueKeysWithValues: stable), at: Double(block) * 30)
      }
      return watch.logEValue
    }
    // By hand: six rises in seven spans, of which one in eight is the null.
    var rises = StartMixture(limit: 1.0 / 8)
    for _ in 0..<6 { rises.update(counts(1, 1)) }
    #expect(rises.logEValue - log(3) > log(1200))
    #expect(evidence(stablePods: 7, leak: 1, blocks: 42) > log(1200))
    #expect(evidence(stablePods: 7, leak: 0, blocks: 42) < 0)
    // One pod of stable is no such yardstick.
    #expect(evidence(stablePods: 1, leak: 1, blocks: 42) < log(1200))
  }

  @Test("the same garbage collector without a leak is none, however large its rounds are")
  func collectorAlone() {
    var watch = GrowthWatch()
    for block in 0..<200 {
      // Their rounds are not in step, and the canary's is twice as large.
      watch.record(
        canary: ["x": Self.saw(block + 2, leak: 0, swing: 60)], stable: ["z": Self.saw(block, leak: 0)],
        at: Double(block) * 30)
    }
    #expect(watch.logEValue < 0)
  }

  @Test("growth that stable shares, and a heap that warms up, are no leak")
  func noLeak() throws {
    var shared = GrowthWatch()
    var warming = GrowthWatch()
    for block in 0..<40 {
      let time = Double(block)
      shared.record(canary: ["x": 100 + time], stable: ["z": 90 + time], at: time * 30)
      warming.record(canary: ["x": 100 + 100 * (1 - exp(-time / 8))], stable: ["z": 100], at: time * 30)
    }
    #expect(shared.logEValue < 0)
    #expect(try #require(warming.growth).matters == false)
  }

  @Test("a code that only the canary gives is found and named, and one that both give is not")
  func mix() throws {
    var watch = MixWatch(tolerance: 2, margin: 0.005)
    for _ in 0..<20 {
      watch.record(
        canary: ["404": counts(100, 5), "429": counts(100, 2)], stable: ["404": counts(900, 1), "429": counts(900, 18)])
    }
    #expect(watch.logEValue > log(1200))
    #expect(watch.leader?.name == "404")
    #expect(watch.matters)
    var same = MixWatch(tolerance: 2, margin: 0.005)
    for _ in 0..<100 { same.record(canary: ["404": counts(100, 2)], stable: ["404": counts(900, 18)]) }
    #expect(same.logEValue < 0)
    #expect(!same.matters)
  }
}
