import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("a person lets a paused run go on, pauses it, resumes it, and promotes it past its last step")
  func personsDecide() async throws {
    let steps = ["{weight: 20, pause: {}}", "{weight: 50, analyze: {for: 600s}}"]
    try await Shop.open("person", Manifest(steps: steps)) { shop in
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      let reconciling = try await shop.get("rollouts.sluice.dev").condition("Reconciling")
      #expect(reconciling?["status"]?.string == "True")
      #expect(reconciling?["reason"]?.string == "Paused")
      #expect(try await shop.get(Shop.virtualServices).canaryWeight == 20)

      try await shop.decide("promote", "checkout")
      try await shop.untilWeight(50)
      try await shop.decide("pause", "checkout", "--reason", "lunch")
      let paused = try await shop.until("the pause", "rollouts.sluice.dev") { $0.phase == "Paused" }
      #expect(paused[path: ["status", "step"]]?.string == "2/2")
      try await shop.decide("resume", "checkout")
      try await shop.until("the run to go on", "rollouts.sluice.dev") { $0.phase == "Running" }
      #expect(shop.weights.last == 50)
      try await shop.decide("promote", "checkout", "--full")
      try await shop.status(0)
      #expect(try await shop.run("v2").phase == "Promoted")
      try await expectAtRest(shop)

      let late = try await shop.sluice("abort", "checkout")
      #expect(late.exitCode != 0, "a run that is over cannot be aborted: \(late)")
      #expect(try await shop.replicaSet("v2").replicas == 4)
    }
  }

  @Test("a person aborts a run, its revision stays out of traffic, and is promoted after a retry")
  func abortAndRetry() async throws {
    try await Shop.open("retry", Manifest(steps: ["{weight: 20, pause: {}}"])) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.decide("abort", "checkout", "--reason", "looks odd")
      try await shop.status(2)
      try await expectRejected(shop, "v2", naming: "looks odd")
      #expect(try await shop.pods("v1") == stable)

      // It leaves and comes back, as in Git, and stays rejected.
      try await shop.setImage("v1")
      try await shop.status(0)
      #expect(!(try await shop.get("deployment").isPaused))
      try await shop.setImage("v2")
      try await shop.status(2)
      #expect(shop.weights.filter { $0 > 0 } == [20])
      #expect(try await shop.pods("v1") == stable)

      try await shop.decide("retry", "checkout")
      try await shop.until("the second try", "rollouts.sluice.dev") { $0.phase != "Rejected" }
      try await shop.status(5, exitOnPause: true)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      try await expectAtRest(shop)
    }
  }

  @Test("a revision that replaces the one under way ends its run, traffic first, and is promoted")
  func supersede() async throws {
    try await Shop.open("supersede", Manifest(steps: ["{weight: 20, analyze: {for: 6s}}"])) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2")
      try await shop.untilWeight(20)
      try await shop.setImage("v3")
      try await shop.until("the canary of v3", "replicasets.apps") { $0.image == Manifest.image("v3") }
      #expect(try await shop.pods("v1") == stable)
      #expect(try await shop.run("v2").phase == "Superseded")

      let routed = try shop.firstWrite("weight for v2", to: Shop.virtualServices) { $0.canaryWeight > 0 }
      let withdrawn = try shop.firstWrite("weight 0", to: Shop.virtualServices, after: routed) { $0.canaryWeight == 0 }
      let shrunk = try shop.firstWrite("v2 scaled down", to: "replicasets.apps", after: routed) {
        $0.image == Manifest.image("v2") && $0.replicas == 0
      }
      let next = try shop.firstWrite("the canary of v3", to: "replicasets.apps") { $0.image == Manifest.image("v3") }
      #expect(withdrawn < shrunk)
      #expect(withdrawn < next)

      try await shop.status(0)
      #expect(try await shop.run("v3").phase == "Promoted")
      #expect(try await shop.pods("v3").count == 4)
      #expect(try await shop.pods("v2").isEmpty)
      try await expectAtRest(shop)
    }
  }

  @Test("an undo, by sluice and by kubectl, goes straight to all traffic")
  func undo() async throws {
    try await Shop.open("undo", Manifest(steps: ["{weight: 50, analyze: {for: 3s}}"])) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(shop.weights == [0, 50, 100, 0])

      try await shop.decide("undo", "checkout")
      try await shop.status(0)
      #expect(try await shop.get("deployment").image == Manifest.image("v1"))
      #expect(try await shop.run("v1")[path: ["spec", "fastUndo"]]?.bool == true)
      #expect(shop.weights == [0, 50, 100, 0, 100, 0], "no step between")
      #expect(try await shop.pods("v1").count == 4)
      #expect(try await shop.replicaSet("v2").replicas == 0)

      try await shop.kubectl("rollout", "undo", "deployment/checkout")
      try await shop.status(0)
      #expect(try await shop.get("deployment").image == Manifest.image("v2"))
      #expect(shop.weights == [0, 50, 100, 0, 100, 0, 100, 0])
      #expect(try await shop.pods("v2").count == 4)
      try await expectAtRest(shop)
    }
  }
}
