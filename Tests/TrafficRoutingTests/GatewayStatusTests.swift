import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("What implementations and others say of an HTTPRoute")
struct GatewayStatusTests {
  private static let serviceParent: JSON = ["group": "", "kind": "Service", "name": "checkout", "port": 80]

  private static func entry(
    _ parent: JSON = serviceParent, _ controller: String = "istio.io/gateway-controller",
    conditions: [(String, String)] = [("Accepted", "True"), ("ResolvedRefs", "True")], generation: Int? = 3
  ) -> JSON {
    [
      "parentRef": parent, "controllerName": .string(controller),
      "conditions": .array(
        conditions.map { type, status in
          var condition: JSON = [
            "type": .string(type), "status": .string(status), "reason": "Because", "message": "of this",
          ]
          condition["observedGeneration"] = generation.map { JSON($0) }
          return condition
        }),
    ]
  }

  private func pending(_ entries: [JSON]) throws -> String? {
    let provider = try gatewayProvider()
    let live = provider.live(.split(.stableOnly), status: ["parents": .array(entries)])
    return provider.pending(live).first.map { String($0.dropFirst("HTTPRoute shop/checkout, parent ".count)) }
  }

  @Test("a route is taken when a parent's controller accepted its newest generation and resolved all references")
  func taken() throws {
    #expect(try pending([Self.entry()]) == nil)
    #expect(try pending([]) == "Service shop/checkout port 80: no controller has taken it")
    #expect(
      try pending([Self.entry(generation: 2)])
        == "Service shop/checkout port 80: istio.io/gateway-controller has not seen the newest state yet")
    #expect(
      try pending([Self.entry(conditions: [("Accepted", "True")])])
        == "Service shop/checkout port 80: istio.io/gateway-controller does not say ResolvedRefs yet")
    #expect(
      try pending([Self.entry(conditions: [("Accepted", "False"), ("ResolvedRefs", "True")])])
        == "Service shop/checkout port 80: istio.io/gateway-controller says not Accepted: Because, of this")
    let partly = [("Accepted", "True"), ("ResolvedRefs", "True"), ("PartiallyInvalid", "True")]
    #expect(try pending([Self.entry(conditions: partly)])?.contains("took only a part of it") == true)
  }

  @Test("Linkerd says no generation, and spells the core group in two ways")
  func linkerd() throws {
    let parent: JSON = ["group": "core", "kind": "Service", "namespace": "shop", "name": "checkout", "port": 80]
    #expect(try pending([Self.entry(parent, "linkerd.io/policy-controller", generation: nil)]) == nil)
    #expect(try pending([Self.entry(parent, generation: nil)]) != nil)
  }

  @Test("another parent's word is not this one's")
  func otherParents() throws {
    let other: JSON = ["group": "", "kind": "Service", "name": "checkout", "port": 8080]
    #expect(try pending([Self.entry(other)]) == "Service shop/checkout port 80: no controller has taken it")
    #expect(
      try pending([Self.entry(conditions: [("Accepted", "False")]), Self.entry()]) == nil, "one that takes it is enough"
    )
  }

  @Test("a route of the same parent, host and match fights with this one; any other lives beside it")
  func conflicts() throws {
    let provider = try gatewayProvider(
      [
        "parentRefs": [["name": "public", "sectionName": "https"]], "hostnames": ["shop.example.com"],
        "matches": [["path": ["value": "/checkout"]]],
      ], surroundings: gateway())
    func other(
      _ parent: JSON, hosts: JSON = ["shop.example.com"], match: JSON = ["path": ["value": "/checkout/"]]
    ) -> JSON {
      [
        "kind": "HTTPRoute", "metadata": ["name": "old", "namespace": "shop"],
        "spec": ["parentRefs": [parent], "hostnames": hosts, "rules": [["matches": [match]]]],
      ]
    }
    let found = provider.conflicts(existing: [other(["name": "public"])])
    #expect(
      found.map(\.description) == [
        "HTTPRoute shop/old also routes shop.example.com for gateway shop/public; only one of them can decide: remove that "
          + "host from it, or from the Rollout"
      ])
    #expect(provider.conflicts(existing: [other(["name": "public", "sectionName": "http"])]).isEmpty)
    #expect(provider.conflicts(existing: [other(["name": "inner"])]).isEmpty)
    #expect(provider.conflicts(existing: [other(["name": "public"], hosts: ["*.example.com"])]).isEmpty)
    #expect(provider.conflicts(existing: [other(["name": "public"], match: ["path": ["value": "/"]])]).isEmpty)
    let service: JSON = ["group": "core", "kind": "Service", "name": "checkout"]
    #expect(provider.conflicts(existing: [other(service, match: ["path": ["value": "/"]])]).map(\.gateway) == ["mesh"])
    #expect(provider.conflicts(existing: provider.live(.split(.stableOnly))).isEmpty)
  }
}
