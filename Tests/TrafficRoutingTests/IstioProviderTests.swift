import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("The VirtualService of a plan")
struct IstioProviderTests {
  @Test("callers in the mesh: one rule, both tracks, weights that sum to 100")
  func mesh() throws {
    let object = try #require(provider().objects(for: .split(TrafficTarget(weight: weight(10)))).first)
    #expect(object.type == .virtualServices)
    #expect(
      object.object.pretty == """
        {
          "apiVersion": "networking.istio.io/v1",
          "kind": "VirtualService",
          "metadata": {
            "annotations": {
              "sluice.dev/traffic": "{\\"weight\\":10}"
            },
            "labels": {
              "app.kubernetes.io/managed-by": "sluice",
              "sluice.dev/rollout": "checkout"
            },
            "name": "checkout",
            "namespace": "shop"
          },
          "spec": {
            "gateways": [
              "mesh"
            ],
            "hosts": [
              "checkout.shop.svc.cluster.local"
            ],
            "http": [
              {
                "name": "primary",
                "route": [
                  {
                    "destination": {
                      "host": "checkout-stable.shop.svc.cluster.local",
                      "port": {
                        "number": 80
                      }
                    },
                    "weight": 90
                  },
                  {
                    "destination": {
                      "host": "checkout-canary.shop.svc.cluster.local",
                      "port": {
                        "number": 80
                      }
                    },
                    "weight": 10
                  }
                ]
              }
            ]
          }
        }
        """)
  }

  let outside: JSON = [
    "hosts": ["shop.example.com"], "gateways": ["public"],
    "matches": [["path": ["type": "PathPrefix", "value": "/checkout"]]],
  ]

  func http(_ provider: IstioProvider, _ target: TrafficTarget) throws -> JSON {
    try #require(provider.objects(for: .split(target)).first?.object[path: ["spec", "http"]])
  }

  /// The destinations of a rule with these weights.
  func route(_ stable: Int, _ canary: Int, port: Int = 80, service: String = "checkout") -> JSON {
    func one(_ track: String, _ weight: Int) -> JSON {
      [
        "destination": [
          "host": .string("\(service)-\(track).shop.svc.cluster.local"), "port": ["number": JSON(port)],
        ],
        "weight": JSON(weight),
      ]
    }
    return [one("stable", stable), one("canary", canary)]
  }

  @Test("with paths, callers from outside and in the mesh have rules of their own; a prefix means path elements")
  func entrances() throws {
    let provider = try provider(istio: outside)
    let object = try #require(provider.objects(for: .split(TrafficTarget(weight: weight(5)))).first?.object)
    #expect(object[path: ["spec", "hosts"]] == ["shop.example.com", "checkout.shop.svc.cluster.local"])
    #expect(object[path: ["spec", "gateways"]] == ["public", "mesh"])
    #expect(
      object[path: ["spec", "http"]] == [
        [
          "name": "gateway-primary",
          "match": [
            ["uri": ["exact": "/checkout"], "gateways": ["public"]],
            ["uri": ["prefix": "/checkout/"], "gateways": ["public"]],
          ],
          "route": route(95, 5),
        ],
        ["name": "mesh-primary", "match": [["gateways": ["mesh"]]], "route": route(95, 5)],
      ])
  }

  @Test("without paths one rule serves both ways; without mesh only the outside is routed")
  func outsideOnly() throws {
    var istio = outside
    istio["matches"] = nil
    #expect(try http(provider(istio: istio), .stableOnly) == [["name": "primary", "route": route(100, 0)]])
    istio["mesh"] = false
    let object = try #require(provider(istio: istio).objects(for: .split(.stableOnly)).first?.object)
    #expect(object[path: ["spec", "hosts"]] == ["shop.example.com"])
    #expect(object[path: ["spec", "gateways"]] == ["public"])
  }

  @Test("requests of a route come before the weight, in lower case, within the plan's own paths")
  func routes() throws {
    let target = TrafficTarget(
      weight: .none,
      routes: [
        HTTPMatch(headers: [NameValueMatch(name: "X-Beta", value: "1")]),
        HTTPMatch(path: PathMatch(value: "/checkout/beta"), method: .get),
        HTTPMatch(path: PathMatch(value: "/elsewhere")),
      ])
    let provider = try provider(istio: outside)
    #expect(provider.limits(target) == [])
    let rules = try http(provider, target)
    #expect(
      rules[0] == [
        "name": "gateway-route",
        "match": [
          ["uri": ["exact": "/checkout"], "headers": ["x-beta": ["exact": "1"]], "gateways": ["public"]],
          ["uri": ["prefix": "/checkout/"], "headers": ["x-beta": ["exact": "1"]], "gateways": ["public"]],
          ["uri": ["exact": "/checkout/beta"], "method": ["exact": "GET"], "gateways": ["public"]],
          ["uri": ["prefix": "/checkout/beta/"], "method": ["exact": "GET"], "gateways": ["public"]],
        ],
        "route": route(0, 100),
      ])
    #expect(rules[1]?["name"] == "gateway-primary")
    #expect(rules[2]?["name"] == "mesh-route")
    #expect(rules[2]?["match"]?.array?.count == 5)
    #expect(rules[3] == ["name": "mesh-primary", "match": [["gateways": ["mesh"]]], "route": route(100, 0)])
  }

  @Test("what Istio cannot join is said before anything is written")
  func limits() throws {
    let provider = try provider(istio: outside)
    let pattern = HTTPMatch(path: PathMatch(type: .regularExpression, value: "/checkout/[0-9]+"))
    #expect(
      provider.limits(TrafficTarget(weight: .none, routes: [pattern])) == [
        "route.matches and traffic.istio.matches both ask for path (/checkout and /checkout/[0-9]+), which Istio cannot "
          + "join"
      ])
    #expect(provider.limits(TrafficTarget(weight: .none, mirror: Percent("12.5%"))).count == 1)
    #expect(provider.limits(TrafficTarget(weight: .none, mirror: Percent(12))).isEmpty)
    let elsewhere = HTTPMatch(path: PathMatch(value: "/checkouts"))
    #expect(
      provider.limits(TrafficTarget(weight: .none, routes: [elsewhere])) == [
        "route.matches and traffic.istio.matches have no request in common"
      ])
  }

  @Test("a mirror copies a percentage of the weighted requests")
  func mirror() throws {
    let rules = try http(provider(), TrafficTarget(weight: weight(1), mirror: Percent(20)))
    #expect(
      rules == [
        [
          "name": "primary", "route": route(99, 1),
          "mirrors": [
            [
              "destination": ["host": "checkout-canary.shop.svc.cluster.local", "port": ["number": 80]],
              "percentage": ["value": 20],
            ]
          ],
        ]
      ])
  }

  @Test("a sticky target sets a cookie on the canary's answers that leads back to it, and names the revision")
  func sticky() throws {
    let target = TrafficTarget(weight: try weight(20), sticky: Sticky(cookie: "shop.track", maxAge: .seconds(3600)))
    let rules = try http(provider(), target)
    #expect(
      rules[0] == [
        "name": "sticky",
        "match": [["headers": ["cookie": ["regex": "^(.*;\\s*)?shop\\.track=6f7c9(;.*)?$"]]]], "route": route(0, 100),
      ])
    #expect(
      rules[1]?["route"]?[1]?[path: ["headers", "response", "add", "Set-Cookie"]]
        == "shop.track=6f7c9; Max-Age=3600; Path=/; HttpOnly")
    #expect(rules[1]?["route"]?[0]?["headers"] == nil)
    #expect(try http(provider(), .stableOnly).array?.count == 1)
  }

  @Test("ports that the plan leaves out go to stable, since the object takes over the whole host")
  func ports() throws {
    let provider = try provider(
      services: [["name": "checkout", "port": 80]], live: [service("checkout", [("http", 80), ("admin", 9090)])])
    #expect(
      try http(provider, TrafficTarget(weight: weight(30))) == [
        ["name": "mesh-80-primary", "match": [["port": 80]], "route": route(70, 30)],
        ["name": "mesh-9090-primary", "match": [["port": 9090]], "route": route(100, 0, port: 9090)],
      ])
  }

  @Test("each callers' Service has an object of its own; the first takes the hosts from outside")
  func services() throws {
    let provider = try provider(
      istio: outside, services: [["name": "checkout", "port": "http"], ["name": "checkout-grpc", "port": 9000]],
      live: [service("checkout"), service("checkout-grpc", [("grpc", 9000)])])
    let objects = provider.objects(for: .split(TrafficTarget(weight: try weight(50)))).map(\.object)
    #expect(objects.map(\.name) == ["checkout", "checkout-checkout-grpc"])
    #expect(
      objects[1]["spec"] == [
        "hosts": ["checkout-grpc.shop.svc.cluster.local"], "gateways": ["mesh"],
        "http": [["name": "primary", "route": route(50, 50, port: 9000, service: "checkout-grpc")]],
      ])
  }

  @Test("released, everything goes to the callers' Service itself")
  func released() throws {
    let object = try #require(provider().objects(for: .released).first?.object)
    #expect(
      object[path: ["spec", "http"]] == [
        [
          "name": "primary",
          "route": [
            [
              "destination": ["host": "checkout.shop.svc.cluster.local", "port": ["number": 80]], "weight": 100,
            ]
          ],
        ]
      ])
    #expect(object.annotations["sluice.dev/traffic"] == "released")
  }

  @Test("timeouts and retries stand on every rule")
  func policy() throws {
    let rules = try http(
      provider(
        istio: outside,
        policy: [
          "timeouts": ["request": "15s", "backendRequest": "2s"],
          "retries": ["attempts": 3, "codes": [502, 503], "backoff": "25ms"],
        ]), .stableOnly)
    let members: JSON = [
      "attempts": 3, "retryOn": "connect-failure,refused-stream,unavailable,cancelled,502,503", "backoff": "25ms",
      "perTryTimeout": "2s",
    ]
    for rule in try #require(rules.array) {
      #expect(rule["timeout"] == "15s")
      #expect(rule["retries"] == members)
    }
    let none = try http(provider(policy: ["retries": ["attempts": 0]]), .stableOnly)
    #expect(none[0]?["retries"] == ["attempts": 0])
  }

  @Test("every target gives each rule both tracks and a sum of 100")
  func sums() throws {
    let provider = try provider(
      istio: outside, live: [service("checkout", [("http", 80), ("admin", 9090)])])
    for value in 0...100 {
      let target = TrafficTarget(
        weight: try weight(value), mirror: Percent(10),
        routes: [HTTPMatch(headers: [NameValueMatch(name: "a", value: "b")])],
        sticky: Sticky(cookie: "c", maxAge: .seconds(1)))
      for rule in try #require(http(provider, target).array) {
        let route = try #require(rule["route"]?.array)
        #expect(route.count == 2)
        #expect(route.compactMap { $0["weight"]?.int }.reduce(0, +) == 100)
      }
    }
  }

  @Test("a plan that Istio cannot carry out is refused with every reason")
  func refusals() throws {
    let refused = #expect(throws: RoutingRefusal.self) {
      try provider(
        istio: ["hosts": ["a.example.com"], "gateways": ["istio-system/public"]])
    }
    #expect(refused?.problems.count == 1)
    #expect(refused?.problems.first?.contains("istio-system/public is in another namespace") == true)
    _ = try provider(
      istio: ["hosts": ["a.example.com"], "gateways": ["istio-system/public"]], gatewayNamespaces: ["istio-system"])
  }

  @Test("a Service or port that is not there is named, with what is")
  func resolving() throws {
    let services: JSON = [["name": "checkout", "port": "grpc"], ["name": "other", "port": 80]]
    let refused = #expect(throws: RoutingRefusal.self) { try provider(services: services) }
    #expect(
      refused?.problems == [
        "Service shop/checkout has no port grpc; it has http (80)",
        "Service shop/other is not there; the plan's serviceRefs name it",
      ])
  }
}
