import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("DestinationRules of both tracks")
struct IstioPolicyTests {
  func rule(_ name: String, host: String, _ spec: JSON = .emptyObject, namespace: String = "shop") -> JSON {
    var spec = spec
    spec["host"] = .string(host)
    return ["metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec]
  }

  @Test("a rule aimed at the callers' Service is copied to both, with the plan's policy over it")
  func copies() throws {
    let provider = try provider(
      policy: [
        "loadBalancing": ["algorithm": "LeastRequest"], "circuitBreaking": ["consecutiveErrors": 5],
        "connectionLimits": ["maxConnections": 100, "maxPendingRequests": 64, "connectTimeout": "3s"],
      ])
    let existing = rule(
      "checkout", host: "checkout.shop.svc.cluster.local",
      [
        "exportTo": ["."],
        "trafficPolicy": ["tls": ["mode": "ISTIO_MUTUAL"], "loadBalancer": ["simple": "ROUND_ROBIN"]],
      ])
    let rules = try provider.policies(existing: [existing, rule("other", host: "other")]).map(\.object)
    #expect(rules.map(\.name) == ["checkout-stable", "checkout-canary"])
    #expect(rules[0].labels["sluice.dev/rollout"] == "checkout")
    for (rule, track) in zip(rules, ["stable", "canary"]) {
      #expect(
        rule["spec"] == [
          "host": .string("checkout-\(track).shop.svc.cluster.local"), "exportTo": ["."],
          "trafficPolicy": [
            "tls": ["mode": "ISTIO_MUTUAL"], "loadBalancer": ["simple": "LEAST_REQUEST"],
            "connectionPool": [
              "tcp": ["maxConnections": 100, "connectTimeout": "3s"], "http": ["http1MaxPendingRequests": 64],
            ],
            "outlierDetection": [
              "consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s", "maxEjectionPercent": 10,
            ],
          ],
        ])
    }
  }

  @Test("short hosts mean the Service too, and Sluice's own rules are not copied again")
  func shortHosts() throws {
    let provider = try provider()
    let policy: JSON = ["trafficPolicy": ["tls": ["mode": "DISABLE"]]]
    for host in ["checkout", "checkout.shop", "checkout.shop.svc"] {
      #expect(try provider.policies(existing: [rule("a", host: host, policy)]).count == 2)
    }
    #expect(try provider.policies(existing: [rule("a", host: "checkout", policy, namespace: "web")]).isEmpty)
    let own = try provider.policies(existing: [rule("a", host: "checkout", policy)]).map(\.object)
    #expect(try provider.policies(existing: own).isEmpty)
  }

  @Test("a rule for many hosts reaches the tracks by itself, and is the base where the plan adds policy")
  func wildcard() throws {
    let wide = rule("wide", host: "*.shop.svc.cluster.local", ["trafficPolicy": ["tls": ["mode": "ISTIO_MUTUAL"]]])
    #expect(try provider().policies(existing: [wide]).isEmpty)
    let provider = try provider(policy: ["loadBalancing": ["consistentHash": ["header": "x-user"]]])
    #expect(
      try provider.policies(existing: [wide]).first?.object[path: ["spec", "trafficPolicy"]] == [
        "tls": ["mode": "ISTIO_MUTUAL"], "loadBalancer": ["consistentHash": ["httpHeaderName": "x-user"]],
      ])
  }

  @Test("nothing is written where neither a rule nor a policy asks for it")
  func none() throws {
    #expect(try provider().policies(existing: []).isEmpty)
    #expect(try provider(policy: ["timeouts": ["request": "5s"]]).policies(existing: []).isEmpty)
  }

  @Test("subsets, selectors and two rules for one host are refused by name")
  func refusals() throws {
    let existing = [
      rule("a", host: "checkout", ["subsets": [["name": "v1"], ["name": "v2"]]]),
      rule("b", host: "checkout", ["workloadSelector": ["matchLabels": ["app": "web"]]]),
    ]
    let refused = try #require(
      #expect(throws: RoutingRefusal.self) { try provider().policies(existing: existing) })
    #expect(refused.problems.count == 3)
    #expect(refused.problems[0].hasPrefix("DestinationRule shop/a has subsets (v1, v2)"))
    #expect(refused.problems[1].hasPrefix("DestinationRule shop/b has a workloadSelector"))
    #expect(refused.problems[2].hasPrefix("DestinationRules shop/a and shop/b are both for checkout.shop"))
  }
}

@Suite("Conflicts with other VirtualServices")
struct IstioConflictTests {
  func other(
    _ name: String, hosts: JSON, gateways: JSON? = nil, paths: [String] = [], namespace: String = "shop",
    labels: JSON = .emptyObject
  ) -> JSON {
    var rule = JSON.emptyObject
    if !paths.isEmpty { rule["match"] = .array(paths.map { ["uri": ["prefix": .string($0)]] }) }
    var spec: JSON = ["hosts": hosts, "http": [rule]]
    spec["gateways"] = gateways
    return ["metadata": ["name": .string(name), "namespace": .string(namespace), "labels": labels], "spec": spec]
  }

  func names(_ conflicts: [RoutingConflict]) -> [String] { conflicts.map { "\($0.object) \($0.gateway)" } }

  func provider() throws -> IstioProvider {
    try TrafficRoutingTests.provider(istio: [
      "hosts": ["shop.example.com"], "gateways": ["public"], "matches": [["path": ["value": "/checkout"]]],
    ])
  }

  @Test("another object for the Service's own host hides this one from callers in the mesh")
  func mesh() throws {
    let provider = try provider()
    #expect(names(provider.conflicts(existing: [other("a", hosts: ["checkout"], paths: ["/x"])])) == ["shop/a mesh"])
    #expect(provider.conflicts(existing: [other("a", hosts: ["checkout"], gateways: ["public"])]).isEmpty)
    #expect(provider.conflicts(existing: [other("a", hosts: ["checkout"], namespace: "web")]).isEmpty)
    #expect(
      names(provider.conflicts(existing: [other("a", hosts: ["checkout.shop.svc.cluster.local"], namespace: "web")]))
        == ["web/a mesh"])
  }

  @Test("at a gateway only objects for the same host, gateway and paths clash")
  func gateway() throws {
    let provider = try provider()
    func clash(_ paths: [String], gateways: JSON = ["public"], hosts: JSON = ["shop.example.com"]) -> Bool {
      !provider.conflicts(existing: [other("a", hosts: hosts, gateways: gateways, paths: paths)]).isEmpty
    }
    #expect(clash(["/checkout"]))
    #expect(clash(["/check"]))
    #expect(clash(["/checkout/pay"]))
    #expect(!clash(["/cart"]))
    #expect(!clash([]), "one that takes what is left comes last")
    #expect(!clash(["/"]))
    #expect(!clash(["/checkout"], gateways: ["private"]))
    #expect(clash(["/checkout"], gateways: ["shop/public"]))
    #expect(!clash(["/checkout"], hosts: ["other.example.com"]))
  }

  @Test("a conflict names the object, its Rollout, the host and what to do; one's own objects are none")
  func text() throws {
    let provider = try provider()
    let conflict = provider.conflicts(existing: [
      other("b", hosts: ["checkout"], labels: ["sluice.dev/rollout": "b"]),
      try #require(provider.objects(for: .split(.stableOnly)).first).object,
    ])
    #expect(
      conflict.map(\.description) == [
        "VirtualService shop/b of Rollout shop/b also routes checkout.shop.svc.cluster.local for callers in the mesh; "
          + "only one of them can decide: remove that host from it, or from the Rollout"
      ])
  }

  @Test("an object that is not exported to the plan's namespace is no conflict")
  func exported() throws {
    var hidden = other("a", hosts: ["checkout.shop.svc.cluster.local"], namespace: "web")
    hidden[path: ["spec", "exportTo"]] = ["."]
    #expect(try provider().conflicts(existing: [hidden]).isEmpty)
  }
}
