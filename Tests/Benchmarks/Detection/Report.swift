import Foundation

/// The result of the benchmark, as `--json` prints it. Times are in seconds, harm in bad requests of the canary from the
/// beginning of its fault.
struct Report: Encodable {
  var seed: UInt64
  var runs: Int
  var families: [FamilyReport]
}

struct FamilyReport: Encodable {
  var name: String
  var judges: [JudgeReport]
}

/// How one judge did in one family.
struct JudgeReport: Encodable {
  var name: String
  var runs: Int
  /// Aborts of the good twin.
  var falseAborts = 0
  /// Clopper and Pearson's upper bound with 95 %, one-sided, of the good twin's rate of aborts.
  var falseAbortUpper95: Double
  /// The bad twin's; `nil` in a family that has none.
  var detectionRate: Double?
  /// Of the runs that were aborted because of the fault.
  var timeToAbortMedian: Double?
  var timeToAbortP95: Double?
  /// Of all runs of the bad twin but those aborted before the fault began.
  var harmedMedian: Double?
  var harmedP95: Double?

  enum CodingKeys: CodingKey {
    case name, runs, falseAborts, falseAbortUpper95, detectionRate, timeToAbortMedian, timeToAbortP95, harmedMedian,
      harmedP95
  }

  init(name: String, good: [Outcome], bad: [(begins: Int, outcome: Outcome)]) {
    self.name = name
    runs = good.count
    falseAborts = good.count { $0.abortedAt != nil }
    falseAbortUpper95 = Self.upperBound(falseAborts, of: good.count)
    guard !bad.isEmpty else { return }
    let fair = bad.filter { run in run.outcome.abortedAt.map { $0 >= run.begins } ?? true }
    let times = fair.compactMap { run in
      run.outcome.abortedAt.map { Double($0 - run.begins + 1) * Scenario.secondsPerLook }
    }
    detectionRate = Double(times.count) / Double(bad.count)
    timeToAbortMedian = Self.quantile(0.5, of: times)
    timeToAbortP95 = Self.quantile(0.95, of: times)
    let harmed = fair.map(\.outcome.harmed)
    harmedMedian = Self.quantile(0.5, of: harmed)
    harmedP95 = Self.quantile(0.95, of: harmed)
  }

  /// Whether it is a rival that keeps the false-abort rate, by what was seen.
  var isRivalOfTheSameRate: Bool {
    ![JudgeName.sluice.rawValue, JudgeName.oracle.rawValue].contains(name)
      && Double(falseAborts) <= 0.001 * Double(runs)
  }

  /// What is not known is null and not left out.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(runs, forKey: .runs)
    try container.encode(falseAborts, forKey: .falseAborts)
    try container.encode(falseAbortUpper95, forKey: .falseAbortUpper95)
    try container.encode(detectionRate, forKey: .detectionRate)
    try container.encode(timeToAbortMedian, forKey: .timeToAbortMedian)
    try container.encode(timeToAbortP95, forKey: .timeToAbortP95)
    try container.encode(harmedMedian, forKey: .harmedMedian)
    try container.encode(harmedP95, forKey: .harmedP95)
  }

  /// The smallest value that this share of the values does not exceed.
  static func quantile(_ share: Double, of values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    return values.sorted()[max(0, Int((share * Double(values.count)).rounded(.up)) - 1)]
  }

  /// The rate under which so few events have a probability of 5 %: P(X ≤ events) = 0.05 for X ~ Binomial(runs, rate)
  /// (Clopper and Pearson 1934).
  static func upperBound(_ events: Int, of runs: Int) -> Double {
    guard events < runs else { return 1 }
    func probability(_ rate: Double) -> Double {
      let n = Double(runs)
      return (0...events).reduce(0.0) { sum, k in
        let k = Double(k)
        let ways = logFactorial(n) - logFactorial(k) - logFactorial(n - k)
        return sum + exp(ways + k * log(rate) + (n - k) * log1p(-rate))
      }
    }
    var (low, high) = (0.0, 1.0)
    for _ in 0..<50 {
      let middle = (low + high) / 2
      if probability(middle) > 0.05 { low = middle } else { high = middle }
    }
    return high
  }
}

extension Report {
  /// For people: a line for each judge of each family.
  var table: String {
    var lines = [
      "Detection: \(runs) runs of each twin, seed \(seed); time in seconds, harm in bad requests of the canary", "",
      Self.line([
        "family", "judge", "runs", "false aborts", "≤ (95 %)", "detected", "median s", "p95 s", "harmed", "p95 harmed",
      ]),
    ]
    for family in families {
      for (index, judge) in family.judges.enumerated() {
        lines.append(
          Self.line([
            index == 0 ? family.name : "", judge.name, "\(judge.runs)", "\(judge.falseAborts)",
            Self.percent(judge.falseAbortUpper95), judge.detectionRate.map(Self.percent) ?? "-",
            Self.number(judge.timeToAbortMedian), Self.number(judge.timeToAbortP95), Self.number(judge.harmedMedian),
            Self.number(judge.harmedP95),
          ]))
      }
    }
    let missed = families.flatMap(\.missedTargets)
    lines += [""] + (missed.isEmpty ? ["All targets are met."] : missed.map { "MISSED  \($0)" })
    lines += families.filter { !$0.hasFairOracle }.map {
      "NOTE    \($0.name): errors come in clumps, and the oracle takes them for independent: its harm is no bound"
    }
    lines += families.flatMap(\.comparisons).map { "RIVAL   \($0)" }
    return lines.joined(separator: "\n")
  }

  private static func line(_ cells: [String]) -> String {
    zip(cells, [12, 14, 6, 12, 9, 9, 9, 7, 9, 10]).enumerated().map { index, cell in
      let fill = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
      return index < 2 ? cell.0 + fill : fill + cell.0
    }.joined(separator: "  ")
  }

  private static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }

  private static func number(_ value: Double?) -> String { value.map { "\(Int($0))" } ?? "-" }
}

extension FamilyReport {
  /// Whether the oracle's law holds. It takes errors for independent, so that where they come in clumps by construction it
  /// aborts good twins too, and its harm is no bound.
  var hasFairOracle: Bool { ![Family.clumps.name, Family.retryStorm.name].contains(name) }

  /// The rivals that keep the false-abort rate here, by what was seen, and their harm beside that of `sluice`.
  var comparisons: [String] {
    guard let harmed = judges.first(where: { $0.name == JudgeName.sluice.rawValue })?.harmedMedian else { return [] }
    return judges.filter(\.isRivalOfTheSameRate).compactMap { rival in
      rival.harmedMedian.map {
        "\(name): harmed \(Int(harmed)), and \(Int($0)) with \(rival.name), which aborts \(rival.falseAborts) of "
          + "\(rival.runs) good twins"
      }
    }
  }

  /// Where the judge `sluice` falls short of its targets.
  var missedTargets: [String] {
    guard let own = judges.first(where: { $0.name == JudgeName.sluice.rawValue }) else { return [] }
    var missed: [String] = []
    if own.falseAbortUpper95 > 0.001 {
      missed.append(
        "\(name): false aborts at most \(own.falseAbortUpper95 * 100) % instead of 0.1 % (\(own.falseAborts) in "
          + "\(own.runs) runs)")
    }
    guard let harmed = own.harmedMedian else { return missed }
    for other in judges where other.name != own.name {
      guard let theirs = other.harmedMedian else { continue }
      if other.name == JudgeName.oracle.rawValue {
        if hasFairOracle, harmed > 1.5 * theirs {
          missed.append("\(name): harmed \(harmed), more than 1.5 times the oracle's \(theirs)")
        }
      } else if other.isRivalOfTheSameRate, harmed > theirs {
        missed.append("\(name): harmed \(harmed), more than \(theirs) with \(other.name)")
      }
    }
    return missed
  }
}
