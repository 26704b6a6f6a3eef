import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI

/// The evidence of every decision of a run.
enum Explanation {
  static func lines(_ run: RolloutRun, withQueries: Bool = false) -> [String] {
    let status = run.status
    let phase = status?.phase ?? .pending
    var lines = [
      "run \(run.metadata.name ?? "") of rollout/\(run.spec.rolloutRef.name): \(phase.rawValue)",
      "  revision \(run.spec.revision), against stable \(run.spec.stable.hash), \(run.spec.demand) replicas at the start",
    ]
    if let message = status?.cause?.message ?? status?.message { lines.append("  \(message)") }
    if let pause = status?.pause {
      lines.append("  paused (\(pause.kind.rawValue))\(pause.message.map { ": \($0)" } ?? "")")
    }
    if let autopilot = status?.autopilot { lines += pace(autopilot, of: run) }
    lines += differences(status?.differences ?? [])
    for record in status?.timeline ?? [] {
      lines.append("")
      lines += entry(record, withQueries: withQueries)
    }
    let isShown = status?.timeline?.contains { $0.outcome == nil && $0.checks != nil } ?? false
    if let checks = status?.checks, !checks.isEmpty, !phase.isFinished, !isShown {
      lines += ["", "now"]
      lines += self.checks(checks, withQueries: withQueries)
    }
    return lines
  }

  /// How far an autopilot went, and what it rests on.
  private static func pace(_ autopilot: AutopilotStatus, of run: RolloutRun) -> [String] {
    var lines = ["  \(RolloutPanel.spent(autopilot, of: run.spec.plan.autopilot?.riskBudget ?? 0))"]
    if !autopilot.weights.isEmpty {
      lines.append("  weights so far: " + autopilot.weights.map { "\($0)%" }.joined(separator: ", "))
    }
    lines.append("  a step passes when what is known lets a larger weight in; every check must pass before all traffic")
    if let reason = autopilot.reason, run.isUnderWay { lines.append("  now: \(reason)") }
    return lines
  }

  /// Where the bad requests of an aborted canary gathered.
  private static func differences(_ differences: [DifferenceRecord]) -> [String] {
    guard !differences.isEmpty else { return [] }
    let rows = differences.map { difference in
      let share = difference.share.map { percent($0) } ?? ""
      let counts = "\(whole(difference.bad)) bad of \(whole(difference.requests))"
      return "    \(difference.dimension.rawValue) \(difference.value): \(share) (\(counts))"
    }
    return ["", "where the bad requests gathered that the canary had beyond stable's rate"] + rows
  }

  /// Prometheus extrapolates increases; half a request is none.
  private static func whole(_ number: String?) -> String {
    number.map { Double($0).map { String(Int(nearest: $0)) } ?? $0 } ?? "?"
  }

  private static func entry(_ record: StepRecord, withQueries: Bool) -> [String] {
    var head: String
    switch record.kind {
    case .step: head = "step \(record.step.map(String.init) ?? "?")" + (record.name.map { " (\($0))" } ?? "")
    case .start: head = "start"
    case .promotion: head = "promotion"
    case .abort: head = "abort"
    }
    if let title = record.title { head += ": \(title)" }
    var facts: [String] = []
    if let start = record.startedAt { facts.append("began \(Timestamp(start.date))") }
    if let verified = Times.between(record.startedAt?.date, record.verifiedAt?.date) {
      facts.append("traffic verified after \(verified)")
    }
    if let took = Times.between(record.startedAt?.date, record.finishedAt?.date) { facts.append("ended after \(took)") }
    // Only what is judged can pass.
    let isJudged = record.kind == .step || record.outcome != .passed
    var lines = [head + (record.outcome.map { " - \(isJudged ? $0.rawValue : "Done")" } ?? " - under way")]
    if !facts.isEmpty { lines.append("  " + facts.joined(separator: ", ")) }
    if let message = record.message { lines.append("  \(message)") }
    return lines + checks(record.checks ?? [], withQueries: withQueries)
  }

  /// Guards and burn rates that found nothing share a line: twelve of them would hide what matters.
  private static func checks(_ all: [CheckRecord], withQueries: Bool) -> [String] {
    let isTold: (CheckRecord) -> Bool = { withQueries || !$0.isRoutine }
    // Guards ask all the same; that is told with the first of them.
    var asked: [[String]: String] = [:]
    var lines = all.filter(isTold).flatMap { record in
      var lines = check(record)
      if withQueries, let queries = record.evidence?.queries, !queries.isEmpty {
        let before = asked[queries]
        lines += before.map { ["      queries: those of \($0)"] } ?? queries.map { "      query: \($0)" }
        asked[queries] = before ?? record.name
      }
      return lines
    }
    let routine = all.filter { !isTold($0) }
    let normal = routine.filter { $0.verdict == .pass }.map(\.name)
    if !normal.isEmpty {
      lines.append("  \(RolloutPanel.mark(.pass)) nothing unusual: \(normal.joined(separator: ", "))")
    }
    for check in routine where check.verdict != .pass {
      lines.append("  \(RolloutPanel.mark(check.verdict)) \(check.name): \(check.message ?? check.verdict.rawValue)")
    }
    return lines
  }

  private static func check(_ check: CheckRecord) -> [String] {
    let finding = check.finding.map { " (\($0))" } ?? ""
    let dry = check.mode == .dryRun ? ", a dry run, which decides nothing" : ""
    var lines = ["  \(RolloutPanel.mark(check.verdict)) \(check.name): \(check.verdict.rawValue)\(finding)\(dry)"]
    if let sentence = check.finding.flatMap({ sentences[$0] }) { lines.append("      \(sentence)") }
    if let message = check.message { lines.append("      \(message)") }
    guard let evidence = check.evidence else { return lines }
    // The sentence says the counts and rates of both tracks already.
    if check.message == nil {
      lines += tracks(evidence)
    }
    // Of a canary without requests every number says nothing.
    if evidence.canary?.requests.flatMap(Double.init) != 0 { lines += numbers(check, evidence).map { "      " + $0 } }
    for note in evidence.notes ?? [] where check.message?.contains(note) != true { lines.append("      note: \(note)") }
    return lines
  }

  /// What a finding means, by its word in the status.
  private static let sentences = [
    "Kept": "The canary keeps what is asked of it, and is not shown to be worse than stable.",
    "WorseThanStable":
      "The canary is worse than stable at the same time, by more than is tolerated and than chance explains.",
    "SlowerThanStable":
      "The canary's answers as a whole are slower than stable's at the same time, by more than is tolerated and than chance explains. Its limit may well be kept.",
    "LimitBroken": "The canary breaks its limit, by more than chance explains.",
    "Environment":
      "The canary breaks its limit and stable is no better: look at what both depend on. The canary is not blamed.",
    "WarmingUp": "The canary may be cold, so that what it does is not held against it yet.",
    "TooFewRequests": "Too few requests to tell. More traffic or more time decides.",
    "Undecided": "What was seen so far allows both. More traffic or more time decides.",
    "OnePod":
      "One pod or node is bad, and the rest of the canary is like stable. The revision is not blamed while callers on the whole are served within the limit.",
    "BudgetBurns":
      "The service as a whole burns its error budget. Nothing goes on meanwhile, whoever is to blame.",
    "StableBurns": "Stable burns the error budget and the canary does not: it may be the cure, so that it is not held.",
    "BudgetKept": "The service as a whole keeps its error budget.",
    "Anomaly": "The canary does what neither stable nor the service's past does.",
    "UnusualService": "The service as a whole does what its past does not. The canary is not blamed.",
    "Normal": "Nothing beyond what stable and the past do.",
    "Inactive": "The cluster exports no such metric for both tracks, so that nothing is concluded.",
    "Unread": "What the guard saw before the controller was started is being read again. The step waits for it.",
    "NoMeasurement": "There is no usable number, and nothing is concluded without one.",
  ]

  private static func tracks(_ evidence: EvidenceRecord) -> [String] {
    var lines: [String] = []
    for (name, track) in [("canary", evidence.canary), ("stable", evidence.stable)] {
      if let track, let text = self.track(track) { lines.append("      \(name): \(text)") }
    }
    return lines
  }

  private static func track(_ track: EvidenceRecord.Track) -> String? {
    var parts: [String] = []
    if let value = track.value { parts.append("value \(value)") }
    if let amount = track.amount, let requests = track.requests {
      parts.append("\(number(amount)) per \(number(requests)), \(track.lower ?? "0") to \(track.upper ?? "any")")
      return parts.joined(separator: ", ")
    }
    if let requests = track.requests { parts.append("\(track.bad ?? "?") of \(requests) requests") }
    if let lower = track.lower, let upper = track.upper { parts.append("rate \(percent(lower)) to \(percent(upper))") }
    if let lower = track.latencyLower {
      let upper = track.latencyUpper.map { "to \(number($0)) ms" } ?? "ms or more"
      parts.append("quantile \(number(lower)) \(upper)")
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private static func numbers(_ check: CheckRecord, _ evidence: EvidenceRecord) -> [String] {
    let isGuard = check.kind == .anomaly
    // What is enough evidence, and for what.
    let outcome = isGuard ? "a finding" : check.mode == .dryRun ? "a failure" : "an abort"
    var lines: [String] = []
    if let eValue = evidence.eValue, let threshold = evidence.threshold {
      let what =
        isGuard
        ? "unusual"
        : evidence.wanted == nil
          ? "worse than stable, beyond what is tolerated" : "beyond the tolerated ratio to stable"
      lines.append("\(what)? \(likelier(eValue, threshold, outcome))")
    }
    if let eValue = evidence.limitEValue, let threshold = evidence.limitThreshold {
      let limit = evidence.limit.map { " of \(percent($0))" } ?? ""
      let what = evidence.wanted == nil ? "above the limit\(limit)" : "beyond its own bounds"
      lines.append("\(what)? \(likelier(eValue, threshold, outcome))")
    }
    if let distribution = evidence.distribution, distribution.boundary != nil,
      let eValue = distribution.eValue, let threshold = distribution.threshold
    {
      lines.append("slower than stable as a whole? \(likelier(eValue, threshold, outcome))")
    }
    let budget = evidence.budget.map { ", and of all checks together \(percent($0))" } ?? ""
    let risk = evidence.risk.map { risk in
      isGuard
        ? "the probability that any guard ever finds something in a good run is at most \(percent(risk))"
        : "the probability that it ever fails a good canary is at most \(percent(risk))\(budget)"
    }
    let last = [evidence.window.map { "watched for \($0)" }, risk].compactMap { $0 }
    if !last.isEmpty { lines.append(last.joined(separator: "; ")) }
    return lines
  }

  /// What an e-value says: how many times likelier the numbers are if it is so than if it is not.
  private static func likelier(_ eValue: String, _ threshold: String, _ outcome: String) -> String {
    guard let value = Double(eValue) else { return eValue }
    let needed = number(threshold)
    return value <= 1
      ? "nothing speaks for it; \(outcome) needs numbers \(needed) times likelier if so than if not"
      : "the numbers were up to \(number(eValue)) times likelier if so than if not; \(outcome) needs \(needed) times"
  }

  /// A share as a percentage with three significant digits.
  private static func percent(_ text: String) -> String {
    Double(text).map { "\(significant($0 * 100))%" } ?? text
  }

  private static func number(_ text: String) -> String { Double(text).map(significant) ?? text }

  private static func significant(_ value: Double) -> String {
    if abs(value) >= 100 { return String(Int(nearest: value)) }
    return value.formatted(
      .number.precision(.significantDigits(1...3)).grouping(.never).locale(Locale(identifier: "en_US")))
  }
}
