import Foundation

/// The scenario families; each draws its own settings for every run.
extension Family {
  static let all: [Family] = [
    errorStep, tailLatency, slowLeak, lateFault, season, lowTraffic, coldStart, clumps, commonFault, retryStorm, gaps,
    resets, onePod, autoscale, aa, slowMiddle,
  ]

  /// An error budget that the service keeps in normal times.
  private static func limit(for base: Double) -> Double { max(0.01, min(0.5, 2 * base)) }

  private static func plain(
    _ random: inout SeededRandom, base range: ClosedRange<Double> = 1e-4...1e-2,
    requests: ClosedRange<Double> = 1...1000, weight: ClosedRange<Double> = 0.01...0.5
  ) -> Scenario {
    let base = random.logUniform(range.lowerBound, range.upperBound)
    let rates = Rates(errors: base)
    return Scenario(
      weight: random.logUniform(weight.lowerBound, weight.upperBound),
      requestsPerSecond: random.logUniform(requests.lowerBound, requests.upperBound), errorLimit: limit(for: base),
      stable: { _ in rates })
  }

  /// The same with a canary that fails more often, by a share of its requests.
  private static func stepped(_ scenario: Scenario, by more: Double, at look: Int = 0) -> Scenario {
    var scenario = scenario
    let base = scenario.stable
    scenario.fault = { base($0).adding(errors: more) }
    scenario.faultBegins = look
    return scenario
  }

  static let errorStep = Family(name: "error-step") { random in
    let scenario = plain(&random, base: 1e-4...0.05, requests: 1...10_000)
    return stepped(scenario, by: random.logUniform(0.001, 0.5))
  }

  static let tailLatency = Family(name: "tail-latency") { random in
    var scenario = plain(&random)
    let base = scenario.stable
    let share = random.logUniform(0.005, 0.3)
    let bucket = Int.random(in: 1...4, using: &random)
    // Beyond 500 ms, the limit.
    scenario.property = .slower(1)
    scenario.fault = { base($0).slowing(share, to: bucket) }
    return scenario
  }

  static let slowLeak = Family(name: "slow-leak") { random in
    var scenario = plain(&random)
    let base = scenario.stable
    let full = random.logUniform(0.02, 0.3)
    scenario.looks = 540
    scenario.fault = { base($0).adding(errors: full * min(1, Double($0 + 1) / 360)) }
    return scenario
  }

  static let lateFault = Family(name: "late-fault") { random in
    var scenario = plain(&random)
    scenario.looks = 420
    return stepped(scenario, by: random.logUniform(0.005, 0.5), at: Int.random(in: 30...240, using: &random))
  }

  static let season = Family(name: "season") { random in
    var scenario = plain(&random)
    let base = scenario.stable(0).errors
    let (phase, shift) = (random.uniform(0, 2 * .pi), random.uniform(0, 2 * .pi))
    let daily: @Sendable (Int, Double) -> Double = { look, phase in sin(2 * .pi * Double(look) / 8640 + phase) }
    scenario.looks = 2160
    scenario.load = { exp(log(10) / 2 * daily($0, phase)) }
    scenario.stable = { Rates(errors: base * exp(0.7 * daily($0, shift))) }
    return stepped(scenario, by: random.logUniform(0.005, 0.3))
  }

  static let lowTraffic = Family(name: "low-traffic") { random in
    var scenario = plain(&random, base: 1e-3...0.05, requests: 0.05...1, weight: 0.05...0.5)
    scenario.looks = 2160
    return stepped(scenario, by: random.logUniform(0.05, 0.5))
  }

  static let coldStart = Family(name: "cold-start") { random in
    var scenario = plain(&random)
    let base = scenario.stable
    let cold = Int.random(in: 1...9, using: &random)
    let (errors, slow) = (random.uniform(0.05, 0.5), random.uniform(0.1, 0.8))
    scenario.looks = 180
    let cool: @Sendable (Int) -> Rates = { base($0).adding(errors: errors).slowing(slow, to: 2) }
    scenario.canary = { $0 < cold ? cool($0) : base($0) }
    // The bad twin does for ever what the good one does while it is cold.
    scenario.fault = cool
    return scenario
  }

  static let clumps = Family(name: "clumps") { random in
    var scenario = plain(&random, base: 5e-4...0.02, requests: 10...1000)
    let size = [3.0, 10, 50][Int.random(in: 0..<3, using: &random)]
    let base = scenario.stable(0).errors
    scenario.clump = { _ in size }
    return stepped(scenario, by: 9 * base)
  }

  static let commonFault = Family(name: "common-fault") { random in
    var scenario = plain(&random)
    let base = scenario.stable
    let begin = Int.random(in: 12...180, using: &random)
    let during = begin..<(begin + Int.random(in: 6...60, using: &random))
    let (errors, slow) = (random.uniform(0.05, 0.5), random.uniform(0.05, 0.5))
    scenario.stable = { during.contains($0) ? base($0).adding(errors: errors).slowing(slow, to: 2) : base($0) }
    return stepped(scenario, by: random.logUniform(0.02, 0.5), at: begin)
  }

  static let retryStorm = Family(name: "retry-storm") { random in
    var scenario = plain(&random, base: 5e-4...0.01)
    let base = scenario.stable(0).errors
    let begin = Int.random(in: 12...180, using: &random)
    let during = begin..<(begin + Int.random(in: 6...60, using: &random))
    let factor = random.uniform(3, 20)
    scenario.stable = { Rates(errors: base * (during.contains($0) ? factor : 1)) }
    scenario.clump = { during.contains($0) ? 3 : 1 }
    return stepped(scenario, by: random.logUniform(0.02, 0.5), at: begin)
  }

  static let gaps = Family(name: "gaps") { random in
    var scenario = plain(&random)
    let base = scenario.stable
    let begin = Int.random(in: 12...180, using: &random)
    let during = begin..<(begin + Int.random(in: 6...60, using: &random))
    let errors = random.uniform(0.05, 0.5)
    // Half of the runs have a fault of both tracks meanwhile, which lost scrapes tell of at different times.
    if random.unit() < 0.5 { scenario.stable = { during.contains($0) ? base($0).adding(errors: errors) : base($0) } }
    scenario.collection = Scenario.Collection(
      canaryPods: { _ in 1 }, stablePods: { _ in 4 }, lost: random.uniform(0.1, 0.5))
    return stepped(scenario, by: random.logUniform(0.005, 0.5))
  }

  static let resets = Family(name: "resets") { random in
    var scenario = plain(&random)
    scenario.collection = Scenario.Collection(
      canaryPods: { _ in 2 }, stablePods: { _ in 4 }, restarts: random.logUniform(0.002, 0.05))
    return stepped(scenario, by: random.logUniform(0.005, 0.5))
  }

  /// The bad pod is stable's: a revision that is alone with its pod cannot be told from it.
  static let onePod = Family(name: "one-pod") { random in
    var scenario = plain(&random)
    let pods = Int.random(in: 3...8, using: &random)
    let bad = random.uniform(0.05, 0.5)
    scenario.collection = Scenario.Collection(canaryPods: { _ in 1 }, stablePods: { _ in pods }, badPod: bad)
    return stepped(scenario, by: bad * random.uniform(0.7, 2))
  }

  static let autoscale = Family(name: "autoscale") { random in
    var scenario = plain(&random)
    let (period, most) = (Int.random(in: 12...120, using: &random), Int.random(in: 4...10, using: &random))
    let load: @Sendable (Int) -> Double = { 1 + 4 * abs(sin(Double($0) / Double(period))) }
    scenario.load = load
    scenario.collection = Scenario.Collection(
      canaryPods: { _ in 2 }, stablePods: { max(2, Int(load($0) / 5 * Double(most))) })
    return stepped(scenario, by: random.logUniform(0.005, 0.5))
  }

  static let aa = Family(name: "aa") { random in
    var scenario = plain(&random, base: 1e-4...0.05)
    scenario.looks = 8640
    return scenario
  }

  /// Fast answers become slower and stay within the limit, so that the 99th percentile hardly moves, while both tracks'
  /// latencies wander.
  static let slowMiddle = Family(name: "slow-middle") { random in
    var scenario = plain(&random)
    let errors = scenario.stable(0).errors
    let (period, phase) = (random.uniform(60, 360), random.uniform(0, 2 * .pi))
    let (share, boundary) = (random.logUniform(0.12, 0.4), Int.random(in: 1...2, using: &random))
    scenario.isWhole = true
    scenario.property = .slower(boundary)
    let base: @Sendable (Int) -> Rates = {
      let swing = 1 + 0.2 * sin(2 * .pi * Double($0) / period + phase)
      return Rates(errors: errors, slow: Rates.usualWhole * swing)
    }
    scenario.stable = base
    scenario.fault = { base($0).slowing(share, to: boundary) }
    return scenario
  }
}
