import CanaryAnalysis
import Foundation
import RolloutAPI

/// What holds a step although its objectives pass: a service that burns its error budget, whoever is to blame, and guards
/// that have found an anomaly.
extension Turn {
  /// By this name a person's word on burning budgets is remembered beside those on guards.
  static let burnRate = "burnRate"

  /// Whether the run goes no further for now. A revision that returns is what ends an incident, so nothing holds it.
  mutating func isHeld(_ run: inout RunState) -> Bool {
    guard !run.isFastUndo else { return false }
    return isAnomalous(&run) || isUnread() || isBurning(&run)
  }

  /// A controller that takes over waits for what its guards had seen, or a step would end as if they had found nothing.
  private mutating func isUnread() -> Bool {
    guard seen.measured?.guards.contains(where: { $0.finding == .unread }) == true else { return false }
    rollout.situation = .running("guards read again what they saw before the controller was started")
    look(in: .seconds(1))
    return true
  }

  /// The guards that speak and that nobody has answered yet.
  private func anomalies(_ run: RunState) -> [GuardReport] {
    (seen.measured?.guards ?? []).filter { report in
      (report.finding == .anomaly || report.finding == .unusualService) && !run.acceptedGuards.contains(report.name)
    }
  }

  /// Guards that hold wait for a person: what they have found does not go away by waiting.
  private mutating func isAnomalous(_ run: inout RunState) -> Bool {
    if case .anomaly(let text) = run.pause {
      rollout.situation = .paused(text)
      return true
    }
    let anomalies = anomalies(run)
    guard !anomalies.isEmpty else { return false }
    guard run.pause == nil else { return true }
    let found = anomalies.map { "\($0.name): \($0.message)" }.joined(separator: "; ")
    let text = "guards found an anomaly: \(found); 'sluice resume' accepts it, 'sluice abort' does not"
    run.pause = .anomaly(text)
    announce(.paused, text, "\(run.name)-anomaly-\(run.stage.stepIndex ?? -1)-\(anomalies.count)", isWarning: true)
    rollout.situation = .paused(text)
    return true
  }

  /// The error budgets that burn. A canary that passes all objectives while stable alone burns the budget may be the cure,
  /// and is not held: a stable that breaks never blocks its own fix.
  private func burning(_ run: RunState) -> [BurnReport] {
    guard !run.acceptedGuards.contains(Self.burnRate) else { return [] }
    let binding = seen.measured?.binding ?? []
    let passes = !binding.isEmpty && binding.allSatisfy { $0.verdict == .pass }
    return (seen.measured?.burnRates ?? []).filter { report in
      report.finding == .burns || (report.finding == .stableAlone && !passes)
    }
  }

  /// A burning budget holds as long as it burns, and beyond the deadline pauses for a person: it never aborts, since it
  /// says nothing of the canary.
  private mutating func isBurning(_ run: inout RunState) -> Bool {
    let burning = burning(run)
    guard !burning.isEmpty else { return false }
    let index = run.stage.stepIndex ?? 0
    let found = burning.map(\.message).joined(separator: "; ")
    let place = run.stage.stepIndex.map { "in step \($0 + 1)" } ?? "while it bakes"
    let text = "held \(place) since the service burns its error budget, whoever is to blame: \(found)"
    rollout.situation = .running(text)
    announce(.held, text, "\(run.name)-burns-\(index)", isWarning: true)
    let analyze = run.stage.stepIndex.flatMap { runPlan.step($0, of: run)?.analyze?.duration }
    let deadline = max(runPlan.analysis.deadline, analyze ?? .zero)
    guard now.isOver(deadline, since: run.since) else {
      look(in: now.remaining(of: deadline, since: run.since))
      return true
    }
    if run.pause == nil {
      run.pause = .undecided(text)
      announce(.paused, text, "\(run.name)-burns-paused-\(index)", isWarning: true)
    }
    rollout.situation = .paused(text)
    return true
  }

  /// A controller that takes over does not know at first what the pause is about, so that a person's word on it would be
  /// taken and come to nothing.
  func isForgotten(_ run: RunState) -> Bool {
    guard case .anomaly = run.pause else { return false }
    return seen.measured?.guards.isEmpty ?? true
  }

  /// Who goes on by hand has seen what holds the run now; what comes up later holds it again.
  mutating func acceptHolds(_ run: inout RunState) {
    var accepted = anomalies(run).map(\.name)
    // Of what was found since the run paused, the person knows nothing.
    if case .anomaly(let text) = run.pause { accepted.removeAll { !text.contains("\($0): ") } }
    if !burning(run).isEmpty { accepted.append(Self.burnRate) }
    run.acceptedGuards = (run.acceptedGuards + accepted).suffix(32)
  }

  /// Guards that abort do so like a failed objective; what concerns the service as a whole is not the canary's.
  mutating func abortOnAnomaly(_ run: inout RunState) -> Bool {
    guard runPlan.analysis.guards == .abort, !run.isFastUndo,
      let anomaly = seen.measured?.guards.first(where: { $0.finding == .anomaly })
    else { return false }
    beginAbort(.failedCheck("guard \(anomaly.name): \(anomaly.message)"), &run)
    return true
  }

  // MARK: - What differed

  /// How long the end of an abort waits for what differed; the traffic has long been back then.
  private static let explanation = Duration.seconds(10)

  /// Takes in what differed most, once that is known.
  mutating func explain(_ run: inout RunState) {
    guard run.differences == nil, case .found(let differences) = seen.measured?.differences else { return }
    run.differences = differences
    guard let sentence = DifferenceRanking.sentence(differences) else { return }
    announce(
      .explained, "what differed most in the aborted revision \(run.revision): \(sentence)", "\(run.name)-explained")
  }

  mutating func isExplained(_ run: RunState) -> Bool {
    guard run.differences == nil, seen.measured?.differences == .underWay,
      !now.isOver(Self.explanation, since: run.since)
    else { return true }
    look(in: now.remaining(of: Self.explanation, since: run.since))
    return false
  }
}
