import Foundation
import KubernetesAPI
import Operator
import RolloutAPI

/// A plan that is tried, once or often.
struct Trial {
  var plan: Plan
  var options: TrialOptions
  var title: String
  /// What limits the trust in the result.
  var cautions: [String] = []

  /// - Parameter make: a trial for a seed.
  func perform(_ make: @escaping @Sendable (UInt64, Rehearsal.Settings) -> Rehearsal) async throws {
    let settings = Rehearsal.Settings(
      replicas: options.replicas, podStart: options.podStart / .seconds(1), routeShare: options.routeShare.fraction,
      approveAfter: options.approveAfter.map { $0 / .seconds(1) }, horizon: options.horizon / .seconds(1))
    let seeds = (0..<UInt64(options.runs)).map { options.seed &+ $0 }
    if options.runs == 1 {
      var report = make(options.seed, settings).result()
      report.cautions = cautions + approvals([report])
      if let output = options.output { return Output.print([try Output.text([try json(report)], as: output)]) }
      return Output.print(RehearsalPanel.lines(report, plan: plan, title: title))
    }
    let reports = await Self.results(of: seeds) { make($0, settings).result() }
    let summary = TrialSummary(reports, seed: options.seed, budget: plan.autopilot?.riskBudget)
    if let output = options.output {
      return Output.print([try Output.text([try JSON(encoding: summary)], as: output)])
    }
    Output.print(
      summary.lines(plan: plan, title: title) + (cautions + approvals(reports)).map { "note: \($0)" })
  }

  /// Which steps a person let pass who is not there.
  private func approvals(_ reports: [RehearsalReport]) -> [String] {
    let steps = Set(reports.flatMap(\.steps).filter { $0.isApproved == true }.map(\.step)).sorted()
    guard !steps.isEmpty, let delay = options.approveAfter else { return [] }
    let names = (steps.count == 1 ? "step " : "steps ") + steps.map(String.init).joined(separator: ", ")
    let when = delay > .zero ? "after \(delay.text)" : "at once"
    return ["a person is taken to have promoted \(names) \(when), whatever the checks said; see --approve-after"]
  }

  /// One trial on each processor at a time; in the order of their seeds.
  private static func results(
    of seeds: [UInt64], _ perform: @escaping @Sendable (UInt64) -> RehearsalReport
  ) async -> [RehearsalReport] {
    await withTaskGroup(of: (Int, RehearsalReport).self) { group in
      var waiting = seeds.enumerated().makeIterator()
      func start() {
        guard let (index, seed) = waiting.next() else { return }
        group.addTask { (index, perform(seed)) }
      }
      for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { start() }
      var reports: [(Int, RehearsalReport)] = []
      for await report in group {
        reports.append(report)
        start()
      }
      return reports.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  /// With the numbers that are computed from the others.
  private func json(_ report: RehearsalReport) throws -> JSON {
    var json = try JSON(encoding: report)
    json["harmed"] = .double(report.harmed)
    json["slowed"] = .double(report.slowed)
    json["rollout"] = .string(plan.name)
    json["seed"] = .string(String(options.seed))
    return json
  }
}

/// What many trials came to.
struct TrialSummary: Codable, Sendable, Equatable {
  struct Spread: Codable, Sendable, Equatable {
    var median: Double
    var of95: Double
    var largest: Double

    init?(_ values: [Double]) {
      let sorted = values.sorted()
      guard let last = sorted.last else { return nil }
      func quantile(_ share: Double) -> Double {
        sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
      }
      median = quantile(0.5)
      of95 = quantile(0.95)
      largest = last
    }
  }

  struct Group: Codable, Sendable, Equatable {
    var outcome: RehearsalReport.Outcome
    var runs: Int
    /// Seconds.
    var ended: Spread?
    var harmed: Spread?
    var slowed: Spread?
    /// How often each reason was given, without its numbers.
    var reasons: [String: Int]
  }

  var runs: Int
  var seed: UInt64
  var groups: [Group]
  /// Runs of an autopilot that harmed more requests than its budget.
  var overBudget: Int
  /// How often each guard spoke, and each pod was named.
  var guards: [String: Int]
  var blamed: [String: Int]

  init(_ reports: [RehearsalReport], seed: UInt64, budget: Int? = nil) {
    runs = reports.count
    self.seed = seed
    overBudget = budget.map { budget in reports.filter { $0.harmed > Double(budget) }.count } ?? 0
    guards = Dictionary(reports.flatMap(\.guards).map { ($0, 1) }, uniquingKeysWith: +)
    blamed = Dictionary(reports.compactMap(\.blamed).map { ($0, 1) }, uniquingKeysWith: +)
    let outcomes: [RehearsalReport.Outcome] = [.promoted, .aborted, .paused, .unfinished]
    groups = outcomes.compactMap { outcome -> Group? in
      let own = reports.filter { $0.outcome == outcome }
      guard !own.isEmpty else { return nil }
      return Group(
        outcome: outcome, runs: own.count, ended: Spread(own.map(\.ended)), harmed: Spread(own.map(\.harmed)),
        slowed: Spread(own.map(\.slowed)),
        reasons: Dictionary(own.map { ($0.shortReason, 1) }, uniquingKeysWith: +))
    }
  }

  func lines(plan: Plan, title: String) -> [String] {
    var lines = [
      "\(plan.name): \(RehearsalPanel.pace(plan)), \(title)",
      "\(runs) runs, seeds \(seed) to \(seed &+ UInt64(runs) - 1)", "",
    ]
    func spread(_ spread: Spread?, _ text: (Double) -> String) -> String {
      spread.map { "\(text($0.median)), \(text($0.of95)), \(text($0.largest))" } ?? ""
    }
    let rows = groups.map { group in
      [
        group.outcome.rawValue, "\(group.runs)", Readable.percent(Double(group.runs) / Double(runs)),
        spread(group.ended, Times.span), spread(group.harmed, Readable.number), spread(group.slowed, Readable.number),
      ]
    }
    lines += Table(header: ["outcome", "runs", "share", "ended after", "failed more", "slow more"], rows: rows).lines
    lines += ["", "each with its median, the value that 95 % do not exceed, and the largest"]
    if let budget = plan.autopilot?.riskBudget {
      let kept = runs - overBudget
      lines.append(
        "riskBudget \(budget) was kept in \(kept) of \(runs) runs, counted until each was promoted or aborted")
    }
    let spoke = guards.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) in \($0.value)" }
    if !spoke.isEmpty { lines.append("guards that spoke: \(spoke.joined(separator: ", ")) of \(runs) runs") }
    let named = blamed.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3).map { "\($0.key) in \($0.value)" }
    if !named.isEmpty { lines.append("one bad pod was named: \(named.joined(separator: ", ")) of \(runs) runs") }
    for group in groups where group.outcome != .promoted {
      for (reason, count) in group.reasons.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(5) {
        lines.append("\(group.outcome.rawValue) \(count)x: \(reason)")
      }
    }
    return lines
  }
}

extension RehearsalReport {
  /// The reason up to its numbers, so that runs that ended alike are counted together.
  var shortReason: String {
    // By a guard, whose sentence has numbers in it.
    if !guards.isEmpty, reason.hasPrefix("guard") {
      return "guards found \(guards.joined(separator: ", "))" + (steps.last.map { " in step \($0.step)" } ?? "")
    }
    guard outcome == .aborted, let failed = findings.first(where: { $0.verdict == .fail && !$0.isDryRun }) else {
      return reason
    }
    return "\(failed.name) failed" + (steps.last.map { " in step \($0.step)" } ?? "")
  }
}
