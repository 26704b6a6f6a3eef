import ArgumentParser

/// `sluice`, also as `kubectl sluice` where it is installed under the name kubectl-sluice.
@main
struct Sluice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract: "Progressive delivery for the Deployments that you have.",
    discussion: """
      A Rollout says how new revisions of a Deployment go live. These commands show what happens and let people decide; \
      each acts on the run of the newest revision, and none changes what Git holds.
      """,
    version: Version.text,
    groupedSubcommands: [
      CommandGroup(
        name: "See",
        subcommands: [
          GetCommand.self, StatusCommand.self, HistoryCommand.self, ExplainCommand.self, DashboardCommand.self,
          DoctorCommand.self,
        ]),
      CommandGroup(
        name: "Try",
        subcommands: [LintCommand.self, ImportCommand.self, SimulateCommand.self, BacktestCommand.self]),
      CommandGroup(
        name: "Decide",
        subcommands: [
          PromoteCommand.self, PauseCommand.self, ResumeCommand.self, AbortCommand.self, RetryCommand.self,
          RestartCommand.self, UndoCommand.self, ReleaseCommand.self,
        ]),
      CommandGroup(name: "Run", subcommands: [ControllerCommand.self, SandboxCommand.self, VersionCommand.self]),
    ])
}
