import ArgumentParser

struct VersionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "The version of this program, and of the server where one is asked for.")

  @Flag(help: "Also ask the API server.")
  var server = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    Output.print(["sluice \(Version.text)"])
    guard server else { return }
    try await cluster.withSession { session in
      let version = try await session.client.send(.raw("/version"))
      Output.print(["server \(version["gitVersion"]?.string ?? "unknown") at \(session.client.server)"])
    }
  }
}
