import Foundation
import KubernetesAPI
import Testing

/// Real requests through a real Envoy to pods that really listen, counted by the program that sends them.
@Suite("Real traffic", .cluster("traffic", hasDataPlane: true), .noted, .timeLimit(.minutes(4)))
struct RealTraffic {
  /// A run that waits for a person at 20 % and at 50 %. The bound on latency is wide: the machine may be slow.
  private static let plan = manifest(["{weight: 20, pause: {}}", "{weight: 50, pause: {}}"])

  /// By Istio's object and by the Gateway API's; the same Envoy obeys either.
  static let routes = [("", "{istio: {}}"), ("-by-http-route", "{gatewayAPI: {metrics: Istio}}")]

  private static func manifest(_ steps: [String]) -> Manifest {
    let slos = ["{name: errors, errorRate: {max: 1%}}", "{name: p99, latency: {quantile: \"99\", max: 5s}}"]
    return Manifest(steps: steps, slos: slos)
  }

  @Test("no request fails through a whole promotion, and each weight is what arrives", arguments: routes)
  func promotion(name: String, traffic: String) async throws {
    var plan = Self.plan
    plan.traffic = traffic
    try await Shop.open("promotion\(name)", plan) { shop in
      let load = try Load(shop)
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(20, load, shop)
      try await shop.decide("promote", "checkout")
      try await shop.untilWeight(50)
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(50, load, shop)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      let after = try await load.measure(seconds: 2)

      let new = try #require(try await shop.replicaSet("v2").hash)
      #expect(after.requests("mesh") > 0 && after.requests("mesh") == after.requests("mesh", to: new))
      #expect(after.requests("direct") > 0 && after.requests("direct") == after.requests("direct", to: new))
      try await expectNoFailure(load, shop)
    }
  }

  @Test("no request fails through an abort at 50 %, after which all of them reach stable", arguments: routes)
  func abort(name: String, traffic: String) async throws {
    var plan = Self.manifest(["{weight: 50, pause: {}}"])
    plan.traffic = traffic
    try await Shop.open("abort\(name)", plan) { shop in
      let load = try Load(shop)
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(50, load, shop)
      try await shop.decide("abort", "checkout", "--reason", "as a test")
      try await shop.status(2)
      try await expectStableAlone(load, shop)
      try await expectNoFailure(load, shop)
    }
  }

  @Test("no request fails where a newer image supersedes the run")
  func superseded() async throws {
    try await Shop.open("superseded", Self.plan) { shop in
      let load = try Load(shop)
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.setImage("v3")
      try await shop.until("the run of v3", "rollouts.sluice.dev") { rollout in
        rollout[path: ["status", "canary", "hash"]]?.string == (shop.liveSet("v3")?.hash ?? "-")
      }
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(20, load, shop, canary: "v3")
      try await shop.decide("promote", "checkout", "--full")
      try await shop.status(0)
      try await expectNoFailure(load, shop)
    }
  }

  @Test("no request fails where the Rollout is deleted in mid-run")
  func deleted() async throws {
    try await Shop.open("deletion", Self.plan) { shop in
      let load = try Load(shop)
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      try await expectStableAlone(load, shop)
      try await expectNoFailure(load, shop)
    }
  }

  @Test("a bad version is found by what Envoy saw, and nobody but its callers got an error")
  func rollback() async throws {
    try await Shop.open("errors", Self.manifest(["{weight: 20, analyze: {for: 60s}}"])) { shop in
      let load = try Load(shop)
      try await shop.setImage("v2-errors20")
      try await shop.status(2)
      try await expectStableAlone(load, shop)
      let bad = try #require(try await shop.replicaSet("v2-errors20").hash)
      let summary = try await load.stop()
      let failures = summary.counts.filter { $0.status != "200" }
      #expect(!failures.isEmpty)
      #expect(failures.allSatisfy { $0.revision == bad && $0.status == "503" }, "\(summary.failed)")
      print("errors: \(summary.failures) of \(summary.requests) requests failed before the rollback")
    }
  }

  /// A team's own route by either API, in place and taken over.
  struct OwnRoute: Sendable {
    var name: String
    var resource: String
    var route: String
    var inPlace: String
    var adopting: String
  }

  static let ownRoutes = [
    OwnRoute(
      name: "own-route", resource: Shop.virtualServices,
      route: """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop, labels: {team: shop}}
        spec: {hosts: [checkout], http: [{name: all, route: [{destination: {host: checkout}}]}]}
        """, inPlace: "{istio: {route: {name: shop, rule: all}}}", adopting: "{istio: {adopt: {name: shop}}}"),
    OwnRoute(
      name: "own-http-route", resource: Shop.httpRoutes,
      route: """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: shop, labels: {team: shop}}
        spec:
          parentRefs: [{group: "", kind: Service, name: checkout, port: 80}]
          rules: [{backendRefs: [{name: checkout, port: 80}]}]
        """, inPlace: "{gatewayAPI: {route: {name: shop}, metrics: Istio}}",
      adopting: "{gatewayAPI: {adopt: {name: shop}, metrics: Istio}}"),
  ]

  @Test(
    "no request fails where a team's own route is weighed in place, then taken over, weighed again and given back",
    arguments: ownRoutes)
  func ownRoute(own: OwnRoute) async throws {
    var inPlace = Self.manifest(["{weight: 20, pause: {}}"])
    inPlace.traffic = own.inPlace
    inPlace.companions = [own.route]
    try await Shop.open(own.name, inPlace) { shop in
      let git = try await shop.get(own.resource, "shop")
      let load = try Load(shop)
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(20, load, shop)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      #expect(try await shop.get(own.resource, "shop")["spec"] == git["spec"])

      var adopting = inPlace
      adopting.tag = "v2"
      adopting.traffic = own.adopting
      try await shop.apply(adopting.rollout)
      try await shop.until("the route to be taken over", own.resource) {
        $0.name == "shop" && $0.labels["sluice.dev/rollout"] == "checkout"
      }
      try await shop.setImage("v3")
      try await shop.status(5, exitOnPause: true)
      try await expectWeight(20, load, shop, canary: "v3")
      try await shop.kubectl("delete", "rollouts.sluice.dev", "checkout")
      let back = try await shop.get(own.resource, "shop")
      #expect(back["spec"] == git["spec"] && back.labels == ["team": "shop"])
      try await expectNoFailure(load, shop)
    }
  }

  // MARK: What was counted

  /// The canary's share of the requests through the mesh is its weight, within four standard deviations, and nobody
  /// beside the route reaches it.
  private func expectWeight(
    _ weight: Int, _ load: Load, _ shop: Shop, canary tag: String = "v2",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let canary = try #require(shop.liveSet(tag)?.hash, sourceLocation: sourceLocation)
    let counts = try await load.measure(seconds: 4)
    let requests = Double(counts.requests("mesh"))
    #expect(requests > Load.rate, "the load generator hardly sent anything", sourceLocation: sourceLocation)
    let share = Double(weight) / 100
    let observed = Double(counts.requests("mesh", to: canary)) / requests
    let bound = 4 * (share * (1 - share) / requests).squareRoot()
    #expect(abs(observed - share) <= bound, "\(observed) of \(requests)", sourceLocation: sourceLocation)
    let (beside, besideAtCanary) = (counts.requests("direct"), counts.requests("direct", to: canary))
    #expect(beside > 0 && besideAtCanary == 0, sourceLocation: sourceLocation)
    print(
      "\(shop.namespace): at weight \(weight) \(observed) of \(Int(requests)) requests reached the canary,",
      "and \(besideAtCanary) of \(beside) beside the route")
  }

  private func expectStableAlone(
    _ load: Load, _ shop: Shop, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let stable = try #require(shop.liveSet("v1")?.hash, sourceLocation: sourceLocation)
    let counts = try await load.measure(seconds: 2)
    for via in ["mesh", "direct"] {
      #expect(counts.requests(via) > 0, "\(via)", sourceLocation: sourceLocation)
      #expect(counts.requests(via) == counts.requests(via, to: stable), "\(via)", sourceLocation: sourceLocation)
    }
  }

  private func expectNoFailure(
    _ load: Load, _ shop: Shop, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let summary = try await load.stop()
    #expect(summary.failures == 0, "\(summary.failed.joined(separator: "\n"))", sourceLocation: sourceLocation)
    #expect(summary.counts.requests("mesh") > 500, sourceLocation: sourceLocation)
    #expect(summary.counts.requests("direct") > 100, sourceLocation: sourceLocation)
    print("\(shop.namespace): \(summary.failures) of \(summary.requests) requests failed")
  }
}

extension Shop {
  /// The newest state of the ReplicaSet that runs an image.
  fileprivate func liveSet(_ tag: String) -> JSON? {
    cluster.record.live("replicasets.apps", in: namespace).first { $0.image == Manifest.image(tag) }
  }
}
