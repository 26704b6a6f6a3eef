import KubernetesAPI
import Testing

/// A cluster that does not have the policies of deploy/policies: Deployments are paused at rest.
@Suite("Sluice without admission policies", .cluster("always", policies: false), .noted, .timeLimit(.minutes(5)))
struct AlwaysMode {
  @Test(
    "an image is promoted, a bad one rolled back; restart and undo go by sluice, since kubectl refuses a paused one")
  func lifeOfARollout() async throws {
    try await Shop.open("always", Manifest(steps: ["{weight: 50, analyze: {for: 2s}}"])) { shop in
      var deployment = try await shop.get("deployment")
      #expect(deployment.isPaused)
      // What the manifest sets is the team's.
      #expect(deployment[path: ["spec", "progressDeadlineSeconds"]] == 600)
      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(try await shop.pods("v2") == shop.podsEver("v2"))

      let refused = try await shop.cluster.kubectl.run(
        ["--namespace", shop.namespace, "rollout", "restart", "deployment/checkout"])
      #expect(refused.exitCode != 0 && "\(refused)".contains("paused"))
      let before = try await shop.pods("v2")
      try await shop.decide("restart", "checkout")
      try await shop.status(0)
      #expect(try await shop.pods("v2").isDisjoint(with: before))
      try await shop.decide("undo", "checkout")
      try await shop.status(0)

      try await shop.setImage("v3-errors30")
      try await shop.status(2)
      deployment = try await shop.get("deployment")
      #expect(deployment.isPaused && deployment.image == Manifest.image("v3-errors30"))
      #expect(try await shop.replicaSet("v3-errors30").replicas == 0)
      try await expectAtRest(shop)
    }
  }

  @Test("resumed by hand in mid-run: all traffic to what the Deployment runs, then the condition and the Event say so")
  func escaped() async throws {
    var manifest = Manifest(steps: ["{weight: 20, pause: {}}"])
    manifest.mayRollByItself = true
    try await Shop.open("escaped", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.kubectl("rollout", "resume", "deployment/checkout")
      try await shop.until("the escape", "rollouts.sluice.dev") {
        $0.condition("Stalled")?["reason"]?.string == "EscapedRollout"
      }
      #expect(try await shop.get("deployment").isPaused)
      let event = try await shop.until("the Event", "events") { $0["reason"]?.string == "Escaped" }
      #expect(event["message"]?.string?.contains("last written by kubectl") == true)
      let routed = try shop.firstWrite("weight for v2", to: Shop.virtualServices) { $0.canaryWeight > 0 }
      let widened = try shop.firstWrite("any revision for stable", to: "services", after: routed) {
        $0.name == "checkout-stable" && $0.selector == ["app": "checkout"]
      }
      let withdrawn = try shop.firstWrite("weight 0", to: Shop.virtualServices, after: widened) { $0.canaryWeight == 0 }
      let held = try shop.firstWrite("held again", to: "deployments.apps", after: withdrawn) { $0.isPaused }
      #expect(widened < withdrawn && withdrawn < held)
    }
  }

  @Test("callers without a proxy are measured, and stop the run before its weight grows, until a person accepts them")
  func bypass() async throws {
    let manifest = Manifest(steps: ["{weight: 20, analyze: {for: 6s}}", "{weight: 50}"])
    try await Shop.open("bypass", manifest) { shop in
      try await shop.kubectl(
        "annotate", "service", "checkout", "sandbox.sluice.dev/unmeshed-requests-per-second=100")
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      let rollout = try await shop.get("rollouts.sluice.dev")
      #expect(rollout.message?.contains("beside the route") == true)
      let share = Double((rollout[path: ["status", "bypass", "share"]]?.string ?? "").dropLast()) ?? 0
      // A hundred beside three hundred, by pods: one of five is the canary's.
      #expect((2.5...9).contains(share), "\(share) %")
      #expect(shop.weights == [0, 20])
      try await shop.decide("resume", "checkout")
      try await shop.status(0)
    }
  }
}
