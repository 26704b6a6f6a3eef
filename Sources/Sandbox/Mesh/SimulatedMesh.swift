import Foundation
import KubernetesAPI
import Synchronization

/// Where the mesh reads its objects.
protocol MeshSource: Sendable {
  var now: Date { get }
  /// All namespaces; empty for a kind that is not served.
  func list(_ type: ResourceType) -> [JSON]
  /// Whether any object of some kinds changed since a version (nil for ever), and the version of now.
  func changed(_ types: [ResourceType], since version: UInt64?) -> (hasChanged: Bool, version: UInt64?)
}

extension MeshSource {
  /// Always, for a source that keeps no versions.
  func changed(_ types: [ResourceType], since version: UInt64?) -> (hasChanged: Bool, version: UInt64?) { (true, nil) }
}

/// The sandbox's API as the source.
struct ClusterMeshSource: MeshSource {
  var cluster: any ClusterAccess

  var now: Date { cluster.now }
  func list(_ type: ResourceType) -> [JSON] { cluster.list(type, namespace: nil) }

  func changed(_ types: [ResourceType], since version: UInt64?) -> (hasChanged: Bool, version: UInt64?) {
    let batch = cluster.changes(after: version)
    // The version under which a kind is served does not matter.
    let names = Set(types.map { "\($0.plural).\($0.group)" })
    let concerns = batch.changes.contains { names.contains("\($0.type.plural).\($0.type.group)") }
    return (version == nil || concerns, batch.version)
  }
}

extension ResourceType {
  static let istioVirtualServices = ResourceType(
    group: "networking.istio.io", kind: "VirtualService", plural: "virtualservices")
  static let gatewayRoutes = ResourceType(
    group: "gateway.networking.k8s.io", kind: "HTTPRoute", plural: "httproutes")
  static let gateways = ResourceType(group: "gateway.networking.k8s.io", kind: "Gateway", plural: "gateways")
  static let gatewayClasses = ResourceType(
    group: "gateway.networking.k8s.io", kind: "GatewayClass", plural: "gatewayclasses", namespaced: false)
}

/// The objects that a mesh lives by, read at one moment.
struct MeshObjects: Sendable {
  var virtualServices: [JSON]
  var httpRoutes: [JSON]
  var services: [JSON]
  var slices: [JSON]
  var pods: [JSON]
  /// Those whose mesh is Linkerd; Istio's is that of all others.
  var linkerd: Set<String>
  /// Those whose class is Envoy Gateway's, as `namespace/name`.
  var envoyGateways: Set<String>

  static let types: [ResourceType] = [
    .istioVirtualServices, .gatewayRoutes, .gateways, .gatewayClasses, .services, .endpointSlices, .pods, .namespaces,
  ]

  init(_ source: some MeshSource) {
    virtualServices = source.list(.istioVirtualServices)
    httpRoutes = source.list(.gatewayRoutes)
    linkerd = Set(source.list(.namespaces).filter(Linkerd.isMesh).map(\.name))
    let classes = Set(
      source.list(.gatewayClasses).filter {
        $0[path: ["spec", "controllerName"]]?.string == EnvoyGatewayProxies.controller
      }
      .map(\.name))
    envoyGateways = Set(
      source.list(.gateways).filter { classes.contains($0[path: ["spec", "gatewayClassName"]]?.string ?? "") }
        .map { "\($0.namespace)/\($0.name)" })
    services = source.list(.services)
    slices = source.list(.endpointSlices)
    pods = source.list(.pods)
  }

  /// Changes whenever the proxies must learn something; pods reach them by way of the slices.
  var fingerprint: [String] {
    // A route's status says nothing to proxies.
    [virtualServices, services, slices].flatMap { $0.map { "\($0.kind) \($0.uid) \($0.resourceVersion)" } }
      + httpRoutes.map { "\($0.kind) \($0.uid) \($0.generation)" } + linkerd.sorted()
      + envoyGateways.sorted()
  }
}

/// A mesh without proxies: simulated callers send requests that obey the VirtualServices and HTTPRoutes in the sandbox's
/// store, reach simulated applications, and are counted in Istio's metrics; in namespaces with the annotation
/// `linkerd.io/inject: enabled` they obey HTTPRoutes alone, and are counted in Linkerd's; through a Gateway of Envoy
/// Gateway's class, in Envoy's. See ``MeshCallers`` and ``MeshApplication`` for the annotations that steer it.
final class SimulatedMesh: Sendable {
  private let state: Mutex<MeshState>
  /// A busy cluster may change all the time.
  private static let readings = 5
  /// The version of the source that was read last.
  private let version = Mutex<UInt64?>(nil)

  init(settings: MeshSettings = MeshSettings()) {
    state = Mutex(MeshState(settings: settings))
  }

  /// Sends what is due since the tick before; the first one only looks around.
  func tick(_ source: some MeshSource) {
    var objects: MeshObjects?
    // Kinds are read one after the other; what changed meanwhile would leave routes without their endpoints.
    for _ in 0..<Self.readings {
      let change = source.changed(MeshObjects.types, since: version.withLock { $0 })
      version.withLock { $0 = change.version }
      guard change.hasChanged else { break }
      objects = MeshObjects(source)
      // Such a source cannot tell.
      if change.version == nil { break }
    }
    let now = source.now
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
