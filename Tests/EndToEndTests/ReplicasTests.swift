import KubernetesAPI
import Testing

extension EndToEnd {
  private static let requests = "istio_requests_total{reporter=\"destination\",pod=~\"$(pods)\""
  /// As a team would count by metrics of its own.
  private static let good =
    "{name: good, query: 'sum(rate(\(requests),response_code=\"200\"}[$(window)])) / sum(rate(\(requests)}[$(window)]))',"
    + " value: {min: \"0.95\"}}"

  private static let byPods = Manifest(
    steps: ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"], slos: [good],
    traffic: "{replicas: {}}")

  private static let blueGreen = Manifest(
    steps: ["{name: green, scale: 100%, pause: {duration: 2s}}", "{name: switch, weight: 100, pause: {}}"], slos: [],
    traffic: "{replicas: {}}", serviceMore: ", selector: Managed", selector: nil)

  @Test("without a mesh a good image gets pods by its weight, and then all of them, without a pod started twice")
  func podsPromote() async throws {
    try await Shop.open("pods-good", Self.byPods) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      let sizes = shop.history("replicasets.apps").filter { $0.object.image == Manifest.image("v2") }
        .compactMap { $0.object.replicas }.reduce(into: [Int]()) { if $0.last != $1 { $0.append($1) } }
      #expect(sizes == [1, 4])
      #expect(try await shop.pods("v2") == shop.podsEver("v2"))
      #expect(shop.podsEver("v1").count == 4)
      let deployment = try await shop.get("deployment")
      #expect(!deployment.isPaused)
      #expect(try await shop.replicaSet("v2").controllerUID == deployment.uid)
      #expect(try await shop.get("service").selector == ["app": "checkout"])
      #expect(try await shop.list(Shop.virtualServices).isEmpty)
    }
  }

  @Test("without a mesh a bad image loses its pods with the verdict, by a query of the team's own")
  func podsRollBack() async throws {
    try await Shop.open("pods-bad", Self.byPods) { shop in
      try await shop.setImage("v2-errors30")
      try await shop.status(2)
      #expect(try await shop.replicaSet("v2-errors30").replicas == 0)
      #expect(try await shop.replicaSet("v1").replicas == 4)
      #expect(shop.podsEver("v1").count == 4)
      let rollout = try await shop.get("rollouts.sluice.dev")
      #expect(rollout.message?.contains("good") == true, "\(rollout.pretty)")
    }
  }

  @Test("blue/green without a mesh: the selector moves in one write, back on an abort, and to the next image for good")
  func selectorMoves() async throws {
    try await Shop.open("blue-green", Self.blueGreen) { shop in
      #expect(try await shop.get("service").selector == ["app": "checkout"], "the manifest has none")
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      let hash = try #require(try await shop.replicaSet("v2").hash)
      #expect(try await shop.get("service").selector == ["app": "checkout", "pod-template-hash": hash])
      // Applied again, as a GitOps tool would: a manifest without a selector says nothing of it.
      try await shop.apply(Self.blueGreen.service)
      #expect(try await shop.get("service").selector["pod-template-hash"] == hash)
      try await shop.decide("abort", "checkout")
      try await shop.status(2)
      #expect(try await shop.get("service").selector == ["app": "checkout"])
      #expect(try await shop.replicaSet("v2").replicas == 0)
      let old = try #require(try await shop.replicaSet("v1").hash)
      let moved = try shop.firstWrite("v2 selected", to: "services") { $0.selector["pod-template-hash"] == hash }
      let back = try shop.firstWrite("v1 selected again", to: "services", after: moved) {
        $0.name == "checkout" && $0.selector["pod-template-hash"] == old
      }
      let shrunk = try shop.firstWrite("no pods of v2", to: "replicasets.apps", after: moved) {
        $0.hash == hash && $0.replicas == 0
      }
      #expect(back < shrunk)

      try await shop.setImage("v3")
      try await shop.status(5, exitOnPause: true)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      #expect(try await shop.pods("v3") == shop.podsEver("v3"))
      #expect(try await shop.get("service").selector == ["app": "checkout"])
    }
  }
}
