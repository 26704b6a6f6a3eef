import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

struct GetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Show Rollouts, or one of them with its run.",
    discussion:
      "With --watch a terminal is redrawn every second; into a pipe goes one line each time something changes.")

  @Argument(help: "The Rollout; all of the namespace where absent.")
  var rollout: String?
  @Flag(name: .shortAndLong, help: "Go on showing until interrupted.")
  var watch = false
  @Flag(name: [.customShort("A"), .long], help: "Of all namespaces.")
  var allNamespaces = false
  @Option(name: .shortAndLong, help: "Print the object instead: json or yaml.")
  var output: OutputFormat?
  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    if allNamespaces, rollout != nil { throw ValidationError("--all-namespaces goes without the name of a Rollout") }
    if watch, output != nil { throw ValidationError("--watch goes without --output") }
  }

  func run() async throws {
    try await cluster.withSession { session in
      if let output {
        Output.print([try Output.text(try await objects(session), as: output)])
      } else if watch {
        try await follow(session)
      } else {
        Output.print(try await lines(session).panel)
      }
    }
  }

  private func objects(_ session: Session) async throws -> [JSON] {
    if let rollout {
      return [try await session.rollout(rollout) { try await session.client.get(.rollouts, $0) }]
    }
    return try await session.client.list(.rollouts, namespace: allNamespaces ? nil : session.namespace).items
  }

  private struct Drawing {
    var panel: [String]
    /// For a pipe: what did not change is not said again.
    var log: [String]
  }

  private func lines(_ session: Session) async throws -> Drawing {
    let now = session.client.time.now
    if let rollout {
      let snapshot = try await session.snapshot(rollout)
      return Drawing(panel: RolloutPanel.lines(snapshot, now: now), log: [RolloutPanel.line(snapshot)])
    }
    let list = try await session.client.list(Rollout.self, namespace: allNamespaces ? nil : session.namespace)
    for problem in list.unreadable { Output.note("\(problem)") }
    let place = allNamespaces ? "any namespace" : "namespace \(session.namespace)"
    guard !list.items.isEmpty else {
      return Drawing(panel: ["there is no Rollout in \(place)"], log: ["there is no Rollout in \(place)"])
    }
    let log = list.items.map { RolloutPanel.line(RolloutSnapshot(rollout: $0)) }
    return Drawing(panel: RolloutTable.lines(list.items, withNamespaces: allNamespaces, now: now), log: log)
  }

  private func follow(_ session: Session) async throws {
    var height = 0
    var said: Set<String> = []
    while !Task.isCancelled {
      let drawing = try await lines(session)
      if Output.isTerminal {
        Output.erase(lines: height)
        height = Output.draw(drawing.panel)
      } else {
        Output.print(drawing.log.filter { !said.contains($0) })
        said = Set(drawing.log)
      }
      try await session.client.time.sleep(for: .seconds(1))
    }
  }
}
