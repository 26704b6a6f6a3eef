import HTTPTransport
import KubernetesAPI
import ServiceLifecycle
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("Leader election")
struct LeaderElectorTests {
  /// What one process did while it led, and a way to wait for it.
  final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    private let signal = Signal()
    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) {
      lines.withLock { $0.append(line) }
      signal.raise()
    }

    func wait(for count: Int) async throws {
      while true {
        let seen = signal.version
        if all.count >= count { return }
        try await signal.wait(beyond: seen)
      }
    }
  }

  /// - Parameter isPolite: what leads ends by itself on graceful shutdown.
  func elector(
    _ identity: String, _ server: LeaseServer, _ clock: ManualClock, _ log: Log, isPolite: Bool = true
  ) -> LeaderElector {
    LeaderElector(
      client: makeClient(server.transport, clock: clock),
      options: LeaderElectionOptions(lease: ObjectKey(namespace: "sluice", name: "leader"), identity: identity)
    ) {
      log.add("\(identity) leads")
      defer { log.add("\(identity) stops") }
      if isPolite {
        try await gracefulShutdown()
      } else {
        // Longer than any test.
        try await clock.sleep(until: clock.now.advanced(by: .seconds(1_000_000)), tolerance: nil)
      }
    }
  }

  @Test("the first takes the lease, renews it with its acquire time, and the fence moves with each renewal")
  func renewal() async throws {
    let server = LeaseServer()
    let clock = ManualClock()
    let log = Log()
    let elector = elector("a", server, clock, log)
    #expect(!elector.isLeading)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await elector.run() }
      try await log.wait(for: 1)
      #expect(elector.isLeading)
      #expect(elector.fence.timeLeft == .seconds(13))
      // The pause before the renewal.
      await clock.sleepers()
      clock.advance(by: .seconds(2))
      await clock.sleepers()
      #expect(server.writes.count == 2)
      #expect(elector.fence.timeLeft == .seconds(13))
      let times = server.writes.compactMap { $0[path: ["spec", "acquireTime"]]?.string }
      #expect(Set(times) == ["2001-09-09T01:46:40.000000Z"])
      #expect(server.lease?[path: ["spec", "renewTime"]]?.string == "2001-09-09T01:46:42.000000Z")
      group.cancelAll()
    }
    #expect(log.all == ["a leads", "a stops"])
  }

  @Test("a leader that gets no answer stops in time before another can take the lease, and leads again later")
  func lossByTime() async throws {
    let server = LeaseServer()
    let clock = ManualClock()
    let log = Log()
    let elector = elector("a", server, clock, log)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await elector.run() }
      try await log.wait(for: 1)
      await clock.sleepers()
      server.setAway(true)
      for _ in 0..<4 {
        clock.advance(by: .seconds(2))
        await clock.sleepers()
        #expect(elector.isLeading)
      }
      // The renew deadline, five seconds before another could take the lease.
      clock.advance(by: .seconds(2))
      try await log.wait(for: 2)
      #expect(log.all == ["a leads", "a stops"])
      #expect(!elector.isLeading)
      server.setAway(false)
      for _ in 0..<100_000 where log.all.count < 3 {
        clock.advance(by: .milliseconds(500))
        await Task.yield()
      }
      #expect(log.all.last == "a leads")
      group.cancelAll()
    }
  }

  @Test("a leader whose lease another wrote stops at once")
  func lossByOther() async throws {
    let server = LeaseServer()
    let clock = ManualClock()
    let log = Log()
    let elector = elector("a", server, clock, log)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await elector.run() }
      try await log.wait(for: 1)
      await clock.sleepers()
      server.take(by: "b")
      clock.advance(by: .seconds(2))
      try await log.wait(for: 2)
      #expect(!elector.isLeading)
      #expect(elector.holder == "b")
      group.cancelAll()
    }
    #expect(server.holder == "b")
  }

  @Test("on graceful shutdown the lease is given back after the leader has stopped, and the next one has it at once")
  func handOver() async throws {
    let server = LeaseServer()
    let clock = ManualClock()
    let log = Log()
    let first = elector("a", server, clock, log)
    let second = elector("b", server, clock, log)
    let group = ServiceGroup(services: [first], logger: .init(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await log.wait(for: 1)
      await group.triggerGracefulShutdown()
      try await tasks.next()
      #expect(log.all == ["a leads", "a stops"])
      #expect(server.holder == nil)
      #expect(server.lease?[path: ["spec", "leaseDurationSeconds"]] == 1)
      tasks.addTask { try? await second.run() }
      try await log.wait(for: 3)
      #expect(clock.elapsed == .zero)
      #expect(server.lease?[path: ["spec", "leaseTransitions"]] == 1)
      tasks.cancelAll()
    }
  }

  @Test("on graceful shutdown what leads may finish as the leader, and is cancelled after the grace period")
  func grace() async throws {
    let server = LeaseServer()
    let clock = ManualClock()
    let log = Log()
    let elector = elector("a", server, clock, log, isPolite: false)
    let group = ServiceGroup(services: [elector], logger: .init(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await log.wait(for: 1)
      await clock.sleepers(2)
      await group.triggerGracefulShutdown()
      // What leads, the pause before the renewal, the grace period.
      await clock.sleepers(3)
      #expect(elector.isLeading)
      clock.advance(by: .seconds(5))
      try await tasks.next()
    }
    #expect(log.all == ["a leads", "a stops"])
    #expect(server.holder == nil)
  }

  @Test("what the leader throws ends the election with that error, and gives the lease back")
  func failure() async throws {
    struct Fault: Error {}
    let server = LeaseServer()
    let elector = LeaderElector(
      client: makeClient(server.transport, clock: ManualClock()),
      options: LeaderElectionOptions(lease: ObjectKey(namespace: "n", name: "l"), identity: "a")
    ) {
      throw Fault()
    }
    await #expect(throws: Fault.self) { try await elector.run() }
    #expect(server.lease != nil)
    #expect(server.holder == nil)
  }
}
