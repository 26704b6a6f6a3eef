import KubernetesAPI
import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("A rule of a person's HTTPRoute, edited in place")
struct GatewayInPlaceTests: InPlaceTests {
  static let list = "rules"

  private static func backend(_ name: String, _ weight: Int = 1) -> JSON {
    ["group": "", "kind": "Service", "name": .string(name), "port": 80, "weight": JSON(weight)]
  }

  private static func prefix(_ path: String) -> JSON { ["path": ["type": "PathPrefix", "value": .string(path)]] }

  /// The rule `checkout` among others of a team's, as the API server keeps them.
  static let object: JSON = [
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
    "metadata": [
      "name": "shop", "namespace": "shop", "resourceVersion": "7", "generation": 3, "annotations": ["team": "shop"],
    ],
    "spec": [
      "parentRefs": [["group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"]],
      "hostnames": ["shop.example.com"],
      "rules": [
        ["name": "cart", "matches": [prefix("/cart")], "backendRefs": [backend("cart")]],
        [
          "name": "checkout",
          "matches": [prefix("/checkout"), ["path": ["type": "Exact", "value": "/pay"], "method": "POST"]],
          "timeouts": ["request": "3s"],
          "filters": [["type": "RequestHeaderModifier", "requestHeaderModifier": ["remove": ["x"]]]],
          "backendRefs": [backend("checkout")],
        ],
        ["name": "rest", "matches": [prefix("/")], "backendRefs": [backend("web")]],
      ],
    ],
  ]

  /// The same without names, as in versions whose rules have none.
  static let nameless: JSON = {
    var object = Self.object
    object[path: ["spec", "rules"]] = .array(
      (object[path: ["spec", "rules"]]?.array ?? []).map { rule in
        var rule = rule
        rule["name"] = nil
        return rule
      })
    return object
  }()

  func provider(_ route: JSON, steps: JSON) throws -> GatewayInPlaceProvider {
    try provider(route, steps: steps, metrics: "Istio")
  }

  private func provider(
    _ route: JSON = namedRule, steps: JSON = oneStep, metrics: String = "Istio", routes: [JSON] = [Self.object],
    surroundings: [JSON] = []
  ) throws -> GatewayInPlaceProvider {
    let plan = try gatewayPlan(["route": route, "metrics": .string(metrics)], steps: steps)
    return try GatewayInPlaceProvider(
      plan: plan,
      setting: ProviderSetting(
        services: RoutedService.resolve(plan, live: [service("checkout")]), revision: "6f7c9",
        surroundings: surroundings, routes: routes))
  }

  @Test("only the backends of the named rule change, each with what the person's says besides")
  func weights() throws {
    let after = try written(.split(TrafficTarget(weight: try weight(10))))
    #expect(
      rule("checkout", of: after)?["backendRefs"]
        == [Self.backend("checkout-stable", 90), Self.backend("checkout-canary", 10)])
    var put = after
    put[path: ["spec", "rules"]] = Self.object[path: ["spec", "rules"]]
    put[path: ["metadata"]] = Self.object["metadata"]
    #expect(put == Self.object, "nothing else differs")
    #expect(after.labels.isEmpty && after.annotations["team"] == "shop")
  }

  @Test(
    "what was written is what is read, and giving it back leaves the object as it was, to the letter",
    arguments: [true, false])
  func roundTrip(isNamed: Bool) throws {
    let object = isNamed ? Self.object : Self.nameless
    let provider = try provider(isNamed ? namedRule : ["name": "shop"], routes: [object])
    #expect(provider.observe([object]) == .routing(.released))
    for first in try Self.targets() {
      for second in try Self.targets() {
        let once = try written(.split(first), over: object, by: provider)
        let twice = try written(.split(second), over: once, by: provider)
        #expect(provider.observe([twice], owned: true) == .routing(.split(second)))
        #expect(try provider.writes(for: .split(second), live: [twice], owned: true, place: nil) == [])
        #expect(rules(twice).allSatisfy { isNamed || $0["name"] == nil })
        var back = try written(.released, over: twice, by: provider)
        back[path: ["metadata", "resourceVersion"]] = "7"
        #expect(back == object)
      }
    }
    #expect(try provider.writes(for: .released, live: [object]) == [])
  }

  @Test("no target has a lone backend or one without a weight, and weights sum to 100")
  func splits() throws {
    for target in try Self.targets() {
      let own = try rules(written(.split(target))).filter { $0["backendRefs"]?.array?.count == 2 }
      #expect(own.count == 1 + (target.routes.isEmpty ? 0 : 1) + (target.sticky == nil ? 0 : 1))
      for rule in own {
        let weights = (rule["backendRefs"]?.array ?? []).compactMap { $0["weight"]?.int }
        #expect(weights.count == 2 && weights.reduce(0, +) == 100)
      }
    }
  }

  @Test("rules for routes and stickiness stand directly before the person's, and take only what that would get")
  func inserted() throws {
    let target = TrafficTarget(
      weight: .none,
      routes: [
        HTTPMatch(path: PathMatch(value: "/checkout/v2"), headers: [NameValueMatch(name: "X-Beta", value: "1")])
      ], sticky: Sticky(cookie: "c", maxAge: .seconds(90)))
    let all = try rules(written(.split(target)))
    #expect(
      all.compactMap { $0["name"]?.string } == [
        "cart", "sluice-checkout-route", "sluice-checkout-sticky", "checkout", "rest",
      ])
    #expect(
      all[1]["matches"] == [
        [
          "path": ["type": "PathPrefix", "value": "/checkout/v2"],
          "headers": [["type": "Exact", "name": "X-Beta", "value": "1"]],
        ]
      ])
    #expect(all[1]["timeouts"] == ["request": "3s"], "what the person's rule says holds for both tracks")
    #expect(all[2]["matches"]?[1]?["method"] == "POST")
    #expect(all[2]["matches"]?[1]?["headers"]?[0]?["value"]?.string?.contains("c=6f7c9") == true)
    #expect(all[3]["backendRefs"]?[0]?["filters"] == nil && all[3]["backendRefs"]?[1]?["filters"] != nil)
  }

  @Test("a mirror is a filter beside the person's own, of which a person may go on writing the rest")
  func mirror() throws {
    let target = TrafficTarget(weight: try weight(1), mirror: Percent(20))
    let provider = try provider()
    let mirrored = try written(.split(target))
    let filters = rule("checkout", of: mirrored)?["filters"]?.array ?? []
    #expect(filters.compactMap { $0["type"]?.string } == ["RequestHeaderModifier", "RequestMirror"])
    #expect(
      filters.last?["requestMirror"] == [
        "percent": 20,
        "backendRef": ["group": "", "kind": "Service", "name": "checkout-canary", "port": 80],
      ])
    let edited = changed(mirrored) { rules in
      rules[1].edit("filters", 0) { $0[path: ["requestHeaderModifier", "remove"]] = ["y"] }
    }
    #expect(provider.observe([edited], owned: true) == .routing(.split(target)))
    let back = try written(.released, over: edited)
    #expect(
      rule("checkout", of: back)?["filters"]
        == [["type": "RequestHeaderModifier", "requestHeaderModifier": ["remove": ["y"]]]])
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
    let target = TrafficTarget(weight: try weight(10))
    let object = changed(try written(.split(target))) {
      $0[0]["timeouts"] = ["request": "1s"]
      $0[1]["timeouts"] = ["request": "9s"]
      $0.insert(["name": "new", "matches": [Self.prefix("/new")], "backendRefs": [Self.backend("web")]], at: 1)
    }
    #expect(try provider().observe([object], owned: true) == .routing(.split(target)))
    let after = try written(.released, over: object)
    #expect(rule("checkout", of: after)?["timeouts"] == ["request": "9s"] && rule("new", of: after) != nil)
    #expect(rule("checkout", of: after)?["backendRefs"] == [Self.backend("checkout")])
  }

  @Test("another weight, another backend or a canary left alone is a change, with what the canary gets")
  func change() throws {
    let target = TrafficTarget(weight: try weight(10))
    func observed(_ change: (inout JSON) -> Void) throws -> ObservedRouting {
      let object = changed(try written(.split(target))) { change(&$0[1]) }
      return try provider().observe([object], owned: true)
    }
    guard
      case .changed(.split(target), let differences, 60) = try observed({
        $0.edit("backendRefs", 0) { $0["weight"] = 40 }
        $0.edit("backendRefs", 1) { $0["weight"] = 60 }
      })
    else {
      Issue.record("the weights should be seen")
      return
    }
    #expect(
      differences == [
        "HTTPRoute shop/shop: spec.rules[1].backendRefs[0].weight is 40, should be 90",
        "HTTPRoute shop/shop: spec.rules[1].backendRefs[1].weight is 60, should be 10",
      ])
    guard
      case .changed(.split(target), _, 100) = try observed({ $0["backendRefs"] = [Self.backend("checkout-canary")] })
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
    #expect(try written(.released, over: object).annotations == ["team": "shop"])
  }

  @Test("without its record a rule is still given back, from its backends", arguments: ["Istio", "EnvoyGateway"])
  func lostRecord(metrics: String) throws {
    let provider = try provider(metrics: metrics)
    var object = try written(.split(TrafficTarget(weight: try weight(10), mirror: Percent(20))), by: provider)
    object[path: ["metadata", "annotations"]] = nil
    guard case .changed(.split(.stableOnly), _, 10) = provider.observe([object], owned: true) else {
      Issue.record("the lost record should be seen")
      return
    }
    #expect(try written(.released, over: object, by: provider)["spec"] == Self.object["spec"])
  }

  @Test("where the person's rule is gone, those that were put before it go as well")
  func ruleGone() throws {
    try expectRuleGone(saying: "HTTPRoute shop/shop has no rule named checkout; it has cart, rest")
  }

  @Test("for Envoy Gateway both tracks have a filter, unless the person's backend has one")
  func envoyGateway() throws {
    let provider = try provider(metrics: "EnvoyGateway")
    let plain = try written(.split(TrafficTarget(weight: try weight(10))), by: provider)
    let backends = rule("checkout", of: plain)?["backendRefs"]?.array ?? []
    #expect(backends.allSatisfy { $0["filters"] == [EnvoyGatewayMetrics.emptyFilter] })
    let filter: JSON = [
      "type": "ResponseHeaderModifier", "responseHeaderModifier": ["add": [["name": "a", "value": "b"]]],
    ]
    let object = changed(Self.object) { $0[1].edit("backendRefs", 0) { $0["filters"] = [filter] } }
    let sticky = TrafficTarget(weight: try weight(10), sticky: Sticky(cookie: "c", maxAge: .seconds(90)))
    let kept = rule("checkout", of: try written(.split(sticky), over: object, by: provider))?["backendRefs"]?.array
    #expect(kept?[0]["filters"] == [filter])
    let added = kept?[1]["filters"]?[0]?[path: ["responseHeaderModifier", "add"]]?.array ?? []
    #expect(added.compactMap { $0["name"]?.string } == ["a", "Set-Cookie"])
    let two = changed(object) { $0[0].edit("backendRefs", 0) { $0["filters"] = [filter] } }
    guard case .unusable(let text) = provider.observe([two]) else {
      Issue.record("their clusters cannot be told apart")
      return
    }
    #expect(text.contains("cannot be told from rule cart") && text.contains("metrics: None"))
  }

  static let bad: [BadRule] = [
    BadRule(
      "another Service", #"{"backendRefs":[{"name":"web","port":80}]}"#,
      "sends to web; wanted the Service checkout, which serviceRefs names, alone"),
    BadRule(
      "two backends", #"{"backendRefs":[{"name":"checkout","port":80},{"name":"web","port":80}]}"#,
      "sends to checkout, web; wanted"),
    BadRule(
      "a Service of another namespace", #"{"backendRefs":[{"name":"checkout","namespace":"web","port":80}]}"#,
      "sends to web/checkout; wanted"),
    BadRule(
      "another kind", #"{"backendRefs":[{"group":"x.io","kind":"Bucket","name":"checkout"}]}"#,
      "sends to Bucket checkout; wanted"),
    BadRule("no backend", #"{"backendRefs":null}"#, "sends to nothing; wanted"),
    BadRule("another port", #"{"backendRefs":[{"name":"checkout","port":81}]}"#, "sends to port 81; wanted 80"),
    BadRule("no port", #"{"backendRefs":[{"name":"checkout"}]}"#, "names no port in its backendRef; wanted 80"),
    BadRule("no weight at all", #"{"backendRefs":[{"name":"checkout","port":80,"weight":0}]}"#, "the weight 0"),
    BadRule(
      "a redirect", #"{"filters":[{"type":"RequestRedirect","requestRedirect":{}}],"backendRefs":null}"#,
      "answers by itself (RequestRedirect)"),
    BadRule("stickiness of its own", #"{"sessionPersistence":{"type":"Cookie"}}"#, "has sessionPersistence"),
    BadRule(
      "a rule that hides it", #"{"matches":[{"path":{"type":"PathPrefix","value":"/cart/"}}]}"#,
      "gets no request: rule cart"),
    BadRule(
      "a mirror of its own", #"{"filters":[{"type":"RequestMirror","requestMirror":{"backendRef":{"name":"web"}}}]}"#,
      "spec.steps[0]: mirror: rule checkout of HTTPRoute shop/shop has a RequestMirror",
      steps: [["weight": 1, "mirror": 20]]
    ),
    BadRule(
      "a regular expression of the path", #"{"matches":[{"path":{"type":"RegularExpression","value":"/a.*"}}]}"#,
      "spec.steps[0]: route.matches: rule checkout of HTTPRoute shop/shop matches on path",
      steps: [["route": ["matches": [["path": ["value": "/a"]]]]]]),
    BadRule(
      "no request in common", #"{}"#, "takes no request that these match",
      steps: [["route": ["matches": [["path": ["value": "/b"]]]]]]),
    BadRule(
      "a cookie", #"{"matches":[{"headers":[{"type":"Exact","name":"cookie","value":"a"}]}]}"#,
      "spec.steps[0]: sticky: rule checkout", steps: [["weight": 1, "sticky": ["cookie": ["name": "c"]]]]),
    BadRule(
      "a cookie that it sets",
      #"{"backendRefs":[{"name":"checkout","port":80,"filters":[{"type":"ResponseHeaderModifier","responseHeaderModifier":{"set":[{"name":"set-cookie","value":"a"}]}}]}]}"#,
      "sets a Set-Cookie header already", steps: [["weight": 1, "sticky": ["cookie": ["name": "c"]]]]),
  ]

  @Test("a rule that cannot be edited is refused beforehand, with object, rule and what would be right", arguments: bad)
  func refused(which: BadRule) throws {
    try expectRefused(which, as: "rule checkout of HTTPRoute shop/shop")
  }

  @Test("a step's rule that would take what another rule has now is refused: more conditions come first")
  func robbed() throws {
    let steps: JSON = [
      ["route": ["matches": [["headers": [["name": "x-a", "value": "1"], ["name": "x-b", "value": "1"]]]]]]
    ]
    let other: JSON = [
      "name": "internal",
      "matches": [
        [
          "path": ["type": "PathPrefix", "value": "/checkout"],
          "headers": [["type": "Exact", "name": "x-internal", "value": "1"]],
        ]
      ], "backendRefs": [Self.backend("web")],
    ]
    guard case .unusable(let text) = try provider(steps: steps).observe([changed(Self.object) { $0.append(other) }])
    else {
      Issue.record("rule internal would lose requests")
      return
    }
    #expect(text.contains("rule internal of HTTPRoute shop/shop has some of these requests now"), "\(text)")
    var longer = other
    longer.edit("matches", 0) { $0[path: ["path", "value"]] = "/checkout/internal" }
    let fine = changed(Self.object) { $0.append(longer) }
    #expect(try provider(steps: steps).observe([fine]) == .routing(.released), "a longer path comes first all the same")
  }

  @Test("which rule is meant must be clear, and the object a person's that is there")
  func found() throws {
    func text(_ route: JSON, _ live: [JSON], _ surroundings: [JSON] = []) throws -> String? {
      if case .unusable(let text) = try provider(route, routes: live, surroundings: surroundings).observe(live) {
        text
      } else {
        nil
      }
    }
    #expect(
      try text(namedRule, []) == "HTTPRoute shop/shop, which traffic.gatewayAPI.route names, is not there")
    #expect(try provider(namedRule, routes: []).obstacles == [], "what is not there says nothing of its parents")
    #expect(try text(["name": "shop"], [Self.nameless]) == nil, "the only one that sends to the Service needs no name")
    let without = changed(Self.nameless) { $0.remove(at: 1) }
    #expect(
      try text(["name": "shop"], [without])
        == "HTTPRoute shop/shop has no rule with a backendRef to the Service checkout, which serviceRefs names; its rules "
        + "send to cart, web")
    let twice = changed(Self.object) { $0[0]["backendRefs"] = [Self.backend("checkout")] }
    #expect(
      try text(["name": "shop"], [twice])
        == "HTTPRoute shop/shop has 2 rules that send to the Service checkout (cart, checkout): name one of them as "
        + "route.rule")
    #expect(
      try text(["name": "shop"], [twice], [definition("v1.2.1")])?.hasSuffix(
        "rules have names only since Gateway API v1.3 and the cluster's Gateway API is v1.2, standard channel, so join the "
          + "matches of these in one") == true)
    var owned = Self.object
    owned[path: ["metadata", "labels", "sluice.dev/rollout"]] = "other"
    #expect(try text(namedRule, [owned])?.contains("Rollout shop/other's own") == true)
  }

  @Test("its Gateways are those of the object: their metrics, what they support, and whether they have taken it")
  func parents() throws {
    let plan = try gatewayPlan(["route": ["name": "shop"]], steps: [["weight": 1, "mirror": 20]])
    func made(_ surroundings: [JSON]) throws -> GatewayInPlaceProvider {
      try GatewayInPlaceProvider(
        plan: plan,
        setting: ProviderSetting(
          services: RoutedService.resolve(plan, live: [service("checkout")]), revision: "6f7c9",
          surroundings: surroundings, routes: [Self.object]))
    }
    let provider = try made(gateway(controller: "gateway.envoyproxy.io/x", features: ["HTTPRouteQueryParamMatching"]))
    #expect(provider.metrics is EnvoyGatewayMetrics)
    #expect(provider.problems.contains { $0.contains("does not support HTTPRouteRequestMirror") })
    #expect(
      provider.pending([Self.object]) == ["HTTPRoute shop/shop, parent Gateway shop/public: no controller has taken it"]
    )
    var taken = Self.object
    taken["status"] = [
      "parents": [
        [
          "parentRef": ["name": "public"], "controllerName": "gateway.envoyproxy.io/x",
          "conditions": [
            ["type": "Accepted", "status": "True", "observedGeneration": 3],
            ["type": "ResolvedRefs", "status": "True", "observedGeneration": 3],
          ],
        ]
      ]
    ]
    #expect(provider.pending([taken]) == [])
    #expect(
      try made(gateway("other", controller: "istio.io/x")).obstacles.first
        == "HTTPRoute shop/shop: spec.parentRefs: there is no Gateway shop/public")
  }

  @Test("an older route of the same parent, host and match gets the requests, and is named")
  func hidden() throws {
    let own = Self.object.created(2)
    var other = changed(Self.object) { $0 = [$0[1]] }
    other[path: ["metadata", "name"]] = "old"
    let provider = try provider()
    #expect(provider.conflicts(existing: [own, other.created(1)]).map(\.object.name) == ["old"])
    #expect(provider.conflicts(existing: [own, other.created(3)]).isEmpty)
    other[path: ["spec", "hostnames"]] = ["other.example.com"]
    #expect(provider.conflicts(existing: [own, other.created(1)]).isEmpty, "another host")
  }
}
