import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("HTTPRoutes in the sandbox")
struct GatewayMeshTests {
  private static func backend(_ service: String, _ weight: Int) -> JSON {
    ["kind": "Service", "name": .string(service), "port": 80, "weight": JSON(weight)]
  }

  private static func route(
    _ rules: JSON, parent: JSON = ["group": "", "kind": "Service", "name": "checkout", "port": 80],
    hosts: JSON = [], name: String = "checkout", created: String = "2026-01-01T00:00:00Z"
  ) -> JSON {
    [
      "kind": "HTTPRoute",
      "metadata": ["name": .string(name), "namespace": "shop", "creationTimestamp": .string(created), "generation": 1],
      "spec": ["parentRefs": [parent], "hostnames": hosts, "rules": rules],
    ]
  }

  private static let split: JSON = [
    ["backendRefs": [backend("checkout-stable", 90), backend("checkout-canary", 10)]]
  ]

  @Test("callers of a Service obey the HTTPRoute whose parent it is")
  func serviceParent() {
    var world = MeshWorld.twoTracks()
    world.put(.gatewayRoutes, Self.route(Self.split))
    world.run(seconds: 1)
    let before = world.source("checkout-canary")
    world.run(seconds: 50)
    let canary = world.source("checkout-canary") - before
    // 5,000 requests at 10 %: 500, with a deviation of 21.
    #expect((420...580).contains(canary), "\(canary)")
  }

  @Test("requests from outside come by the Gateway that a route of their host names")
  func gatewayParent() {
    var world = MeshWorld.twoTracks(
      rate: 0,
      annotations: [
        "sandbox.sluice.dev/gateway-requests-per-second": "100", "sandbox.sluice.dev/gateway-host": "shop.example.com",
        "sandbox.sluice.dev/gateway-path": "/checkout/1",
      ])
    let rules: JSON = [
      [
        "matches": [["path": ["type": "PathPrefix", "value": "/"]]],
        "backendRefs": [Self.backend("checkout-stable", 1)],
      ],
      [
        "matches": [["path": ["type": "PathPrefix", "value": "/checkout"]]],
        "backendRefs": [Self.backend("checkout-canary", 1)],
      ],
    ]
    world.put(.gatewayRoutes, Self.route(rules, parent: ["name": "public"], hosts: ["shop.example.com"]))
    world.run(seconds: 10)
    #expect(world.source("checkout-canary") > 900, "the longer prefix decides, not the order")
    #expect(world.source("checkout-stable") == 0)
  }

  @Test("the most particular match decides among all routes of a host, then the older route, then the order in it")
  func precedence() {
    func target(_ matches: JSON, _ service: String) -> JSON {
      ["matches": matches, "backendRefs": [Self.backend(service, 1)]]
    }
    let header: JSON = [["type": "Exact", "name": "X-Beta", "value": "1"]]
    let old = Self.route(
      [
        target([["path": ["type": "PathPrefix", "value": "/a"]]], "prefix"),
        target([["path": ["type": "Exact", "value": "/a"]]], "exact"),
        target([["path": ["type": "PathPrefix", "value": "/a"], "headers": header]], "header"),
      ], name: "old")
    let new = Self.route(
      [
        target([["path": ["type": "PathPrefix", "value": "/a"]]], "younger"),
        target([["path": ["type": "PathPrefix", "value": "/a"], "method": "POST"]], "method"),
        target([["path": ["type": "PathPrefix", "value": "/a/b/c"]]], "longer"),
      ], name: "new", created: "2026-02-01T00:00:00Z")
    let config = MeshConfig(virtualServices: [], httpRoutes: [new, old], services: [], slices: [])
    func goes(_ path: String, method: String = "GET", headers: [String: String] = [:]) -> String? {
      var request = MeshRequest(gateway: "mesh", host: "checkout.shop.svc.cluster.local", path: path)
      request.method = method
      request.headers = headers
      let rules = config.routes(for: request) ?? []
      return rules.first { $0.matches.contains { $0.holds(for: request) } }?.destinations.first?.service.name
    }
    #expect(goes("/a") == "exact")
    #expect(goes("/a/x") == "prefix", "the older route")
    #expect(goes("/ab") == nil, "a prefix takes whole elements")
    #expect(goes("/a/x", headers: ["x-beta": "1"]) == "header")
    #expect(goes("/a/x", method: "POST", headers: ["x-beta": "1"]) == "method", "a method comes before headers")
    #expect(goes("/a/b/c/d", headers: ["x-beta": "1"]) == "longer")
  }

  @Test("Envoy Gateway counts by the clusters of its routes' backends, and its failed connections beside them")
  func envoyGateway() {
    var world = MeshWorld.twoTracks(
      rate: 0,
      annotations: [
        "sandbox.sluice.dev/gateway-requests-per-second": "100", "sandbox.sluice.dev/gateway-host": "shop.example.com",
      ], canaryImage: "x:v2-errors20")
    world.put(
      .gatewayClasses,
      [
        "kind": "GatewayClass", "metadata": ["name": "envoy"],
        "spec": ["controllerName": "gateway.envoyproxy.io/gatewayclass-controller"],
      ])
    world.put(
      .gateways,
      [
        "kind": "Gateway", "metadata": ["name": "public", "namespace": "shop"],
        "spec": ["gatewayClassName": "envoy"],
      ])
    world.put(.gatewayRoutes, Self.route(Self.split, parent: ["name": "public"], hosts: ["shop.example.com"]))
    world.run(seconds: 50)
    func value(_ name: String, _ backend: Int, _ more: String = "") -> Int {
      let cluster = "envoy_cluster_name=\"httproute/shop/checkout/rule/0/backend/\(backend)\""
      let lines = world.mesh.exposition().split(separator: "\n").filter {
        $0.hasPrefix("envoy_cluster_upstream_\(name){\(more)") && $0.contains(cluster)
      }
      return lines.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }
    let canary = value("rq", 1)
    #expect((420...580).contains(canary), "\(canary)")
    #expect((60...140).contains(value("rq", 1, "envoy_response_code=\"503\"")))
    #expect(value("rq_xx", 1) == canary)
    #expect(value("rq", 0, "envoy_response_code=\"200\"") == value("rq", 0))
    #expect(value("cx_connect_fail", 0) == 0)
    #expect(world.source("checkout-canary") == 0, "Istio's names count nothing of it")
  }

  @Test("Linkerd's proxies count in a namespace that has them: by backend, by pod, and probes as well")
  func linkerd() {
    var world = MeshWorld.twoTracks(canaryImage: "shop/checkout:v2-errors20")
    world.put(
      .namespaces,
      ["kind": "Namespace", "metadata": ["name": "shop", "annotations": ["linkerd.io/inject": "enabled"]]])
    world.put(.gatewayRoutes, Self.route(Self.split))
    world.run(seconds: 40)
    func sum(_ metric: String, _ labels: [String]) -> Int {
      world.mesh.exposition().split(separator: "\n").filter { line in
        line.hasPrefix("\(metric){") && labels.allSatisfy { line.contains($0) }
      }.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
    }
    let sent = "outbound_http_route_backend_response_statuses_total"
    let canary = sum(sent, ["backend_name=\"checkout-canary\""])
    #expect((300...500).contains(canary), "\(canary)")
    let failed = sum(sent, ["backend_name=\"checkout-canary\"", "http_status=\"503\""])
    #expect((30...150).contains(failed), "\(failed)")
    let answered = sum("response_total", ["pod=\"canary-1\"", "route_name=\"default\""])
    #expect(answered == canary)
    #expect(sum("response_total", ["pod=\"canary-1\"", "classification=\"failure\""]) == failed)
    #expect(sum("response_total", ["pod=\"canary-1\"", "route_name=\"probe\""]) >= 39)
    #expect(sum("response_latency_ms_bucket", ["pod=\"canary-1\"", "le=\"+Inf\"", "route_name=\"default\""]) == canary)
    #expect(world.requests([:]) == 0, "Istio's count nothing there")
  }

  @Test("Linkerd passes over a route with a field that it does not know")
  func linkerdForeign() {
    let copy: JSON = ["type": "RequestMirror", "requestMirror": ["backendRef": ["name": "checkout-canary"]]]
    let rules: JSON = [["filters": [copy], "backendRefs": [Self.backend("checkout-stable", 1)]]]
    let hosts = { (linkerd: Set<String>) in
      MeshConfig(virtualServices: [], httpRoutes: [Self.route(rules)], linkerd: linkerd, services: [], slices: []).hosts
    }
    #expect(hosts([]).count == 1)
    #expect(hosts(["shop"]).isEmpty)
  }

  @Test("a real proxy is told the same: an HTTPRoute's rules stand in Envoy's order of precedence")
  func envoy() {
    let header: JSON = [["type": "Exact", "name": "x-beta", "value": "1"]]
    let rules: JSON = [
      ["backendRefs": [Self.backend("checkout-stable", 95), Self.backend("checkout-canary", 5)]],
      [
        "matches": [["headers": header]],
        "backendRefs": [Self.backend("checkout-stable", 0), Self.backend("checkout-canary", 100)],
      ],
    ]
    let config = MeshConfig(virtualServices: [], httpRoutes: [Self.route(rules)], services: [], slices: [])
    let checkout = ObjectKey(namespace: "shop", name: "checkout")
    let routes =
      EnvoyRoutes(
        config,
        servicePorts: [
          checkout: [80], ObjectKey(namespace: "shop", name: "checkout-stable"): [80],
          ObjectKey(namespace: "shop", name: "checkout-canary"): [80],
        ]
      ).configuration(.mesh)["virtual_hosts"]?.array?.first { $0["name"]?.string?.hasPrefix("checkout.") ?? false }?[
        "routes"]?.array ?? []
    #expect(routes.map { $0[path: ["match", "headers"]]?[0]?["name"] } == ["x-beta", nil])
    #expect(
      routes.last?[path: ["route", "weighted_clusters", "clusters"]]?.array?.map { $0["weight"] } == [95, 5])
  }

  @Test("a route's status says what its parents' implementations say, Linkerd's without the generation")
  func status() throws {
    let server = APIServer(clock: SandboxClock(now: { Date() }, sleep: { _ in throw CancellationError() }))
    let cluster = InProcessAccess(server)
    try MeshDefinitions.install(in: cluster)
    let controllers = ControllerManager(cluster: cluster, controllers: [RouteStatusController()])
    for (name, annotations) in [("shop", JSON.emptyObject), ("linked", ["linkerd.io/inject": "enabled"])] {
      _ = try cluster.create(
        .namespaces,
        [
          "apiVersion": "v1", "kind": "Namespace",
          "metadata": ["name": .string(name), "annotations": annotations],
        ])
      _ = try cluster.create(
        .services,
        [
          "apiVersion": "v1", "kind": "Service", "metadata": ["name": "checkout", "namespace": .string(name)],
          "spec": ["ports": [["port": 80]]],
        ])
      _ = try cluster.create(
        .gatewayRoutes,
        [
          "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
          "metadata": ["name": "checkout", "namespace": .string(name)],
          "spec": [
            "parentRefs": [
              ["group": "", "kind": "Service", "name": "checkout", "port": 80], ["name": "public"],
            ],
            "rules": [
              ["backendRefs": [["name": "checkout", "port": 80], ["name": "gone", "port": 80, "weight": 0]]]
            ],
          ],
        ])
    }
    controllers.runDue()
    func entries(_ namespace: String) -> [JSON] {
      let key = ObjectKey(namespace: namespace, name: "checkout")
      return cluster.get(.gatewayRoutes, key)?[path: ["status", "parents"]]?.array ?? []
    }
    let found = try #require(entries("shop").first)
    #expect(entries("shop").count == 1, "nobody implements a Gateway that is not there")
    #expect(found["controllerName"] == "istio.io/gateway-controller")
    let conditions = found["conditions"]?.array ?? []
    #expect(conditions.map { $0["type"] } == ["Accepted", "ResolvedRefs"])
    #expect(conditions.map { $0["status"] } == ["True", "False"])
    #expect(conditions.last?["reason"] == "BackendNotFound")
    #expect(conditions.map { $0["observedGeneration"] } == [1, 1])
    let linkerd = try #require(entries("linked").first)
    #expect(linkerd["controllerName"] == "linkerd.io/policy-controller")
    #expect(linkerd["conditions"]?[0]?["observedGeneration"] == nil)
  }
}
