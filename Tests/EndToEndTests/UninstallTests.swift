import KubernetesAPI
import Testing

extension ControllerLoss {
  @Test("with Sluice gone idle Rollouts go on serving; when another version comes it starts no run")
  func goneAndBack() async throws {
    try await Shop.open("gone") { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      let pods = try await shop.pods("v2")
      let route = try await shop.get(Shop.virtualServices)

      // Drained as an upgrade or an uninstallation does, with the policies gone too.
      await shop.cluster.stopController()
      #expect(await shop.cluster.fallen() == [])
      try await shop.cluster.policies("delete")
      // The Deployment is an ordinary one now: a lost pod comes back, and it scales and rolls by itself.
      try await shop.kubectl("delete", "pod", "--selector=app=checkout", "--wait=false")
      _ = try await poll("four new pods behind both Services", within: .seconds(40), every: .milliseconds(500)) {
        let slices = try await shop.list("endpointslices").filter {
          ["checkout", "checkout-stable"].contains($0.labels["kubernetes.io/service-name"] ?? "")
        }
        let ready = slices.map { slice in
          (slice["endpoints"]?.array ?? []).filter { endpoint in
            let pod = endpoint[path: ["targetRef", "uid"]]?.string ?? ""
            return endpoint[path: ["conditions", "ready"]]?.bool == true && !pods.contains(pod)
          }.count
        }
        return ready == [4, 4] ? true : nil
      }
      #expect(try await shop.get(Shop.virtualServices)["spec"] == route["spec"], "the route stands")
      #expect(try await shop.pods("v2").isDisjoint(with: pods))
      let runs = try await shop.list("rolloutruns").count

      try await shop.cluster.policies("apply")
      try await shop.cluster.startController()
      try await shop.until("the new controller", "rollouts.sluice.dev") { $0.phase == "Idle" }
      try await shop.status(0)
      // By the clock: a run would begin when all has been quiet for `settle`, and nothing tells that none will.
      try await Task.sleep(for: .seconds(3))
      #expect(try await shop.list("rolloutruns").count == runs, "an upgrade starts no run")
      #expect(shop.weights.last == 0)
      try await expectAtRest(shop)

      // Gone for good, and forgotten: what is left is released by hand, and the route stays.
      await shop.cluster.stopController()
      try await shop.decide("release", "checkout", "--yes")
      #expect(try await shop.exists("rollouts.sluice.dev", "checkout") == false)
      let left = try await shop.get(Shop.virtualServices)
      #expect(left.destinations.map(\.host) == ["checkout.\(shop.namespace).svc.cluster.local"])
      #expect(try await shop.exists("service", "checkout-stable") == false)
      #expect(try await shop.get("deployment").labels["sluice.dev/managed"] == nil)
      try await shop.cluster.startController()
    }
  }
}
