import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("a template of the whole cluster judges with a team's own arguments, and its default where one is left out")
  func clusterTemplate() async throws {
    let name = "errors-\(UUID().uuidString.prefix(8).lowercased())"
    let template = """
      apiVersion: sluice.dev/v1alpha1
      kind: ClusterAnalysisTemplate
      metadata: {name: \(name)}
      spec:
        args: [{name: most}, {name: quantile, value: "99"}]
        slos:
        - {name: errors, errorRate: {max: $(most)}}
        - {name: latency, latency: {quantile: $(quantile), max: 500ms}}
      """
    var manifest = Manifest(
      slos: [],
      analysis: ["templates: [{kind: ClusterAnalysisTemplate, name: \(name), args: [{name: most, value: 5%}]}]"])
    manifest.companions = [template]
    try await Shop.open("cluster-template", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      let slos = try await shop.run("v2")[path: ["spec", "plan", "analysis", "slos"]]?.array ?? []
      #expect(slos.map { $0["name"]?.string } == ["errors", "latency"])
      #expect(slos.first?[path: ["errorRate", "max"]]?.string == "5%")
      #expect(slos.last?[path: ["latency", "quantile"]]?.string == "99")
      try await shop.setImage("v3-errors20")
      try await shop.status(2)
      try await expectRejected(shop, "v3-errors20", naming: "errors")
      try await shop.kubectl("delete", "clusteranalysistemplates", name)
    }
  }

  @Test("explain gives the whole evidence as JSON, and says the same in words")
  func explained() async throws {
    var manifest = Manifest()
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    try await Shop.open("explained", manifest) { shop in
      try await shop.setImage("v2-errors20")
      try await shop.status(2)
      let text = try await shop.decide("explain", "checkout", "--queries")
      let json = try JSON(parsing: Data(try await shop.decide("explain", "checkout", "--output", "json").utf8))
      let stored = try await shop.get("rolloutruns.sluice.dev", json.name)
      #expect(json["status"] == stored["status"], "nothing is left out")
      let steps = json[path: ["status", "timeline"]]?.array?.filter { $0["kind"]?.string == "Step" } ?? []
      let checks = steps.flatMap { $0["checks"]?.array ?? [] }
      let errors = try #require(checks.first { $0["name"]?.string == "errors" })
      let evidence = try #require(errors["evidence"])
      func number(_ path: [String]) throws -> Double {
        try #require(evidence[path: path]?.string.flatMap(Double.init), "\(path): \(evidence)")
      }
      let (requests, bad) = (try number(["canary", "requests"]), try number(["canary", "bad"]))
      #expect(bad > 0 && bad < requests)
      #expect(text.contains("(\(Int(bad)) of \(Int(requests)) requests)"), "\(text)")
      #expect(try number(["canary", "lower"]) <= bad / requests && bad / requests <= number(["canary", "upper"]))
      #expect(try number(["stable", "requests"]) > 0)
      let proved =
        try number(["eValue"]) >= number(["threshold"]) || number(["limitEValue"]) >= number(["limitThreshold"])
      #expect(proved, "what failed it is in it: \(evidence)")
      #expect(try number(["risk"]) <= number(["budget"]), "a check's share is within the whole")
      #expect(text.contains(" needs \(Int(try number(["threshold"]).rounded())) times"), "\(text)")
      let queries = evidence["queries"]?.array?.compactMap(\.string) ?? []
      #expect(!queries.isEmpty)
      for query in queries { #expect(text.contains("query: \(query)"), "\(text)") }
      for check in checks {
        let finding = check["finding"]?.string.map { " (\($0))" } ?? ""
        #expect(
          text.contains("\(check["name"]?.string ?? "?"): \(check["verdict"]?.string ?? "?")\(finding)"), "\(check)")
        #expect(text.contains(check["message"]?.string ?? ""), "\(check)")
      }
    }
  }

  @Test("a canary whose middle is slower, with stable's p99, is seen by the comparison of whole distributions alone")
  func distribution() async throws {
    // 40 ms instead of 20 in the median, and 80 ms at the 99th percentile as stable has.
    let slower = "v2-slow40-tail80"
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 30s}}"])
    manifest.slos = [
      "{name: p99, latency: {quantile: \"99\", max: 500ms}}",
      "{name: whole, mode: DryRun, latency: {quantile: \"99\", max: 500ms}, compare: {distribution: {}}}",
    ]
    try await Shop.open("distribution", manifest) { shop in
      try await shop.setImage(slower)
      try await shop.status(0)
      let step = try #require(
        try await shop.run(slower)[path: ["status", "timeline"]]?.array?.first { $0["kind"]?.string == "Step" })
      func check(_ name: String) -> JSON? { step["checks"]?.array?.first { $0["name"]?.string == name } }
      #expect(check("p99")?["verdict"]?.string == "Pass", "\(String(describing: check("p99")))")
      #expect(check("p99")?[path: ["evidence", "distribution"]] == nil)
      let whole = try #require(check("whole"))
      #expect(whole["finding"]?.string == "SlowerThanStable", "\(whole)")
      let found = try #require(whole[path: ["evidence", "distribution"]])
      func number(_ name: String) throws -> Double { try #require(found[name]?.string.flatMap(Double.init)) }
      // Of log-normal answers 94 % of the canary's are above 25 ms, and 35 % of stable's.
      let (canary, stable) = (try number("canary"), try number("stable"))
      #expect(found["boundary"]?.string == "25" && abs(canary - 0.94) < 0.05 && abs(stable - 0.35) < 0.05, "\(found)")
      let (eValue, threshold) = (try number("eValue"), try number("threshold"))
      #expect(eValue >= threshold)
      // Boundaries around 80 ms; some 3000 requests do not always tell p99 from 100.
      let track = whole[path: ["evidence", "stable"]]
      #expect(track?["latencyLower"]?.string == "50", "\(whole)")
      #expect(["100", "250"].contains(track?["latencyUpper"]?.string), "\(whole)")
    }
    manifest.slos = ["{name: p99, latency: {quantile: \"99\", max: 500ms}, compare: {distribution: {margin: 10%}}}"]
    try await Shop.open("distribution-abort", manifest) { shop in
      try await shop.setImage(slower)
      try await shop.status(2)
      try await expectRejected(shop, slower, naming: "p99: slower as a whole: ")
      let explained = try await shop.decide("explain", "checkout")
      #expect(explained.contains("The canary's answers as a whole are slower than stable's"), "\(explained)")
      #expect(explained.contains("slower than stable as a whole? the numbers were up to"), "\(explained)")
      #expect(explained.contains("stable p99 50 … "), "\(explained)")
    }
    // One of two pods has that median, the other is like stable: the run is held, and the pod named.
    try await Shop.open("distribution-pod", manifest) { shop in
      try await shop.setImage("v2-oneslow40")
      let held = try await shop.until("one pod", "rolloutruns.sluice.dev", within: .seconds(90)) { run in
        run[path: ["status", "checks"]]?.array?.contains { $0["finding"]?.string == "OnePod" } ?? false
      }
      let check = held[path: ["status", "checks"]]?.array?.first { $0["finding"]?.string == "OnePod" }
      let message = check?["message"]?.string ?? ""
      let pods = check?[path: ["evidence", "distribution", "pods"]]?.array?.compactMap(\.string) ?? []
      #expect(
        pods.count == 1 && message.contains("slower answers come from pod \(pods.first ?? "none") on node "),
        "\(message)")
      #expect(message.contains("of its answers took more than 25 ms, "), "\(message)")
      #expect(check?["verdict"]?.string == "Insufficient")
      try await shop.decide("abort", "checkout")
    }
  }

  @Test("an autopilot's plan is tried on what a real Prometheus has of a release, pods and all")
  func backtestOfAutopilot() async throws {
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 40s}}"])
    // Nothing stops the bad release, so that there is a whole one to try other plans on.
    manifest.slos = [
      "{name: errors, mode: DryRun, errorRate: {max: 1%}}", "{name: p99, latency: {quantile: \"99\", max: 500ms}}",
    ]
    try await Shop.open("backtest", manifest) { shop in
      let began = Date()
      try await shop.setImage("v2-errors20")
      try await shop.status(0)
      let (stable, canary) = (try await shop.replicaSet("v1").name, try await shop.replicaSet("v2-errors20").name)
      var piloted = manifest
      piloted.steps = []
      piloted.autopilot = "{riskBudget: 400, maxDuration: 10m}"
      piloted.slos = ["{name: errors, errorRate: {max: 1%}}"]
      let folder = FileManager.default.temporaryDirectory.appending(path: "backtest-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let plan = folder.appending(path: "rollout.yaml").path
      let kept = folder.appending(path: "release.json").path
      try Data(piloted.rollout.utf8).write(to: URL(filePath: plan))
      let seconds = Int(Date().timeIntervalSince(began)) + 5
      let report = try await shop.decide(
        "backtest", plan, "--prometheus-url", shop.cluster.prometheusURL, "--stable-set", stable, "--canary-set",
        canary, "--from", "\(seconds)s", "--export", kept, "--output", "json")
      let tried = try JSON(parsing: Data(report[(report.firstIndex(of: "{") ?? report.startIndex)...].utf8))
      #expect(tried["outcome"]?.string == "Aborted", "\(report)")
      #expect(tried["reason"]?.string?.contains("errors") == true, "\(report)")
      #expect(tried["harmed"]?.double ?? 1e9 <= 400, "\(report)")
      #expect(report.contains("nothing is recorded of this hour on the seven days before"), "\(report)")
      let recording = try JSON(parsing: Data(contentsOf: URL(filePath: kept)))
      let pods = (recording["looks"]?.array ?? []).flatMap { ($0["pods"]?.object ?? [:]).map(\.key) }
      #expect(pods.contains { $0.hasPrefix(stable) } && pods.contains { $0.hasPrefix(canary) }, "\(Set(pods))")
      let again = try await shop.decide("backtest", plan, "--recording", kept, "--output", "json")
      #expect(again.contains("\"outcome\": \"Aborted\"") || again.contains("\"outcome\":\"Aborted\""), "\(again)")
    }
  }
}
