import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("a Rollout deleted in mid-run gives traffic back, and leaves the route and a Deployment that is still held")
  func rolloutDeleted() async throws {
    try await Shop.open("deleted", Manifest(steps: ["{weight: 20, pause: {}}"])) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")

      let route = try await shop.get(Shop.virtualServices)
      #expect(route.destinations.map(\.host) == ["checkout.\(shop.namespace).svc.cluster.local"])
      #expect(route.destinations.map(\.weight) == [100])
      for name in ["checkout-stable", "checkout-canary"] {
        #expect(try await shop.exists("service", name) == false, "\(name)")
      }
      #expect(try await shop.get("service").selector == ["app": "checkout"])
      let deployment = try await shop.get("deployment")
      #expect(deployment.isPaused, "v2 was never tested")
      #expect(deployment.image == Manifest.image("v2"))
      #expect(try await shop.pods("v1") == stable)
      #expect(try await shop.pods("v2").isEmpty)
      // By the cluster's garbage collector, in its own time.
      _ = try await poll("the run to go with its Rollout", within: .seconds(90)) {
        try await shop.list("rolloutruns").isEmpty ? true : nil
      }
      let event = try await shop.until("the Event that says so", "events") { $0["reason"]?.string == "Released" }
      #expect(event["message"]?.string?.contains("stays paused") == true)

      // The route left weight for the canary before its pods went.
      let routed = try shop.firstWrite("weight for v2", to: Shop.virtualServices) { $0.canaryWeight > 0 }
      let withdrawn = try shop.firstWrite("weight 0", to: Shop.virtualServices, after: routed) { $0.canaryWeight == 0 }
      let shrunk = try shop.firstWrite("v2 scaled down", to: "replicasets.apps", after: routed) {
        $0.image == Manifest.image("v2") && $0.replicas == 0
      }
      #expect(withdrawn < shrunk)
    }
  }

  @Test("a run deleted in mid-run is an abort")
  func runDeleted() async throws {
    try await Shop.open("run-deleted", Manifest(steps: ["{weight: 20, pause: {}}"])) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      let run = try await shop.run("v2").name
      try await shop.kubectl("delete", "rolloutruns.sluice.dev", run)
      try await shop.status(2)

      #expect(try await shop.list("rolloutruns").isEmpty)
      let deployment = try await shop.get("deployment")
      #expect(deployment.isPaused)
      #expect(try await shop.pods("v1") == stable)
      #expect(try await shop.replicaSet("v2").replicas == 0)
      #expect(shop.weights == [0, 20, 0])
      try await expectAtRest(shop)
    }
  }
}
