import Foundation
import KubernetesAPI
import Logging
import Synchronization
import Testing
import TrafficRouting

@testable import KubernetesClient
@testable import Operator
@testable import Sandbox

/// A clock on which nobody waits; each sleep is told of first.
private struct EagerClock: Clock {
  let beforeSleep: @Sendable () -> Void
  var now: VirtualClock.Instant { VirtualClock.Instant(offset: .zero) }
  var minimumResolution: Duration { .zero }

  func sleep(until deadline: VirtualClock.Instant, tolerance: Duration?) async throws {
    beforeSleep()
    await Task.yield()
    try Task.checkCancellation()
  }
}

struct OptionalWatchTests {
  private static let definitions = ResourceType(
    group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions",
    namespaced: false)

  @Test("a kind is watched once a plan needs it and the cluster serves it, and given up when its definition goes")
  func life() async throws {
    let server = APIServer(clock: SandboxClock(now: { Date() }, sleep: { _ in throw CancellationError() }))
    let cluster = InProcessAccess(server)
    let kinds = ServedKinds()
    let type = ResourceType.virtualServices
    let box = Mutex<(view: ClusterView, story: [String])?>(nil)
    let clock = EagerClock {
      guard let (view, story) = box.withLock({ $0 }) else { return }
      func next(_ line: String, _ change: () throws -> Void) {
        box.withLock { $0?.story.append(line) }
        try? change()
      }
      switch story.last {
      case nil where !kinds.isAbsent(type): next("nobody asked, nothing was looked up") { kinds.want([type]) }
      case "nobody asked, nothing was looked up" where view.isAbsent(type):
        next("known to be absent") { try MeshDefinitions.install(in: cluster) }
      case "known to be absent" where view.isSynced(type):
        next("watched") { try cluster.delete(Self.definitions, ObjectKey(name: type.qualifiedName)) }
      case "watched" where view.isAbsent(type) && !view.isSynced(type): next("given up") {}
      default: break
      }
    }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let client = KubernetesClient(
      server: "http://sandbox", transport: SandboxTransport(server), time: TimeSource(clock),
      randomness: Randomness { 0.5 }, logger: logger)
    let informer = Informer<JSON>(
      type, client: client, options: InformerOptions(endsWhereNotServed: true),
      indexes: [ClusterView.byNamespace: { [$0.namespace] }])
    box.withLock { $0 = (ClusterView(caches: [type: informer.cache], kinds: kinds), []) }
    let watch = OptionalWatch(type: type, informer: informer, kinds: kinds, client: client, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await watch.run() }
      while box.withLock({ $0?.story.last }) != "given up" {
        await Task.yield()
        try Task.checkCancellation()
      }
      group.cancelAll()
    }
    #expect(
      box.withLock { $0?.story } == [
        "nobody asked, nothing was looked up", "known to be absent", "watched", "given up",
      ])
  }

  @Test("one query serves all runs of a mesh, and never those of another")
  func batches() throws {
    func look(_ name: String, _ metrics: (any TrafficRouting.MeshMetrics)?) -> DueLook {
      let scope = MetricsScope(namespace: "shop", services: [], stableReplicaSet: name, canaryReplicaSet: "")
      return DueLook(rollout: ObjectKey(namespace: "shop", name: name), scope: scope, metrics: metrics)
    }
    let many = (0..<MetricsScope.perQuery).map { look("run-\($0)", IstioMetrics()) }
    let due =
      [look("other", IstioMetrics(podLabel: "pod_name")), look("first", IstioMetrics()), look("none", nil)] + many
    #expect(
      Judge.batches(due).map { batch in batch.map(\.rollout.name) } == [
        ["other"], ["first"] + many.dropLast().map(\.rollout.name), [many.last?.rollout.name], ["none"],
      ])
  }
}
