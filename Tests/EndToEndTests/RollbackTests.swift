import KubernetesAPI
import Testing

extension EndToEnd {
  @Test(
    "a bad image is rolled back by itself, traffic first",
    arguments: [("v2-errors20", "errors"), ("v2-slow900", "p99")])
  func badImageIsRolledBack(tag: String, check: String) async throws {
    try await Shop.open("bad-\(check)") { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage(tag)
      try await shop.status(2)

      try await expectRejected(shop, tag, naming: check)
      #expect(try await shop.pods("v1") == stable, "the stable pods were never touched")
      #expect(shop.podsEver("v1") == stable)
      let routed = try shop.firstWrite("weight for the canary", to: Shop.virtualServices) { $0.canaryWeight > 0 }
      let withdrawn = try shop.firstWrite("weight 0", to: Shop.virtualServices, after: routed) { $0.canaryWeight == 0 }
      let shrunk = try shop.firstWrite("the canary scaled down", to: "replicasets.apps", after: routed) {
        $0.image == Manifest.image(tag) && $0.replicas == 0
      }
      #expect(withdrawn < shrunk)
      #expect(shop.weights.last == 0)

      let explained = try await shop.sluice("explain", "checkout")
      #expect(explained.exitCode == 0)
      #expect(explained.output.contains("\(check): Fail"), "\(explained)")
    }
  }

  @Test("an image that crashes is rejected with the cause, and never gets traffic")
  func crashLoopIsRejected() async throws {
    try await Shop.open("crash", Manifest(progressDeadline: 8)) { shop in
      let stable = try await shop.pods("v1")
      try await shop.setImage("v2-crash")
      try await shop.status(2)
      try await expectRejected(shop, "v2-crash", naming: "CrashLoopBackOff")
      #expect(try await shop.pods("v1") == stable)
      #expect(shop.weights.allSatisfy { $0 == 0 })
    }
  }
}

/// The Rollout says that the revision of this image was rejected and why; the Deployment still holds it, held.
func expectRejected(
  _ shop: Shop, _ tag: String, naming cause: String, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let rollout = try await shop.get("rollouts.sluice.dev")
  let stalled = rollout.condition("Stalled")
  #expect(stalled?["status"]?.string == "True", sourceLocation: sourceLocation)
  #expect(stalled?["reason"]?.string == "Rejected", sourceLocation: sourceLocation)
  let message = stalled?["message"]?.string ?? ""
  #expect(message.contains(cause), sourceLocation: sourceLocation)
  #expect(rollout.condition("Ready")?["status"]?.string == "False", sourceLocation: sourceLocation)

  let deployment = try await shop.get("deployment")
  #expect(deployment.isPaused, "still held", sourceLocation: sourceLocation)
  #expect(deployment.image == Manifest.image(tag), sourceLocation: sourceLocation)
  #expect(try await shop.replicaSet(tag).replicas == 0, sourceLocation: sourceLocation)
  #expect(try await shop.run(tag).phase == "Aborted", sourceLocation: sourceLocation)
  try await expectAtRest(shop, sourceLocation: sourceLocation)
}
