import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("A GRPCRoute beside an HTTPRoute")
struct GRPCRouteTests {
  private func grpc(_ parent: JSON, hosts: JSON? = nil) -> JSON {
    var spec: JSON = ["parentRefs": [parent]]
    spec["hostnames"] = hosts
    return ["kind": "GRPCRoute", "metadata": ["name": "calls", "namespace": "shop"], "spec": spec]
  }

  private static let gatewaySpec: JSON = [
    "parentRefs": [["name": "public"]], "hostnames": ["shop.example.com"], "metrics": "Istio",
  ]

  @Test("one of the same parent and host is named before a run, since only one of the two kinds is served there")
  func excluded() throws {
    func obstacles(_ route: JSON) throws -> [String] {
      try gatewayProvider(Self.gatewaySpec, surroundings: gateway() + [route]).obstacles
    }
    let service: JSON = ["group": "", "kind": "Service", "name": "checkout"]
    for route in [
      grpc(["name": "public"]), grpc(["name": "public"], hosts: ["*.example.com"]), grpc(service),
      grpc(["name": "public"], hosts: ["shop.example.com"]),
    ] {
      let found = try obstacles(route)
      #expect(found.count == 1 && found[0].hasPrefix("GRPCRoute shop/calls has the same parent and host"), "\(found)")
    }
    for route in [
      grpc(["name": "other"]), grpc(["name": "public"], hosts: ["grpc.example.com"]),
      grpc(["group": "", "kind": "Service", "name": "cart"]),
    ] {
      #expect(try obstacles(route) == [])
    }
  }
}

@Suite("The Gateway API's provider")
struct GatewayProviderTests {
  @Test("callers of the Service are routed by an HTTPRoute whose parent it is, with every default written out")
  func mesh() throws {
    let objects = try gatewayProvider().objects(for: .split(TrafficTarget(weight: weight(10))))
    #expect(objects.map(\.key.name) == ["checkout"])
    #expect(
      objects.first?.object["spec"] == [
        "parentRefs": [["group": "", "kind": "Service", "name": "checkout", "port": 80]],
        "rules": [
          [
            "matches": [["path": ["type": "PathPrefix", "value": "/"]]],
            "backendRefs": [
              ["group": "", "kind": "Service", "name": "checkout-stable", "port": 80, "weight": 90],
              ["group": "", "kind": "Service", "name": "checkout-canary", "port": 80, "weight": 10],
            ],
          ]
        ],
      ])
    #expect(objects.first?.object.labels[RoutingNames.rollout] == "checkout")
  }

  @Test("Gateways come first, in an object of their own with the plan's hosts and matches")
  func gateways() throws {
    let provider = try gatewayProvider(
      [
        "parentRefs": [["name": "public", "sectionName": "https"]], "hostnames": ["shop.example.com"],
        "matches": [["path": ["value": "/checkout"]]],
      ], surroundings: gateway())
    let objects = provider.objects(for: .split(TrafficTarget(weight: try weight(10))))
    #expect(objects.map(\.key.name) == ["checkout", "checkout-checkout"])
    let spec = objects.first?.object["spec"]
    #expect(
      spec?["parentRefs"] == [
        [
          "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "sectionName": "https",
        ]
      ])
    #expect(spec?["hostnames"] == ["shop.example.com"])
    #expect(
      spec?["rules"]?[0]?["matches"] == [["path": ["type": "PathPrefix", "value": "/checkout"]]])
    #expect(objects.last?.object[path: ["spec", "hostnames"]] == nil)
    #expect(provider.problems == [])
  }

  @Test("each Service of the plan has a route of its own, by the port that the plan covers; other ports are left alone")
  func services() throws {
    let live = [service("checkout", [("http", 80), ("admin", 8081)]), service("cart", [("http", 8080)])]
    let two: JSON = [["name": "checkout", "port": "http"], ["name": "cart", "port": "http"]]
    let objects = try gatewayProvider(services: two, live: live).objects(for: .split(.stableOnly))
    #expect(objects.map(\.key.name) == ["checkout", "checkout-cart"])
    #expect(objects.map { $0.object[path: ["spec", "parentRefs"]]?[0]?["port"] } == [80, 8080])
    #expect(
      objects.map { $0.object[path: ["spec", "rules"]]?[0]?["backendRefs"]?[0]?["name"] } == [
        "checkout-stable", "cart-stable",
      ])
  }

  @Test("a route to the canary is the more specific rule, for every match of the plan, and has weights that sum to 100")
  func routes() throws {
    let provider = try gatewayProvider([
      "parentRefs": [["name": "public"]], "mesh": false, "metrics": "Istio",
      "matches": [["path": ["value": "/a"]], ["path": ["value": "/a/b"], "method": "GET"]],
    ])
    let header = HTTPMatch(headers: [NameValueMatch(name: "x-beta", value: "1")])
    let rules = provider.rules(TrafficTarget(weight: try weight(5), routes: [header]))
    #expect(rules.map(backends) == ["stable 0, canary 100", "stable 95, canary 5"])
    let beta: JSON = [["type": "Exact", "name": "x-beta", "value": "1"]]
    #expect(
      rules.first?["matches"] == [
        ["path": ["type": "PathPrefix", "value": "/a"], "headers": beta],
        ["path": ["type": "PathPrefix", "value": "/a/b"], "headers": beta, "method": "GET"],
      ])
  }

  @Test("a sticky target sets a cookie on the canary's answers, and leads whoever brings it back there")
  func sticky() throws {
    let target = TrafficTarget(weight: try weight(5), sticky: Sticky(cookie: "track", maxAge: .seconds(3600)))
    let rules = try gatewayProvider().rules(target)
    #expect(rules.map(backends) == ["stable 0, canary 100", "stable 95, canary 5"])
    #expect(
      rules.first?["matches"]?[0]?["headers"] == [
        ["type": "RegularExpression", "name": "Cookie", "value": "^(.*;\\s*)?track=6f7c9(;.*)?$"]
      ])
    #expect(rules.last?["backendRefs"]?[0]?["filters"] == nil)
    #expect(
      rules.last?["backendRefs"]?[1]?["filters"] == [
        [
          "type": "ResponseHeaderModifier",
          "responseHeaderModifier": [
            "add": [["name": "Set-Cookie", "value": "track=6f7c9; Max-Age=3600; Path=/; HttpOnly"]]
          ],
        ]
      ])
  }

  @Test("a part of the requests is mirrored by percentage, and all of them without one")
  func mirror() throws {
    func filter(_ percent: Int) throws -> JSON? {
      try gatewayProvider().rules(TrafficTarget(weight: .none, mirror: Percent(percent))).last?["filters"]?[0]
    }
    let backend: JSON = ["group": "", "kind": "Service", "name": "checkout-canary", "port": 80]
    #expect(
      try filter(20) == ["type": "RequestMirror", "requestMirror": ["backendRef": backend, "percent": 20]])
    #expect(try filter(100) == ["type": "RequestMirror", "requestMirror": ["backendRef": backend]])
  }

  @Test("the policy stands in every rule, and letting go leads to the callers' Service itself")
  func policyAndRelease() throws {
    let provider = try gatewayProvider(
      policy: ["timeouts": ["request": "10s", "backendRequest": "2s"], "retries": ["attempts": 2, "codes": [503]]])
    let rule = provider.rules(.stableOnly).last
    #expect(rule?["timeouts"] == ["request": "10s", "backendRequest": "2s"])
    #expect(rule?["retry"] == ["attempts": 2, "codes": [503]])
    let released = provider.objects(for: .released).first?.object[path: ["spec", "rules"]]?[0]?["backendRefs"]
    #expect(released == [["group": "", "kind": "Service", "name": "checkout", "port": 80, "weight": 100]])
  }

  @Test("what was written is read back, and a foreign change is told with its weight")
  func observation() throws {
    let provider = try gatewayProvider([
      "parentRefs": [["name": "public"]], "hostnames": ["shop.example.com"], "metrics": "Istio",
    ])
    let target = TrafficTarget(
      weight: try weight(20), routes: [HTTPMatch(headers: [NameValueMatch(name: "x-beta", value: "1")])])
    var live = provider.live(.split(target))
    #expect(provider.observe(live) == .routing(.split(target)))
    #expect(provider.observe(provider.live(.released)) == .routing(.released))
    #expect(provider.observe([live[0]]) == .missing(ObjectKey(namespace: "shop", name: "checkout-checkout")))

    live[0][path: ["spec", "rules"]] = .array(
      (live[0][path: ["spec", "rules"]]?.array ?? []).map { rule in
        var rule = rule
        rule["backendRefs"] = [["name": "checkout-canary", "port": 80]]
        return rule
      })
    guard case .changed(.split(target), let differences, 100) = provider.observe(live) else {
      Issue.record("\(provider.observe(live))")
      return
    }
    #expect(differences.first?.contains("HTTPRoute shop/checkout: spec.rules[0].backendRefs") == true)
    live[0][path: ["metadata", "labels"]] = nil
    #expect(provider.observe(live) == .foreign(ObjectKey(namespace: "shop", name: "checkout")))
  }

  @Test("each track is a cluster of its own for Envoy Gateway, which a filter that changes nothing brings about")
  func envoyGateway() throws {
    let provider = try gatewayProvider(
      ["parentRefs": [["name": "public"]], "mesh": false],
      surroundings: gateway(controller: "gateway.envoyproxy.io/gatewayclass-controller"))
    #expect(provider.problems == [])
    let nothing: JSON = [
      "type": "ResponseHeaderModifier", "responseHeaderModifier": ["remove": ["x-sluice-none"]],
    ]
    let rule = provider.rules(TrafficTarget(weight: try weight(5))).last
    #expect(rule?["backendRefs"]?.array?.map { $0["filters"] } == [[nothing], [nothing]])
    let sticky = TrafficTarget(weight: try weight(5), sticky: Sticky(cookie: "track", maxAge: .seconds(60)))
    let filters = provider.rules(sticky).last?["backendRefs"]?[1]?["filters"]?.array
    #expect(filters?.count == 1, "a filter may be there once of each type")
    #expect(filters?.first?["responseHeaderModifier"]?.object?.keys.sorted() == ["add", "remove"])
  }

  @Test(
    "the metrics are found out from the Gateways' classes, and asked for where these do not tell",
    arguments: [
      ("istio.io/gateway-controller", MetricsSource.istio), ("istio.io/unmanaged-gateway", .istio),
      ("gateway.envoyproxy.io/gatewayclass-controller", .envoyGateway), ("io.cilium/gateway-controller", nil),
    ])
  func metrics(controller: String, source: MetricsSource?) throws {
    let provider = try gatewayProvider(
      ["parentRefs": [["name": "public"]], "mesh": false], surroundings: gateway(controller: controller))
    #expect(provider.cluster.metrics == source)
    let told = provider.obstacles.filter { $0.hasPrefix("traffic.gatewayAPI.metrics") }
    #expect(told.isEmpty == (source != nil))
    if source == nil { #expect(told.first?.contains(controller) == true) }
  }
}
