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
}
