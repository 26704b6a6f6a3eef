import KubernetesAPI
import Testing

/// The product as its users have it: the controller as a process, a Kubernetes API by kubectl, a real Prometheus.
@Suite("Sluice end to end", .cluster("shops"), .noted, .timeLimit(.minutes(20)))
struct EndToEnd {}

extension EndToEnd {
  @Test("a good image is promoted, and no pod is restarted or replaced")
  func goodImageIsPromoted() async throws {
    try await Shop.open("good") { shop in
      try await shop.setImage("v2")
      try await shop.status(0)

      let created = shop.podsEver("v2")
      #expect(created.count == 4, "no canary pod was replaced")
      #expect(try await shop.pods("v2") == created, "those that ran as canary still run")
      let pods = try await shop.list("pods")
      #expect(pods.filter { $0.podImage == Manifest.image("v2") }.allSatisfy { $0.restarts == 0 })
      #expect(shop.podsEver("v1").count == 4, "no stable pod was replaced")

      let deployment = try await shop.get("deployment")
      #expect(!deployment.isPaused)
      let new = try await shop.replicaSet("v2")
      #expect(new.controllerUID == deployment.uid)
      #expect(new.replicas == 4)
      let old = try await shop.replicaSet("v1")
      #expect(old.controllerUID == deployment.uid)
      #expect(old.replicas == 0)
      let revisions = try await shop.kubectl("rollout", "history", "deployment/checkout")
        .split(separator: "\n").compactMap { Int($0.prefix { !$0.isWhitespace }) }
      #expect(revisions == [1, 2])

      try await expectAtRest(shop)
      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100])
      let rollout = try await shop.get("rollouts.sluice.dev")
      #expect(rollout.condition("Ready")?["status"]?.string == "True")
      #expect(rollout[path: ["status", "stable", "hash"]]?.string == new.hash)
      #expect(try await shop.run("v2").phase == "Promoted")
    }
  }

  @Test("callers beside the mesh are pinned to stable before the first canary pod exists, until all traffic has moved")
  func callersArePinned() async throws {
    try await Shop.open("pinned") { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      let stable = try #require(try await shop.replicaSet("v1").hash)
      let withCanary = shop.moments { _, moment in
        moment.all("pods").contains { $0.podImage == Manifest.image("v2") } && moment.canaryWeight < 100
          && moment.ownedSetsWithPods.contains { $0.hasSuffix(stable) }
      }
      #expect(!withCanary.isEmpty)
      for moment in withCanary {
        let selector = moment.object("services", "checkout")?.selector
        #expect(selector == ["app": "checkout", "pod-template-hash": stable])
      }
    }
  }
}

/// At rest nothing of Sluice stands between callers and pods.
func expectAtRest(_ shop: Shop, sourceLocation: SourceLocation = #_sourceLocation) async throws {
  let virtualService = try await shop.get(Shop.virtualServices)
  let weights = Dictionary(uniqueKeysWithValues: virtualService.destinations.map { ($0.host, $0.weight) })
  let stable = "checkout-stable.\(shop.namespace).svc.cluster.local"
  #expect(weights[stable] == 100, sourceLocation: sourceLocation)
  #expect(weights.filter { $0.key != stable }.allSatisfy { $0.value == 0 }, sourceLocation: sourceLocation)
  for name in ["checkout", "checkout-stable"] {
    #expect(try await shop.get("service", name).selector == ["app": "checkout"], sourceLocation: sourceLocation)
  }
}
