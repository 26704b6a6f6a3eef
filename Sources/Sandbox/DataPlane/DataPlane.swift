import Foundation
import KubernetesAPI
import Logging
import Synchronization

/// A mesh with a real proxy: pods are HTTP servers, an Envoy that someone else starts is told by files what the routing
/// objects and EndpointSlices say, and what it and the servers see is counted in Istio's metrics. One Envoy stands for
/// the sidecars of all callers (`mesh`) and for all gateways (`gateway`). There is no TLS: a request that carries the
/// proxies' header counts as `mutual_tls`, as it would be in a mesh.
final class DataPlane: Sendable {
  private struct State {
    var metrics = MeshMetrics()
    var random = MeshRandom(seed: 1)
    var config = MeshConfig()
    /// By uid.
    var pods: [String: Pod] = [:]
    /// The loopback port of each pod that listens, by uid.
    var listeners: [String: Int] = [:]
  }

  private struct Pod {
    var key: ObjectKey
    var address: String?
    var mesh: MeshPod
  }

  let bootstrap: EnvoyBootstrap
  private let logger: Logger
  private let log: AccessLogPipe
  private let state = Mutex(State())

  /// Prepares a folder; the proxy can be started once ``run(_:)`` has begun.
  /// - Throws: where the folder cannot be written.
  init(folder: URL, logger: Logger) throws {
    let ports = try LoopbackPorts.free(3)
    bootstrap = EnvoyBootstrap(
      ports: EnvoyBootstrap.Ports(mesh: ports[0], gateway: ports[1], admin: ports[2]), folder: folder.path)
    self.logger = logger
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw DataPlaneError(description: "cannot make the folder \(folder.path): \(error.localizedDescription)")
    }
    log = try AccessLogPipe(path: bootstrap.path(.accessLog))
    var files = DataPlaneFiles(bootstrap)
    try files.push(MeshConfig(), EnvoyClusters(services: [], slices: [], listeners: [:]))
    try files.write(bootstrap.json, .bootstrap)
  }

  /// Writes where requests are sent, for programs that send some.
  /// - Parameter network: the URL that says where pods really listen.
  /// - Throws: where the folder cannot be written.
  func announce(network: String) throws {
    try DataPlaneFiles(bootstrap).write(
      [
        "mesh": .string("127.0.0.1:\(bootstrap.ports.mesh)"),
        "gateway": .string("127.0.0.1:\(bootstrap.ports.gateway)"),
        "admin": .string("127.0.0.1:\(bootstrap.ports.admin)"), "network": .string(network),
      ], .addresses)
  }

  func isListening(_ uid: String) -> Bool { state.withLock { $0.listeners[uid] != nil } }

  /// The metrics of all proxies, in Prometheus' text format.
  func exposition() -> String { state.withLock { $0.metrics }.exposition() }

  /// By the address of each pod the one where it really listens, for callers beside the mesh.
  func network() -> JSON {
    state.withLock { state in
      var network: [String: JSON] = [:]
      for (uid, pod) in state.pods {
        guard let address = pod.address, let port = state.listeners[uid] else { continue }
        network[address] = .string("127.0.0.1:\(port)")
      }
      return .object(network)
    }
  }

  // MARK: Running

  /// Follows the cluster until the task is cancelled.
  /// - Throws: where the folder cannot be written any more.
  func run(_ source: some MeshSource, behaviours: any PodBehaviours = ApplicationBehaviours()) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      var files = DataPlaneFiles(bootstrap)
      var timer = PushTimer()
      var servers: [String: PodServer] = [:]
      var lines = AccessLogLines()
      var version: UInt64?
      var objects: MeshObjects?
      while !Task.isCancelled {
        let change = source.changed(MeshObjects.types, since: version)
        version = change.version
        if change.hasChanged {
          let seen = MeshObjects(source)
          observe(seen)
          if seen.fingerprint != objects?.fingerprint { timer.change(at: source.now) }
          objects = seen
          for server in Self.gone(&servers, seen.pods) { group.addTask { await server.stop() } }
          for pod in seen.pods where servers[pod.uid] == nil && serves(pod, behaviours) {
            let server = server(pod, source)
            servers[pod.uid] = server
            group.addTask { await self.serve(server) }
          }
        }
        if let objects, timer.takeDue(at: source.now) { try push(objects, &files) }
        count(lines.take(log.read()))
        do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
      }
      group.cancelAll()
    }
  }

  private func push(_ objects: MeshObjects, _ files: inout DataPlaneFiles) throws {
    let (config, listeners) = state.withLock { ($0.config, $0.listeners) }
    let clusters = EnvoyClusters(services: objects.services, slices: objects.slices, listeners: listeners)
    let written = try files.push(config, clusters)
    logger.debug("told the proxy", metadata: ["files": "\(written.map(\.name).joined(separator: " "))"])
  }

  private static func gone(_ servers: inout [String: PodServer], _ pods: [JSON]) -> [PodServer] {
    let here = Set(pods.map(\.uid))
    let gone = servers.filter { !here.contains($0.key) }
    for uid in gone.keys { servers[uid] = nil }
    return Array(gone.values)
  }

  /// Whether the application in a pod comes to listen: it has a node, and is none of those that never do.
  private func serves(_ pod: JSON, _ behaviours: any PodBehaviours) -> Bool {
    guard !pod.isBeingDeleted, pod[path: ["spec", "nodeName"]]?.string?.isEmpty == false else { return false }
    if case .serves = behaviours.behaviour(of: pod) { return true }
    return false
  }

  private func server(_ pod: JSON, _ source: some MeshSource) -> PodServer {
    let uid = pod.uid
    return PodServer(
      pod,
      answer: { [self] in answer(uid, now: source.now) },
      count: { [self] isMeshed, status, milliseconds in
        count(uid, isMeshed: isMeshed, status: status, milliseconds: milliseconds)
      },
      onListening: { [self] port in state.withLock { $0.listeners[uid] = port } })
  }

  private func serve(_ server: PodServer) async {
    do {
      try await server.run()
    } catch is CancellationError {
      // The sandbox ends.
    } catch {
      logger.error("a pod's server failed", metadata: ["pod": "\(server.pod)", "error": "\(error)"])
    }
  }

  // MARK: Seeing and counting

  private func observe(_ objects: MeshObjects) {
    let config = MeshConfig(objects)
    state.withLock { state in
      state.config = config
      var pods: [String: Pod] = [:]
      for object in objects.pods {
        let address = object[path: ["status", "podIP"]]?.string
        let known = state.pods[object.uid].flatMap { $0.mesh.resourceVersion == object.resourceVersion ? $0.mesh : nil }
        pods[object.uid] = Pod(key: object.objectKey, address: address, mesh: known ?? MeshPod(object))
      }
      let hasLost = state.pods.keys.contains { pods[$0] == nil }
      state.pods = pods
      guard hasLost else { return }
      state.listeners = state.listeners.filter { pods[$0.key] != nil }
      let here = Set(pods.values.map(\.key))
      let callers = Set(EnvoyRoutes.Entrance.allCases.map { Self.caller($0, namespace: "").pod })
      state.metrics.keep { namespace, pod in
        here.contains(ObjectKey(namespace: namespace, name: pod)) || callers.contains(pod)
      }
    }
  }

  private func answer(_ uid: String, now: Date) -> (status: Int, milliseconds: Double) {
    state.withLock { state in
      guard let pod = state.pods[uid]?.mesh else { return (200, 0) }
      let age = pod.started.map { now.timeIntervalSince($0) } ?? 0
      return pod.application.answer(podAge: age, random: &state.random)
    }
  }

  /// A request that a pod answered, as its own proxy reports it.
  private func count(_ uid: String, isMeshed: Bool, status: Int, milliseconds: Double) {
    state.withLock { state in
      guard let pod = state.pods[uid] else { return }
      let service = state.config.reportedService[pod.key]
      let source = isMeshed ? Self.caller(.mesh, namespace: pod.key.namespace) : .unknown
      state.metrics.count(
        MeshMetrics.Series(
          reporter: .destination, proxy: pod.mesh.workload, source: source.withoutPod,
          destination: pod.mesh.workload.withoutPod, service: service?.name ?? "unknown",
          serviceNamespace: service?.namespace ?? "unknown", responseCode: status, responseFlags: "-",
          securityPolicy: isMeshed ? "mutual_tls" : "none"),
        milliseconds: milliseconds)
    }
  }

  /// Requests that callers sent, as their proxies report them.
  private func count(_ entries: [AccessLogEntry]) {
    guard !entries.isEmpty else { return }
    state.withLock { state in
      var workloads: [Int: MeshMetrics.Series.Workload] = [:]
      for (uid, port) in state.listeners { workloads[port] = state.pods[uid]?.mesh.workload.withoutPod }
      for entry in entries {
        let source = Self.caller(entry.entrance, namespace: entry.service?.namespace ?? "default")
        state.metrics.count(
          MeshMetrics.Series(
            reporter: .source, proxy: source, source: source.withoutPod,
            destination: entry.listener.flatMap { workloads[$0] } ?? .unknown,
            service: entry.service?.name ?? "unknown", serviceNamespace: entry.service?.namespace ?? "unknown",
            responseCode: entry.status, responseFlags: entry.flags, securityPolicy: "unknown"),
          milliseconds: entry.milliseconds)
      }
    }
  }

  /// The callers, who have no pods: those in the mesh live beside the Service that they call.
  private static func caller(
    _ entrance: EnvoyRoutes.Entrance, namespace: String
  ) -> MeshMetrics.Series.Workload {
    switch entrance {
    case .mesh: MeshState.proxy("caller", pod: MeshState.callerPods[0], namespace: namespace)
    case .gateway: MeshState.proxy("istio-ingressgateway", pod: MeshState.gatewayPod, namespace: "istio-system")
    }
  }
}
