import Foundation
import KubernetesAPI
import RolloutAPI

/// A Rollout with its run, as `get NAME` shows it.
enum RolloutPanel {
  /// - Parameter width: of the weight bar, in characters.
  static func lines(_ snapshot: RolloutSnapshot, now: Date, width: Int = 40) -> [String] {
    let rollout = snapshot.rollout
    let status = rollout.status
    let phase = status?.phase?.rawValue ?? "Unknown"
    var lines = ["\(rollout.metadata.key)   \(phase)" + (place(snapshot).map { "   \($0)" } ?? "")]
    // A rejection is told below, with the way out; a place stands in the title already.
    if let message = news(snapshot), status?.phase != .rejected {
      lines.append("  \(message)")
    }
    lines.append("")
    lines.append("  canary \(bar(status?.weight ?? 0, width: width)) \(status?.weight ?? 0)%\(extras(snapshot))")
    lines += tracks(snapshot)
    if let run = snapshot.run {
      lines += self.run(run, isRejected: status?.phase == .rejected, now: now) {
        status?.message?.contains($0) ?? false
      }
    }
    if let rejected = status?.lastRejected, status?.phase == .rejected {
      lines.append("")
      lines.append("  rejected \(rejected.hash) by \(rejected.run): \(rejected.message ?? "")")
      lines.append("  change the Deployment, or: sluice retry \(rollout.metadata.name ?? "")")
    }
    return lines
  }

  /// `step 2 of 5 (tenth)`, while a run is on.
  static func place(_ snapshot: RolloutSnapshot) -> String? {
    guard let run = snapshot.run, run.isUnderWay else { return nil }
    if run.status?.stage == "Baking" {
      return "all traffic, watched for \(run.spec.plan.bake?.for ?? "a while") before the old pods go"
    }
    guard let step = run.status?.step else { return nil }
    if let autopilot = run.status?.autopilot {
      let weights = autopilot.weights.map { "\($0)%" }.joined(separator: " > ")
      return "step \(step) by the autopilot" + (weights.isEmpty ? "" : " (\(weights))")
    }
    let steps = run.spec.plan.steps ?? []
    let name = steps.indices.contains(step - 1) ? steps[step - 1].name.map { " (\($0))" } ?? "" : ""
    return "step \(step) of \(run.status?.steps ?? steps.count)\(name)"
  }

  /// Filled up to the weight; a weight above 0 fills at least one place, and only 100 fills all.
  static func bar(_ weight: Int, width: Int) -> String {
    let weight = min(100, max(0, weight))
    var filled = weight * width / 100
    if weight > 0 { filled = max(1, filled) }
    if weight < 100 { filled = min(width - 1, filled) }
    return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]"
  }

  /// Mirror and routes of the traffic target.
  private static func extras(_ snapshot: RolloutSnapshot) -> String {
    guard let run = snapshot.run, run.isUnderWay,
      let target = run.status?.traffic.flatMap({ TrafficTarget($0) }), target.mirror != nil || !target.routes.isEmpty
    else { return "" }
    let parts = target.description.split(separator: ", ", maxSplits: 1).dropFirst()
    return parts.isEmpty ? "" : ", \(parts.joined())"
  }

  private static func tracks(_ snapshot: RolloutSnapshot) -> [String] {
    let status = snapshot.rollout.status
    let tracks = [("stable", status?.stable), ("canary", status?.canary)].compactMap { name, revision in
      revision.map { (name, $0) }
    }
    let rows = tracks.map { name, revision in
      let pods = revision.available.map { "\($0)/\(revision.desired ?? revision.pods ?? 0)" } ?? ""
      return [name, revision.hash, pods.isEmpty ? "" : pods + " pods", (revision.images ?? []).joined(separator: ", ")]
    }
    return Table(header: ["", "", "", ""], rows: rows).lines.dropFirst().map { "  " + $0 }
  }

  /// - Parameter isTold: whether a text stands in what was shown before.
  private static func run(
    _ run: RolloutRun, isRejected: Bool, now: Date, isTold: (String) -> Bool
  ) -> [String] {
    let status = run.status
    let phase = status?.phase ?? .pending
    var words = ["  run \(run.metadata.name ?? ""): \(phase.rawValue)"]
    if let stage = status?.stage { words.append(stage) }
    if phase.isFinished {
      if let took = Times.between(status?.startedAt?.date, status?.finishedAt?.date) { words.append("after \(took)") }
    } else if let since = Times.since(status?.stageSince?.date, now: now) {
      words.append("for \(since)")
    }
    var lines = ["", words.joined(separator: ", ")]
    if phase.isFinished, phase != .promoted, !isRejected, let message = status?.cause?.message ?? status?.message {
      lines.append("    \(message)")
    }
    if let autopilot = status?.autopilot, !phase.isFinished {
      if let budget = run.spec.plan.autopilot?.riskBudget { lines.append("    \(spent(autopilot, of: budget))") }
      if let reason = autopilot.reason, !isTold(reason) { lines.append("    \(reason)") }
    }
    lines += checks((status?.checks ?? []).filter { !$0.isRoutine }).map { "    " + $0 }
    if let answer = status?.commandMessage { lines.append("    last command: \(answer)") }
    return lines
  }

  /// `autopilot: 3 of the 200 requests in riskBudget are used`
  static func spent(_ autopilot: AutopilotStatus, of budget: Int) -> String {
    let harmed = autopilot.harmed.flatMap { Double($0) }.map(Readable.number) ?? "0"
    let anew = autopilot.forgiven.flatMap { Double($0) }.map { ", counted anew from \(Readable.number($0)) on" } ?? ""
    return "autopilot: \(harmed) of the \(budget) requests in riskBudget are used\(anew)"
  }

  static func checks(_ checks: [CheckRecord]) -> [String] {
    let rows = checks.map { [mark($0.verdict), $0.name, $0.verdict.rawValue, $0.message ?? $0.finding ?? ""] }
    return Array(Table(header: ["", "", "", ""], rows: rows).lines.dropFirst())
  }

  static func mark(_ verdict: CheckRecord.Verdict) -> String {
    switch verdict {
    case .pass: "+"
    case .fail: "x"
    case .insufficient: "?"
    case .unknown: "!"
    }
  }

  /// One line for a log, where no terminal redraws: it changes only when something happens.
  static func line(_ snapshot: RolloutSnapshot) -> String {
    let status = snapshot.rollout.status
    var words = [snapshot.rollout.metadata.key.description, status?.phase?.rawValue ?? "Unknown"]
    if let place = place(snapshot) { words.append(place) }
    words.append("weight \(status?.weight ?? 0)%")
    for (name, revision) in [("stable", status?.stable), ("canary", status?.canary)] {
      guard let revision else { continue }
      let pods = revision.available.map { " \($0)/\(revision.desired ?? revision.pods ?? 0)" } ?? ""
      words.append("\(name) \(revision.hash)\(pods)")
    }
    if let run = snapshot.run, run.isUnderWay {
      if let stage = run.status?.stage { words.append(stage) }
      for check in run.status?.checks ?? [] where !check.isRoutine {
        words.append("\(check.name) \(check.verdict.rawValue)")
      }
    }
    return words.joined(separator: ", ") + (news(snapshot).map { ": \($0)" } ?? "")
  }

  /// The Rollout's message, where it is more than a place: that is told by the run, which may be a step ahead of it.
  private static func news(_ snapshot: RolloutSnapshot) -> String? {
    guard let message = snapshot.rollout.status?.message, message != place(snapshot) else { return nil }
    let isPlace = place(snapshot) != nil && message.wholeMatch(of: /step \d+ of \d+( \([^)]*\))?/) != nil
    return isPlace ? nil : message
  }
}
