import Foundation
import KubernetesAPI
import Synchronization

/// Where the mesh reads its objects.
protocol MeshSource: Sendable {
  var now: Date { get }
  /// All namespaces; empty for a kind that is not served.
  func list(_ type: ResourceType) -> [JSON]
}

/// The sandbox's API as the source.
struct ClusterMeshSource: MeshSource {
  var cluster: any ClusterAccess

  var now: Date { cluster.now }
  func list(_ type: ResourceType) -> [JSON] { cluster.list(type, namespace: nil) }
}

extension ResourceType {
  static let istioVirtualServices = ResourceType(
    group: "networking.istio.io", kind: "VirtualService", plural: "virtualservices")
}

/// The objects that a mesh lives by, read at one moment.
struct MeshObjects: Sendable {
  var virtualServices: [JSON]
  var services: [JSON]
  var slices: [JSON]
  var pods: [JSON]

  init(_ source: some MeshSource) {
    virtualServices = source.list(.istioVirtualServices)
    services = source.list(.services)
    slices = source.list(.endpointSlices)
    pods = source.list(.pods)
  }

  /// Changes whenever the proxies must learn something; pods reach them by way of the slices.
  var fingerprint: [String] {
    [virtualServices, services, slices].flatMap { $0.map { "\($0.kind) \($0.uid) \($0.resourceVersion)" } }
  }
}

/// A mesh without proxies: simulated callers send requests that obey the VirtualServices in the sandbox's store, reach
/// simulated applications, and are counted in Istio's metrics. See ``MeshCallers`` and ``MeshApplication`` for the
/// annotations that steer it.
final class SimulatedMesh: Sendable {
  private let state: Mutex<MeshState>

  init(settings: MeshSettings = MeshSettings()) {
    state = Mutex(MeshState(settings: settings))
  }

  /// Sends what is due since the tick before; the first one only looks around.
  func tick(_ source: some MeshSource) {
    let (objects, now) = (MeshObjects(source), source.now)
    state.withLock { $0.tick(objects, now: now) }
  }

  /// The metrics of all proxies, in Prometheus' text format.
  func exposition() -> String { state.withLock { $0 }.exposition() }

  /// Ticks until the task is cancelled.
  func run(_ source: some MeshSource, every interval: Duration = .milliseconds(100)) async {
    while !Task.isCancelled {
      tick(source)
      do { try await Task.sleep(for: interval) } catch { return }
    }
  }
}
