import ArgumentParser
import KubernetesAPI
import KubernetesClient
import RolloutAPI

struct HistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show the runs of a Rollout, the newest last.")

  @Argument(help: "The Rollout.")
  var rollout: String
  @Option(name: .shortAndLong, help: "Print the runs instead: json or yaml.")
  var output: OutputFormat?
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await cluster.withSession { session in
      _ = try await session.rollout(rollout)
      if let output {
        let runs = try await session.client.list(.rolloutRuns, namespace: session.namespace).items
          .filter { $0[path: ["spec", "rolloutRef", "name"]]?.string == rollout }
        return Output.print([try Output.text(runs, as: output)])
      }
      let runs = try await session.runs(of: rollout)
      let lines = RunHistory.lines(runs, now: session.client.time.now)
      Output.print(runs.isEmpty ? ["rollout/\(rollout) has had no run yet"] : lines)
    }
  }
}

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show what a run did at each step, and the evidence of each decision.")

  @Argument(help: "The Rollout.")
  var rollout: String
  @Option(help: "The run; the newest where absent.")
  var run: String?
  @Flag(help: "Also show what Prometheus was asked.")
  var queries = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await cluster.withSession { session in
      if let run {
        let found = try await session.client.find(RolloutRun.self, session.key(run))
        guard let found else { throw CommandFailure("there is no run \(run) in namespace \(session.namespace)") }
        return Output.print(Explanation.lines(found, withQueries: queries))
      }
      let snapshot = try await session.snapshot(rollout)
      guard let newest = snapshot.run else {
        let message = snapshot.rollout.status?.message.map { ": \($0)" } ?? ""
        return Output.print(["rollout/\(rollout) has had no run yet\(message)"])
      }
      Output.print(Explanation.lines(newest, withQueries: queries))
    }
  }
}
