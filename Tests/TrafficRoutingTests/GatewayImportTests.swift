import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

/// The HTTPRoute `shop` of the namespace `shop`.
private func httpRoute(_ spec: String) throws -> JSON {
  [
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
    "metadata": ["name": "shop", "namespace": "shop", "resourceVersion": "7", "labels": ["team": "shop"]],
    "spec": try JSON(parsing: spec),
  ]
}

private let backend = #""backendRefs":[{"group":"","kind":"Service","name":"checkout","port":80,"weight":1}]"#
private let parent = #""parentRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"public"}]"#

@Suite("An HTTPRoute read into a Rollout")
struct GatewayImportTests {
  @Test("parents, hostnames, matches and timeouts are read, and what is read renders the same requests")
  func whole() throws {
    let object = try httpRoute(
      """
      {"parentRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"public","sectionName":"https"},
       {"group":"","kind":"Service","name":"checkout","port":80}],"hostnames":["shop.example.com"],
       "rules":[{"matches":[{"path":{"type":"Exact","value":"/pay"},"method":"POST"},
        {"path":{"type":"PathPrefix","value":"/"},"headers":[{"type":"Exact","name":"x","value":"1"}]}],
        "timeouts":{"request":"5s","backendRequest":"1s"},\(backend)}]}
      """)
    let read = GatewayImport.read(object)
    #expect(read.losses == [] && read.notes.count == 1, "callers of the Service have no matches")
    #expect(read.service == ServiceReference(name: "checkout", port: .int(80)))
    let spec = try #require(read.traffic.gatewayAPI)
    #expect(
      spec.parentRefs == [ParentReference(name: "public", sectionName: "https")] && spec.mesh == true
        && spec.hostnames == ["shop.example.com"])
    #expect(
      spec.matches == [
        HTTPMatch(path: PathMatch(type: .exact, value: "/pay"), method: .post),
        HTTPMatch(headers: [NameValueMatch(type: .exact, name: "x", value: "1")]),
      ])
    #expect(read.traffic.timeouts == TimeoutsSpec(request: "5s", backendRequest: "1s"))
    let provider = try gatewayProvider(try JSON(encoding: spec))
    #expect(provider.losses(adopting: object) == [], "what was read is what takes its place")
  }

  static let lossy: [(String, String)] = [
    (
      #"{\#(parent),"rules":[{\#(backend)},{"backendRefs":[{"name":"web","port":80}]}]}"#,
      "spec.rules[1]: it sends to web"
    ),
    (#"{\#(parent),"rules":[{\#(backend),"filters":[]}]}"#, "spec.rules[0].filters"),
    (#"{\#(parent),"rules":[{\#(backend),"sessionPersistence":{}}]}"#, "spec.rules[0].sessionPersistence"),
    (
      #"{\#(parent),"rules":[{"backendRefs":[{"name":"checkout","port":80,"filters":[]}]}]}"#,
      "spec.rules[0].backendRefs[0].filters"
    ),
    (#"{\#(parent),"rules":[{\#(backend)},{\#(backend),"timeouts":{"request":"1s"}}]}"#, "differs from rule 0"),
    (#"{"parentRefs":[{"kind":"Service","name":"web"}],"rules":[{\#(backend)}]}"#, "spec.parentRefs[0]: Service web"),
    (
      #"{"parentRefs":[{"kind":"Service","name":"checkout"}],"rules":[{"matches":[{"method":"GET"}],\#(backend)}]}"#,
      "its matches are for callers of the Service"
    ),
    (#"{\#(parent),"rules":[{\#(backend)}],"useDefaultGateways":"All"}"#, "spec.useDefaultGateways"),
    (#"{\#(parent),"rules":[{"filters":[{"type":"RequestRedirect"}]}]}"#, "it sends to nothing"),
  ]

  @Test("what a Rollout cannot say is named, with its field", arguments: lossy)
  func losses(spec: String, says: String) throws {
    let read = GatewayImport.read(try httpRoute(spec))
    #expect(read.losses.contains { $0.contains(says) && $0.hasPrefix("HTTPRoute shop/shop: ") }, "\(read.losses)")
  }
}

@Suite("An HTTPRoute taken over")
struct GatewayAdoptionTests {
  private static let spec =
    #"{\#(parent),"hostnames":["shop.example.com"],"rules":[{"matches":[{"path":{"type":"PathPrefix","value":"/checkout"}}],\#(backend)}]}"#

  private static let whole: JSON = [
    "parentRefs": [["name": "public"]], "hostnames": ["shop.example.com"], "mesh": false, "metrics": "Istio",
    "matches": [["path": ["value": "/checkout"]]],
  ]

  private func adopting(_ gateway: JSON) throws -> GatewayProvider {
    var gateway = gateway
    gateway["adopt"] = ["name": "shop"]
    return try gatewayProvider(gateway)
  }

  @Test("it is one write, which keeps what was there; the other way round it is as it was")
  func takenOver() throws {
    var object = try httpRoute(Self.spec)
    object[path: ["metadata", "annotations"]] = ["team": "a"]
    let provider = try adopting(Self.whole)
    #expect(provider.keys.map(\.key.name) == ["shop"] && provider.plan.countedRoute == "shop")
    #expect(
      provider.observe([object]) == .missing(ObjectKey(namespace: "shop", name: "shop")), "its own is yet to be made")
    let writes = try provider.writes(for: .split(.stableOnly), live: [object])
    guard writes.count == 1, case .replace(let taken)? = writes.first else {
      Issue.record("one replace is wanted: \(writes)")
      return
    }
    #expect(taken.object[path: ["metadata", "resourceVersion"]] == "7")
    #expect(taken.object.labels == ["team": "shop", "sluice.dev/rollout": "checkout"])
    #expect(taken.object.annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled")
    #expect(provider.observe([taken.object]) == .routing(.split(.stableOnly)))
    #expect(provider.conflicts(existing: [object, taken.object]) == [])
    let target = TrafficTarget(weight: try weight(20))
    let weighed = try body(provider.writes(for: .split(target), live: [taken.object]).first)
    #expect(provider.observe([weighed]) == .routing(.split(target)))
    #expect(try body(provider.writes(for: .released, live: [weighed]).first) == object)
    #expect(try provider.writes(for: .released, live: [object]) == [])
  }

  static let losing: [(JSON, String)] = [
    (["parentRefs": [["name": "other"]], "mesh": false], "serves Gateway public"),
    (["parentRefs": [["name": "public", "sectionName": "a"]], "mesh": false], "serves Gateway public"),
    (["parentRefs": [["name": "public"]], "hostnames": ["a.example.com"]], "serves host shop.example.com"),
    (["parentRefs": [["name": "public"]], "matches": [["path": ["value": "/checkout/a"]]]], "takes requests with"),
  ]

  @Test("a plan that takes less than the object is told what is missing", arguments: losing)
  func losses(gateway: JSON, says: String) throws {
    var gateway = gateway
    gateway["metrics"] = "Istio"
    let object = try httpRoute(Self.spec)
    let provider = try adopting(gateway)
    #expect(provider.losses(adopting: object).contains { $0.contains(says) }, "\(provider.losses(adopting: object))")
    guard case .unusable = provider.observe([object]) else {
      Issue.record("it should be refused")
      return
    }
    #expect(throws: RoutingRefusal.self) { try provider.writes(for: .split(.stableOnly), live: [object]) }
  }

  @Test("where the object is not there Sluice makes it under that name")
  func made() throws {
    let provider = try adopting(Self.whole)
    guard case .create(let object)? = try provider.writes(for: .split(.stableOnly), live: []).first else {
      Issue.record("it should be made")
      return
    }
    #expect(object.key.name == "shop")
  }
}
