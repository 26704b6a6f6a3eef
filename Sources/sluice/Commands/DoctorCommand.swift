import ArgumentParser
import HTTPTransport

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Look whether a cluster has all that Sluice needs.",
    discussion: """
      Says what is missing and what to do. It changes nothing: how Deployments are held is tried with a dry run. Exit \
      codes: 0 nothing keeps Sluice from its work; 1 the command itself failed; 2 something does; 3 something could not \
      be looked at.
      """)

  @Option(
    name: .customLong("prometheus-url"), help: "Where Prometheus answers, seen from here; not asked where absent.",
    transform: FlagValue.address)
  var prometheusURL: String?
  @Option(help: "The namespace that the controller runs in.")
  var controllerNamespace = "sluice-system"
  @Option(name: .shortAndLong, help: "Print it as json or yaml.")
  var output: OutputFormat?
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let outbound = try CurlTransport(
      TransportConfiguration(proxy: .environment(), userAgent: "sluice/\(Version.text)"))
    let diagnosis = try await outbound.whileOpen {
      try await cluster.withSession { session in
        try await Doctor(
          session: session, controllerNamespace: controllerNamespace, prometheusURL: prometheusURL, outbound: outbound
        ).diagnose()
      }
    }
    Output.print(try output.map { [try Output.text([diagnosis.json], as: $0)] } ?? diagnosis.lines)
    if diagnosis.exitCode != 0 { throw ExitCode(diagnosis.exitCode) }
  }
}
