import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("What a cluster's Gateway API cannot do")
struct GatewayLimitsTests {
  private let outside: JSON = ["parentRefs": [["name": "public"]], "mesh": false]

  private func problems(
    _ gateway: JSON = ["metrics": "Istio"], policy: JSON = .emptyObject, step: JSON = ["weight": 10],
    _ surroundings: [JSON] = []
  ) throws -> [String] {
    try gatewayProvider(gateway, policy: policy, steps: [step, ["analyze": ["for": "1m"]]], surroundings: surroundings)
      .problems
  }

  @Test(
    "a share of requests is mirrored from v1.3 on, and in the experimental channel",
    arguments: [
      ("v1.2.1", "standard", false), ("v1.2.1", "experimental", true), ("v1.3.0", "standard", true),
      ("v1.6.1", "standard", true),
    ])
  func mirror(version: String, channel: String, isServed: Bool) throws {
    let problems = try problems(step: ["weight": 1, "mirror": 20], [definition(version, channel)])
    #expect(problems.isEmpty == isServed)
    if !isServed {
      #expect(
        problems == [
          "step 1: mirror: 20% needs Gateway API v1.3 or later, and the cluster's Gateway API is v1.2, standard channel"
        ])
    }
    #expect(try self.problems(step: ["weight": 1, "mirror": 100], [definition(version, channel)]).isEmpty)
  }

  @Test("retries are in the experimental channel alone, and never none")
  func retries() throws {
    let policy: JSON = ["retries": ["attempts": 2]]
    #expect(try problems(policy: policy, [definition("v1.6.1", "experimental")]) == [])
    #expect(
      try problems(policy: policy, [definition("v1.6.1")]) == [
        "traffic.retries needs the experimental channel of the Gateway API, and the cluster's Gateway API is v1.6, standard "
          + "channel"
      ])
    #expect(try problems(policy: ["retries": ["attempts": 0]], [definition("v1.6.1", "experimental")]).count == 1)
  }

  @Test("a Gateway's class says what a step may use; one that says nothing is believed to do all")
  func features() throws {
    let step: JSON = ["weight": 1, "mirror": 20]
    let some: [JSON] = [["name": "HTTPRoute"], ["name": "HTTPRouteRequestMirror"]]
    #expect(
      try problems(outside, step: step, gateway(features: some)) == [
        "step 1: mirror: 20%: GatewayClass a-class of Gateway shop/public does not support "
          + "HTTPRouteRequestPercentageMirror"
      ])
    // As up to v1.2.
    #expect(
      try problems(
        outside, step: step, gateway(features: ["HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"]))
        == [])
    #expect(try problems(outside, step: step, gateway()) == [])
    let matches: JSON = ["route": ["matches": [["method": "POST"]]]]
    #expect(try problems(outside, step: matches, gateway(features: some)).count == 1)
  }

  @Test("Linkerd takes no route that mirrors or tries again, and a ServiceProfile comes before any")
  func linkerd() throws {
    #expect(try problems(["metrics": "Linkerd"], step: ["weight": 1, "mirror": 100]).count == 1)
    #expect(try problems(["metrics": "Linkerd"], policy: ["retries": ["attempts": 1]]).count == 1)
    let profile: JSON = [
      "kind": "ServiceProfile",
      "metadata": ["name": "checkout.shop.svc.cluster.local", "namespace": "shop"],
    ]
    let provider = try gatewayProvider(["metrics": "Linkerd"])
    #expect(throws: RoutingRefusal.self) { try provider.policies(existing: [profile]) }
    #expect(try provider.policies(existing: []).isEmpty)
    #expect(try gatewayProvider().policies(existing: [profile]).isEmpty, "nobody else reads it")
  }

  @Test("what the Gateway API has no place for is refused, and rendered where Istio is the mesh")
  func policies() throws {
    let policy: JSON = ["circuitBreaking": ["consecutiveErrors": 5]]
    #expect(try problems(["metrics": "Linkerd"], policy: policy).count == 1)
    #expect(try problems(policy: policy) == [])
    let rules = try gatewayProvider(policy: policy).policies(existing: [])
    #expect(
      rules.map { "\($0.type.kind) \($0.key.name)" } == [
        "DestinationRule checkout-stable", "DestinationRule checkout-canary",
      ])
  }

  @Test("a BackendTLSPolicy of the callers' Service is copied for both tracks")
  func backendTLS() throws {
    let policy: JSON = [
      "kind": "BackendTLSPolicy", "metadata": ["name": "tls", "namespace": "shop"],
      "spec": [
        "targetRefs": [
          ["group": "", "kind": "Service", "name": "checkout"], ["group": "", "kind": "Service", "name": "other"],
        ], "validation": ["hostname": "checkout.example.com"],
      ],
    ]
    let copies = try gatewayProvider().policies(existing: [policy])
    #expect(copies.map(\.key.name) == ["checkout-stable", "checkout-canary"])
    #expect(
      copies.last?.object["spec"] == [
        "targetRefs": [["group": "", "kind": "Service", "name": "checkout-canary"]],
        "validation": ["hostname": "checkout.example.com"],
      ])
    #expect(try gatewayProvider().policies(existing: copies.map(\.object)).isEmpty)
  }

  @Test("a Gateway that is not there, one of a namespace that is not allowed, and Envoy Gateway as a mesh are told")
  func parents() throws {
    #expect(
      try problems(["parentRefs": [["name": "public"]], "metrics": "Istio"], [definition("v1.4.1")]) == [
        "traffic.gatewayAPI.parentRefs: there is no Gateway shop/public"
      ])
    let foreign: JSON = ["parentRefs": [["name": "public", "namespace": "edge"]], "metrics": "Istio"]
    #expect(throws: RoutingRefusal.self) { try gatewayProvider(foreign) }
    #expect(try gatewayProvider(foreign, namespaces: ["edge"]).problems == [])
    #expect(
      try problems(
        ["parentRefs": [["name": "public"]]], gateway(controller: "gateway.envoyproxy.io/gatewayclass-controller")
      ).contains { $0.contains("mesh: false") })
  }

  @Test("what one match cannot say is refused: two patterns for one path, a path as a pattern, a cookie twice")
  func matches() throws {
    func limits(_ plan: JSON, _ target: TrafficTarget) throws -> Int {
      try gatewayProvider(plan, surroundings: gateway()).limits(target).count
    }
    let pattern = HTTPMatch(path: PathMatch(type: .regularExpression, value: "/a.*"))
    #expect(try limits(["metrics": "Istio"], TrafficTarget(weight: .none, routes: [pattern])) == 1)
    let cookie: JSON = [
      "parentRefs": [["name": "public"]], "mesh": false, "metrics": "Istio",
      "matches": [["headers": [["name": "Cookie", "value": "a=b"]]]],
    ]
    #expect(
      try limits(cookie, TrafficTarget(weight: try weight(50), sticky: Sticky(cookie: "track", maxAge: .seconds(60))))
        == 1)
    #expect(
      try limits(
        ["metrics": "Istio"], TrafficTarget(weight: .none, routes: [HTTPMatch(path: PathMatch(value: "/a//b"))])) == 1)
  }
}
