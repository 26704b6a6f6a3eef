import Foundation
import KubernetesAPI
import Logging
import Synchronization
import Testing

@testable import Sandbox

struct ControllerManagerTests {
  /// Counts its looks and answers as it is told.
  private final class Probe: BuiltInController {
    let name = "probe"
    let looks = Mutex<[Date]>([])
    let answer: @Sendable (Int) throws(Status) -> Duration?

    init(_ answer: @escaping @Sendable (Int) throws(Status) -> Duration?) { self.answer = answer }

    func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
      change.type == .configMaps ? [change.reference] : []
    }

    func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
      let now = cluster.now
      let count = looks.withLock { looks in
        looks.append(now)
        return looks.count
      }
      return try answer(count)
    }
  }

  private static let conflict = Status(code: 409, reason: "Conflict", message: "modified")

  private func world(
    _ probe: Probe, logger: Logger = Logger(label: "test")
  ) throws -> (FakeCluster, ControllerManager) {
    let cluster = FakeCluster()
    _ = try cluster.create(.configMaps, ["metadata": ["name": "c", "namespace": "shop"]])
    return (cluster, ControllerManager(cluster: cluster, controllers: [probe], logger: logger))
  }

  @Test("a refused write is tried again after growing pauses, and then no more")
  func backoff() throws {
    let probe = Probe { count throws(Status) in
      if count < 6 { throw Self.conflict }
      return nil
    }
    let (cluster, manager) = try world(probe)
    #expect(manager.runUntilQuiet(for: .seconds(60), advance: cluster.advance))
    let looks = probe.looks.withLock { $0 }
    let pauses = zip(looks.dropFirst(), looks).map { $0.timeIntervalSince($1) }
    #expect(looks.count == 6)
    #expect(zip(pauses.dropFirst(), pauses).allSatisfy { $0 > $1 })
    #expect(pauses.allSatisfy { (0.01...0.2).contains($0) })
    #expect(manager.nextDue == nil)
  }

  @Test("the pause between attempts is at most 36 s, however many failed")
  func bounded() {
    for count in 0..<100 {
      #expect(DueQueue.backoff(afterFailures: count, seed: 99) <= .seconds(36))
    }
  }

  @Test("a look that was asked for later comes at its time, not before")
  func later() throws {
    let probe = Probe { count throws(Status) in count < 3 ? .seconds(10) : nil }
    let (cluster, manager) = try world(probe)
    manager.run(until: FakeCluster.start.adding(.seconds(15)), advance: cluster.advance)
    let looks = probe.looks.withLock { $0.map { $0.timeIntervalSince(FakeCluster.start) } }
    #expect(looks == [0, 10])
    #expect(manager.nextDue == FakeCluster.start.adding(.seconds(20)))
    #expect(cluster.now == FakeCluster.start.adding(.seconds(15)))
  }

  @Test("controllers that never come to rest are stopped")
  func livelock() throws {
    let probe = Probe { _ throws(Status) in .zero }
    // The complaint is meant; it has no place in the tests' output.
    let (_, manager) = try world(probe, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    #expect(manager.runDue(limit: 50) == 50)
  }

  @Test("two runs of the same story end in the same state")
  func repeatable() throws {
    func story() throws -> [JSON] {
      let world = World(images: ["app:2": .crashing])
      try world.create(.services, "web", ["spec": ["selector": ["app": "web"], "ports": [["port": 80]]]])
      try world.deploy(replicas: 7)
      world.settle()
      try world.setImage("app:2")
      world.pass(.seconds(100))
      try world.scale(to: 3)
      world.pass(.seconds(100))
      return world.cluster.types.flatMap { world.cluster.list($0, namespace: nil) }
    }
    #expect(try story() == story())
  }
}
