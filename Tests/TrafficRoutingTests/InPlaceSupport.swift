import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

/// What the tests of a person's VirtualService and of a person's HTTPRoute have in common: an object `shop` of which the
/// rule `checkout` is edited.
protocol InPlaceTests {
  associatedtype Provider: TrafficProvider

  /// What Git holds.
  static var object: JSON { get }
  /// The member of its spec that lists the rules.
  static var list: String { get }

  func provider(_ route: JSON, steps: JSON) throws -> Provider
}

extension InPlaceTests {
  func rules(_ object: JSON) -> [JSON] { object[path: ["spec", Self.list]]?.array ?? [] }

  func rule(_ name: String, of object: JSON) -> JSON? { rules(object).first { $0["name"]?.string == name } }

  func names(_ object: JSON) -> [String] { rules(object).compactMap { $0["name"]?.string } }

  /// The object with other rules.
  func changed(_ object: JSON, _ change: (inout [JSON]) throws -> Void) rethrows -> JSON {
    var object = object
    var rules = rules(object)
    try change(&rules)
    object[path: ["spec", Self.list]] = .array(rules)
    return object
  }

  /// The object after the writes for a routing; the same one where there are none.
  func written(
    _ routing: Routing, over object: JSON = Self.object, by provider: Provider? = nil, place: RoutingPlace? = nil
  ) throws -> JSON {
    let provider = try provider ?? self.provider(namedRule, steps: oneStep)
    let writes = try provider.writes(for: routing, live: [object], owned: true, place: place)
    #expect(writes.count <= 1)
    return try writes.first.map { try #require(applied($0, to: object)) } ?? object
  }

  /// Targets with each member of one, and with all of them.
  static func targets() throws -> [TrafficTarget] {
    let beta = HTTPMatch(headers: [NameValueMatch(name: "X-Beta", value: "1")])
    let sticky = Sticky(cookie: "c", maxAge: .seconds(90))
    return [
      .stableOnly, .allToCanary, TrafficTarget(weight: try weight(7)),
      TrafficTarget(weight: try weight(1), mirror: Percent(20)), TrafficTarget(weight: .none, routes: [beta]),
      TrafficTarget(weight: try weight(5), sticky: sticky),
      TrafficTarget(weight: try weight(1), mirror: Percent(20), routes: [beta], sticky: sticky),
    ]
  }

  /// Expects that an object is refused before a run, and by whoever writes it all the same.
  func expectRefused(_ object: JSON, by provider: Provider, saying text: String) {
    guard case .unusable(let found) = provider.observe([object]) else {
      Issue.record("it should be refused: \(provider.observe([object]))")
      return
    }
    #expect(found.contains(text), "\(found)")
    #expect(throws: RoutingRefusal.self) {
      try provider.writes(for: .split(.stableOnly), live: [object], owned: true, place: nil)
    }
  }

  func expectRefused(_ bad: BadRule, as name: String) throws {
    let members = try #require(try JSON(parsing: bad.members).object)
    let object = changed(Self.object) { rules in
      for (member, value) in members { rules[1][member] = value.isNull ? nil : value }
    }
    let provider = try provider(namedRule, steps: bad.steps)
    expectRefused(object, by: provider, saying: bad.says)
    expectRefused(object, by: provider, saying: name)
  }

  /// Expects that the rules that were put before a person's go with it, and that what is left is refused.
  func expectRuleGone(saying text: String) throws {
    let beta = HTTPMatch(headers: [NameValueMatch(name: "x-beta", value: "1")])
    let object = changed(try written(.split(TrafficTarget(weight: .none, routes: [beta])))) { rules in
      rules.removeAll { $0["name"] == "checkout" }
    }
    let provider = try provider(namedRule, steps: oneStep)
    guard case .changed(.split(.stableOnly), _, _) = provider.observe([object], owned: true) else {
      Issue.record("a rule to the canary is left")
      return
    }
    let after = try written(.split(.stableOnly), over: object)
    #expect(names(after) == ["cart", "rest"])
    expectRefused(after, by: provider, saying: text)
  }
}

/// What `route` of a plan says where it names the rule.
let namedRule: JSON = ["name": "shop", "rule": "checkout"]

/// A rule that cannot be edited, and what is said of it.
struct BadRule: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// JSON: members that the rule `checkout` has instead of its own; it has none of those that are null.
  var members: String
  var says: String
  var steps: JSON

  init(_ description: String, _ members: String, _ says: String, steps: JSON = oneStep) {
    testDescription = description
    self.members = members
    self.says = says
    self.steps = steps
  }
}

extension JSON {
  /// The object, created on that day of January.
  func created(_ day: Int) -> JSON {
    var object = self
    object[path: ["metadata", "creationTimestamp"]] = .string("2026-01-0\(day)T00:00:00Z")
    return object
  }
}
