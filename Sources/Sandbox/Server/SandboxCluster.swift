import KubernetesAPI
import Logging
import ServiceLifecycle

/// A Kubernetes cluster in memory: the API over HTTP on a loopback address, the controllers a Deployment needs,
/// nodes that run pods in name only. Nothing of it outlives ``run()``.
public struct SandboxCluster: ServiceLifecycle.Service {
  let server: APIServer
  private let front: SandboxHTTPServer
  private let controllers: ControllerManager

  /// - Parameters:
  ///   - port: 0 for one that is free.
  ///   - onListening: called with the port once requests are answered.
  public init(
    host: String = "127.0.0.1", port: Int = 0, logger: Logger = Logger(label: "sandbox"),
    onListening: @escaping @Sendable (Int) async -> Void = { _ in }
  ) {
    self.init(
      server: APIServer(), behaviour: ImageBehaviours(), host: host, port: port, logger: logger,
      onListening: onListening)
  }

  /// - Parameter behaviour: what the pods of each image do.
  init(
    server: APIServer, behaviour: any PodBehaviours, host: String = "127.0.0.1", port: Int = 0,
    logger: Logger = Logger(label: "sandbox"), onListening: @escaping @Sendable (Int) async -> Void = { _ in }
  ) {
    self.server = server
    front = SandboxHTTPServer(server, host: host, port: port, logger: logger, onListening: onListening)
    controllers = .builtIn(cluster: InProcessAccess(server), behaviour: behaviour, logger: logger)
  }

  /// Runs until the service group shuts down, or the task is cancelled.
  /// - Throws: where the address is taken.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await controllers.run() }
      // In shutdown each ends by itself; where the front has a fault, the controllers have nothing left to do.
      try await front.run()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  /// A kubeconfig by which kubectl reaches a sandbox; it needs no credentials.
  public static func kubeconfig(host: String = "127.0.0.1", port: Int) -> String {
    """
    apiVersion: v1
    kind: Config
    clusters:
    - name: sandbox
      cluster: {server: "http://\(host):\(port)"}
    users:
    - name: sandbox
      user: {}
    contexts:
    - name: sandbox
      context: {cluster: sandbox, user: sandbox, namespace: default}
    current-context: sandbox

    """
  }
}
