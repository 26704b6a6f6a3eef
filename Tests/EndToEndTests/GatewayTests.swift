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

  @Test(
    "behind an Envoy Gateway a bad image is rolled back by its clusters' counters, and the codes that differ are told",
    .enabled(if: GivenCluster() == nil))
  func behindEnvoyGateway() async throws {
    var manifest = Manifest()
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    manifest.callers = """
      {sandbox.sluice.dev/gateway-requests-per-second: "300", sandbox.sluice.dev/gateway-host: envoy.example.com}
      """
    manifest.traffic = "{gatewayAPI: {parentRefs: [{name: public}], hostnames: [envoy.example.com], mesh: false}}"
    manifest.companions = [
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata: {name: envoy}
      spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
      ---
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: public}
      spec: {gatewayClassName: envoy, listeners: [{name: http, port: 80, protocol: HTTP}]}
      """
    ]
    try await Shop.open("envoy-gateway", manifest) { shop in
      try await promoteAndRollBack(shop, bad: "v3-errors20")
      try await expectDifferences(shop, "v3-errors20", ["ResponseCode": "503"])
      let explained = try await shop.decide("explain", "checkout", "--queries")
      #expect(explained.contains("envoy_cluster_upstream_rq"), "\(explained)")
    }
  }

  @Test(
    "in a mesh of Linkerd's guards tell codes that no error rate counts, and an abort's codes and pods are told",
    .enabled(if: GivenCluster() == nil))
  func answersInLinkerd() async throws {
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 8s}}"])
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    manifest.mesh = "linkerd.io/inject: enabled"
    manifest.traffic = "{gatewayAPI: {metrics: Linkerd}}"
    try await Shop.open("linkerd-answers", manifest) { shop in
      try await shop.setImage("v2-notfound10")
      let run = try await shop.until("an anomaly", "rolloutruns.sluice.dev") {
        $0[path: ["status", "pause", "kind"]]?.string == "Anomaly"
      }
      let message = run[path: ["status", "pause", "message"]]?.string ?? ""
      #expect(message.contains("response-codes: answers with code 404: canary"), "\(message)")
      try await shop.decide("abort", "checkout")
      try await shop.setImage("v3-onebad90")
      try await shop.status(2)
      let pod = try await expectDifferences(shop, "v3-onebad90", ["ResponseCode": "503", "Caller": nil])
      #expect(pod["Pod"]?.hasPrefix("checkout-") == true, "\(pod)")
    }
  }

  /// - Parameter wanted: the values of dimensions; `nil` for one that is not to be told.
  /// - Returns: what was told, by dimension.
  @discardableResult
  private func expectDifferences(
    _ shop: Shop, _ tag: String, _ wanted: [String: String?]
  ) async throws -> [String: String] {
    _ = try await shop.until("what differed", "rolloutruns.sluice.dev") {
      $0[path: ["status", "differences"]]?.array?.isEmpty == false
    }
    let told = try await shop.run(tag)[path: ["status", "differences"]]?.array ?? []
    let found = Dictionary(
      told.map { ($0["dimension"]?.string ?? "", $0["value"]?.string ?? "") }, uniquingKeysWith: { first, _ in first })
    for (dimension, value) in wanted { #expect(found[dimension] == value, "\(found)") }
    return found
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
