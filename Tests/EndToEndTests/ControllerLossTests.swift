import KubernetesAPI
import Testing

/// These end the controller, so they have a cluster of their own, one after the other.
@Suite("A lost controller", .cluster("loss"), .noted, .serialized, .timeLimit(.minutes(5)))
struct ControllerLoss {
  @Test("a controller killed in a step and again in the promotion goes on where it was, and the image is promoted")
  func killedAndRestarted() async throws {
    try await Shop.open("killed") { shop in
      try await shop.setImage("v2")
      for weight in [20, 100] {
        try await shop.untilWeight(weight)
        // Between the write of the route and that of the status a restart begins the step anew.
        try await shop.until("the record of it", "rolloutruns.sluice.dev") {
          $0[path: ["status", "traffic", "weight"]]?.int == weight
        }
        await shop.cluster.killController()
        #expect(await shop.cluster.fallen().count == 1)
        try await shop.cluster.startController()
      }
      try await shop.status(0)

      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100], "no step was repeated or skipped")
      #expect(shop.podsEver("v2").count == 4)
      #expect(try await shop.pods("v2") == shop.podsEver("v2"))
      #expect(shop.podsEver("v1").count == 4)
      let deployment = try await shop.get("deployment")
      #expect(!deployment.isPaused)
      #expect(try await shop.replicaSet("v2").controllerUID == deployment.uid)
      #expect(try await shop.replicaSet("v1").replicas == 0)
      try await expectAtRest(shop)
    }
  }

  @Test("what guards saw and found, and what a person accepted, survive the controllers that saw it")
  func guardsSurvive() async throws {
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 45s}}", "{pause: {}}"])
    manifest.slos = ["{name: errors, errorRate: {max: 50%}}"]
    // Few requests, so that what tells the tracks apart comes slowly: at 30 a second some 30 s of them.
    manifest.callers = "{sandbox.sluice.dev/requests-per-second: \"60\"}"
    try await Shop.open("guards-killed", manifest) { shop in
      try await shop.setImage("v2-notfound3")
      let seen = try await shop.until("codes that are counted", "rolloutruns.sluice.dev") {
        Self.watched($0) ?? 0 >= 300
      }
      let before = try #require(Self.watched(seen))
      await shop.cluster.killController()
      let killed = shop.history("rolloutruns.sluice.dev").count
      try await shop.cluster.startController()
      let held = try await shop.until("an anomaly", "rolloutruns.sluice.dev") {
        $0[path: ["status", "pause", "kind"]]?.string == "Anomaly"
      }
      #expect(
        held[path: ["status", "pause", "message"]]?.string?.contains("response-codes: answers with code 404") == true)
      // One that began anew would say a smaller number at first.
      let after = shop.history("rolloutruns.sluice.dev").dropFirst(killed).compactMap { Self.watched($0.object) }
      #expect(!after.isEmpty && after.allSatisfy { $0 >= before }, "\(before) before, then \(after)")

      // Held by a controller that is gone, and still held.
      try await changeController(shop)
      _ = try await poll("the run as it is held", within: .seconds(30)) {
        try await shop.sluice("get", "checkout").output.contains("guards found an anomaly") ? true : nil
      }
      try await shop.decide("resume", "checkout")
      try await shop.until("the accepted guard", "rolloutruns.sluice.dev") {
        $0[path: ["status", "acceptedGuards"]]?.array?.contains { $0.string == "response-codes" } ?? false
      }
      try await changeController(shop)
      try await shop.until("the next step", "rolloutruns.sluice.dev") {
        $0[path: ["status", "pause", "kind"]]?.string == "Plan"
      }
      let pauses = shop.history("rolloutruns.sluice.dev").compactMap {
        $0.object[path: ["status", "pause", "kind"]]?.string
      }
      #expect(pauses.reduce(into: []) { if $0.last != $1 { $0.append($1) } } == ["Anomaly", "Plan"])
      try await shop.decide("abort", "checkout")
    }
  }

  /// Another controller takes over from one that gives its lease back, so that nobody waits for the lease to expire.
  private func changeController(_ shop: Shop) async throws {
    await shop.cluster.stopController()
    try await shop.cluster.startController()
  }

  /// The canary's requests that a run's guards have seen, by the status: `canary 3 % (9 of 300)`.
  private static func watched(_ run: JSON) -> Double? {
    let codes = run[path: ["status", "checks"]]?.array?.first { $0["name"]?.string == "response-codes" }
    return codes?["message"]?.string?.firstMatch(of: /canary \S+ % \(\S+ of (\d+)\)/).flatMap { Double($0.1) }
  }
}
