import ArgumentParser
import RolloutAPI

/// What the commands to a run have in common.
struct RunCommandOptions: ParsableArguments {
  @Argument(help: "The Rollout.")
  var rollout: String

  @Option(help: "The run, where it is not the newest one.")
  var run: String?

  @Option(help: "Why; kept with the run and told in notifications.")
  var reason: String?

  @OptionGroup var cluster: ClusterOptions

  /// As the resource has it.
  private static let longestReason = 1024

  func validate() throws {
    guard let length = reason?.unicodeScalars.count, length > Self.longestReason else { return }
    throw ValidationError("--reason: found \(length) characters, wanted at most \(Self.longestReason)")
  }

  func send(_ action: CommandAction) async throws {
    try await cluster.withSession { session in
      let rollout = try await session.rollout(self.rollout)
      guard let run = self.run ?? rollout.status?.currentRun ?? rollout.status?.lastRun else {
        throw CommandFailure("Rollout \(self.rollout) has had no run yet, so there is nothing to \(action.verb)")
      }
      let answer = try await RunCommandWriter(session: session, action: action, reason: reason)
        .write(to: run, of: self.rollout)
      Output.print(["rollout/\(self.rollout) run/\(run): \(answer)"])
    }
  }
}

struct PromoteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Go on to the next step, or with --full past all that remain.",
    discussion: "Traffic is still verified, and a check that fails still aborts.")

  @Flag(help: "Skip the remaining steps.")
  var full = false
  @OptionGroup var options: RunCommandOptions

  func run() async throws { try await options.send(full ? .promoteFull : .promote) }
}

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Keep the run where it is. A check that fails still aborts.")
  @OptionGroup var options: RunCommandOptions

  func run() async throws { try await options.send(.pause) }
}

struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "resume", abstract: "Let a paused run go on.")
  @OptionGroup var options: RunCommandOptions

  func run() async throws { try await options.send(.resume) }
}

struct AbortCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "abort", abstract: "Send all traffic back to the stable revision and reject the new one.")
  @OptionGroup var options: RunCommandOptions

  func run() async throws { try await options.send(.abort) }
}

struct RetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Try a rejected revision again, from the first step.")
  @OptionGroup var options: RunCommandOptions

  func run() async throws { try await options.send(.retry) }
}
