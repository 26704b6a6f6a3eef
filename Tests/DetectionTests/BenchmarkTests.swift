import Foundation
import Testing

@testable import detection

@Suite("The detection benchmark")
struct BenchmarkTests {
  // scipy.stats.beta.ppf(0.95, events + 1, runs - events).
  @Test(
    "the upper bound is Clopper and Pearson's",
    arguments: [(0, 3000, 0.0009980790119965865), (4, 10_000, 0.0009151160584710777), (17, 1000, 0.025390748776180874)])
  func bound(events: Int, runs: Int, expected: Double) {
    #expect(abs(JudgeReport.upperBound(events, of: runs) - expected) < 1e-9)
  }

  @Test("the same seed gives the same runs, another seed others, and the twins share their settings")
  func seeds() throws {
    func run(_ seed: UInt64, isBad: Bool = true) -> [Double] {
      (0..<5).map { index in
        Trial.run(
          .errorStep, isBad: isBad, seed: seed, index: index, judges: [.oracle], settings: .fair
        )?.outcomes[.oracle]?.harmed ?? -1
      }
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
    var (first, second) = (SeededRandom(seed: 1, 1, 7), SeededRandom(seed: 1, 1, 7))
    #expect(Family.errorStep.make(&first).weight == Family.errorStep.make(&second).weight)
  }

  @Test("Poisson numbers have their mean and variance", arguments: [0.3, 5, 40, 3000])
  func poisson(mean: Double) {
    var random = SeededRandom(seed: 3)
    let draws = (0..<20_000).map { _ in random.poisson(mean) }
    let average = draws.reduce(0, +) / 20_000
    let variance = draws.reduce(0) { $0 + ($1 - average) * ($1 - average) } / 20_000
    // Four standard errors of the mean, and ten percent of the variance.
    #expect(abs(average - mean) < 4 * (mean / 20_000).squareRoot())
    #expect(abs(variance / mean - 1) < 0.1)
  }

  @Test("the oracle aborts a step quickly and a good twin hardly ever")
  func oracle() {
    let bad = (0..<40).compactMap {
      Trial.run(.tailLatency, isBad: true, seed: 5, index: $0, judges: [.oracle], settings: .fair)
    }
    #expect(bad.count { $0.outcomes[.oracle]?.abortedAt != nil } >= 30)
    let good = (0..<40).compactMap {
      Trial.run(.tailLatency, isBad: false, seed: 5, index: $0, judges: [.oracle], settings: .fair)
    }
    #expect(good.count { $0.outcomes[.oracle]?.abortedAt != nil } <= 1)
  }

  @Test("the JSON object has every field of the report, with null where nothing is known")
  func json() throws {
    let good = [Outcome(), Outcome(abortedAt: 3)]
    let judge = JudgeReport(name: "sluice", good: good, bad: [])
    let report = Report(seed: 1, runs: 2, families: [FamilyReport(name: "aa", judges: [judge])])
    let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
    for field in [
      "seed", "runs", "families", "name", "judges", "falseAborts", "falseAbortUpper95", "detectionRate",
      "timeToAbortMedian", "timeToAbortP95", "harmedMedian", "harmedP95",
    ] {
      #expect(text.contains("\"\(field)\""), "\(field)")
    }
    #expect(text.contains("\"harmedMedian\":null"))
  }

  @Test("a rival counts only where it keeps the false-abort rate, and the oracle only where its law holds")
  func targets() {
    func judge(_ name: String, falseAborts: Int, harm: Double) -> JudgeReport {
      let good = (0..<4000).map { Outcome(abortedAt: $0 < falseAborts ? 3 : nil) }
      return JudgeReport(name: name, good: good, bad: [(begins: 0, outcome: Outcome(abortedAt: 2, harmed: harm))])
    }
    var family = FamilyReport(
      name: "gaps",
      judges: [
        judge("sluice", falseAborts: 0, harm: 20), judge("oracle", falseAborts: 60, harm: 10),
        judge("flagger", falseAborts: 5, harm: 15), judge("kayenta", falseAborts: 4, harm: 300),
      ])
    #expect(family.comparisons == ["gaps: harmed 20, and 300 with kayenta, which aborts 4 of 4000 good twins"])
    #expect(family.missedTargets == ["gaps: harmed 20.0, more than 1.5 times the oracle's 10.0"])
    family.name = "clumps"
    #expect(family.missedTargets.isEmpty)
    family.judges[3] = judge("kayenta", falseAborts: 4, harm: 19)
    #expect(family.missedTargets == ["clumps: harmed 20.0, more than 19.0 with kayenta"])
  }

  @Test("the oracle of the cold canaries knows when the twins part")
  func coldOracle() {
    var random = SeededRandom(seed: 3, 1)
    let scenario = Family.coldStart.make(&random)
    #expect(scenario.ratio(0) == 1)
    #expect(scenario.ratio(9) > 5)
    #expect(scenario.canaryRates(0, isBad: false).errors == scenario.canaryRates(0, isBad: true).errors)
  }

  @Test("a canary whose middle is slower keeps its 99th percentile, and is found beside good twins that wander")
  func slowMiddle() throws {
    var random = SeededRandom(seed: 3, 1)
    let scenario = Family.slowMiddle.make(&random)
    let bad = scenario.canaryRates(40, isBad: true)
    #expect(bad.rate(of: .slower(4)) < 0.005 && bad.rate(of: .slower(0)) < 1)
    #expect(scenario.ratio(40) > 1.4)
    func aborted(isBad: Bool) -> Int {
      (0..<30).compactMap {
        Trial.run(.slowMiddle, isBad: isBad, seed: 5, index: $0, judges: [.sluice], settings: .fair)
      }.count { $0.outcomes[.sluice]?.abortedAt != nil }
    }
    #expect(aborted(isBad: true) >= 25)
    #expect(aborted(isBad: false) == 0)
  }

  @Test("a command line that cannot be understood is refused with what was found")
  func options() throws {
    let options = try Options(["--runs", "20", "--seed", "4", "--json", "--judges", "sluice,oracle"])
    #expect(options.runs == 20 && options.seed == 4 && options.json && options.judges == [.sluice, .oracle])
    for arguments in [
      ["--runs", "0"], ["--runs"], ["--famly", "aa"], ["--family", "none"], ["--judges", "spinnaker"],
    ] {
      #expect(throws: Options.Misuse.self) { try Options(arguments) }
    }
  }
}
