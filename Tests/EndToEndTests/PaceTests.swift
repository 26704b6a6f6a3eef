import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("an autopilot promotes a good image by weights that follow from the evidence, and shows why")
  func autopilotPromotes() async throws {
    try await Shop.open("pilot-good", Manifest(autopilot: "{riskBudget: 400, maxDuration: 5m}")) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      let weights = shop.weights.filter { $0 > 0 }
      #expect(weights.last == 100 && weights == weights.sorted(), "\(weights)")
      #expect(weights.count >= 3 && weights[0] <= 5, "\(weights)")
      // From 9 % on the next weight is 50 %, and from 25 % on all.
      let rises = zip(weights, weights.dropFirst())
      #expect(rises.allSatisfy { $1 <= $0 * 4 || ($0 >= 9 && $1 <= 50) || $0 >= 25 }, "\(weights)")
      let status = try await shop.run("v2")["status"]
      let told = status?[path: ["autopilot", "weights"]]?.array?.compactMap(\.int) ?? []
      #expect(told == weights.dropLast(), "\(told)")
      let steps = status?["timeline"]?.array?.filter { $0["kind"]?.string == "Step" } ?? []
      #expect(steps.map { $0["weight"]?.int } == told)
      #expect(steps.allSatisfy { $0["verifiedAt"] != nil })
      let explained = try await shop.decide("explain", "checkout")
      #expect(explained.contains("riskBudget"), "\(explained)")
      #expect(explained.contains("the canary fails at most"), "\(explained)")
      try await expectAtRest(shop)
    }
  }

  @Test("an autopilot rolls a bad image back before it has cost more than the budget")
  func autopilotRollsBack() async throws {
    try await Shop.open("pilot-bad", Manifest(autopilot: "{riskBudget: 400, maxDuration: 5m}")) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2-errors30")
      try await shop.status(2)
      try await expectRejected(shop, "v2-errors30", naming: "errors")
      #expect(try await shop.pods("v1") == stable)
      #expect((shop.weights.max() ?? 100) <= 20, "\(shop.weights)")
      let harmed = try await shop.run("v2-errors30")[path: ["status", "autopilot", "harmed"]]?.string.flatMap(
        Double.init)
      #expect(harmed ?? 1000 <= 400)
    }
  }

  @Test(
    "a fault that begins when the canary has all traffic is found while it bakes, and all traffic goes back at once")
  func lateFaultIsBaked() async throws {
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 2s}}"], more: ["bake: {for: 90s}"])
    manifest.annotations = "sandbox.sluice.dev/error-rate: 0%"
    try await Shop.open("bake-late", manifest) { shop in
      let stable = try await shop.pods("v1")
      // The pods for half of the traffic are the oldest; those that come for all of it fail later still.
      let template =
        "{metadata: {annotations: {sandbox.sluice.dev/error-rate: 30%, sandbox.sluice.dev/errors-after: 30s}}, "
        + "spec: {containers: [{name: app, image: \(Manifest.image("v2"))}]}}"
      try await shop.kubectl("patch", "deployment", "checkout", "--patch", "spec: {template: \(template)}")
      try await shop.until("a bake", "rolloutruns.sluice.dev") { $0[path: ["status", "stage"]]?.string == "Baking" }
      #expect(shop.weights.last == 100)
      #expect(try await shop.pods("v1") == stable, "the old pods are still there")
      let shown = try await shop.decide("get", "checkout")
      #expect(shown.contains("all traffic, watched for 90s before the old pods go"), "\(shown)")

      try await shop.status(2)
      try await expectRejected(shop, "v2", naming: "errors")
      #expect(shop.weights.filter { $0 > 0 } == [50, 100])
      #expect(shop.podsEver("v1") == stable, "the stable pods were never touched")
      let explained = try await shop.decide("explain", "checkout")
      #expect(explained.contains("all requests go to the canary"), "\(explained)")
      let events = shop.cluster.record.live("events", in: shop.namespace).compactMap { $0["reason"]?.string }
      #expect(events.contains("Baking"), "\(Set(events))")
    }
  }

  @Test("a template that is missing is named, is taken up when it comes, and an edit does not bend a run in flight")
  func templatesAreSnapshots() async throws {
    func template(_ max: String) -> String {
      """
      apiVersion: sluice.dev/v1alpha1
      kind: AnalysisTemplate
      metadata: {name: web}
      spec:
        args: [{name: least, value: "0"}]
        slos:
        - {name: errors, errorRate: {max: \(max)}}
        - {name: hopeless, mode: DryRun, query: vector(1), value: {min: $(least)}}
      """
    }
    var manifest = Manifest(
      steps: ["{weight: 20, analyze: {for: 3s}, pause: {}}", "{weight: 50, analyze: {for: 3s}}"], slos: [],
      analysis: ["templates: [{name: web, args: [{name: least, value: \"2\"}]}]"])
    manifest.isSound = false
    try await Shop.open("templates", manifest) { shop in
      try await shop.status(3)
      let message = try await shop.get("rollouts.sluice.dev").condition("Stalled")?["message"]?.string ?? ""
      #expect(message.contains("spec.analysis.templates[0].name") && message.contains("\"web\""), "\(message)")
      // A quarter of it is tolerated beside stable, far more than what two failures in a hundred come to by chance.
      try await shop.apply(template("20%"))
      try await shop.status(0)

      try await shop.setImage("v2-errors2")
      try await shop.until("the plan's pause", "rolloutruns.sluice.dev") {
        $0[path: ["status", "pause", "kind"]]?.string == "Plan"
      }
      // By this the canary would fail; the run keeps what it began with.
      try await shop.apply(template("0.1%"))
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      let run = try await shop.run("v2-errors2")
      #expect(run.phase == "Promoted")
      let slos = run[path: ["spec", "plan", "analysis", "slos"]]?.array ?? []
      #expect(slos.first?[path: ["errorRate", "max"]]?.string == "20%")
      let checks =
        run[path: ["status", "timeline"]]?.array?.last { $0["kind"]?.string == "Step" }?["checks"]?.array ?? []
      // Behind the plan's own checks come the guards.
      #expect(checks.prefix(2).map { $0["mode"]?.string } == [nil, "DryRun"])
      let dryRun = checks.first { $0["name"]?.string == "hopeless" }
      // Whether a step this short shows the failure is chance; what matters is that it decides nothing.
      #expect(["Fail", "Insufficient"].contains(dryRun?["verdict"]?.string))
    }
  }
}
