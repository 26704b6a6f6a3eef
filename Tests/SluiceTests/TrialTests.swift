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
      ("simulate f --fault-after soon", "a duration"), ("simulate f --approve-after soon", "a duration"),
      ("simulate", "files"), ("backtest f", "--prometheus-url, --stable-set, --canary-set, --from missing"),
      ("backtest f --recording r --from 1h", "goes without --from"),
      ("backtest f --prometheus-url x --stable-set a --canary-set b --from 1h", "http://host:9090"),
      ("backtest f --prometheus-url http://x --stable-set a --canary-set b --from soon", "how long ago"),
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
    try Data("{\"format\": 1}".utf8).write(to: URL(filePath: path))
    let error = #expect(throws: CommandFailure.self) { try BacktestCommand.read(path) }
    #expect(error?.description.contains("is missing") == true)
  }
}
