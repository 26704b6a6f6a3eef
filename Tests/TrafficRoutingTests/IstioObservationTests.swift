import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("Routing that is read back")
struct IstioObservationTests {
  func targets() throws -> [Routing] {
    [
      .released, .split(.stableOnly), .split(.allToCanary), .split(TrafficTarget(weight: try weight(7))),
      .split(
        TrafficTarget(
          weight: try weight(1), mirror: Percent(20),
          routes: [
            HTTPMatch(
              path: PathMatch(type: .exact, value: "/a"), headers: [NameValueMatch(name: "X", value: "\"y\"")],
              queryParams: [NameValueMatch(type: .regularExpression, name: "q", value: "a|b")], method: .post)
          ], sticky: Sticky(cookie: "c", maxAge: .seconds(90)))),
    ]
  }

  @Test("what was written is what is read, whatever others add to the metadata")
  func roundTrip() throws {
    let provider = try provider(
      services: [["name": "checkout", "port": "http"], ["name": "checkout-b", "port": "http"]],
      live: [service("checkout"), service("checkout-b")])
    for routing in try targets() {
      let objects = provider.objects(for: routing).map { live($0) }
      #expect(provider.observe(objects) == .routing(routing))
      #expect(try provider.writes(for: routing, live: objects) == [])
    }
  }

  @Test("whole numbers and fractions of the same value are the same")
  func numbers() throws {
    let provider = try provider()
    let routing = Routing.split(TrafficTarget(weight: try weight(1), mirror: Percent(20)))
    var object = try live(#require(provider.objects(for: routing).first))
    var rule = try #require(object[path: ["spec", "http"]]?[0])
    #expect(rule["mirrors"]?[0]?[path: ["percentage", "value"]] == 20)
    rule["mirrors"] = .array([
      [
        "destination": rule["mirrors"]?[0]?["destination"] ?? .null, "percentage": ["value": 20.0],
      ]
    ])
    object[path: ["spec", "http"]] = .array([rule])
    #expect(provider.observe([object]) == .routing(routing))
  }

  @Test("a weight that somebody changed is named, with what Sluice wrote and what the canary gets")
  func changed() throws {
    let provider = try provider()
    let routing = Routing.split(TrafficTarget(weight: try weight(10)))
    let other = try #require(provider.objects(for: .split(TrafficTarget(weight: try weight(60)))).first).object
    var object = try live(#require(provider.objects(for: routing).first))
    object["spec"] = other["spec"]
    #expect(
      provider.observe([object])
        == .changed(
          intended: routing,
          differences: [
            "VirtualService shop/checkout: spec.http[0].route[0].weight is 40, should be 90",
            "VirtualService shop/checkout: spec.http[0].route[1].weight is 60, should be 10",
          ], canaryWeight: 60))
  }

  @Test("a canary left alone gets everything, whatever its weight says")
  func alone() throws {
    let provider = try provider()
    var object = try live(#require(provider.objects(for: .split(.stableOnly)).first))
    let canary = try #require(object[path: ["spec", "http"]]?[0]?["route"]?[1])
    object[path: ["spec", "http"]] = [["name": "primary", "route": .array([canary])]]
    guard case .changed(_, _, let weight) = provider.observe([object]) else {
      Issue.record("a change should be seen")
      return
    }
    #expect(weight == 100)
  }

  @Test("missing and foreign objects are told apart, and a foreign one is never written")
  func foreign() throws {
    let provider = try provider()
    let key = ObjectKey(namespace: "shop", name: "checkout")
    #expect(provider.observe([]) == .missing(key))
    var object = try live(#require(provider.objects(for: .split(.stableOnly)).first))
    object[path: ["metadata", "labels"]] = ["app": "checkout"]
    #expect(provider.observe([object]) == .foreign(key))
    let refused = #expect(throws: RoutingRefusal.self) {
      try provider.writes(for: .split(.stableOnly), live: [object])
    }
    #expect(
      refused?.description == "VirtualService shop/checkout exists and is not this Rollout's (label sluice.dev/rollout "
        + "is absent): rename or delete it")
  }

  @Test("a write carries the version it was decided on, keeps the metadata of others, and replaces the spec")
  func writes() throws {
    let provider = try provider()
    #expect(
      try provider.writes(for: .split(.stableOnly), live: [])
        == provider.objects(for: .split(.stableOnly)).map {
          .create($0)
        })
    var before = try live(#require(provider.objects(for: .split(TrafficTarget(weight: weight(50)))).first))
    before["status"] = ["observedGeneration": 2]
    let writes = try provider.writes(for: .split(.stableOnly), live: [before])
    #expect(writes.count == 1)
    guard case .replace = writes.first else {
      Issue.record("a live object should be replaced")
      return
    }
    let after = try body(writes.first)
    #expect(after.resourceVersion == "7")
    #expect(after.uid == "u-1")
    #expect(after.annotations == ["team": "shop", "sluice.dev/traffic": "{\"weight\":0}"])
    #expect(after["spec"] == provider.objects(for: .split(.stableOnly)).first?.object["spec"])
    #expect(after["status"] == nil)
  }

  @Test("an object whose annotation nobody can read is a change, not a target")
  func unreadable() throws {
    let provider = try provider()
    var object = try live(#require(provider.objects(for: .split(TrafficTarget(weight: weight(30)))).first))
    object[path: ["metadata", "annotations", "sluice.dev/traffic"]] = "{\"weight\": 300}"
    guard case .changed(_, let differences, let weight) = provider.observe([object]) else {
      Issue.record("a change should be seen")
      return
    }
    #expect(weight == 30)
    #expect(differences == ["VirtualService shop/checkout has no annotation sluice.dev/traffic that Sluice can read"])
  }
}
