import KubernetesAPI
import Testing

/// The same product where an HTTPRoute of the Gateway API routes. The simulated mesh writes its status as real ones do,
/// and counts under its own names.
extension EndToEnd {
  @Test(
    "behind a Gateway a good image is promoted and a bad one rolled back, by an HTTPRoute",
    .enabled(if: GivenCluster() == nil || GivenCluster.standsInForGateways))
  func behindGateway() async throws {
    var manifest = Manifest()
    manifest.callers = """
      {sandbox.sluice.dev/requests-per-second: "150", sandbox.sluice.dev/gateway-requests-per-second: "150",
        sandbox.sluice.dev/gateway-host: shop.example.com, sandbox.sluice.dev/gateway-path: /checkout/1}
      """
    manifest.traffic = """
      {gatewayAPI: {parentRefs: [{name: public}], hostnames: [shop.example.com], matches: [{path: {value: /checkout}}]}}
      """
    manifest.companions = [
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata: {name: istio}
      spec: {controllerName: istio.io/gateway-controller}
      ---
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: public}
      spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
      """
    ]
    try await Shop.open("gateway", manifest) { shop in
      try await promoteAndRollBack(shop, bad: "v3-errors20")
      let routes = try await shop.list(Shop.httpRoutes)
      #expect(routes.map(\.name).sorted() == ["checkout", "checkout-checkout"])
      #expect(
        routes.allSatisfy { $0[path: ["status", "parents"]]?[0]?["controllerName"] == "istio.io/gateway-controller" })
    }
  }

  @Test(
    "in a mesh of Linkerd's a good image is promoted and a bad one rolled back, by its own metrics",
    .enabled(if: GivenCluster() == nil || GivenCluster.standsInForGateways))
  func inLinkerd() async throws {
    var manifest = Manifest()
    manifest.mesh = "linkerd.io/inject: enabled"
    manifest.traffic = "{gatewayAPI: {metrics: Linkerd}}"
    try await Shop.open("linkerd", manifest) { shop in
      try await promoteAndRollBack(shop, bad: "v3-slow900")
      let route = try await shop.get(Shop.httpRoutes)
      #expect(
        route[path: ["status", "parents"]]?[0]?["conditions"]?[0]?["observedGeneration"] == nil, "as Linkerd writes it")
      let explained = try await shop.sluice("explain", "checkout")
      #expect(explained.output.contains("p99: Fail"), "\(explained)")
    }
  }

  private func promoteAndRollBack(_ shop: Shop, bad: String) async throws {
    try await shop.setImage("v2")
    try await shop.status(0)
    #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100])
    #expect(try await shop.run("v2").phase == "Promoted")
    #expect(shop.podsEver("v2").count == 4, "no pod was replaced")

    let stable = try await shop.pods("v2")
    try await shop.setImage(bad)
    try await shop.status(2)
    #expect(try await shop.pods("v2") == stable, "the stable pods were never touched")
    #expect(shop.weights.last == 0)
    #expect(try await shop.run(bad).phase == "Aborted")
    let rollout = try await shop.get("rollouts.sluice.dev")
    #expect(rollout.condition("Stalled")?["reason"]?.string == "Rejected")
  }
}
