import Foundation
import Hummingbird
import KubernetesAPI
import Logging
import ServiceLifecycle

/// The simulated mesh beside another cluster: its callers obey the routing objects there, and its metrics are served here.
/// It only reads, unless it is to stand in for the implementations of the Gateway API too, which write HTTPRoutes' status.
public struct MeshBeside: ServiceLifecycle.Service {
  /// What has to be read of the cluster.
  public static var types: [ResourceType] { MeshObjects.types }

  private let objects: @Sendable (ResourceType) -> [JSON]
  private let writeStatus: (@Sendable (JSON) async -> Void)?
  private let metricsPort: Int
  private let logger: Logger
  private let onListening: @Sendable (Int) -> Void

  /// - Parameters:
  ///   - metricsPort: where `/metrics` is served on the loopback address; 0 for one that is free.
  ///   - objects: all objects of one of ``types``, of all namespaces.
  ///   - writeStatus: puts an HTTPRoute with another status; a write that fails is tried again.
  ///   - onListening: called with the port once the metrics are served.
  public init(
    metricsPort: Int = 0, logger: Logger = Logger(label: "mesh"),
    objects: @escaping @Sendable (ResourceType) -> [JSON], writeStatus: (@Sendable (JSON) async -> Void)? = nil,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.objects = objects
    self.writeStatus = writeStatus
    self.metricsPort = metricsPort
    self.logger = logger
    self.onListening = onListening
  }

  private struct Source: MeshSource {
    var objects: @Sendable (ResourceType) -> [JSON]
    var now: Date { Date() }
    func list(_ type: ResourceType) -> [JSON] { objects(type) }
  }

  /// Runs until it is cancelled or its service group shuts down.
  /// - Throws: where the address is taken.
  public func run() async throws {
    // Nobody calls the Services that do not ask for it: they are somebody's.
    let mesh = SimulatedMesh(settings: MeshSettings())
    let metrics = MetricsServer.application(
      port: metricsPort, logger: logger, exposition: { mesh.exposition() }, onListening: onListening)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await metrics.run() }
      group.addTask { await mesh.run(Source(objects: objects)) }
      if let writeStatus { group.addTask { await keepStatus(writeStatus) } }
      try await group.next()
      group.cancelAll()
    }
  }

  private func keepStatus(_ write: @Sendable (JSON) async -> Void) async {
    while !Task.isCancelled {
      let status = RouteStatus(
        find: { type, key in objects(type).first { $0.objectKey == key } }, now: Date())
      for route in objects(.gatewayRoutes) where !route.isBeingDeleted {
        if let updated = status.update(of: route) { await write(updated) }
      }
      do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
    }
  }
}
