import Foundation
import KubernetesAPI
import Testing

/// A run whose weights are those of one rule in a VirtualService of the team's, which Git holds.
extension EndToEnd {
  /// What Git holds: the rule `checkout`, which takes all, and one of another Service.
  private static let route = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop, annotations: {team: shop}}
    spec:
      hosts: [checkout]
      http:
      - name: cart
        match: [{uri: {prefix: /cart}}]
        route: [{destination: {host: cart}}]
      - name: checkout
        timeout: 10s
        route: [{destination: {host: checkout, port: {number: 80}}}]
    """

  private static func manifest(_ steps: [String]) -> Manifest {
    var manifest = Manifest(steps: steps)
    manifest.traffic = "{istio: {route: {name: shop, rule: checkout}}}"
    manifest.companions = [route]
    return manifest
  }

  @Test("a rule of the team's own is weighed through a promotion and an abort, and is theirs again after each")
  func inPlace() async throws {
    try await Shop.open("in-place", Self.manifest(["{weight: 20, pause: {}}", "{weight: 50, analyze: {for: 3s}}"])) {
      shop in
      let git = try await shop.get(Shop.virtualServices, "shop")
      #expect(try await shop.exists(Shop.virtualServices, "checkout") == false, "none of Sluice's own is made")
      #expect(git.annotations["team"] == "shop" && git.labels.isEmpty)

      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      // A person edits another part in mid-run, as `kubectl edit` sends it, and a tool applies another field.
      try await shop.kubectl(
        "patch", Shop.virtualServices, "shop", "--type=json", "--patch",
        #"[{"op": "add", "path": "/spec/http/0/timeout", "value": "1s"}, {"op": "add", "path": "/spec/http/0", "value":"#
          + #"{"name": "new", "match": [{"uri": {"exact": "/new"}}], "route": [{"destination": {"host": "cart"}}]}}]"#)
      try await shop.kubectl("annotate", Shop.virtualServices, "shop", "team=other", "--overwrite")
      try await shop.untilLookedAt()
      let edited = try await shop.get(Shop.virtualServices, "shop")
      #expect(edited.canaryWeight == 20)
      #expect(try await shop.get("rollouts.sluice.dev")[path: ["status", "reassertions"]] == nil)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      #expect(shop.weights == [0, 20, 50, 100, 0])
      let promoted = try await shop.get(Shop.virtualServices, "shop")
      #expect(
        promoted[path: ["spec", "http"]]?.array?.compactMap { $0["name"]?.string } == ["new", "cart", "checkout"])
      #expect(promoted[path: ["spec", "http"]]?[1]?["timeout"] == "1s")
      #expect(promoted[path: ["spec", "http"]]?[2] == git[path: ["spec", "http"]]?[1], "the rule is as it was")
      #expect(promoted.annotations["team"] == "other" && promoted.annotations["route.sluice.dev/checkout"] == nil)

      try await shop.setImage("v3-errors20")
      try await shop.status(2)
      #expect(try await shop.get(Shop.virtualServices, "shop")["spec"] == promoted["spec"])
      #expect(try await shop.pods("v3-errors20").isEmpty)
    }
  }

  @Test("who sets the team's rule back in mid-run is undone three times, then the run pauses; deletion gives it back")
  func inPlaceContested() async throws {
    try await Shop.open("in-place-contested", Self.manifest(["{weight: 20, pause: {}}", "{weight: 50}"])) { shop in
      let git = try await shop.get(Shop.virtualServices, "shop")["spec"]
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      for count in 1...4 {
        let answer = try await shop.kubectl(
          "apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts", "--output=json", "-f",
          "-", input: Self.route)
        if count < 4 { try await shop.untilWeight(20, after: JSON(parsing: Data(answer.utf8))) }
      }
      let paused = try await shop.until("the run to pause", "rolloutruns.sluice.dev") {
        $0[path: ["status", "pause", "kind"]]?.string == "Conflict"
      }
      let message = paused[path: ["status", "pause", "message"]]?.string ?? ""
      #expect(message.contains("argocd-controller") && message.contains("sluice resume"), "\(message)")
      #expect(try await shop.get(Shop.virtualServices, "shop").canaryWeight == 0, "it stays as they wrote it")
      try await shop.decide("resume", "checkout")
      try await shop.untilWeight(20)

      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      let left = try await shop.get(Shop.virtualServices, "shop")
      #expect(left["spec"] == git && left.annotations["route.sluice.dev/checkout"] == nil)
      #expect(try await shop.exists("service", "checkout-stable") == false)
      #expect(try await shop.get("service").selector == ["app": "checkout"])
    }
  }

  /// The same of a Gateway's HTTPRoute, whose second rule goes to another Service.
  private static let httpRoute = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop, annotations: {team: shop}}
    spec:
      parentRefs: [{name: public}]
      hostnames: [in-place.example.com]
      rules:
      - name: checkout
        matches: [{path: {type: PathPrefix, value: /checkout}}]
        timeouts: {request: 10s}
        backendRefs: [{name: checkout, port: 80}]
      - name: cart
        backendRefs: [{name: cart, port: 80}]
    """

  @Test(
    "a rule of the team's own HTTPRoute is weighed through a promotion, an abort and a deletion, and is theirs again",
    .enabled(if: GivenCluster() == nil || GivenCluster.standsInForGateways))
  func inPlaceHTTPRoute() async throws {
    var manifest = Manifest(steps: ["{weight: 20, pause: {}}", "{weight: 50, analyze: {for: 3s}}"])
    manifest.traffic = "{gatewayAPI: {route: {name: shop, rule: checkout}}}"
    manifest.callers = """
      {sandbox.sluice.dev/gateway-requests-per-second: "200", sandbox.sluice.dev/gateway-host: in-place.example.com,
        sandbox.sluice.dev/gateway-path: /checkout/1}
      """
    manifest.companions = [
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata: {name: istio-in-place}
      spec: {controllerName: istio.io/gateway-controller}
      ---
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: public}
      spec: {gatewayClassName: istio-in-place, listeners: [{name: http, port: 80, protocol: HTTP}]}
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: cart}
      spec: {ports: [{port: 80}]}
      """, Self.httpRoute,
    ]
    try await Shop.open("in-place-gateway", manifest) { shop in
      let git = try await shop.get(Shop.httpRoutes, "shop")
      #expect(try await shop.list(Shop.httpRoutes).map(\.name) == ["shop"], "none of Sluice's own is made")
      #expect(git.annotations["team"] == "shop" && git.labels.isEmpty)

      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.kubectl(
        "patch", Shop.httpRoutes, "shop", "--type=json", "--patch",
        #"[{"op": "add", "path": "/spec/rules/1/timeouts", "value": {"request": "1s"}}]"#)
      try await shop.untilLookedAt()
      #expect(try await shop.get(Shop.httpRoutes, "shop").canaryWeight == 20)
      #expect(try await shop.get("rollouts.sluice.dev")[path: ["status", "reassertions"]] == nil)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      #expect(shop.weights == [0, 20, 50, 100, 0])
      let promoted = try await shop.get(Shop.httpRoutes, "shop")
      #expect(promoted[path: ["spec", "rules"]]?[0] == git[path: ["spec", "rules"]]?[0], "the rule is as it was")
      #expect(promoted[path: ["spec", "rules"]]?[1]?["timeouts"] == ["request": "1s"])
      #expect(promoted.annotations["route.sluice.dev/checkout"] == nil)

      try await shop.setImage("v3-errors20")
      try await shop.status(2)
      #expect(try await shop.get(Shop.httpRoutes, "shop")["spec"] == promoted["spec"])
      #expect(try await shop.pods("v3-errors20").isEmpty)

      try await shop.setImage("v4")
      try await shop.status(5, exitOnPause: true)
      #expect(try await shop.get(Shop.httpRoutes, "shop").canaryWeight == 20)
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      let left = try await shop.get(Shop.httpRoutes, "shop")
      #expect(left["spec"] == promoted["spec"] && left.annotations["route.sluice.dev/checkout"] == nil)
      #expect(try await shop.exists("service", "checkout-stable") == false)
    }
  }

  @Test("behind a VirtualService of the team's that delegates, a good image is promoted and a bad one rolled back")
  func delegated() async throws {
    var manifest = Manifest()
    manifest.callers = """
      {sandbox.sluice.dev/gateway-requests-per-second: "300", sandbox.sluice.dev/gateway-host: delegated.example.com,
        sandbox.sluice.dev/gateway-path: /checkout/1}
      """
    manifest.traffic = "{istio: {delegate: true, mesh: false, matches: [{path: {value: /checkout}}]}}"
    manifest.companions = [
      """
      apiVersion: networking.istio.io/v1
      kind: VirtualService
      metadata: {name: root, annotations: {team: shop}}
      spec:
        hosts: [delegated.example.com]
        gateways: [public]
        http:
        - name: checkout
          match: [{uri: {prefix: /checkout}}]
          delegate: {name: checkout}
        - name: rest
          directResponse: {status: 404}
      """
    ]
    try await Shop.open("delegated", manifest) { shop in
      let root = try await shop.get(Shop.virtualServices, "root")
      #expect(try await shop.get(Shop.virtualServices)["spec"]?.object?.keys.sorted() == ["http"])
      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(try await shop.run("v2").phase == "Promoted")
      try await shop.setImage("v3-errors20")
      try await shop.status(2)
      #expect(try await shop.get(Shop.virtualServices).canaryWeight == 0)
      let after = try await shop.get(Shop.virtualServices, "root")
      #expect(after == root, "the team's own object is never written")
    }
  }
}
