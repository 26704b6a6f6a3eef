import ArgumentParser
import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Operator
import Prometheus

/// Runs the operator.
struct ControllerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "controller", abstract: "Run the operator, in a cluster or beside it.",
    discussion: """
      Several may run at once; the one that holds the lease works. It stops on SIGTERM or SIGINT after what it is writing, \
      and gives the lease back.

      Where OTEL_EXPORTER_OTLP_ENDPOINT names a collector, as http://jaeger:4318, each run is sent there as a trace (OTLP as \
      JSON over HTTP); OpenTelemetry's other variables for the exporter and the resource are heeded.
      """)

  @OptionGroup var connection: ConnectionOptions

  @Option(
    name: .customLong("prometheus-url"), help: "Where Prometheus answers, as http://prometheus.monitoring:9090.",
    transform: FlagValue.address)
  var prometheusURL: String

  @Option(name: [.short, .long], help: "Only Rollouts of this namespace; all where absent.")
  var namespace: String?

  @Option(help: "The namespace of the lease; that of the context where absent.")
  var leaseNamespace: String?

  @Option(
    name: .customLong("leader-elect-lease-duration"),
    help: "Seconds after which another controller takes over from one that does not renew the lease.")
  var leaseDuration = 15

  @Option(help: "A namespace, other than a Rollout's own, whose gateways plans may name; may be given several times.")
  var gatewayNamespace: [String] = []

  @Option(help: "How many Rollouts are reconciled at the same time.")
  var workers = 8

  @Option(
    help:
      "The label by which queries in plans are kept to the Rollout's namespace; every selector gets it as a matcher.")
  var queryNamespaceLabel = "namespace"

  @Flag(help: "Let queries in plans read the metrics of all namespaces.")
  var allowQueriesOfAllNamespaces = false

  @Option(help: "The port of /healthz, /readyz and /metrics; none is opened where absent.")
  var statusPort: Int?

  @Option(help: "The address that --status-port is opened on; :: for IPv6 too.")
  var statusAddress = "0.0.0.0"

  @Option(help: "trace, debug, info, notice, warning or error.")
  var logLevel: Logger.Level = .info

  func validate() throws {
    guard (5...300).contains(leaseDuration) else {
      throw ValidationError("--leader-elect-lease-duration: found \(leaseDuration), wanted seconds from 5 to 300")
    }
    guard (1...64).contains(workers) else {
      throw ValidationError("--workers: found \(workers), wanted a number from 1 to 64")
    }
    guard PromQL.isLabelName(queryNamespaceLabel) else {
      throw ValidationError("--query-namespace-label: found '\(queryNamespaceLabel)', wanted the name of a label")
    }
    if let statusPort, !(1...65535).contains(statusPort) {
      throw ValidationError("--status-port: found \(statusPort), wanted a port from 1 to 65535")
    }
  }

  func run() async throws {
    let settings = try connection.settings()
    let logger = Logger.toStandardError(logLevel)
    let agent = "sluice/\(Version.text)"
    let outbound = try CurlTransport(TransportConfiguration(proxy: .environment(), userAgent: agent))
    let identity = "\(ProcessInfo.processInfo.hostName)_\(UUID().uuidString.prefix(8))"
    let spans = try TracingSettings(
      environment: ProcessInfo.processInfo.environment, version: Version.text, instance: identity
    ).map { SpanExporter($0, transport: outbound, logger: logger) }
    let operatorSettings = OperatorSettings(
      prometheusURL: prometheusURL, namespace: namespace,
      lease: ObjectKey(namespace: leaseNamespace ?? settings.namespace, name: "sluice"), identity: identity,
      leaseDuration: .seconds(leaseDuration), gatewayNamespaces: Set(gatewayNamespace), workers: workers,
      queryNamespaceLabel: allowQueriesOfAllNamespaces ? nil : queryNamespaceLabel,
      status: statusPort.map { StatusAddress(host: statusAddress, port: $0) }, version: Version.text)
    var configuration = settings.transportConfiguration(userAgent: agent)
    configuration.writeConnections.perHost = operatorSettings.writeConnections
    let transport = try CurlTransport(configuration)
    let requests = RequestCounts()
    let counted = requests.counting(transport)
    let client = KubernetesClient(settings, transport: spans?.tracing(counted) ?? counted, logger: logger)
    let controller = Controller(
      settings: operatorSettings, client: client, outbound: outbound, requests: requests, spans: spans,
      logger: logger)
    logger.info(
      "starting", metadata: ["version": "\(Version.text)", "server": "\(settings.server)", "identity": "\(identity)"])
    try await outbound.whileOpen {
      try await transport.whileOpen { try await serve([controller], logger: logger) }
    }
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
