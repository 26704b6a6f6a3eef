import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  /// A route as a team has it before there is a Rollout.
  private static let route = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop, labels: {team: shop}}
    spec:
      hosts: [checkout]
      http:
      - timeout: 10s
        route: [{destination: {host: checkout, port: {number: 80}}}]
    """

  @Test("an imported route is taken over in one write, promotes an image, and is given back as it was")
  func routeIsImported() async throws {
    let manifest = Manifest(steps: ["{weight: 50, analyze: {for: 2s}}"], isSound: false)
    try await Shop.open("import", manifest) { shop in
      // The shop begins with a Rollout of its own; here the team has none yet.
      try await shop.status(0)
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      try await shop.kubectl("delete", Shop.virtualServices, "checkout")
      try await shop.apply(Self.route)
      let git = try await shop.get(Shop.virtualServices, "shop")

      let imported = try await shop.decide("import", "virtualservice/shop", "--output", "json")
      var rollout = try JSON(parsing: Data(imported.utf8))
      #expect(rollout[path: ["spec", "traffic", "istio", "adopt", "name"]]?.string == "shop")
      #expect(rollout[path: ["spec", "workloadRef", "name"]]?.string == "checkout")
      #expect(rollout[path: ["spec", "traffic", "timeouts", "request"]]?.string == "10s", "\(rollout.pretty)")
      rollout[path: ["spec", "steps"]] = [["weight": 50, "analyze": ["for": "2s"]]]
      rollout[path: ["spec", "settle"]] = "1s"
      rollout[path: ["spec", "scaleDownDelay"]] = "2s"
      rollout[path: ["spec", "analysis"]] = [
        "interval": "1s", "slos": [["name": "errors", "errorRate": ["max": "1%"]]],
      ]
      rollout[path: ["metadata", "name"]] = "checkout"
      try await shop.apply(rollout.description)
      try await shop.status(0)
      let taken = try await shop.get(Shop.virtualServices, "shop")
      #expect(taken.uid == git.uid, "it is the same object")
      #expect(taken.annotations["argocd.argoproj.io/sync-options"] == "Prune=false")
      #expect(taken.labels["team"] == "shop")

      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(shop.podsEver("v2").count == 4)
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      let left = try await shop.get(Shop.virtualServices, "shop")
      #expect(left["spec"] == git["spec"])
      #expect(left.labels == git.labels && left.annotations.keys.filter { $0.contains("sluice.dev") }.isEmpty)
    }
  }
}
