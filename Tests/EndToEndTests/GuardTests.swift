import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  /// A step long enough for guards, which judge blocks of three looks, and many pods in the canary.
  private static func guarded(_ analysis: [String] = [], replicas: Int = 4, seconds: Int = 75) -> Manifest {
    var manifest = Manifest(replicas: replicas, steps: ["{weight: 50, analyze: {for: \(seconds)s}}"])
    manifest.analysis = analysis
    return manifest
  }

  @Test("a good canary that is watched by guards for a while raises no alarm and is promoted")
  func guardsLetGoodCanariesPass() async throws {
    var manifest = Self.guarded()
    // Callers who were there before the first pod would have burnt the budget: a cluster may take its time, and a Service
    // of which nothing is said has callers too.
    manifest.callers = "{sandbox.sluice.dev/requests-per-second: \"0\"}"
    try await Shop.open("guards-good", manifest) { shop in
      try await shop.kubectl(
        "annotate", "--overwrite", "service", "checkout", "sandbox.sluice.dev/requests-per-second=300")
      try await shop.setImage("v2")
      try await shop.status(0)
      let checks =
        try await shop.run("v2")[path: ["status", "timeline"]]?.array?
        .flatMap { $0["checks"]?.array ?? [] } ?? []
      let guards = checks.filter { $0["kind"]?.string == "Guard" }
      let normal = Set(guards.filter { $0["finding"]?.string == "Normal" }.compactMap { $0["name"]?.string })
      #expect(
        normal.isSuperset(of: [
          "restarts", "out-of-memory", "memory", "memory-growth", "cpu", "throttling", "garbage-collection",
          "response-codes", "connections", "request-share",
        ]), "\(normal.sorted())")
      #expect(!guards.contains { $0["finding"]?.string == "Anomaly" }, "\(guards)")
      let burn = checks.first { $0["kind"]?.string == "BurnRate" }
      #expect(burn?["finding"]?.string == "BudgetKept", "\(String(describing: burn))")
    }
  }

  @Test("a leak that no objective names holds the step, is explained, and a person's word lets it go on")
  func leakIsFound() async throws {
    try await Shop.open("guards-leak", Self.guarded()) { shop in
      try await shop.setImage("v2-leak600")
      let run = try await shop.until("an anomaly", "rolloutruns.sluice.dev", within: .seconds(240)) {
        $0[path: ["status", "pause", "kind"]]?.string == "Anomaly"
      }
      let message = run[path: ["status", "pause", "message"]]?.string ?? ""
      #expect(message.contains("memory-growth: the canary's memory grows by"), "\(message)")
      #expect(shop.weights.last == 50)
      let explained = try await shop.sluice("explain", "checkout")
      #expect(explained.output.contains("memory-growth: Fail (Anomaly)"), "\(explained)")
      try await shop.decide("resume", "checkout")
      try await shop.status(0)
    }
  }

  @Test("restarts and more CPU abort where guards may")
  func guardsAbort() async throws {
    try await Shop.open("guards-abort", Self.guarded(["guards: Abort", "falseAbortRisk: 1%"], seconds: 120)) { shop in
      try await shop.setImage("v2-cpu4")
      try await shop.status(2)
      let message = try await shop.get("rollouts.sluice.dev").condition("Stalled")?["message"]?.string ?? ""
      #expect(message.contains("guard cpu: CPU of a pod: canary"), "\(message)")
      #expect(shop.weights.last == 0)
    }
  }

  @Test(
    "one bad pod of several is named and holds the run; where it harms callers on the whole, it aborts with its name")
  func oneBadPod() async throws {
    // Ten of a hundred requests reach two pods, of which one fails 15 in a hundred: less than a percent of all.
    var manifest = Manifest(replicas: 20, steps: ["{weight: 10, analyze: {for: 5s}}"])
    manifest.slos = ["{name: errors, errorRate: {max: 2%}}"]
    try await Shop.open("one-pod", manifest) { shop in
      try await shop.setImage("v2-onebad15")
      let held = try await shop.until("one pod", "rolloutruns.sluice.dev", within: .seconds(180)) { run in
        run[path: ["status", "checks"]]?.array?.contains { $0["finding"]?.string == "OnePod" } ?? false
      }
      let check = held[path: ["status", "checks"]]?.array?.first { $0["finding"]?.string == "OnePod" }
      let message = check?["message"]?.string ?? ""
      #expect(message.contains("of the canary's bad requests come from pod checkout-"), "\(message)")
      #expect(message.contains("on node n1"), "\(message)")
      #expect(check?["verdict"]?.string == "Insufficient")
      try await shop.decide("abort", "checkout")
    }
    try await Shop.open("one-pod-harm", Manifest(steps: ["{weight: 50, analyze: {for: 5s}}"])) { shop in
      try await shop.setImage("v2-onebad90")
      try await shop.status(2)
      let run = try await shop.run("v2-onebad90")
      let message = run[path: ["status", "cause", "message"]]?.string ?? ""
      #expect(message.contains("come from pod checkout-"), "\(message)")
      let differences = run[path: ["status", "differences"]]?.array ?? []
      let pod = differences.first { $0["dimension"]?.string == "Pod" }
      #expect(message.contains(pod?["value"]?.string ?? "no pod"), "\(differences)")
      #expect(differences.contains { $0["dimension"]?.string == "ResponseCode" && $0["value"]?.string == "503" })
      let explained = try await shop.sluice("explain", "checkout")
      #expect(explained.output.contains("where the bad requests gathered"), "\(explained)")
      let events = try await shop.list("events")
      #expect(events.contains { $0["reason"]?.string == "Explained" && $0["message"]?.string?.contains("503") == true })
    }
  }

  @Test("a service whose both tracks fail holds the run and says that its error budget burns")
  func burningHolds() async throws {
    // Stable fails as well, so that nobody can blame the canary.
    var manifest = Self.guarded(
      ["burnRate: {windows: [{long: 30s, short: 10s, rate: \"2\"}]}"], seconds: 5)
    manifest.tag = "v1-errors5"
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    try await Shop.open("burning", manifest) { shop in
      try await shop.setImage("v2-errors5")
      // The first weight is written all the same, since the new version may be the cure.
      try await shop.untilWeight(50)
      let run = try await shop.until("a hold", "rolloutruns.sluice.dev", within: .seconds(180)) { run in
        run[path: ["status", "checks"]]?.array?.contains { $0["finding"]?.string == "BudgetBurns" } ?? false
      }
      #expect(run.phase != "Aborted")
      let check = run[path: ["status", "checks"]]?.array?.first { $0["kind"]?.string == "BurnRate" }
      #expect(check?["message"]?.string?.contains("burns") == true)
      #expect(shop.weights.last == 50)
      try await shop.decide("abort", "checkout")
    }
  }
}
