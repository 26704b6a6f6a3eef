import CanaryAnalysis
import Foundation
import Operator
import RolloutAPI

/// Numbers as people read them.
enum Readable {
  /// Whole from 100 on, else up to two places; of what is less than a tenth the first two digits.
  static func number(_ value: Double) -> String {
    if value != 0, abs(value) < 0.1 {
      return value.formatted(.number.precision(.significantDigits(1...2)).locale(Locale(identifier: "en_US")))
    }
    if abs(value) >= 100 || value == value.rounded() { return String(Int(nearest: value)) }
    let text = String(format: abs(value) >= 10 ? "%.1f" : "%.2f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Of a share.
  static func percent(_ share: Double) -> String { number(share * 100) + "%" }
}

/// What happened when a plan was tried, drawn for a terminal.
enum RehearsalPanel {
  /// - Parameter width: of the chart, in characters.
  static func lines(_ report: RehearsalReport, plan: Plan, title: String, width: Int = 60) -> [String] {
    var lines = ["\(plan.name): \(pace(plan)), \(title)", ""]
    lines += chart(report, width: width).map { "  " + $0 }
    lines += [""] + outcome(report, plan: plan) + [""]
    lines += Table(header: ["step", "what", "began", "verified after", "took"], rows: report.steps.map(row)).lines
      .map { "  " + $0 }
    lines += [""] + harm(report, plan: plan)
    // What ended it was told above.
    for finding in report.findings where !report.reason.contains(finding.message) {
      let dry = finding.isDryRun ? ", a dry run" : ""
      lines.append("  \(finding.name) (\(finding.verdict.rawValue)\(dry)): \(finding.message)")
    }
    return lines + report.cautions.map { "  note: \($0)" }
  }

  static func pace(_ plan: Plan) -> String {
    let count = plan.steps.count
    let pace =
      plan.autopilot.map { "autopilot with riskBudget \($0.riskBudget)" } ?? "\(count) \(count == 1 ? "step" : "steps")"
    return pace + (plan.bake.map { ", bake \($0.text)" } ?? "")
  }

  // MARK: - The chart

  /// A row for each weight that there was, time from left to right, and a line of verdicts for each check.
  static func chart(_ report: RehearsalReport, width: Int) -> [String] {
    let end = max(report.ended, report.watched, 1)
    let columns = (0..<width).map { column in
      report.points.last { $0.at <= (Double(column) + 0.999) / Double(width) * end }
    }
    let weights = Set(report.points.map(\.weight)).union([0]).sorted(by: >)
    let names = weights.map { "\($0)%" } + report.checks
    let margin = min(24, names.map(\.count).max() ?? 0)
    func label(_ text: String) -> String {
      let cut = text.count > margin ? text.prefix(margin - 1) + "…" : text[...]
      return String(repeating: " ", count: margin - cut.count) + cut
    }
    var lines = weights.map { weight in
      let row = columns.indices.map { column -> Character in
        let own = columns[column]?.weight ?? 0
        let before = column > 0 ? columns[column - 1]?.weight ?? 0 : own
        if own == before { return own == weight ? "━" : " " }
        // A step up or down is drawn where it begins.
        if weight == own { return own > before ? "┏" : "┗" }
        if weight == before { return own > before ? "┛" : "┓" }
        return (min(own, before)...max(own, before)).contains(weight) ? "┃" : " "
      }
      return "\(label("\(weight)%")) ┤\(trimmed(row))"
    }
    lines.append("\(label("")) └\(String(repeating: "─", count: width))")
    lines.append("\(label(""))  \(axis(end, width: width))")
    for (index, name) in report.checks.enumerated() {
      let row = columns.map { point -> Character in
        guard let point, point.verdicts.indices.contains(index) else { return " " }
        return mark(point.verdicts[index])
      }
      lines.append("\(label(name))  \(trimmed(row))")
    }
    lines.append("\(label(""))  + pass   x fail   ? too little data   ! no data")
    return lines
  }

  private static func mark(_ verdict: Verdict) -> Character {
    switch verdict {
    case .pass: "+"
    case .fail: "x"
    case .insufficient: "?"
    case .unknown: "!"
    }
  }

  private static func trimmed(_ row: [Character]) -> String {
    String(row.reversed().drop { $0 == " " }.reversed())
  }

  /// Times below the beginning, each quarter and the end.
  private static func axis(_ end: Double, width: Int) -> String {
    var line = Array(repeating: Character(" "), count: width + 8)
    for quarter in 0...4 {
      let text = Times.span(end * Double(quarter) / 4)
      let start = max(0, width * quarter / 4 - (quarter == 0 ? 0 : text.count / 2))
      for (offset, character) in text.enumerated() where start + offset < line.count {
        line[start + offset] = character
      }
    }
    return trimmed(line)
  }

  // MARK: - Words

  private static func outcome(_ report: RehearsalReport, plan: Plan) -> [String] {
    let steps = report.steps.last.map { last in
      "step \(last.step)" + (plan.autopilot == nil ? " of \(plan.steps.count)" : ", \(last.title)")
    }
    let place = report.baked == nil ? steps ?? "the start" : "the bake"
    let after = Times.span(report.ended)
    switch report.outcome {
    case .promoted: return ["Promoted after \(after)."]
    case .aborted: return ["Aborted after \(after), in \(place): \(report.reason)"]
    case .paused: return ["Waiting from \(after) on, in \(place): \(report.reason)"]
    case .unfinished: return ["Not over after \(after), in \(place): \(report.reason)"]
    }
  }

  private static func row(_ step: RehearsalReport.Step) -> [String] {
    [
      "\(step.step)" + (step.name.map { " \($0)" } ?? ""), step.title, Times.span(step.began),
      step.verified.map { Times.span($0 - step.began) } ?? "-", step.ended.map { Times.span($0 - step.began) } ?? "-",
    ]
  }

  private static func harm(_ report: RehearsalReport, plan: Plan) -> [String] {
    let (canary, stable) = (report.canary, report.stable)
    let share = Double(canary.all) / Double(max(1, canary.all + stable.all))
    var lines = ["The canary answered \(canary.all) requests, \(Readable.percent(share)) of all."]
    lines.append(
      "  \(canary.failed) failed, \(Readable.number(report.harmed)) more than with stable's rate "
        + "(\(Readable.percent(canary.failureRate)) against \(Readable.percent(stable.failureRate)))")
    if let budget = plan.autopilot?.riskBudget {
      lines.append("  riskBudget is \(budget): \(Readable.percent(report.harmed / Double(budget))) of it")
    }
    if canary.slow > 0 || stable.slow > 0 {
      lines.append(
        "  \(canary.slow) were too slow, \(Readable.number(report.slowed)) more than with stable's rate "
          + "(\(Readable.percent(canary.slowRate)) against \(Readable.percent(stable.slowRate)))")
    }
    return lines
  }
}
