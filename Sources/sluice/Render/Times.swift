import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI

/// Spans as people read them.
enum Times {
  /// The two largest units: `45s`, `3m5s`, `2h10m`, `4d3h`.
  static func span(_ seconds: Double) -> String {
    let seconds = max(0, Int(nearest: seconds.rounded(.down)))
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
    guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0s" }
    let whole = "\(seconds / units[first].0)\(units[first].1)"
    guard first + 1 < units.count else { return whole }
    let rest = seconds % units[first].0 / units[first + 1].0
    return rest == 0 ? whole : whole + "\(rest)\(units[first + 1].1)"
  }

  static func since(_ date: Date?, now: Date) -> String? { date.map { span(now.timeIntervalSince($0)) } }

  static func between(_ start: Date?, _ end: Date?) -> String? {
    guard let start, let end else { return nil }
    return span(end.timeIntervalSince(start))
  }
}
