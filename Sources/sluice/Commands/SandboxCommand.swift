import ArgumentParser
import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Sandbox
import TrafficRouting

/// Serves a cluster that is not one, to try a plan on a laptop.
struct SandboxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sandbox", abstract: "Serve a cluster in memory, with a simulated mesh, to try a plan on.",
    discussion: """
      kubectl works with it as with any cluster. Pods run in name only; a tag of their image says how they behave: \
      v2-errors5 answers 5 % of the requests with an error, v2-slow400 takes 400 ms. Everything is gone when it stops.
      """)

  @Option(help: "The port of the API; 0 for one that is free.")
  var port = 0

  @Option(help: "Where a kubeconfig for the sandbox is written; a file that is there is replaced.")
  var kubeconfig: String?

  @Option(
    help: ArgumentHelp(
      "Serve no cluster, but only the mesh, beside the cluster of this kubeconfig, which is read and not changed.",
      valueName: "kubeconfig"))
  var meshOf: String?

  @Flag(
    help: "With --mesh-of: write the status of HTTPRoutes there, as an implementation of the Gateway API would."
  )
  var meshRouteStatus = false

  @Option(help: "A file that gets a line for each request to a resource, as a real server's audit log.")
  var auditLog: String?

  @Option(help: "The port of the simulated mesh's metrics, for a Prometheus to scrape; 0 for one that is free.")
  var meshMetricsPort = 0

  @Option(
    help:
      "A folder, for a real Envoy in place of the simulated mesh: its configuration is written there, and pods serve.")
  var dataPlane: String?

  @Option(help: "trace, debug, info, notice, warning or error.")
  var logLevel: Logger.Level = .warning

  func validate() throws {
    for (flag, value) in [("--port", port), ("--mesh-metrics-port", meshMetricsPort)] where !(0...65535).contains(value)
    {
      throw ValidationError("\(flag): found \(value), wanted a port from 0 to 65535")
    }
    guard (kubeconfig == nil) != (meshOf == nil) else {
      throw ValidationError("wanted --kubeconfig, where the sandbox's is written, or --mesh-of, a cluster's own")
    }
    if meshRouteStatus, meshOf == nil {
      throw ValidationError("--mesh-route-status: it says more of --mesh-of, which is missing")
    }
    if dataPlane != nil, meshOf != nil {
      throw ValidationError("--data-plane: the pods of the cluster of --mesh-of cannot be made to listen; leave it out")
    }
  }

  func run() async throws {
    let logger = Logger.toStandardError(logLevel, label: "sandbox")
    if let kubeconfig { try await serve(kubeconfig, logger) }
    if let meshOf { try await simulateMesh(of: meshOf, logger) }
  }

  private func serve(_ file: String, _ logger: Logger) async throws {
    let dataPlane = dataPlane.map { URL(filePath: $0).standardizedFileURL }
    let sandbox = Sandbox(
      port: port, metricsPort: meshMetricsPort, auditLog: auditLog.map { URL(filePath: $0) }, dataPlane: dataPlane,
      logger: logger
    ) { addresses in
      do {
        try Data(addresses.kubeconfig.utf8).write(to: URL(filePath: file), options: .atomic)
      } catch {
        Output.note("sluice sandbox: cannot write the kubeconfig \(file): \(error.localizedDescription)")
        throw error
      }
      Output.print([
        "The sandbox is ready. In another terminal:",
        "  export KUBECONFIG=\(URL(filePath: file).path)",
        "  kubectl get namespaces",
        "Metrics of its mesh, for a Prometheus with honor_labels: http://127.0.0.1:\(addresses.metricsPort)/metrics",
      ])
      if let configuration = addresses.envoyConfiguration {
        Output.print([
          "Start its proxy, and send requests where addresses.json beside its configuration says:",
          "  envoy -c \(configuration) --disable-hot-restart --concurrency 1 --file-flush-interval-msec 100",
        ])
      }
      Output.print(["Ctrl-C stops it, and everything in it is gone."])
    }
    try await sluice.serve([sandbox], logger: logger)
  }

  private func simulateMesh(of kubeconfig: String, _ logger: Logger) async throws {
    let settings = try ClusterSettings.discover(kubeconfig: kubeconfig)
    let transport = try CurlTransport(settings.transportConfiguration(userAgent: "sluice/\(Version.text)"))
    let client = KubernetesClient(settings, transport: transport, logger: logger)
    let informers = MeshBeside.types.map { Informer<JSON>($0, client: client) }
    let caches = Dictionary(uniqueKeysWithValues: zip(MeshBeside.types, informers.map(\.cache)))
    let writeStatus: @Sendable (JSON) async -> Void = { route in
      do {
        _ = try await client.replace(.httpRoutes, route, subresource: "status")
      } catch {
        let metadata: Logger.Metadata = ["route": "\(route.objectKey)", "error": "\(error)"]
        logger.debug("a route's status was not written", metadata: metadata)
      }
    }
    let mesh = MeshBeside(
      metricsPort: meshMetricsPort, logger: logger, objects: { caches[$0]?.objects ?? [] },
      writeStatus: meshRouteStatus ? writeStatus : nil
    ) { port in
      Output.print([
        "A mesh is simulated by the routing objects of \(settings.server). Ctrl-C ends it.",
        "Its metrics, for a Prometheus with honor_labels: http://127.0.0.1:\(port)/metrics",
      ])
    }
    try await transport.whileOpen { try await sluice.serve([mesh] + informers, logger: logger) }
  }
}
