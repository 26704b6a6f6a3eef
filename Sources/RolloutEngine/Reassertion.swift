import Foundation
import RolloutAPI

/// What happens when somebody else writes the routing object: it is taken back a few times, and then a person is asked,
/// since two who undo each other's writes serve nobody. Only an abort, and what follows the point of no return, never
/// give in; they wait ever longer between their writes.
extension Turn {
  /// Re-assertions before that no longer count.
  static let reassertionWindow = Duration.seconds(300)
  /// How often a route is taken back within the window before a person is asked.
  static let reassertionsBeforeAsking = 3
  /// More times are not remembered: at the longest delay the window holds no more.
  static let reassertionsKept = 16
  private static let longestDelay = Duration.seconds(30)

  /// Whether the route is not what Sluice wrote last, and not by a change of what it is made from alone: at rest the plan
  /// may have been edited.
  private var isRouteForeign: Bool {
    let isUnderWay = run.map { !$0.stage.isFinished && $0.trafficWrittenAt != nil } ?? false
    return switch seen.routing {
    case .present(_, intact: true): false
    case .present(_, intact: false), .foreign: seen.routeWriter != nil || isUnderWay
    case .absent: isUnderWay
    case .conflict, .unusable: false
    }
  }

  private var recentReassertions: [Date] {
    rollout.reassertions.filter { !now.isOver(Self.reassertionWindow, since: $0) }
  }

  /// Whether the route may be written now. Writes that take it back are counted.
  mutating func mayWriteRoute() -> Bool {
    guard isRouteForeign else { return true }
    let recent = recentReassertions
    if let last = recent.last {
      let excess = recent.count - Self.reassertionsBeforeAsking
      let delay = excess < 0 ? .zero : min(.seconds(1) * (1 << min(excess, 8)), Self.longestDelay)
      guard now.isOver(delay, since: last) else {
        look(in: now.remaining(of: delay, since: last))
        return false
      }
    }
    rollout.reassertions = (recent + [now]).suffix(Self.reassertionsKept)
    return true
  }

  /// Why the route is not taken back once more without a person's word; `nil` where it may be.
  private var contest: String? {
    guard isRouteForeign, recentReassertions.count >= Self.reassertionsBeforeAsking else { return nil }
    let what = seen.routing == .absent ? (runPlan.editedRoute == nil ? "deleted" : "set back") : "changed"
    return "the routing object was \(what) by \(seen.routeWriter ?? "somebody") again, after Sluice had restored it "
      + "\(recentReassertions.count) times within \(Int(Self.reassertionWindow / .seconds(60))) minutes"
  }

  /// Pauses a run whose route somebody keeps changing.
  /// - Returns: whether it is paused for that.
  mutating func isContested(_ run: inout RunState) -> Bool {
    if case .conflict(let text) = run.pause {
      rollout.situation = .paused(text)
      return true
    }
    let text: String
    if case .unusable(let problem) = seen.routing {
      text = "\(problem); put it right, then go on with 'sluice resume', or 'sluice abort'"
    } else if let contest {
      text = "\(contest); stop that writer, then go on with 'sluice resume', or 'sluice abort'"
    } else {
      return false
    }
    run.pause = .conflict(text)
    announce(.paused, text, "\(run.name)-contested-\(Int(now.timeIntervalSince1970))", isWarning: true)
    rollout.situation = .paused(text)
    return true
  }

  /// The same between runs, where there is nobody to resume: Sluice tries again when the window has passed.
  mutating func isContestedAtRest() -> Bool {
    guard let contest, let first = recentReassertions.first else { return false }
    rollout.situation = .stalled(
      .routeContested, "\(contest); stop that writer, and Sluice restores it within the next minutes")
    look(in: now.remaining(of: Self.reassertionWindow, since: first))
    return true
  }
}
