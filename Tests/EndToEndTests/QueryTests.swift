import KubernetesAPI
import Testing

extension EndToEnd {
  private static let requests = "istio_requests_total{reporter=\"destination\",pod=~\"$(pods)\""
  private static let share =
    "sum(rate(\(requests),response_code=\"200\"}[$(window)])) / sum(rate(\(requests)}[$(window)]))"
  private static let served = "sum(rate(\(requests),response_code=\"200\"}[$(window)]))"

  private static func shop(_ slos: String..., analysis: [String] = []) -> Manifest {
    Manifest(slos: slos, analysis: analysis)
  }

  @Test("a team's own queries promote a good image, and a dry run that fails decides nothing")
  func ownQueriesPromote() async throws {
    let manifest = Self.shop(
      "{name: share, query: '\(Self.share)', value: {min: \"0.98\"}}",
      "{name: served, query: '\(Self.served)', compare: {ratio: {min: \"0.8\"}}}",
      "{name: hopeless, mode: DryRun, query: vector(1), value: {min: \"2\"}}")
    try await Shop.open("query-good", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100])
      let step = try #require(
        try await shop.run("v2")[path: ["status", "timeline"]]?.array?.first { $0["kind"]?.string == "Step" })
      // Behind the plan's own checks come the guards.
      let checks = (step["checks"]?.array ?? []).prefix(3)
      #expect(checks.map { $0["verdict"]?.string } == ["Pass", "Pass", "Fail"])
      #expect(checks.last?["mode"]?.string == "DryRun")
      let asked = checks.first?[path: ["evidence", "queries"]]?.array?.compactMap(\.string) ?? []
      #expect(asked.count == 1 && asked[0].contains("namespace=\"\(shop.namespace)\""), "\(asked)")
    }
  }

  @Test("a template's query rolls a bad image back, and explain says by what")
  func ownQueryRollsBack() async throws {
    // The plan's own check has nothing against the image: only the template's can.
    var manifest = Self.shop(
      "{name: p99, latency: {quantile: \"99\", max: 500ms}}",
      analysis: ["templates: [{name: share, args: [{name: least, value: \"0.98\"}]}]"])
    manifest.companions = [
      """
      apiVersion: sluice.dev/v1alpha1
      kind: AnalysisTemplate
      metadata: {name: share}
      spec:
        args: [{name: least}]
        slos: [{name: share, query: '\(Self.share)', value: {min: $(least)}}]
      """
    ]
    try await Shop.open("query-bad", manifest) { shop in
      try await shop.setImage("v2-errors20")
      try await shop.status(2)
      try await expectRejected(shop, "v2-errors20", naming: "share")
      let explained = try await shop.decide("explain", "checkout", "--queries")
      #expect(explained.contains("at least 0.98 allowed"), "\(explained)")
      #expect(explained.contains("namespace=\"\(shop.namespace)\""), "\(explained)")
    }
  }

  private static let orders = "sum(increase(shop_orders_total{pod=~\"$(pods)\"}[$(window)]))"

  /// Orders per request, and what an order is worth.
  private static func sales() -> Manifest {
    var manifest = shop(
      "{name: errors, errorRate: {max: 90%}}",
      "{name: orders, kind: Events, query: '\(orders)', compare: {ratio: {min: \"0.6\"}}}",
      "{name: basket, kind: Mean, query: '\(orders.replacing("orders_total", with: "order_value_sum"))', "
        + "per: '\(orders.replacing("orders_total", with: "order_value_count"))', "
        + "bounds: {min: \"0\", max: \"100\"}, value: {min: \"30\", max: \"70\"}}")
    manifest.tag = "v1-orders20"
    return manifest
  }

  @Test("a canary that sells as much per request as stable is promoted, by counters of its own")
  func eventsPromote() async throws {
    try await Shop.open("events-good", Self.sales()) { shop in
      try await shop.setImage("v2-orders20")
      try await shop.status(0)
      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100])
      let step = try #require(
        try await shop.run("v2-orders20")[path: ["status", "timeline"]]?.array?.first { $0["kind"]?.string == "Step" })
      for name in ["orders", "basket"] {
        let check = try #require(step["checks"]?.array?.first { $0["name"]?.string == name })
        #expect(check["verdict"]?.string == "Pass", "\(check)")
        #expect(check[path: ["evidence", "risk"]]?.string != nil)
        let counted = try #require(check[path: ["evidence", "canary", "amount"]]?.string.flatMap(Double.init))
        #expect(counted > 0)
      }
    }
  }

  @Test("a canary that answers well and sells a quarter as much is rolled back, and explain says how much less")
  func eventsRollBack() async throws {
    try await Shop.open("events-bad", Self.sales()) { shop in
      try await shop.setImage("v2-orders5")
      try await shop.status(2)
      try await expectRejected(shop, "v2-orders5", naming: "orders")
      let explained = try await shop.decide("explain", "checkout", "--queries")
      #expect(explained.contains("canary ÷ stable"), "\(explained)")
      #expect(explained.contains("the probability that it ever fails a good canary is at most"), "\(explained)")
      #expect(explained.contains("shop_orders_total{pod=~"), "\(explained)")
    }
  }

  @Test("a histogram of the application's own judges latency, in a bake and in the error budget too")
  func ownHistogram() async throws {
    // What the pods' own proxies measure stands for what an application might.
    let metric = "istio_request_duration_milliseconds{reporter=\"destination\",pod=~\"$(pods)\"}"
    var manifest = Self.shop("{name: own, latency: {quantile: \"90\", max: 250ms, metric: '\(metric)'}}")
    manifest.warmUp = "0s"
    manifest.more = ["bake: {for: 8s}"]
    try await Shop.open("own-histogram", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      #expect(shop.weights.filter { $0 > 0 } == [20, 50, 100])
      let checks = try await shop.run("v2")[path: ["status", "checks"]]?.array ?? []
      let baked = try #require(checks.first { $0["name"]?.string == "own" && $0["kind"] == nil })
      #expect(baked["verdict"]?.string == "Pass")
      #expect(baked["message"]?.string?.contains("by stable's rate before") == true, "\(baked)")
      let budget = try #require(checks.first { $0["kind"]?.string == "BurnRate" })
      #expect(budget["message"]?.string?.hasPrefix("the budget of own burns ") == true, "\(budget)")
      try await shop.setImage("v3-slow400")
      try await shop.status(2)
      try await expectRejected(shop, "v3-slow400", naming: "own: requests slower than 250 ms")
      let explained = try await shop.decide("explain", "checkout", "--queries")
      // A median of 400 ms and a p99 of 800 make a p90 of 586.
      #expect(explained.contains("canary p90 500 … 1000 ms"), "\(explained)")
      #expect(explained.contains("istio_request_duration_milliseconds_bucket{"), "\(explained)")
      #expect(explained.contains("namespace=\"\(shop.namespace)\""), "\(explained)")
    }
  }

  @Test("a query for another namespace's metrics sees nothing, and nothing never passes")
  func queryOfAnotherNamespace() async throws {
    let spying =
      "count(istio_requests_total{namespace!~\"query-spy.*\"} or {__name__=~\"istio.*\",namespace=~\"kube.*|query-good\"})"
    let manifest = Self.shop(
      "{name: spy, query: '\(spying)', value: {min: \"0\"}}", analysis: ["deadline: 10s", "onUndecided: Abort"])
    try await Shop.open("query-spy", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(2)
      try await expectRejected(shop, "v2", naming: "spy (Unknown)")
      let check = try await shop.run("v2")[path: ["status", "checks"]]?[0]
      #expect(check?["message"]?.string?.contains("no series") == true, "\(String(describing: check))")
    }
  }
}
