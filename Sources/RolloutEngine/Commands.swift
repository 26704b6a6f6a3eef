import Foundation
import RolloutAPI

/// What a person asked of a run.
public struct PersonsCommand: Sendable, Equatable {
  public var action: CommandAction
  /// The step that the person saw, where the action concerns one; counted from 0.
  public var step: Int?
  public var reason: String?
  public var requestedBy: String?
  public var sequence: Int

  public init(
    action: CommandAction, step: Int? = nil, reason: String? = nil, requestedBy: String? = nil, sequence: Int
  ) {
    self.action = action
    self.step = step
    self.reason = reason
    self.requestedBy = requestedBy
    self.sequence = sequence
  }
}

/// What people ask for. A command names the run by being written on it, and the step where that matters, so that two
/// people who act at once cannot skip a step that neither has seen.
extension Turn {
  mutating func obey(_ run: inout RunState) {
    guard let command = seen.command, command.sequence > run.commandSequence else { return }
    // A retry concerns a finished run and is carried out at rest.
    if run.stage.isFinished {
      if command.action != .retry {
        refuse(command, &run, "the run is over")
      } else if seen.setOfTemplate?.rejected != true {
        refuse(command, &run, "the Deployment's template holds no rejected revision")
      }
      return
    }
    if case .promoting(let stage) = run.stage, !stage.isReversible {
      return refuse(
        command, &run, "revision \(run.revision) is promoted already; 'sluice undo' brings the earlier one back")
    }
    if case .aborting = run.stage { return refuse(command, &run, "the run is being aborted") }
    if let step = command.step, let current = run.stage.stepIndex, step != current {
      return refuse(command, &run, "the run is at step \(current + 1), not at step \(step + 1) any more")
    }
    if accepts(command), isForgotten(run) { return look(in: .seconds(1)) }
    carryOut(command, &run)
  }

  /// Whether a person goes on by hand in spite of what holds the run.
  private func accepts(_ command: PersonsCommand) -> Bool {
    switch command.action {
    case .resume, .promote, .promoteFull: true
    case .abort, .pause, .retry: false
    }
  }

  private mutating func carryOut(_ command: PersonsCommand, _ run: inout RunState) {
    let who = command.requestedBy ?? "a person"
    let reason = command.reason.map { ": \($0)" } ?? ""
    run.commandSequence = command.sequence
    switch command.action {
    case .abort:
      run.commandMessage = "aborted"
      beginAbort(.person("aborted by \(who)\(reason)"), &run)
    case .pause:
      run.pause = .person(who)
      run.commandMessage = "paused"
      announce(.paused, "paused by \(who)\(reason)", "\(run.name)-command-\(command.sequence)")
    case .resume:
      let pause = run.pause
      if case .anomaly = pause { acceptHolds(&run) }
      run.pause = nil
      rollout.reassertions = []
      run.commandMessage = "resumed"
      announce(.resumed, "resumed by \(who)\(reason)", "\(run.name)-command-\(command.sequence)")
      if case .bypass = pause { run.acceptsBypass = true }
      if case .plainText = pause { run.acceptsPlainText = true }
      switch (pause, run.stage) {
      case (.plan, .step(let index, .pausing)): next(after: index, &run)
      case (.undecided, _):
        // The deadline begins anew.
        run.since = now
        if run.verifiedAt != nil { run.verifiedAt = now }
        renew(&run)
      default: break
      }
    case .promote:
      if run.stage == .promoting(.baking) {
        run.pause = nil
        run.commandMessage = "bake ended by \(who)"
        announce(.resumed, "bake ended by \(who)\(reason)", "\(run.name)-command-\(command.sequence)")
        return enter(.promoting(.unpinning), &run)
      }
      guard case .step(let index, let stage) = run.stage else {
        return refuse(command, &run, "there is no step to go on from")
      }
      let isWaitingToBegin = run.flight?.weights.isEmpty ?? false
      guard stage != .scaling || isWaitingToBegin else {
        return refuse(command, &run, "the canary's pods are not ready for step \(index + 1) yet")
      }
      if case .undecided = run.pause { renew(&run) }
      acceptHolds(&run)
      run.pause = nil
      rollout.reassertions = []
      run.commandMessage = "step \(index + 1) ended by \(who)"
      announce(.resumed, "step \(index + 1) ended by \(who)\(reason)", "\(run.name)-command-\(command.sequence)")
      next(after: index, &run)
    case .promoteFull:
      guard case .step = run.stage else { return refuse(command, &run, "the run is not in a step") }
      acceptHolds(&run)
      run.pause = nil
      rollout.reassertions = []
      run.acceptsBypass = true
      run.acceptsPlainText = true
      run.flight?.accepted = .all
      run.commandMessage = "promotion of the whole ordered by \(who)"
      announce(
        .resumed, "the remaining steps are skipped by \(who)\(reason)", "\(run.name)-command-\(command.sequence)")
      enter(.promoting(.scaling), &run)
    case .retry:
      refuse(command, &run, "the run is not over")
    }
  }

  private mutating func refuse(_ command: PersonsCommand, _ run: inout RunState, _ why: String) {
    run.commandSequence = command.sequence
    run.commandMessage = "refused \(command.action.rawValue): \(why)"
    announce(
      .refused, "\(command.action.rawValue) refused: \(why)", "\(run.name)-command-\(command.sequence)", isWarning: true
    )
  }
}
