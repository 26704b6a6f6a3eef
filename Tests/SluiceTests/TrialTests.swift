import ArgumentParser
import Foundation
import KubernetesAPI
import Operator
import RolloutAPI
import Testing

@testable import sluice

@Suite("Plans that are tried") struct TrialTests {
  private static let plan = """
    apiVersion: sluice.dev/v1alpha1
    kind: Rollout
    metadata: {name: web}
    spec:
      workloadRef: {name: web}
      serviceRefs: [{name: web, port: 80}]
      traffic: {istio: {}}
      steps: [{weight: 10, analyze: {for: 1m}}, {weight: 50, analyze: {for: 1m}}]
      analysis: {slos: [{name: errors, errorRate: {max: 1%}}]}
    """

  private func report(_ change: (inout JSON) -> Void = { _ in }) throws -> RehearsalReport {
    var json: JSON = [
      "outcome": "Aborted", "reason": "errors: too many", "ended": 90, "watched": 100, "checks": ["errors"],
      "steps": [["step": 1, "title": "weight 10%, analyze 1m", "began": 0, "verified": 20, "ended": 90]],
      "findings": [["name": "errors", "verdict": "Fail", "message": "errors: too many", "isDryRun": false]],
      "stable": ["all": 9000, "failed": 9, "slow": 0], "canary": ["all": 1000, "failed": 51, "slow": 0],
      "points": [
        ["at": 10, "weight": 0, "verdicts": []], ["at": 20, "weight": 10, "verdicts": ["Unknown"]],
        ["at": 50, "weight": 10, "verdicts": ["Insufficient"]], ["at": 90, "weight": 10, "verdicts": ["Fail"]],
        ["at": 100, "weight": 0, "verdicts": []],
      ], "notes": [], "cautions": ["borrowed"],
    ]
    change(&json)
    return try json.decode()
  }

  @Test("a trial is drawn with its weights and verdicts over time, and told with what it harmed")
  func panel() throws {
    let plan = try Linter.plan(in: [Linter.File(name: "web.yaml", text: Self.plan)], named: nil)
    #expect(
      RehearsalPanel.lines(try report(), plan: plan, title: "simulated", width: 20).joined(separator: "\n") == """
        web: 2 steps, simulated

             10% ┤    ┏━━━━━━━━━━━━━━━
              0% ┤━━━━┛
                 └────────────────────
                  0s  25s  50s 1m15s1m40s
          errors      !!!!!!????????xx
                  + pass   x fail   ? too little data   ! no data

        Aborted after 1m30s, in step 1 of 2: errors: too many

          step   what                     began   verified after   took
          1      weight 10%, analyze 1m   0s      20s              1m30s

        The canary answered 1000 requests, 10% of all.
          51 failed, 50 more than with stable's rate (5.10% against 0.10%)
          note: borrowed
        """)
  }

  @Test("many trials are counted by how they ended")
  func summary() throws {
    let good = try report { $0["outcome"] = "Promoted" }
    let summary = TrialSummary([try report(), good, good, try report { $0["ended"] = 60 }], seed: 3)
    #expect(summary.groups.map(\.outcome) == [.promoted, .aborted])
    #expect(summary.groups.map(\.runs) == [2, 2])
    #expect(summary.groups[1].ended?.median == 60)
    #expect(summary.groups[1].ended?.largest == 90)
    #expect(summary.groups[1].reasons == ["errors failed in step 1": 2])
    let plan = try Linter.plan(in: [Linter.File(name: "web.yaml", text: Self.plan)], named: nil)
    #expect(summary.lines(plan: plan, title: "x").contains("Aborted 2x: errors failed in step 1"))
  }

  @Test("of an autopilot it is said how often the budget was kept, and how much of it one trial used")
  func budget() throws {
    let text = Self.plan.replacingOccurrences(
      of: "steps: [{weight: 10, analyze: {for: 1m}}, {weight: 50, analyze: {for: 1m}}]",
      with: "autopilot: {riskBudget: 40}\n  bake: {for: 5m}")
    let plan = try Linter.plan(in: [Linter.File(name: "web.yaml", text: text)], named: nil)
    let mild = try report { $0["canary"] = ["all": 1000, "failed": 11, "slow": 0] }
    let summary = TrialSummary([try report(), mild, mild], seed: 1, budget: plan.autopilot?.riskBudget)
    #expect(summary.overBudget == 1)
    let lines = summary.lines(plan: plan, title: "x")
    #expect(lines.first == "web: autopilot with riskBudget 40, bake 5m, x")
    #expect(lines.contains { $0.hasPrefix("riskBudget 40 was kept in 2 of 3 runs") }, "\(lines)")
    #expect(
      RehearsalPanel.lines(mild, plan: plan, title: "x").contains("  riskBudget is 40: 25% of it"),
      "\(RehearsalPanel.lines(mild, plan: plan, title: "x"))")
  }

  @Test(
    "a wrong flag is refused with what would be right",
    arguments: [
      ("simulate f --rate 0", "above 0"), ("simulate f --errors 2", "a percentage"),
      ("simulate f --clumps 0.5", "from 1 to"), ("simulate f --value a=1", "NAME=STABLE,CANARY"),
      ("simulate f --value a=1,2,-1", "NAME=STABLE,CANARY"), ("simulate f --latency 0s", "more than nothing"),
      ("simulate f --runs 0", "1 to 100000"), ("simulate f --replicas 0", "1 to 1000"),
      ("simulate f --seed abc", "found 'abc', wanted a whole number from 0"),
      ("simulate f --seed -1", "found '-1', wanted a whole number from 0"),
      ("simulate f --rate -3", "found '-3', wanted a number above 0"),
      ("simulate f --rate 1e300", "at most 1000000000"), ("simulate f --errors -1%", "found '-1%'"),
      ("simulate f --rate --errors 1%", "'--rate <rate>': found '--errors'"),
      ("simulate f --runs 1.5", "found '1.5', wanted a whole number"),
      ("simulate f --canary-memory-growth -5", "0 to 10000"), ("simulate f --clumps nan", "found 'nan'"),
      ("simulate f --fault-after soon", "a duration"), ("simulate f --approve-after soon", "a duration"),
      ("simulate", "files"), ("backtest f", "--prometheus-url, --stable-set, --canary-set, --from missing"),
      ("backtest f --recording r --from 1h", "goes without --from"),
      ("backtest f --prometheus-url x --stable-set a --canary-set b --from 1h", "http://host:9090"),
      ("backtest f --prometheus-url http://x --stable-set a --canary-set b --from soon", "--from: found 'soon'"),
      ("backtest f --prometheus-url http://x --stable-set a --canary-set b --from 3h --to 3x", "--to: found '3x'"),
      ("backtest f --prometheus-url http://x --stable-set a --canary-set b --from 2999-01-01T00:00:00Z", "before now"),
      ("backtest f --prometheus-url http://x --stable-set a --canary-set b --from 1h --to 2h", "before --to"),
    ])
  func flags(line: String, wanted: String) {
    let error = #expect(throws: (any Error).self) {
      try Sluice.parseAsRoot(line.split(separator: " ").map(String.init))
    }
    if let error { #expect(Sluice.fullMessage(for: error).contains(wanted), "\(Sluice.fullMessage(for: error))") }
  }

  @Test("a Rollout is found by name, with templates from any of the files, and a wrong one is told with its line")
  func files() throws {
    let template = """
      apiVersion: sluice.dev/v1alpha1
      kind: AnalysisTemplate
      metadata: {name: web}
      spec: {slos: [{name: errors, errorRate: {max: 1%}}]}
      """
    let other = Self.plan.replacingOccurrences(of: "name: web}\nspec", with: "name: shop}\nspec")
      .replacingOccurrences(of: "slos: [{name: errors, errorRate: {max: 1%}}]", with: "templates: [{name: web}]")
    let files = [
      Linter.File(name: "a.yaml", text: Self.plan), Linter.File(name: "b.yaml", text: template + "\n---\n" + other),
    ]
    #expect(try Linter.plan(in: files, named: "shop").analysis.slos.map(\.name) == ["errors"])
    func message(_ files: [Linter.File], _ name: String?) -> String {
      let error = #expect(throws: CommandFailure.self) { try Linter.plan(in: files, named: name) }
      return error?.description ?? ""
    }
    #expect(message(files, nil) == "--rollout is needed, since there are several: web, shop")
    #expect(message(files, "cart") == "there is no Rollout cart in the files: there are web, shop")
    let bad = Linter.File(name: "bad.yaml", text: Self.plan.replacingOccurrences(of: "max: 1%", with: "max: 1"))
    #expect(message([bad], nil).hasPrefix("bad.yaml:9: spec.analysis"))
  }

  @Test("a recording is written and read back, and another file is refused")
  func recordings() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let track = TrackLook(requests: 10, failed: 1, buckets: [5])
    let recording = Recording(
      start: Date(timeIntervalSince1970: 1_000_000), interval: 10, boundaries: [100],
      looks: [.init(stable: track, canary: track)])
    try BacktestCommand.write(recording, to: path)
    #expect(try BacktestCommand.read(path) == recording)
  }

  @Test(
    "a file that is no recording is refused with the field, what it holds and what would be right",
    arguments: [
      ("", "it is empty"), ("{\"format\": 1", "cut short: its JSON ends at byte 12"),
      ("time,errors\n1,2\n", "not JSON"),
      ("[]", "it is JSON, but no object"), ("{}", "the field format is missing"), ("<html>", "not JSON"),
      (Self.recording("interval", "\"10s\""), "interval: wanted a number"),
      (Self.recording("interval", "1e-300"), "interval: found 1e-300, wanted the seconds of a look, from 1 to 600"),
      (Self.recording("interval", "1e300"), "interval: found 1e+300, wanted"),
      (Self.recording("start", "\"yesterday\""), "start: found 'yesterday', wanted a time"),
      (Self.recording("format", "2"), "format: found 2, wanted 1"),
      (Self.recording("looks", "[]"), "looks: found none, wanted 1 to 50000"),
      (Self.recording("looks", "[null]"), "looks[0]"),
      (Self.recording("boundaries", "[100, 50]"), "boundaries: found [100.0, 50.0], wanted finite numbers"),
      (Self.recording("requests", "-1"), "looks[0].canary.requests: found -1, wanted 0 to"),
      (Self.recording("requests", "9000000000000000000"), "looks[0].canary.requests: found 9000000000000000000"),
      (Self.recording("requests", "1.5"), "a count in it is no whole number"),
      (Self.recording("failed", "11"), "looks[0].canary.failed: found 11, wanted 0 to 10"),
      (Self.recording("buckets", "[5]"), "looks[0].canary.buckets: found 1, wanted 2"),
      (Self.recording("buckets", "[9, 5]"), "looks[0].canary.buckets: found [9, 5], wanted counts that never fall"),
      (Self.recording("buckets", "[5, 500]"), "looks[0].canary.buckets: found [5, 500]"),
      (Self.recording("canaryCodes", "{\"404\": -5}"), "looks[0].canaryCodes.404: found -5, wanted 0 to"),
      (Self.recording("pods", "{\"a-b-c\": {\"restarts\": 1e300}}"), "looks[0].pods.a-b-c.restarts: found 1e+300"),
      (
        Self.recording("canaryEvents", "{\"q\": {\"requests\": -1, \"events\": 1}}"),
        "looks[0].canaryEvents.q: found 1.0 of -1.0, wanted numbers from 0 on"
      ),
      (Self.recording("requests", "0", failed: 0, buckets: "[0, 0]"), "the canary revision (web-2) has no requests"),
    ])
  func badRecordings(text: String, wanted: String) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(filePath: path))
    let error = #expect(throws: CommandFailure.self) { try BacktestCommand.read(path) }
    #expect(error?.description.contains(wanted) == true, "\(error?.description ?? "read")")
  }

  /// One of one look, with another value of one field.
  private static func recording(_ field: String, _ value: String, failed: Int = 1, buckets: String = "[5, 9]") -> String
  {
    var fields = ["requests": "10", "failed": "\(failed)", "buckets": buckets]
    var look = ["stable": #"{"requests": 10, "failed": 0, "buckets": [5, 9]}"#]
    var file = [
      "format": "1", "start": #""2026-11-24T08:00:00Z""#, "interval": "10", "boundaries": "[50, 100]",
      "stableSet": #""web-1""#, "canarySet": #""web-2""#,
    ]
    func object(_ members: [String: String]) -> String {
      "{" + members.map { #""\#($0.key)": \#($0.value)"# }.sorted().joined(separator: ", ") + "}"
    }
    if fields[field] != nil { fields[field] = value }
    look["canary"] = object(fields)
    if ["canaryCodes", "canaryEvents", "pods"].contains(field) { look[field] = value }
    file["looks"] = "[\(object(look))]"
    if file[field] != nil { file[field] = value }
    return object(file)
  }
}
