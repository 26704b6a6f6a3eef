import Foundation
import KubernetesAPI
import Testing

/// Several controllers, of which one at a time may write.
@Suite("A failed leader", .cluster("failover"), .noted, .timeLimit(.minutes(5)))
struct Failover {
  /// Who holds the lease, and since when.
  private func leader(_ shop: Shop) async throws -> (holder: String, since: Date)? {
    let outcome = try await shop.cluster.kubectl.run(["get", "leases", "--all-namespaces", "--output=json"])
    let leases = try JSON(parsing: Data(outcome.output.utf8))["items"]?.array ?? []
    guard let spec = leases.first(where: { $0.name == "sluice" })?["spec"],
      let holder = spec["holderIdentity"]?.string, !holder.isEmpty,
      let since = spec["acquireTime"]?.string.flatMap({ MicroTime($0) })
    else { return nil }
    return (holder, since.date)
  }

  private func untilLed(_ shop: Shop, byOtherThan old: String) async throws -> (holder: String, since: Date) {
    try await poll("another leader than \(old)", within: .seconds(30), every: .milliseconds(200)) {
      try await leader(shop).flatMap { $0.holder == old ? nil : $0 }
    }
  }

  /// The lines that change something; the lease itself is how leaders are made.
  private func writes(_ requests: some Sequence<String>) -> [String] {
    requests.filter { line in
      !line.hasPrefix("GET ") && !line.contains("/leases") && !line.contains("dryRun=All")
    }
  }

  @Test("a leader that stops hands over at once, a frozen one is replaced within its lease and writes nothing after")
  func failover() async throws {
    let leaseSeconds = 6
    try await Shop.open("failover") { shop in
      let cluster = shop.cluster
      let first = try await leader(shop)
      let old = try #require(first).holder
      let (frozen, gate) = try await cluster.startController(named: "controller-2", leaseSeconds: leaseSeconds)
      _ = try await poll("a second controller", within: .seconds(20)) {
        gate.requests.contains { $0.contains("/leases/sluice") } ? true : nil
      }

      // A graceful end: the lease is given back, and the one who waits takes it.
      let stopped = Date()
      await cluster.stopController()
      let second = try await untilLed(shop, byOtherThan: old)
      let pause = second.since.timeIntervalSince(stopped)
      #expect(pause < 2, "handed over in \(pause) s")

      // A hard one, in the middle of a run.
      let (spare, spareGate) = try await cluster.startController(named: "controller-3", leaseSeconds: leaseSeconds)
      _ = try await poll("a third controller", within: .seconds(20)) {
        spareGate.requests.contains { $0.contains("/leases/sluice") } ? true : nil
      }
      try await shop.setImage("v2")
      try await shop.untilWeight(20)
      #expect(writes(spareGate.requests) == [], "who does not lead writes nothing")
      frozen.signal(SIGSTOP)
      let frozenAt = Date()
      let third = try await untilLed(shop, byOtherThan: second.holder)
      let gap = third.since.timeIntervalSince(frozenAt)
      #expect(gap < Double(leaseSeconds) + 2, "taken over after \(gap) s")
      try await shop.untilWeight(50)

      // It wakes, with all that it was about to do, while the other works.
      let before = gate.requests.count
      frozen.signal(SIGCONT)
      _ = try await poll("the woken one to see that it lost the lease", within: .seconds(20)) {
        frozen.tail(1, containing: "lost the lease").isEmpty ? nil : true
      }

      // The API server goes away and comes back: after the leader's first call that fails, and within its lease, which it
      // would rightly lose.
      spareGate.shut()
      _ = try await poll("the leader to miss a renewal", within: .seconds(4)) {
        spare.tail(1, containing: "the lease was not renewed").isEmpty ? nil : true
      }
      spareGate.open()
      try await shop.status(0)
      #expect(writes(gate.requests.dropFirst(before)) == [], "the woken one wrote nothing")
      #expect(gate.requests.count > before, "and was awake")
      #expect(!writes(spareGate.requests).isEmpty)
      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100], "no step was repeated or skipped")
      #expect(shop.podsEver("v2").count == 4)
    }
  }
}
