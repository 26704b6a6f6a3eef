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
  @Option(name: .shortAndLong, help: "Print the run with all of its evidence instead: json or yaml.")
  var output: OutputFormat?
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await cluster.withSession { session in
      if let run {
        let found = try await session.client.find(RolloutRun.self, session.key(run))
        guard let found else { throw CommandFailure("there is no run \(run) in namespace \(session.namespace)") }
        return try show(found)
      }
      let snapshot = try await session.snapshot(rollout)
      guard let newest = snapshot.run else {
        let message = snapshot.rollout.status?.message.map { ": \($0)" } ?? ""
        if output != nil { throw CommandFailure("rollout/\(rollout) has had no run yet\(message)") }
        return Output.print(["rollout/\(rollout) has had no run yet\(message)"])
      }
      try show(newest)
    }
  }

  private func show(_ run: RolloutRun) throws {
    guard let output else { return Output.print(Explanation.lines(run, withQueries: queries)) }
    var json = try JSON(encoding: run)
    json["apiVersion"] = .string(RolloutRun.resource.apiVersion)
    json["kind"] = .string(RolloutRun.resource.kind)
    Output.print([try Output.text([json], as: output)])
  }
}
