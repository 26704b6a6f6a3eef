import Foundation
import KubernetesAPI
import RolloutAPI
import Testing

@testable import sluice

@Suite struct RenderTests {
  @Test("a panel shows phase, step, weight, both tracks' pods and the last verdicts")
  func panel() throws {
    #expect(
      RolloutPanel.lines(try running(), now: now, width: 20).joined(separator: "\n") == """
        shop/checkout   Running   step 2 of 3 (tenth)

          canary [##------------------] 10%, mirror 20%
          stable   7d8f9   4/4 pods   shop/checkout:v1
          canary   5c6b7   1/1 pods   shop/checkout:v2

          run checkout-5c6b7: Progressing, Analyzing, for 1m20s
            +   errors   Pass           errors: canary 0 % (0 of 120 requests)
            ?   p99      Insufficient   TooFewRequests
        """)
  }

  @Test("a rejected Rollout says why and what to do")
  func rejected() throws {
    var snapshot = try running()
    snapshot.rollout.status?.phase = .rejected
    snapshot.rollout.status?.message = nil
    snapshot.rollout.status?.weight = 0
    snapshot.rollout.status?.canary = nil
    snapshot.rollout.status?.lastRejected = RejectionStatus(
      hash: "5c6b7", run: "checkout-5c6b7", message: "errors: 9 %")
    snapshot.run?.status = RolloutRunStatus(
      phase: .aborted, startedAt: Timestamp("2026-01-01T12:05:00Z"), finishedAt: Timestamp("2026-01-01T12:06:30Z"),
      cause: AbortStatus(kind: .failedCheck, message: "errors: 9 %"))
    #expect(
      RolloutPanel.lines(snapshot, now: now, width: 10).joined(separator: "\n") == """
        shop/checkout   Rejected

          canary [----------] 0%
          stable   7d8f9   4/4 pods   shop/checkout:v1

          run checkout-5c6b7: Aborted, after 1m30s

          rejected 5c6b7 by checkout-5c6b7: errors: 9 %
          change the Deployment, or: sluice retry checkout
        """)
  }

  @Test("a long line is folded between words, under its last column")
  func folding() {
    let line = "    ?   p99   Insufficient   requests slower than 500 ms: canary 0 % of 23 requests, stable none"
    #expect(
      Folding.fold(["short", line], width: 60) == [
        "short",
        "    ?   p99   Insufficient   requests slower than 500 ms:",
        "                             canary 0 % of 23 requests,",
        "                             stable none",
      ])
  }

  @Test("what follows a verdict's mark is folded under its text")
  func marks() {
    #expect(
      Folding.fold(["  + nothing unusual: restarts, out-of-memory, memory, memory-growth"], width: 46) == [
        "  + nothing unusual: restarts, out-of-memory,", "    memory, memory-growth",
      ])
  }

  @Test("what is no step is done and not passed, and where bad requests gathered is told in whole ones")
  func ends() throws {
    var run = try #require(try running().run)
    run.status?.timeline = [
      StepRecord(kind: .start, outcome: .passed), StepRecord(kind: .abort, outcome: .passed),
    ]
    run.status?.differences = [
      DifferenceRecord(dimension: .responseCode, value: "503", share: "0.93", requests: "346.2", bad: "66.5")
    ]
    let lines = Explanation.lines(run)
    #expect(lines.contains("start - Done") && lines.contains("abort - Done"), "\(lines)")
    #expect(lines.contains("    ResponseCode 503: 93% (67 bad of 346)"), "\(lines)")
  }

  @Test("a number stays with its unit, and an interval with its end", arguments: 40...80)
  func units(width: Int) {
    let line = "errors: canary 9.8 % … 25.4 % (45 of 271 requests), stable 100 … 250 ms (at most 400 ms) 0.35 % of 9 %"
    for part in Folding.fold([line], width: width) {
      #expect(part.count <= width)
      #expect(!["%", "…", "ms"].contains { part.hasPrefix($0) }, "\(part)")
      #expect(!part.hasSuffix("…"), "\(part)")
    }
  }

  @Test("with the queries, guards say once what all of them ask, and what their evidence is for")
  func guardQueries() throws {
    var run = try #require(try running().run)
    let evidence = EvidenceRecord(eValue: "0.75", threshold: "1200", risk: "0.01", queries: ["up", "down"])
    run.status?.checks = ["restarts", "cpu"].map { name in
      CheckRecord(name: name, kind: .anomaly, verdict: .pass, finding: "Normal", message: "x", evidence: evidence)
    }
    run.status?.timeline = nil
    let lines = Explanation.lines(run, withQueries: true)
    #expect(lines.count { $0.hasSuffix("query: up") } == 1)
    #expect(lines.contains("      queries: those of restarts"))
    #expect(
      lines.contains(
        "      unusual? nothing speaks for it; a finding needs numbers 1200 times likelier if so than if not"))
    #expect(
      lines.contains("      the probability that any guard ever finds something in a good run is at most 1%"))
  }

  @Test("a place that the run has left is not told beside the new one")
  func places() throws {
    var snapshot = try running()
    snapshot.rollout.status?.message = "step 1 of 3"
    #expect(RolloutPanel.line(snapshot).hasSuffix("p99 Insufficient"))
    #expect(!RolloutPanel.lines(snapshot, now: now).contains("  step 1 of 3"))
    snapshot.rollout.status?.message = "step 1 of 3 waits"
    #expect(RolloutPanel.line(snapshot).hasSuffix(": step 1 of 3 waits"))
  }

  @Test("a line for a pipe holds the same in one line and no time that runs")
  func line() throws {
    #expect(
      RolloutPanel.line(try running())
        == "shop/checkout, Running, step 2 of 3 (tenth), weight 10%, stable 7d8f9 4/4, canary 5c6b7 1/1, Analyzing, "
        + "errors Pass, p99 Insufficient")
  }

  @Test(
    "a bar is empty only at 0 and full only at 100", arguments: [(0, 0), (1, 1), (10, 1), (50, 5), (99, 9), (100, 10)])
  func bars(weight: Int, filled: Int) {
    #expect(RolloutPanel.bar(weight, width: 10).count { $0 == "#" } == filled)
  }

  @Test("a table has a line for each Rollout, and namespaces where asked for")
  func table() throws {
    let rollout = try running().rollout
    #expect(
      RolloutTable.lines([rollout], withNamespaces: true, now: now).joined(separator: "\n") == """
        NAMESPACE   NAME       PHASE     STEP   WEIGHT   STABLE   CANARY   AGE   MESSAGE
        shop        checkout   Running   2/3    10%      7d8f9    5c6b7    3h    step 2 of 3 (tenth)
        """)
    var young = rollout
    young.status = nil
    #expect(
      RolloutTable.lines([young], withNamespaces: false, now: now).last
        == "checkout   Unknown   <none>   <none>   <none>   <none>   3h")
  }

  @Test("history has a line for each run")
  func history() throws {
    let run = try #require(try running().run)
    #expect(
      RunHistory.lines([run], now: now).joined(separator: "\n") == """
        RUN              REVISION   PHASE         STEP   STARTED                TOOK   WHY
        checkout-5c6b7   5c6b7      Progressing   2/3    2026-01-01T12:05:00Z   5m
        """)
  }

  /// The same run under an autopilot.
  private func flying() throws -> RolloutSnapshot {
    var snapshot = try running()
    snapshot.run?.spec.plan.steps = nil
    snapshot.run?.spec.plan.autopilot = AutopilotSpec(riskBudget: 200)
    snapshot.run?.status?.autopilot = AutopilotStatus(
      since: MicroTime(now), weights: [2, 10], reason: "waits until every check passes: p99 (Insufficient)",
      harmed: "3.2", excess: "0.01", rate: "200")
    return snapshot
  }

  @Test("of an autopilot the weights so far, what is used of the budget and what it waits for are shown")
  func autopilot() throws {
    let snapshot = try flying()
    let panel = RolloutPanel.lines(snapshot, now: now)
    #expect(panel.first == "shop/checkout   Running   step 2 by the autopilot (2% > 10%)")
    #expect(panel.contains("    autopilot: 3.20 of the 200 requests in riskBudget are used"), "\(panel)")
    #expect(panel.contains("    waits until every check passes: p99 (Insufficient)"))
    let explained = Explanation.lines(try #require(snapshot.run))
    #expect(explained.contains("  weights so far: 2%, 10%"))
    #expect(explained.contains("  now: waits until every check passes: p99 (Insufficient)"))
  }

  @Test("guards that found nothing share a line, and one that found something is told whole")
  func guards() throws {
    var run = try #require(try running().run)
    run.status?.timeline = nil
    run.status?.checks = [
      CheckRecord(name: "cpu", kind: .anomaly, verdict: .pass, finding: "Normal"),
      CheckRecord(name: "memory-growth", kind: .anomaly, verdict: .fail, finding: "Anomaly", message: "it grows"),
      CheckRecord(name: "restarts", kind: .anomaly, verdict: .pass, finding: "Normal"),
      CheckRecord(name: "guards", kind: .anomaly, verdict: .unknown, finding: "Inactive", message: "not watched: gc"),
    ]
    let explained = Explanation.lines(run)
    #expect(explained.contains("  + nothing unusual: cpu, restarts"), "\(explained)")
    #expect(explained.contains { $0.hasSuffix("memory-growth: Fail (Anomaly)") })
    #expect(explained.contains("      it grows"))
    #expect(explained.contains { $0.hasSuffix("guards: not watched: gc") })
    #expect(Explanation.lines(run, withQueries: true).contains { $0.hasSuffix("cpu: Pass (Normal)") })
  }

  @Test("latencies are told by the interval of their quantile, and as a whole where they are compared so")
  func distribution() throws {
    var run = try #require(try running().run)
    run.status?.timeline = nil
    run.status?.checks = [
      CheckRecord(
        name: "p99", verdict: .fail, finding: "SlowerThanStable",
        evidence: EvidenceRecord(
          canary: .init(requests: "900", bad: "1", latencyLower: "310", latencyUpper: "420"),
          stable: .init(requests: "9000", bad: "9", latencyLower: "180"), risk: "0.001", quantile: "0.99",
          distribution: .init(
            margin: "0.05", boundary: "50", canary: "0.48", stable: "0.31", eValue: "5000", threshold: "2000")))
    ]
    let explained = Explanation.lines(run)
    for line in [
      "The canary's answers as a whole are slower than stable's at the same time, by more than is tolerated and than "
        + "chance explains. Its limit may well be kept.",
      "canary: 1 of 900 requests, quantile 310 to 420 ms", "stable: 9 of 9000 requests, quantile 180 ms or more",
      "slower than stable as a whole? the numbers were up to 5000 times likelier if so than if not; an abort needs 2000 times",
    ] {
      #expect(explained.contains("      " + line), "\(explained)")
    }
  }

  @Test("while it bakes, the place says so")
  func baking() throws {
    var snapshot = try running()
    snapshot.run?.spec.plan.bake = BakeSpec(for: "10m")
    snapshot.run?.status?.stage = "Baking"
    snapshot.run?.status?.step = nil
    #expect(RolloutPanel.place(snapshot) == "all traffic, watched for 10m before the old pods go")
  }

  @Test("an explanation shows each step, its verdicts and their evidence")
  func explanation() throws {
    let run = try #require(try running().run)
    #expect(
      Explanation.lines(run, withQueries: true).joined(separator: "\n") == """
        run checkout-5c6b7 of rollout/checkout: Progressing
          revision 5c6b7, against stable 7d8f9, 4 replicas at the start

        step 1: weight 1% - Passed
          began 2026-01-01T12:05:05Z, traffic verified after 20s, ended after 2m20s
          + errors: Pass (Kept)
              The canary keeps what is asked of it, and is not shown to be worse than stable.
              no errors
              worse than stable, beyond what is tolerated? the numbers were up to 1.2 times likelier if so than if not; an abort needs 2000 times
              watched for 2m; the probability that it ever fails a good canary is at most 0.1%
              note: coarse buckets
              query: up

        step 2 (tenth): weight 10% - under way
          began 2026-01-01T12:07:25Z

        now
          + errors: Pass
              errors: canary 0 % (0 of 120 requests)
          ? p99: Insufficient (TooFewRequests)
              Too few requests to tell. More traffic or more time decides.
        """)
  }

  @Test(
    "spans have their two largest units",
    arguments: [
      (0.0, "0s"), (59, "59s"), (60, "1m"), (185, "3m5s"), (3600, "1h"), (7800, "2h10m"), (90_000, "1d1h"), (-5, "0s"),
    ])
  func spans(seconds: Double, text: String) { #expect(Times.span(seconds) == text) }

  @Test(
    "what others wrote cannot steer the terminal",
    arguments: [
      ("plain text, ä … ✓\twith a tab", "plain text, ä … ✓\twith a tab"), ("a\u{1B}[2Jb", "a^[[2Jb"),
      ("over\rwritten", "over^Mwritten"), ("two\r\nlines", "two^M\nlines"), ("\u{9B}31m\u{7F}\0", "^[31m^?^@"),
    ])
  func harmless(text: String, shown: String) { #expect(Output.harmless(text) == shown) }

  @Test("objects are printed as JSON or YAML that reads back")
  func objects() throws {
    let object: JSON = ["a": "1", "b": ["x", 2, true, .null], "c": ["d": "yes"]]
    #expect(try JSON(parsing: Output.text([object], as: .json)) == object)
    #expect(try JSON(yaml: Output.text([object], as: .yaml)) == object)
    #expect(try JSON(yaml: Output.text([object, object], as: .yaml))["items"]?.array?.count == 2)
  }
}
