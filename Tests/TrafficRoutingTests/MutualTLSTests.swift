import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("What keeps a workload from refusing plain text")
struct MutualTLSTests {
  private static let workload: JSON = [
    "metadata": ["name": "checkout", "namespace": "shop"],
    "spec": [
      "template": [
        "metadata": ["labels": ["app": "checkout"]],
        "spec": ["containers": [["name": "app", "ports": [["name": "web", "containerPort": 8080]]]]],
      ]
    ],
  ]

  private static func policy(
    _ name: String, _ mode: String, namespace: String = "shop", selector: JSON? = nil, ports: JSON? = nil,
    at created: String = "2026-01-01T00:00:00Z"
  ) -> JSON {
    var spec: JSON = ["mtls": ["mode": .string(mode)]]
    spec["selector"] = selector.map { ["matchLabels": $0] }
    spec["portLevelMtls"] = ports
    return [
      "kind": "PeerAuthentication",
      "metadata": ["name": .string(name), "namespace": .string(namespace), "creationTimestamp": .string(created)],
      "spec": spec,
    ]
  }

  private static let live: JSON = [
    "kind": "Service", "metadata": ["name": "checkout", "namespace": "shop"],
    "spec": ["ports": [["name": "http", "port": 80, "targetPort": "web"]]],
  ]

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var policies: [JSON]
    /// A part of the problem; nil for none.
    var says: String?
  }

  static let cases: [Case] = [
    Case(testDescription: "nothing", policies: [], says: "at port 8080 (no PeerAuthentication says STRICT)"),
    Case(testDescription: "the namespace", policies: [policy("default", "STRICT")]),
    Case(testDescription: "the mesh", policies: [policy("default", "STRICT", namespace: "istio-system")]),
    Case(
      testDescription: "another namespace", policies: [policy("default", "STRICT", namespace: "web")],
      says: "no PeerAuthentication"),
    Case(
      testDescription: "the namespace before the mesh",
      policies: [policy("a", "STRICT", namespace: "istio-system"), policy("default", "PERMISSIVE")],
      says: "by PeerAuthentication shop/default it is PERMISSIVE"),
    Case(
      testDescription: "an unset one inherits",
      policies: [policy("a", "STRICT", namespace: "istio-system"), policy("default", "UNSET")]),
    Case(
      testDescription: "one that selects the pods before the namespace's",
      policies: [policy("default", "STRICT"), policy("own", "DISABLE", selector: ["app": "checkout"])],
      says: "by PeerAuthentication shop/own it is DISABLE"),
    Case(
      testDescription: "one that selects others",
      policies: [policy("default", "STRICT"), policy("other", "DISABLE", selector: ["app": "web"])]),
    Case(
      testDescription: "the oldest of several",
      policies: [policy("a", "STRICT", at: "2026-02-01T00:00:00Z"), policy("b", "PERMISSIVE")],
      says: "by PeerAuthentication shop/b"),
    Case(
      testDescription: "the port behind the Service's",
      policies: [
        policy("own", "STRICT", selector: ["app": "checkout"], ports: ["8080": ["mode": "PERMISSIVE"]])
      ], says: "shop/own it is PERMISSIVE"),
    Case(
      testDescription: "another port",
      policies: [policy("own", "STRICT", selector: ["app": "checkout"], ports: ["9090": ["mode": "DISABLE"]])]),
    Case(
      testDescription: "one with a selector in the mesh's namespace",
      policies: [policy("a", "STRICT", namespace: "istio-system", selector: ["app": "checkout"])],
      says: "no PeerAuthentication"),
  ]

  @Test("the mode in force is that of the workload, the namespace or the mesh, in this order", arguments: cases)
  func modes(which: Case) throws {
    let plan = try plan(policy: ["mtls": "Strict"])
    let services = try RoutedService.resolve(plan, live: [Self.live])
    let provider = try IstioProvider(
      plan: plan, services: services, revision: "a", surroundings: which.policies, workload: Self.workload)
    if let says = which.says {
      #expect(provider.obstacles.count == 1 && provider.obstacles[0].contains(says), "\(provider.obstacles)")
    } else {
      #expect(provider.obstacles == [])
    }
    let verifying = try TrafficRoutingTests.plan(policy: ["mtls": "Verify"])
    #expect(
      try IstioProvider(
        plan: verifying, services: services, revision: "a", surroundings: which.policies, workload: Self.workload
      ).obstacles == [])
    #expect(plan.impossibilities == [], "without a cluster nothing is said of its policies")
  }

  @Test("callers of both tracks use mutual TLS, and a rule by which they would not is refused by name")
  func destinationRules() throws {
    let provider = try provider(policy: ["mtls": "Strict"])
    let rendered = try provider.policies(existing: [])
    #expect(rendered.map(\.key.name) == ["checkout-stable", "checkout-canary"])
    #expect(rendered.allSatisfy { $0.object[path: ["spec", "trafficPolicy"]] == ["tls": ["mode": "ISTIO_MUTUAL"]] })
    #expect(try TrafficRoutingTests.provider(policy: ["mtls": "Verify"]).policies(existing: []) == [])
    func rule(_ policy: JSON) -> JSON {
      [
        "kind": "DestinationRule", "metadata": ["name": "a", "namespace": "shop"],
        "spec": ["host": "checkout", "trafficPolicy": policy],
      ]
    }
    for policy: JSON in [
      ["tls": ["mode": "DISABLE"]], ["portLevelSettings": [["port": ["number": 80], "tls": ["mode": "SIMPLE"]]]],
    ] {
      let refused = #expect(throws: RoutingRefusal.self) { try provider.policies(existing: [rule(policy)]) }
      #expect(refused?.problems.first?.hasPrefix("DestinationRule shop/a has the tls mode") == true)
    }
    let own = try provider.policies(existing: [rule(["tls": ["mode": "MUTUAL", "clientCertificate": "/a"]])])
    #expect(
      own.first?.object[path: ["spec", "trafficPolicy", "tls", "mode"]] == "MUTUAL", "the team's own certificates")
  }

  @Test("whose metrics do not tell it is refused by name", arguments: ["Verify", "Strict"])
  func sources(mode: String) throws {
    func obstacles(_ metrics: String) throws -> [String] {
      try gatewayProvider(["metrics": .string(metrics)], policy: ["mtls": .string(mode)]).obstacles
    }
    #expect(try obstacles("Istio") == [] && obstacles("Linkerd") == [])
    for metrics in ["IstioAmbient"] {
      #expect(
        try obstacles(metrics).first?.hasPrefix("traffic.mtls: \(mode): the metrics of \(metrics) do not tell") == true)
    }
    let envoy = try gatewayProvider(
      ["parentRefs": [["name": "public"]], "mesh": false, "metrics": "EnvoyGateway"], policy: ["mtls": .string(mode)])
    #expect(envoy.obstacles.count == 1 && envoy.obstacles[0].contains("of EnvoyGateway do not tell"))
  }

  @Test("Linkerd's pods refuse plain text by an annotation of their template")
  func linkerd() throws {
    let plan = try gatewayPlan(["metrics": "Linkerd"], policy: ["mtls": "Strict"])
    func obstacles(_ policy: JSON?) throws -> [String] {
      var workload = Self.workload
      workload[path: ["spec", "template", "metadata", "annotations", "config.linkerd.io/default-inbound-policy"]] =
        policy
      return try GatewayProvider(
        plan: plan,
        setting: ProviderSetting(
          services: RoutedService.resolve(plan, live: [Self.live]), revision: "a", workload: workload)
      ).obstacles
    }
    #expect(try obstacles(nil).first?.contains("default-inbound-policy is not set") == true)
    #expect(try obstacles("all-unauthenticated").first?.contains("is all-unauthenticated") == true)
    #expect(try obstacles("cluster-authenticated") == [])
  }
}
