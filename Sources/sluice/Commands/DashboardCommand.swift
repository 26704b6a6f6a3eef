import ArgumentParser
import Dashboard
import HTTPTransport
import KubernetesClient
import Logging

/// Serves the page that shows Rollouts as they go.
struct DashboardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dashboard", abstract: "Show Rollouts in a browser, as they go.",
    discussion: """
      Reads Rollouts and RolloutRuns with your own rights, and writes nothing: deciding stays with the other commands. \
      Whoever can reach the address sees what you may see, so it is this machine's alone unless --address says otherwise.
      """)

  @Option(help: "The port; 0 takes a free one.")
  var port = 8090

  @Option(help: "The address to listen on.")
  var address = "127.0.0.1"

  @Option(help: "A name, besides localhost and addresses, under which it is reached; may be given several times.")
  var allowHost: [String] = []

  @Option(name: .shortAndLong, help: "Only Rollouts of this namespace; all where absent.")
  var namespace: String?

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard (0...65535).contains(port) else {
      throw ValidationError("--port: found \(port), wanted a port from 0 to 65535")
    }
  }

  func run() async throws {
    let settings = try connection.settings()
    let transport = try CurlTransport(settings.transportConfiguration(userAgent: "sluice/\(Version.text)"))
    let logger = Logger.toStandardError(.warning)
    let client = KubernetesClient(settings, transport: transport, logger: logger)
    let place = address.contains(":") ? "[\(address)]" : address
    let dashboard = Dashboard(
      client: client, namespace: namespace,
      address: DashboardAddress(host: address, port: port, hosts: Set(allowHost.map { $0.lowercased() })),
      logger: logger
    ) { port in
      Output.print(["Rollouts of \(settings.server): http://\(place):\(port)/", "Ctrl-C ends it."])
    }
    try await transport.whileOpen { try await serve([dashboard], logger: logger) }
  }
}
