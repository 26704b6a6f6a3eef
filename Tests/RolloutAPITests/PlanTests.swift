import KubernetesAPI
import Testing

@testable import RolloutAPI

@Suite struct PlanTests {
  @Test("the Rollout of the design becomes the plan that it describes")
  func design() throws {
    let plan = try plan(
      """
      apiVersion: sluice.dev/v1alpha1
      kind: Rollout
      metadata: {name: checkout, namespace: shop}
      spec:
        workloadRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
        serviceRefs: [{name: checkout, port: http}]
        traffic:
          istio: {hosts: [shop.example.com], gateways: [shop/public], matches: [{path: {type: PathPrefix, value: /checkout}}]}
        steps:
        - {name: first-users, weight: 1, analyze: {for: 2m}}
        - {weight: 1, mirror: 20, analyze: {for: 5m}}
        - {weight: 10, analyze: {for: 5m, atLeast: 1m}}
        - {route: {matches: [{headers: [{name: x-beta, value: "1"}]}]}, analyze: {for: 30m}}
        - {weight: 50, pause: {}}
        analysis:
          slos:
          - {name: errors, errorRate: {max: 1%}}
          - {name: p99, latency: {quantile: "99", max: 400ms}}
          - {name: conversion, query: "sum(rate(orders_total{pod=~\\"$(pods)\\"}[$(window)]))", compare: {ratio: {min: "0.95"}}}
        notify: [{channel: team-shop}]
      """)
    #expect(plan.key.description == "shop/checkout")
    #expect(plan.workloadKey.description == "shop/checkout")
    #expect(plan.services.map(\.stableName) == ["checkout-stable"])
    #expect(plan.services.map(\.canaryName) == ["checkout-canary"])
    guard case .istio(let istio) = plan.provider else { throw PlanErrors([]) }
    #expect(istio.hosts == ["shop.example.com"])
    #expect(istio.mesh)
    let beta = HTTPMatch(headers: [NameValueMatch(name: "x-beta", value: "1")])
    #expect(
      plan.steps.map(\.traffic) == [
        TrafficTarget(weight: try #require(Weight(1))),
        TrafficTarget(weight: try #require(Weight(1)), mirror: Percent(20)),
        TrafficTarget(weight: try #require(Weight(10))),
        TrafficTarget(weight: .none, routes: [beta]),
        TrafficTarget(weight: try #require(Weight(50))),
      ])
    #expect(plan.steps.map(\.title) == [" (first-users)", "", "", "", ""])
    #expect(plan.steps[2].analyze == PlanStep.Analyze(duration: .seconds(300), atLeast: .seconds(60)))
    #expect(plan.steps[4].pause == .indefinite)
    #expect(plan.analysis.slos.map(\.name) == ["errors", "p99", "conversion"])
    #expect(plan.analysis.riskPerCheck == 0.001 / 3)
    #expect(plan.notify.map(\.channel) == ["team-shop"])
    #expect(plan.notify.first?.events.count == NotificationEvent.allCases.count)
  }

  @Test("what a Rollout leaves out has the defaults of the design")
  func defaults() throws {
    let plan = try plan(checkout)
    #expect(plan.settle == .seconds(5))
    #expect(plan.scaleDownDelay == .seconds(30))
    #expect(plan.maxBypass == Percent("1%"))
    #expect(plan.analysis.deadline == .seconds(3600))
    #expect(plan.analysis.onUndecided == .pause)
    #expect(plan.analysis.falseAbortRisk == Percent("0.1%"))
    #expect(plan.fastUndo == Plan.FastUndo(revisions: 2, within: .seconds(86_400)))
    #expect(plan.hold == .auto)
    #expect(plan.deletionPolicy == .orphan)
    #expect(plan.policy.isEmpty)
    #expect(plan.services.map(\.selector) == [.declared])
  }

  @Test("a step that names any of weight, mirror, route or sticky replaces the whole target, another one keeps it")
  func targets() throws {
    let steps = try plan(
      steps: """
        - {scale: 100%}
        - {weight: 5, mirror: 10, sticky: {cookie: {name: lane}}}
        - {pause: {duration: 1m}}
        - {mirror: 30}
        - {analyze: {for: 1m}}
        - {route: {matches: [{method: GET}]}}
        - {scale: 50%}
        - {weight: 20}
        - {weight: 0}
        """
    ).steps
    let five = try #require(Weight(5))
    let sticky = Sticky(cookie: "lane", maxAge: .seconds(86_400))
    let get = [HTTPMatch(method: .get)]
    #expect(
      steps.map(\.traffic) == [
        .stableOnly, TrafficTarget(weight: five, mirror: Percent(10), sticky: sticky),
        TrafficTarget(weight: five, mirror: Percent(10), sticky: sticky),
        TrafficTarget(weight: .none, mirror: Percent(30)), TrafficTarget(weight: .none, mirror: Percent(30)),
        TrafficTarget(weight: .none, routes: get), TrafficTarget(weight: .none, routes: get),
        TrafficTarget(weight: try #require(Weight(20))), .stableOnly,
      ])
    #expect(steps.map(\.setsTraffic) == [false, true, false, true, false, true, false, true, true])
    #expect(steps.map(\.traffic.reachesCanary) == [false, true, true, true, true, true, true, true, false])
    #expect(steps[0].scale == .all)
    #expect(steps[1].scale == nil)
    #expect(steps[2].pause == .duration(.seconds(60)))
  }

  @Test("a target goes to the wire and back unchanged")
  func targetOnTheWire() throws {
    let targets = [
      TrafficTarget.stableOnly, .allToCanary,
      TrafficTarget(
        weight: try #require(Weight(7)), mirror: Percent(20), routes: [HTTPMatch(path: PathMatch(value: "/beta"))],
        sticky: Sticky(cookie: "lane", maxAge: .seconds(90))),
    ]
    for target in targets {
      let wire = try JSON(encoding: target.spec)
      #expect(TrafficTarget(try wire.decode(TrafficTargetSpec.self)) == target)
    }
    #expect(TrafficTarget(TrafficTargetSpec(weight: 101)) == nil)
  }

  @Test("steps and targets describe themselves")
  func descriptions() throws {
    let steps = try plan(
      steps: """
        - {scale: 100%, weight: 5, mirror: 10, analyze: {for: 90s}}
        - {route: {matches: [{path: {value: /b}, method: POST}, {headers: [{name: x, value: a.*, type: RegularExpression}]}]}, pause: {}}
        - {pause: {duration: 1h}}
        """
    ).steps
    #expect(
      steps.map(\.description) == [
        "scale 100%, weight 5%, mirror 10%, analyze 1m30s",
        "weight 0%, POST, path /b* or header x~a.* to the canary, pause", "pause 1h",
      ])
  }

  @Test("the policy of a mesh is read in full")
  func policy() throws {
    var document = try json(checkout)
    document[path: ["spec", "traffic"]] = try json(
      """
      istio: {}
      timeouts: {request: 10s, backendRequest: 3s}
      retries: {attempts: 2, codes: [502, 503], backoff: 25ms}
      loadBalancing: {consistentHash: {header: x-user}}
      connectionLimits: {maxConnections: 100, connectTimeout: 1s}
      circuitBreaking: {consecutiveErrors: 5}
      mtls: Verify
      """)
    let policy = try plan(document).policy
    #expect(policy.timeouts == .init(request: .seconds(10), backendRequest: .seconds(3)))
    #expect(policy.retries == .init(attempts: 2, codes: [502, 503], backoff: .milliseconds(25)))
    #expect(policy.loadBalancing == .header("x-user"))
    #expect(policy.connectionLimits?.maxConnections == 100)
    #expect(policy.connectionLimits?.connectTimeout == .seconds(1))
    #expect(
      policy.circuitBreaking
        == .init(
          consecutiveErrors: 5, interval: .seconds(10), ejectionTime: .seconds(30),
          maxEjected: try #require(Percent(10))
        ))
    #expect(policy.mtls == .verify)
    #expect(!policy.isEmpty)
  }

  @Test("objectives keep their tolerances, and None compares with nothing")
  func objectives() throws {
    var document = try json(checkout)
    document[path: ["spec", "analysis", "slos"]] = try json(
      """
      - {name: a, errorRate: {max: 1%}}
      - {name: b, errorRate: {max: 1%}, compare: {ratio: {max: "1.5"}, margin: 0.25%}}
      - {name: c, latency: {quantile: "99.9", max: 1s}, compare: {against: None}}
      - {name: e, latency: {quantile: "99.9", max: 1s}, compare: {distribution: {}}}
      - {name: f, latency: {quantile: "99.9", max: 1s}, compare: {ratio: {max: "1.5"}, distribution: {margin: 10%}}}
      - {name: d, query: 'q{hash="$(hash)"}', value: {max: "3"}, compare: {difference: {min: "-1", max: "1"}}}
      """)
    let slos = try plan(document).analysis.slos.map(\.objective)
    let max = try #require(Percent(1))
    let ratio = try #require(DecimalString("1.5"))
    #expect(
      slos == [
        .errorRate(max: max, comparison: .init(ratio: .one, margin: nil, distribution: nil)),
        .errorRate(max: max, comparison: .init(ratio: ratio, margin: Percent("0.25%"), distribution: nil)),
        .latency(quantile: try #require(Quantile("99.9")), max: .seconds(1), comparison: nil),
        .latency(
          quantile: try #require(Quantile("99.9")), max: .seconds(1),
          comparison: .init(ratio: .one, margin: nil, distribution: Percent(5))),
        .latency(
          quantile: try #require(Quantile("99.9")), max: .seconds(1),
          comparison: .init(ratio: ratio, margin: nil, distribution: Percent(10))),
        .query(
          .init(
            expression: try PromQLQuery(parsing: "q{hash=\"$(hash)\"}"),
            value: .init(min: nil, max: DecimalString("3")), ratio: nil,
            difference: .init(min: DecimalString("-1"), max: .one), counted: nil)),
      ])
  }

  @Test("a histogram of the team's own is read with the unit that its name says, or that the plan does")
  func ownLatency() throws {
    var document = try json(checkout)
    document[path: ["spec", "analysis", "slos"]] = try json(
      """
      - {name: a, latency: {quantile: "99", max: 1s, metric: 'http_seconds_bucket{pod=~"$(pods)"}'}}
      - {name: b, latency: {quantile: "99", max: 1s, metric: 'wait_ms{pod=~"$(pods)"}'}}
      - {name: c, latency: {quantile: "99", max: 1s, metric: 'wait{hash="$(hash)"}', unit: Milliseconds}}
      """)
    let found = try plan(document).analysis.slos.compactMap { slo -> SLO.OwnLatency? in
      if case .ownLatency(let latency) = slo.objective { latency } else { nil }
    }
    #expect(found.map(\.unit) == [.seconds, .milliseconds, .milliseconds])
    let text = found[0].metric.text([.pods: "a|b"], confinedTo: .init(label: "namespace", namespace: "shop"))
    #expect(
      text == "sum by (le, job, instance, pod) (http_seconds_bucket{pod=~\"a|b\",namespace=\"shop\"}) or "
        + "sum by (job, instance, pod) (http_seconds{pod=~\"a|b\",namespace=\"shop\"})")
  }

  @Test("a person's routing object is named instead of hosts, and a Gateway API provider has parents")
  func providers() throws {
    var document = try json(checkout)
    document[path: ["spec", "traffic"]] = try json("{istio: {route: {name: shop, rule: primary}}}")
    guard case .istio(let istio) = try plan(document).provider else { throw PlanErrors([]) }
    #expect(istio.route == RouteReference(name: "shop", rule: "primary"))
    document[path: ["spec", "traffic"]] = try json(
      "{gatewayAPI: {parentRefs: [{name: public, namespace: edge}], hostnames: [\"*.example.com\"], mesh: false}}")
    guard case .gatewayAPI(let gateway) = try plan(document).provider else { throw PlanErrors([]) }
    #expect(gateway.parents.map(\.name) == ["public"])
    #expect(!gateway.mesh)
    #expect(istio.mesh)
  }

  @Test("without a mesh weights are numbers of pods, or the selector moves as a whole")
  func divisions() throws {
    var document = try json(checkout)
    document[path: ["spec", "traffic"]] = try json("{replicas: {}}")
    document[path: ["spec", "analysis", "slos"]] = nil
    document[path: ["spec", "steps"]] = try json("[{weight: 10, pause: {}}, {weight: 50, pause: {}}]")
    #expect(try plan(document).provider == .replicas)
    #expect(try plan(document).division == .byPods)
    document[path: ["spec", "steps"]] = try json("[{scale: 100%, pause: {}}, {weight: 100, pause: {duration: 5m}}]")
    #expect(try plan(document).division == .bySelector)
    #expect(try plan(checkout).division == nil)
  }
}
