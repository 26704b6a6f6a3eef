import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

/// The VirtualService `shop` of the namespace `shop`.
private func virtualService(_ spec: String) throws -> JSON {
  [
    "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
    "metadata": ["name": "shop", "namespace": "shop", "resourceVersion": "7", "labels": ["team": "shop"]],
    "spec": try JSON(parsing: spec),
  ]
}

@Suite("A VirtualService read into a Rollout")
struct IstioImportTests {
  @Test("hosts, gateways, matches, timeouts and retries are read, and what is read renders the same requests")
  func whole() throws {
    let object = try virtualService(
      """
      {"hosts":["shop.example.com","checkout"],"gateways":["public","mesh"],"http":[{"name":"a",
       "match":[{"uri":{"exact":"/pay"},"method":{"exact":"POST"}},{"uri":{"prefix":"/checkout/"},"headers":{"x":{"exact":"1"}}},
        {"queryParams":{"q":{"regex":"a+"}},"headers":{"y":{}}}],
       "timeout":"5s","retries":{"attempts":3,"perTryTimeout":"1s","retryOn":"connect-failure,502"},
       "route":[{"destination":{"host":"checkout","port":{"number":80}},"weight":100}]}]}
      """)
    let read = IstioImport.read(object)
    #expect(read.losses == [])
    #expect(read.service == ServiceReference(name: "checkout", port: .int(80)))
    let istio = try #require(read.traffic.istio)
    #expect(istio.hosts == ["shop.example.com"] && istio.gateways == ["public"] && istio.mesh == true)
    #expect(
      istio.matches == [
        HTTPMatch(path: PathMatch(type: .exact, value: "/pay"), method: .post),
        HTTPMatch(
          path: PathMatch(type: .regularExpression, value: "/checkout/.*"),
          headers: [NameValueMatch(type: .exact, name: "x", value: "1")]),
        HTTPMatch(
          headers: [NameValueMatch(type: .regularExpression, name: "y", value: ".*")],
          queryParams: [NameValueMatch(type: .regularExpression, name: "q", value: "a+")]),
      ])
    #expect(read.traffic.timeouts == TimeoutsSpec(request: "5s", backendRequest: "1s"))
    #expect(read.traffic.retries == RetriesSpec(attempts: 3, codes: [502]))
    let provider = try provider(istio: try JSON(encoding: istio))
    #expect(provider.losses(adopting: object) == [], "what was read is what takes its place")
  }

  @Test("for callers in the mesh alone, and as one that is delegated to")
  func meshAndDelegate() throws {
    let rule = #""http":[{"route":[{"destination":{"host":"checkout.shop.svc.cluster.local"}}]}]"#
    let mesh = IstioImport.read(try virtualService(#"{"hosts":["checkout"],\#(rule)}"#), live: [service("checkout")])
    #expect(mesh.losses == [] && mesh.traffic.istio == IstioSpec(mesh: true))
    #expect(mesh.service?.port == .string("http"), "the port of the live Service")
    let delegate = IstioImport.read(try virtualService("{\(rule)}"))
    #expect(delegate.losses == [] && delegate.traffic.istio == IstioSpec(mesh: false, delegate: true))
    #expect(delegate.notes.contains { $0.contains("names no port") })
  }

  static let lossy: [(String, String)] = [
    (
      #"{"hosts":["checkout"],"http":[{"route":[{"destination":{"host":"checkout"}}]},{"name":"b","route":[{"destination":{"host":"web"}}]}]}"#,
      "spec.http[1]: it routes to web"
    ),
    (
      #"{"hosts":["checkout"],"http":[{"route":[{"destination":{"host":"checkout"}}],"fault":{}}]}"#,
      "spec.http[0].fault"
    ),
    (
      #"{"hosts":["checkout"],"http":[{"route":[{"destination":{"host":"checkout","subset":"a"}}]}]}"#,
      "destination.subset"
    ),
    (
      #"{"hosts":["checkout"],"http":[{"route":[{"destination":{"host":"checkout"},"headers":{}}]}]}"#,
      "route[0].headers"
    ),
    (
      #"{"hosts":["a.example.com"],"gateways":["g"],"http":[{"match":[{"withoutHeaders":{"a":{}}}],"route":[{"destination":{"host":"checkout"}}]}]}"#,
      "spec.http[0].match[0].withoutHeaders"
    ),
    (
      #"{"hosts":["a.example.com"],"gateways":["g"],"http":[{"match":[{"uri":{"exact":"/a"},"ignoreUriCase":true}],"route":[{"destination":{"host":"checkout"}}]}]}"#,
      "ignoreUriCase"
    ),
    (
      #"{"hosts":["checkout"],"http":[{"match":[{"uri":{"exact":"/a"}}],"route":[{"destination":{"host":"checkout"}}]}]}"#,
      "its matches are for callers in the mesh"
    ),
    (
      #"{"hosts":["a.example.com"],"http":[{"route":[{"destination":{"host":"checkout"}}]}]}"#,
      "spec.hosts: a.example.com"
    ),
    (
      #"{"hosts":["checkout"],"exportTo":["."],"http":[{"route":[{"destination":{"host":"checkout"}}]}]}"#,
      "spec.exportTo"
    ),
    (#"{"hosts":["checkout"],"tcp":[{}],"http":[{"route":[{"destination":{"host":"checkout"}}]}]}"#, "spec.tcp"),
    (#"{"hosts":["checkout"],"http":[{"delegate":{"name":"d"}}]}"#, "it routes to whatever d says"),
  ]

  @Test("what a Rollout cannot say is named, with its field", arguments: lossy)
  func losses(spec: String, says: String) throws {
    let read = IstioImport.read(try virtualService(spec))
    #expect(read.losses.contains { $0.contains(says) && $0.hasPrefix("VirtualService shop/shop: ") }, "\(read.losses)")
  }
}

@Suite("A VirtualService taken over")
struct IstioAdoptionTests {
  private static let spec =
    #"{"hosts":["shop.example.com"],"gateways":["public"],"http":[{"match":[{"uri":{"prefix":"/checkout"}}],"route":[{"destination":{"host":"checkout"}}]}]}"#

  private func adopting(_ istio: JSON) throws -> IstioProvider {
    var istio = istio
    istio["adopt"] = ["name": "shop"]
    return try provider(istio: istio)
  }

  private static let whole: JSON = [
    "hosts": ["shop.example.com"], "gateways": ["public"], "mesh": false,
    "matches": [["path": ["type": "RegularExpression", "value": "/checkout.*"]]],
  ]

  @Test(
    "it is one write, which keeps what was there and keeps GitOps tools from deleting it; the other way round it is as it was"
  )
  func takenOver() throws {
    var object = try virtualService(Self.spec)
    object[path: ["metadata", "annotations"]] = ["argocd.argoproj.io/sync-options": "Validate=false", "team": "a"]
    let provider = try adopting(Self.whole)
    #expect(
      provider.observe([object]) == .missing(ObjectKey(namespace: "shop", name: "shop")), "its own is yet to be made")
    let writes = try provider.writes(for: .split(.stableOnly), live: [object])
    guard writes.count == 1, case .replace(let taken)? = writes.first else {
      Issue.record("one replace is wanted: \(writes)")
      return
    }
    #expect(taken.object[path: ["metadata", "resourceVersion"]] == "7" && taken.key.name == "shop")
    #expect(taken.object.labels == ["team": "shop", "sluice.dev/rollout": "checkout"])
    #expect(taken.object.annotations["argocd.argoproj.io/sync-options"] == "Validate=false,Prune=false")
    #expect(taken.object.annotations["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous")
    #expect(taken.object.annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled")
    #expect(provider.observe([taken.object]) == .routing(.split(.stableOnly)))
    let target = TrafficTarget(weight: try weight(20))
    let weighed = try body(provider.writes(for: .split(target), live: [taken.object]).first)
    #expect(provider.observe([weighed]) == .routing(.split(target)))
    let back = try body(provider.writes(for: .released, live: [weighed]).first)
    #expect(back == object)
    #expect(try provider.writes(for: .released, live: [object]) == [])
  }

  @Test("where it is not there, it is made under that name")
  func made() throws {
    let provider = try adopting(Self.whole)
    guard case .create(let object)? = try provider.writes(for: .split(.stableOnly), live: []).first else {
      Issue.record("it should be made")
      return
    }
    #expect(object.key.name == "shop")
  }

  static let losing: [(String, JSON, String)] = [
    (
      "a host", ["hosts": ["other.example.com"], "gateways": ["public"], "mesh": false],
      "serves host shop.example.com, and spec.traffic.istio.hosts"
    ),
    ("a gateway", ["hosts": ["shop.example.com"], "gateways": ["private"], "mesh": false], "serves gateway public"),
    (
      "paths",
      [
        "hosts": ["shop.example.com"], "gateways": ["public"], "mesh": false,
        "matches": [["path": ["value": "/checkout"]]],
      ],
      "takes requests with"
    ),
    ("what it is", ["delegate": true, "mesh": false], "has hosts of its own"),
  ]

  @Test(
    "an object that takes more requests than the plan is not taken over, and the plan's field is named",
    arguments: losing)
  func refused(what: String, istio: JSON, says: String) throws {
    let provider = try adopting(istio)
    let object = try virtualService(Self.spec)
    guard case .unusable(let text) = provider.observe([object]) else {
      Issue.record("\(what) would be lost")
      return
    }
    #expect(text.contains(says), "\(text)")
    #expect(throws: RoutingRefusal.self) { try provider.writes(for: .split(.stableOnly), live: [object]) }
  }

  @Test("another Rollout's object is not taken over, nor one that nobody asked for")
  func others() throws {
    var object = try virtualService(Self.spec)
    object[path: ["metadata", "name"]] = "checkout"
    #expect(try provider(istio: Self.whole).observe([object]) == .foreign(object.objectKey))
    object[path: ["metadata", "name"]] = "shop"
    object[path: ["metadata", "labels"]] = ["sluice.dev/rollout": "other"]
    #expect(try adopting(Self.whole).observe([object]) == .foreign(object.objectKey))
  }
}

@Suite("A VirtualService that a team's delegates to")
struct IstioDelegateTests {
  static let root = """
    {"hosts":["shop.example.com"],"gateways":["public"],"http":[{"name":"pay","match":[{"uri":{"prefix":"/checkout"}}],
     "delegate":{"name":"checkout","namespace":"shop"}}]}
    """

  @Test("has neither hosts nor gateways, and callers in the mesh get one of their own unless they are left out")
  func objects() throws {
    let provider = try provider(istio: ["delegate": true])
    let objects = provider.objects(for: .split(TrafficTarget(weight: try weight(10))))
    #expect(objects.map(\.key.name) == ["checkout", "checkout-checkout"])
    #expect(objects[0].object[path: ["spec"]]?.object?.keys.sorted() == ["http"])
    #expect(objects[1].object[path: ["spec", "hosts"]] == ["checkout.shop.svc.cluster.local"])
    for object in objects {
      #expect(
        object.object[path: ["spec", "http"]]?[0]?["route"]?.array?.compactMap { $0["weight"]?.int } == [90, 10])
    }
    #expect(try self.provider(istio: ["delegate": true, "mesh": false]).objects(for: .released).count == 1)
    let live = objects.map { TrafficRoutingTests.live($0) }
    #expect(provider.observe(live) == .routing(.split(TrafficTarget(weight: try weight(10)))))
    #expect(provider.conflicts(existing: [try virtualService(Self.root)]).isEmpty)
  }

  private func provider(istio: JSON, steps: JSON = oneStep) throws -> IstioProvider {
    try TrafficRoutingTests.provider(istio: istio, steps: steps)
  }

  @Test("without a root it is said that nobody reaches it, and what to write")
  func unreached() throws {
    let provider = try provider(istio: ["delegate": true])
    let text = try #require(provider.unreached(existing: []))
    #expect(
      text.contains("no VirtualService delegates to shop/checkout")
        && text.contains("{name: checkout, namespace: shop}"))
    #expect(provider.unreached(existing: [try virtualService(Self.root)]) == nil)
    var inner = try virtualService(Self.root)
    inner[path: ["spec", "hosts"]] = nil
    #expect(provider.unreached(existing: [inner])?.contains("itself one that is delegated to") == true)
    #expect(try self.provider(istio: .emptyObject).unreached(existing: []) == nil)
  }

  static let dropped: [(String, JSON, JSON, String)] = [
    (#"[{"uri":{"prefix":"/cart"}}]"#, ["matches": [["path": ["value": "/checkout"]]]], [["weight": 1]], "uri"),
    (#"[{"uri":{"regex":"/c.*"}}]"#, ["matches": [["path": ["value": "/checkout"]]]], [["weight": 1]], "uri"),
    (
      #"[{"headers":{"x-beta":{"regex":".*"}}}]"#, [:],
      [["route": ["matches": [["headers": [["name": "x-beta", "value": "1"]]]]]]], "headers.x-beta"
    ),
    (
      #"[{"headers":{"cookie":{"exact":"a"}}}]"#, [:], [["weight": 1, "sticky": ["cookie": ["name": "c"]]]],
      "headers.cookie"
    ),
    (
      #"[{"sourceNamespace":"web"}]"#, [:],
      [["route": ["matches": [["headers": [["name": "x-beta", "value": "1"]]]]]]], "sourceNamespace"
    ),
    (
      #"[{"ignoreUriCase":true,"uri":{"prefix":"/"}}]"#, [:],
      [["route": ["matches": [["headers": [["name": "x", "value": "1"]]]]]]], "ignoreUriCase"
    ),
  ]

  @Test("what Istio would drop without a word is said beforehand, with the property", arguments: dropped)
  func misfits(root: String, istio: JSON, steps: JSON, says: String) throws {
    var istio = istio
    istio["delegate"] = true
    var object = try virtualService(Self.root)
    var rule = try #require(object[path: ["spec", "http"]]?[0])
    rule["match"] = try JSON(parsing: root)
    object[path: ["spec", "http"]] = [rule]
    let text = try provider(istio: istio, steps: steps).unreached(existing: [object])
    #expect(
      text?.contains("rule pay of VirtualService shop/shop") == true && text?.contains("(\(says))") == true,
      "\(text ?? "")")
  }
}
