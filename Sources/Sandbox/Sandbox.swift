import Foundation
import Hummingbird
import KubernetesAPI
import Logging
import ServiceLifecycle
import Synchronization

/// A cluster to try a plan on: the Kubernetes API in memory, a mesh that obeys VirtualServices and HTTPRoutes with callers
/// and applications in it, and the metrics that a mesh would export. With a data plane, applications are HTTP servers and
/// the mesh is an Envoy, and callers are whoever sends requests.
public struct Sandbox: ServiceLifecycle.Service {
  /// Where it can be reached, once it answers.
  public struct Addresses: Sendable {
    public var apiPort: Int
    public var metricsPort: Int
    /// What to start Envoy with, where there is a data plane.
    public var envoyConfiguration: String?

    /// A kubeconfig for kubectl; the sandbox asks for no credentials.
    public var kubeconfig: String { SandboxCluster.kubeconfig(port: apiPort) }
  }

  private let port: Int
  private let metricsPort: Int
  private let auditLog: URL?
  private let dataPlane: URL?
  private let logger: Logger
  private let onReady: @Sendable (Addresses) async throws -> Void

  /// - Parameters:
  ///   - port: of the API; 0 for one that is free. All ports are on the loopback address.
  ///   - metricsPort: where `/metrics` is served; 0 for one that is free.
  ///   - auditLog: a file that gets a line for each request to a resource.
  ///   - dataPlane: the folder for the files of a real proxy; nil for a simulated mesh.
  ///   - onReady: called once both answer; what it throws ends the sandbox.
  public init(
    port: Int = 0, metricsPort: Int = 0, auditLog: URL? = nil, dataPlane: URL? = nil,
    logger: Logger = Logger(label: "sandbox"),
    onReady: @escaping @Sendable (Addresses) async throws -> Void = { _ in }
  ) {
    self.port = port
    self.metricsPort = metricsPort
    self.auditLog = auditLog
    self.dataPlane = dataPlane
    self.logger = logger
    self.onReady = onReady
  }

  /// Runs until it is cancelled or its service group shuts down.
  /// - Throws: where an address is taken, the audit log or the data plane's folder cannot be written, and what `onReady`
  ///   throws.
  public func run() async throws {
    let server = APIServer(audit: try auditLog.map(AuditLog.init(file:)))
    try MeshDefinitions.install(in: InProcessAccess(server))
    try SimulatedNodes.install(in: InProcessAccess(server))
    // A Service of which nothing is said has callers too, so that a team's own manifests come alive.
    let mesh = SimulatedMesh(settings: MeshSettings(defaultRate: 200))
    let dataPlane = try self.dataPlane.map { try DataPlane(folder: $0, logger: logger) }
    let behaviour: any PodBehaviours =
      dataPlane.map { plane in ListeningPods { plane.isListening($0) } } ?? ApplicationBehaviours()
    let (ports, tell) = AsyncStream.makeStream(of: Port.self, bufferingPolicy: .bufferingNewest(2))
    let cluster = SandboxCluster(
      server: server, behaviour: behaviour, port: port, logger: logger,
      onListening: { _ = tell.yield(.api($0)) })
    let exposition: @Sendable () -> String = { dataPlane?.exposition() ?? mesh.exposition() }
    var network: (@Sendable () -> JSON)?
    if let dataPlane { network = { dataPlane.network() } }
    let metrics = MetricsServer.application(
      port: metricsPort, logger: logger, exposition: exposition, network: network,
      onListening: { _ = tell.yield(.metrics($0)) })

    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        // Each ends by itself, whoever is connected; cancelled in the middle of that, a server complains.
        try await withThrowingDiscardingTaskGroup { servers in
          servers.addTask { try await cluster.run() }
          servers.addTask { try await metrics.run() }
        }
      }
      group.addTask {
        let source = ClusterMeshSource(cluster: InProcessAccess(server))
        guard let dataPlane else { return await mesh.run(source) }
        try await dataPlane.run(source)
      }
      group.addTask { [onReady] in
        var addresses = Addresses(apiPort: 0, metricsPort: 0)
        for await port in ports {
          switch port {
          case .api(let number): addresses.apiPort = number
          case .metrics(let number): addresses.metricsPort = number
          }
          guard addresses.apiPort != 0, addresses.metricsPort != 0 else { continue }
          try dataPlane?.announce(network: "http://127.0.0.1:\(addresses.metricsPort)/network")
          addresses.envoyConfiguration = dataPlane.map { $0.bootstrap.path(.bootstrap) }
          return try await onReady(addresses)
        }
      }
      // One of them ends when the ports are ready; whichever is second ends the sandbox.
      try await group.next()
      try await group.next()
      group.cancelAll()
    }
  }

  private enum Port: Sendable {
    case api(Int)
    case metrics(Int)
  }
}
