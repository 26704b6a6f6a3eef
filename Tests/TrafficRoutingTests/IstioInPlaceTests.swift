import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("A rule of a person's VirtualService, edited in place")
struct IstioInPlaceTests: InPlaceTests {
  static let list = "http"

  /// The rule `checkout` among others of a team's.
  static let object: JSON = [
    "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
    "metadata": ["name": "shop", "namespace": "shop", "resourceVersion": "7", "annotations": ["team": "shop"]],
    "spec": [
      "hosts": ["shop.example.com", "checkout"], "gateways": ["public", "mesh"],
      "http": [
        ["name": "cart", "match": [["uri": ["prefix": "/cart"]]], "route": [["destination": ["host": "cart"]]]],
        [
          "name": "checkout", "match": [["uri": ["prefix": "/checkout"]], ["uri": ["exact": "/pay"], "port": 80]],
          "timeout": "3s",
          "route": [
            ["destination": ["host": "checkout", "port": ["number": 80]], "headers": ["request": ["set": ["a": "b"]]]]
          ],
        ],
        ["name": "rest", "route": [["destination": ["host": "web"]]]],
      ],
    ],
  ]

  func provider(_ route: JSON = namedRule, steps: JSON = oneStep) throws -> IstioInPlaceProvider {
    let plan = try plan(istio: ["route": route], steps: steps)
    return try IstioInPlaceProvider(
      plan: plan, services: RoutedService.resolve(plan, live: [service("checkout")]), revision: "6f7c9")
  }

  @Test("only the destinations of the named rule change, each with what the person's says besides")
  func weights() throws {
    let after = try written(.split(TrafficTarget(weight: try weight(10))))
    func destination(_ name: String, _ weight: JSON) -> JSON {
      [
        "destination": ["host": .string(name), "port": ["number": 80]], "weight": weight,
        "headers": ["request": ["set": ["a": "b"]]],
      ]
    }
    #expect(
      rule("checkout", of: after)?["route"] == [destination("checkout-stable", 90), destination("checkout-canary", 10)])
    var put = after
    put[path: ["spec", "http"]] = Self.object[path: ["spec", "http"]]
    put[path: ["metadata"]] = Self.object["metadata"]
    #expect(put == Self.object, "nothing else differs")
    #expect(after.labels.isEmpty && after.annotations["team"] == "shop")
    #expect(rule("cart", of: after) == rule("cart", of: Self.object))
  }

  @Test("what was written is what is read, and giving it back leaves the object as it was, to the letter")
  func roundTrip() throws {
    let provider = try provider()
    #expect(provider.observe([Self.object]) == .routing(.released))
    for first in try Self.targets() {
      for second in try Self.targets() {
        let once = try written(.split(first))
        let twice = try written(.split(second), over: once)
        #expect(provider.observe([twice], owned: true) == .routing(.split(second)))
        #expect(try provider.writes(for: .split(second), live: [twice], owned: true, place: nil) == [])
        var back = try written(.released, over: twice)
        back[path: ["metadata", "resourceVersion"]] = "7"
        #expect(back == Self.object)
      }
    }
    #expect(try provider.writes(for: .released, live: [Self.object]) == [])
  }

  @Test("no target has a lone destination or one without a weight, and weights sum to 100")
  func splits() throws {
    for target in try Self.targets() {
      let own = try rules(written(.split(target))).filter {
        $0["route"]?.array?.contains { $0["weight"] != nil } ?? false
      }
      #expect(own.count == 1 + (target.routes.isEmpty ? 0 : 1) + (target.sticky == nil ? 0 : 1))
      for rule in own {
        let weights = (rule["route"]?.array ?? []).map { $0["weight"]?.int }
        #expect(weights.count == 2 && weights.compactMap(\.self).reduce(0, +) == 100)
      }
    }
  }

  @Test("rules for routes and stickiness stand directly before the person's, and take only what that would get")
  func inserted() throws {
    let target = TrafficTarget(
      weight: .none,
      routes: [
        HTTPMatch(path: PathMatch(value: "/checkout/v2"), headers: [NameValueMatch(name: "X-Beta", value: "1")])
      ],
      sticky: Sticky(cookie: "c", maxAge: .seconds(90)))
    let after = try written(.split(target))
    let http = rules(after)
    #expect(names(after) == ["cart", "sluice-checkout-route", "sluice-checkout-sticky", "checkout", "rest"])
    let header: JSON = ["x-beta": ["exact": "1"]]
    #expect(
      http[1]["match"] == [
        ["uri": ["exact": "/checkout/v2"], "headers": header], ["uri": ["prefix": "/checkout/v2/"], "headers": header],
      ])
    #expect(http[1]["timeout"] == "3s", "what the person's rule says holds for both tracks")
    let cookie = http[2]["match"]?[1]?[path: ["headers", "cookie", "regex"]]?.string
    #expect(cookie?.contains("c=6f7c9") == true && http[2]["match"]?[1]?["port"] == 80)
  }

  @Test("a patch is refused as a whole where the object or the rule is another one meanwhile")
  func guarded() throws {
    let write = try #require(
      try provider().writes(for: .split(.allToCanary), live: [Self.object], owned: true, place: nil).first)
    var newer = Self.object
    newer[path: ["metadata", "resourceVersion"]] = "8"
    #expect(applied(write, to: newer) == nil)
    #expect(applied(write, to: changed(Self.object) { $0.reverse() }) != nil, "the rule stands where it did")
    #expect(applied(write, to: changed(Self.object) { $0.swapAt(0, 1) }) == nil)
  }

  @Test("a foreign edit of another part of the object is no conflict and stays, also of the rule itself")
  func elsewhere() throws {
    var object = changed(try written(.split(TrafficTarget(weight: try weight(10))))) { http in
      http[0]["timeout"] = "1s"
      http[1]["timeout"] = "9s"
      http.insert(
        ["name": "new", "match": [["uri": ["exact": "/new"]]], "route": [["destination": ["host": "web"]]]], at: 1)
    }
    object[path: ["spec", "hosts"]] = ["shop.example.com", "checkout", "new.example.com"]
    let provider = try provider()
    #expect(provider.observe([object], owned: true) == .routing(.split(TrafficTarget(weight: try weight(10)))))
    let after = try written(.released, over: object)
    #expect(rule("checkout", of: after)?["timeout"] == "9s" && rule("new", of: after) != nil)
    #expect(rule("cart", of: after)?["timeout"] == "1s")
    #expect(rule("checkout", of: after)?["route"] == rule("checkout", of: Self.object)?["route"])
  }

  @Test("another weight, another destination or a canary left alone is a change, with what the canary gets")
  func change() throws {
    let target = TrafficTarget(weight: try weight(10))
    let provider = try provider()
    func observed(_ change: (inout JSON) -> Void) throws -> ObservedRouting {
      provider.observe([changed(try written(.split(target))) { change(&$0[1]) }], owned: true)
    }
    guard
      case .changed(.split(target), let differences, 60) = try observed({
        $0.edit("route", 0) { $0["weight"] = 40 }
        $0.edit("route", 1) { $0["weight"] = 60 }
      })
    else {
      Issue.record("the weights should be seen")
      return
    }
    #expect(
      differences == [
        "VirtualService shop/shop: spec.http[1].route[0].weight is 40, should be 90",
        "VirtualService shop/shop: spec.http[1].route[1].weight is 60, should be 10",
      ])
    guard
      case .changed(.split(target), _, 100) = try observed({ rule in
        rule["route"] = .array((rule["route"]?.array ?? []).suffix(1))
      })
    else {
      Issue.record("a canary alone should be seen")
      return
    }
  }

  @Test("a rule that was set back in the middle of a run is a change then, and right at rest")
  func setBack() throws {
    let target = TrafficTarget(weight: try weight(10))
    var object = try written(.split(target))
    object["spec"] = Self.object["spec"]
    let provider = try provider()
    guard case .changed(.split(target), _, 0) = provider.observe([object], owned: true) else {
      Issue.record("it should be seen in a run")
      return
    }
    #expect(try provider.observe([written(.split(target), over: object)], owned: true) == .routing(.split(target)))
    guard case .changed(.released, _, 0) = provider.observe([object], owned: false) else {
      Issue.record("the record is left over")
      return
    }
    #expect(try written(.released, over: object).annotations == ["team": "shop"])
  }

  @Test("a person who changes the destination in Git in mid-run gets that one back")
  func newOriginal() throws {
    var object = try written(.split(TrafficTarget(weight: try weight(10))))
    object["spec"] = Self.object["spec"]
    object = changed(object) { $0[1]["route"] = [["destination": ["host": "checkout.shop.svc.cluster.local"]]] }
    let again = try written(.split(.allToCanary), over: object)
    #expect(
      rule("checkout", of: again)?["route"]?[1]?[path: ["destination", "host"]]
        == "checkout-canary.shop.svc.cluster.local")
    #expect(try rule("checkout", of: written(.released, over: again)) == rule("checkout", of: object))
  }

  @Test("without its record a rule is still given back, from its destinations")
  func lostRecord() throws {
    var object = try written(.split(TrafficTarget(weight: try weight(10), mirror: Percent(20))))
    object[path: ["metadata", "annotations"]] = nil
    let provider = try provider()
    guard case .changed(.split(.stableOnly), _, 10) = provider.observe([object], owned: true) else {
      Issue.record("the lost record should be seen")
      return
    }
    #expect(try written(.released, over: object)["spec"] == Self.object["spec"])
    #expect(try provider.observe([written(.split(.stableOnly), over: object)]) == .routing(.split(.stableOnly)))
  }

  @Test("the place in the run is kept with the weight, in one write")
  func place() throws {
    let place = RoutingPlace(run: "checkout-abc", step: 2)
    let after = try written(.split(TrafficTarget(weight: try weight(10))), place: place)
    let provider = try provider()
    #expect(provider.place(in: [after]) == place && provider.place(in: [Self.object]) == nil)
    let later = RoutingPlace(run: "checkout-abc", step: 3)
    #expect(
      try provider.writes(
        for: .split(TrafficTarget(weight: weight(10))), live: [after], owned: true, place: later) == [])
  }

  @Test("where the person's rule is gone, those that were put before it go as well")
  func ruleGone() throws {
    try expectRuleGone(saying: "VirtualService shop/shop has no http rule named checkout; it has cart, rest")
  }

  @Test("several Rollouts edit rules of one object, each with a record of its own")
  func several() throws {
    let one = try written(.split(TrafficTarget(weight: try weight(10))))
    var other = one
    other[path: ["metadata", "annotations", "route.sluice.dev/cart"]] = "{}"
    #expect(try written(.released, over: other).annotations.keys.sorted() == ["route.sluice.dev/cart", "team"])
  }

  static let bad: [BadRule] = [
    BadRule(
      "another destination", #"{"route":[{"destination":{"host":"web"}}]}"#,
      "routes to web; wanted the Service checkout"),
    BadRule(
      "two destinations",
      #"{"route":[{"destination":{"host":"checkout"},"weight":90},{"destination":{"host":"web"},"weight":10}]}"#,
      "routes to checkout, web; wanted"),
    BadRule(
      "the generated Services", #"{"route":[{"destination":{"host":"checkout-canary.web"}}]}"#,
      "routes to checkout-canary.web; wanted"),
    BadRule(
      "a Service of another namespace", #"{"route":[{"destination":{"host":"checkout.web"}}]}"#,
      "routes to checkout.web"),
    BadRule("a subset", #"{"route":[{"destination":{"host":"checkout","subset":"v1"}}]}"#, "routes to the subset v1"),
    BadRule(
      "another port", #"{"route":[{"destination":{"host":"checkout","port":{"number":81}}}]}"#,
      "routes to port 81; wanted 80"),
    BadRule("no destination", #"{"route":null}"#, "routes to nothing"),
    BadRule(
      "a delegate", #"{"route":null,"delegate":{"name":"inner"}}"#,
      "delegates to VirtualService shop/inner: name that one"),
    BadRule("a redirect", #"{"route":null,"redirect":{"uri":"/"}}"#, "answers by itself (redirect)"),
    BadRule(
      "a mirror of its own", #"{"mirror":{"host":"web"}}"#,
      "spec.steps[0]: mirror: rule checkout of VirtualService shop/shop has a mirror of its own",
      steps: [["weight": 1, "mirror": 20]]),
    BadRule(
      "a regular expression of the path", #"{"match":[{"uri":{"regex":"/a.*"}}]}"#,
      "spec.steps[0]: route.matches: rule checkout of VirtualService shop/shop matches on path",
      steps: [["route": ["matches": [["path": ["value": "/a"]]]]]]),
    BadRule(
      "no request in common", #"{}"#, "takes no request that these match",
      steps: [["route": ["matches": [["path": ["value": "/b"]]]]]]),
    BadRule(
      "a cookie", #"{"match":[{"headers":{"cookie":{"regex":"a"}}}]}"#, "spec.steps[0]: sticky",
      steps: [["weight": 1, "sticky": ["cookie": ["name": "c"]]]]),
  ]

  @Test("a rule that cannot be edited is refused beforehand, with object, rule and what would be right", arguments: bad)
  func refused(which: BadRule) throws {
    try expectRefused(which, as: "rule checkout of VirtualService shop/shop")
  }

  @Test("which rule is meant must be clear, and the object a person's that is there")
  func found() throws {
    func text(_ route: JSON, _ live: [JSON]) throws -> String? {
      if case .unusable(let text) = try provider(route).observe(live) { text } else { nil }
    }
    #expect(try text(["name": "shop"], [])?.hasSuffix("is not there") == true)
    #expect(
      try text(["name": "shop"], [Self.object])
        == "VirtualService shop/shop has 3 http rules (cart, checkout, rest): name one of them as route.rule")
    #expect(try text(["name": "shop", "rule": "pay"], [Self.object])?.contains("it has cart, checkout, rest") == true)
    let rule = try #require(self.rule("checkout", of: Self.object))
    let twice = changed(Self.object) { $0 = [rule, rule] }
    #expect(try text(namedRule, [twice])?.contains("has 2 http rules named checkout") == true)
    let late = changed(Self.object) { $0 = [["name": "all", "route": [["destination": ["host": "web"]]]], rule] }
    #expect(try text(namedRule, [late])?.contains("gets no request: rule all") == true)
    var owned = Self.object
    owned[path: ["metadata", "labels", "sluice.dev/rollout"]] = "other"
    #expect(try text(namedRule, [owned])?.contains("Rollout shop/other's own") == true)
    let lone = changed(Self.object) { $0 = [["route": [["destination": ["host": "checkout"]]]]] }
    #expect(try provider(["name": "shop"]).observe([lone]) == .routing(.released), "one alone needs no name")
  }

  @Test("an older VirtualService that hides the person's from callers in the mesh is named")
  func hidden() throws {
    let own = Self.object.created(2)
    var other: JSON = [
      "kind": "VirtualService", "metadata": ["name": "old", "namespace": "shop"],
      "spec": ["hosts": ["checkout.shop.svc.cluster.local"]],
    ]
    let provider = try provider()
    #expect(provider.conflicts(existing: [own, other.created(1)]).map(\.object.name) == ["old"])
    #expect(provider.conflicts(existing: [own, other.created(3)]).isEmpty)
    other[path: ["spec", "gateways"]] = ["public"]
    #expect(provider.conflicts(existing: [own, other.created(1)]).isEmpty, "a gateway joins them")
  }
}
