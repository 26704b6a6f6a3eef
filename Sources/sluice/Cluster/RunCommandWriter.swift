import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

/// Writes `spec.command` of a run and waits for the echo.
struct RunCommandWriter {
  var session: Session
  var action: CommandAction
  var reason: String?
  var requestedBy: String? = ProcessInfo.processInfo.environment["USER"]
  /// How long the controller may take to answer.
  var patience: Duration = .seconds(15)

  /// - Returns: what became of the command.
  /// - Throws: ``CommandFailure`` where it was refused or not answered, or cannot be given.
  func write(to name: String, of rollout: String) async throws -> String {
    let key = session.key(name)
    var seen: RolloutRun?
    // The controller writes the status all the time; what counts is that no one else gave a command.
    let command = try await session.untilNoConflict(over: "run \(name)") {
      let json = try await session.client.get(.rolloutRuns, key)
      let run: RolloutRun = try json.decoded()
      try Self.check(run, action, rollout: rollout, seen: seen)
      seen = seen ?? run
      let command = Self.command(action, for: run, reason: reason, requestedBy: requestedBy)
      _ = try await session.client.patch(
        .rolloutRuns, key, .merge(Self.patch(command, resourceVersion: json.resourceVersion)))
      return command
    }
    return try await answer(to: command, key)
  }

  /// What forbids the command.
  static func check(
    _ run: RolloutRun, _ action: CommandAction, rollout: String, seen: RolloutRun?
  ) throws(CommandFailure) {
    let name = run.metadata.name ?? ""
    let phase = run.status?.phase ?? .pending
    if let seen, seen.spec.command != run.spec.command {
      let other = run.spec.command
      let who = other?.requestedBy.map { " by \($0)" } ?? ""
      throw CommandFailure(
        "meanwhile run \(name) was given another command\(who) (\(other?.action.rawValue ?? "none")); look, then try again"
      )
    }
    if let seen, action == .promote, seen.status?.step != run.status?.step {
      throw CommandFailure("meanwhile run \(name) went on to another step; look, then try again")
    }
    if action == .retry {
      guard phase == .aborted else {
        throw CommandFailure(
          "run \(name) is \(phase.rawValue): only a revision whose run was aborted can be tried again")
      }
    } else if phase.isFinished {
      let hint = action == .abort && phase == .promoted ? "; to go back: sluice undo \(rollout)" : ""
      throw CommandFailure("run \(name) is over (\(phase.rawValue)), so there is nothing to \(action.verb)\(hint)")
    }
  }

  static func command(
    _ action: CommandAction, for run: RolloutRun, reason: String?, requestedBy: String?
  ) -> RunCommand {
    RunCommand(
      action: action, step: action == .promote ? run.status?.step : nil, reason: reason, requestedBy: requestedBy,
      sequence: max(run.spec.command?.sequence ?? 0, run.status?.commandSequence ?? 0) + 1)
  }

  /// A merge patch that replaces the whole command and fails where the run changed.
  static func patch(_ command: RunCommand, resourceVersion: String) -> JSON {
    [
      "metadata": ["resourceVersion": .string(resourceVersion)],
      "spec": [
        "command": [
          "action": .string(command.action.rawValue), "step": command.step.map { JSON($0) } ?? .null,
          "reason": command.reason.map(JSON.string) ?? .null,
          "requestedBy": command.requestedBy.map(JSON.string) ?? .null, "sequence": JSON(command.sequence),
        ]
      ],
    ]
  }

  private func answer(to command: RunCommand, _ key: ObjectKey) async throws -> String {
    let time = session.client.time
    let end = time.uptime + patience
    while true {
      // A run that is gone was taken down with its Rollout.
      guard let run = try await session.client.find(RolloutRun.self, key) else { return "the run is gone" }
      if let sequence = run.status?.commandSequence, sequence >= command.sequence {
        let message = run.status?.commandMessage ?? "done"
        if sequence == command.sequence, message.hasPrefix("refused") { throw CommandFailure(message) }
        return sequence == command.sequence ? message : "overtaken by a later command: \(message)"
      }
      guard time.uptime < end else {
        throw CommandFailure(
          "the command is written (sequence \(command.sequence)), but no controller answered within \(patience.text); "
            + "is it running?")
      }
      try await time.sleep(for: .milliseconds(200))
    }
  }
}

extension CommandAction {
  /// As in "nothing to promote".
  var verb: String {
    switch self {
    case .promote, .promoteFull: "promote"
    case .pause: "pause"
    case .resume: "resume"
    case .abort: "abort"
    case .retry: "retry"
    }
  }
}
