import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

/// A mesh's counters, read by a judge once every ten seconds.
private struct Mesh {
  var judge: RunJudge
  var now = Date(timeIntervalSince1970: 1_000_000)
  let written: Date
  var verified: Date?
  var traffic = TrafficTarget(weight: .half)
  /// Requests and errors so far, by track.
  var requests: [Track: Double] = [.stable: 1000, .canary: 0]
  var errors: [Track: Double] = [.stable: 0, .canary: 0]
  var showsStable = true
  var process = "node-a"

  /// Slow requests so far, by track; read where the mesh tells latency.
  var slow: [Track: Double] = [:]
  var tellsLatency = false

  init(_ slos: [SLOSpec] = [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))], warmUp: String? = nil) throws
  {
    var rollout = rollout()
    rollout.spec.analysis?.slos = slos
    rollout.spec.analysis?.warmUp = warmUp
    let plan = try Plan(rollout)
    judge = RunJudge(
      plan: plan,
      scope: MetricsScope(
        namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc"),
      metrics: IstioMetrics())
    written = now
    verified = now
  }

  mutating func add(stable: Double = 5000, canary: Double = 5000, errors failed: [Track: Double] = [:]) {
    requests[.stable, default: 0] += stable
    requests[.canary, default: 0] += canary
    for (track, count) in failed { errors[track, default: 0] += count }
  }

  mutating func look(_ change: (inout LookAnswers) -> Void = { _ in }) {
    now += 10
    var answers = LookAnswers()
    for view in MetricsView.allCases {
      answers.answers[LookAnswers.Question(view: view, kind: .requests)] = .series(series(view))
      if tellsLatency { answers.answers[LookAnswers.Question(view: view, kind: .latency)] = .series(latency(view)) }
    }
    change(&answers)
    judge.record(answers, at: now, traffic: traffic, writtenAt: written, verifiedAt: verified)
  }

  private func series(_ view: MetricsView) -> [MetricSeries] {
    Track.allCases.filter { $0 == .canary || showsStable }.flatMap { track in
      ["200": (requests[track] ?? 0) - (errors[track] ?? 0), "503": errors[track] ?? 0].map { code, value in
        MetricSeries(labels: labels(view, track).merging(["response_code": code]) { $1 }, value: value)
      }
    }
  }

  private func latency(_ view: MetricsView) -> [MetricSeries] {
    Track.allCases.flatMap { track in
      let all = requests[track] ?? 0
      return ["500": all - (slow[track] ?? 0), "1000": all, "+Inf": all].map { boundary, value in
        MetricSeries(labels: labels(view, track).merging(["le": boundary]) { $1 }, value: value)
      }
    }
  }

  private func labels(_ view: MetricsView, _ track: Track) -> [String: String] {
    var labels = ["instance": process]
    switch view {
    case .caller:
      labels["destination_service_namespace"] = "shop"
      labels["destination_service_name"] = "web-\(track.rawValue)"
    case .callee:
      labels["destination_workload_namespace"] = "shop"
      labels["pod"] = track == .stable ? "web-s1-aaaaa" : "web-abc-bbbbb"
    }
    return labels
  }

  var verdict: Verdict? { judge.latest.checks.first?.verdict }
  var message: String { judge.latest.checks.first?.message ?? "" }
}

extension Weight {
  fileprivate static var half: Weight { Weight(50) ?? .none }
}

@Suite("Judging a run")
struct RunJudgeTests {
  @Test("as good as stable, with enough requests, passes; before that it is undecided")
  func pass() throws {
    var mesh = try Mesh()
    mesh.look()
    // The first look is the baseline: nothing has been counted yet.
    #expect(mesh.verdict == .unknown)
    for _ in 0..<5 {
      mesh.add()
      mesh.look()
    }
    #expect(mesh.verdict == .pass)
    #expect(mesh.judge.latest.baseline == .present)
    #expect(mesh.judge.latest.share?.canaryRequests == 25_000)
  }

  @Test("worse than stable and than the limit fails, within the few looks that clumps could explain")
  func fail() throws {
    var mesh = try Mesh()
    mesh.look()
    for _ in 0..<6 {
      mesh.add(errors: [.canary: 1000])
      mesh.look()
    }
    #expect(mesh.verdict == .fail)
  }

  @Test("what both tracks suffer from is not held against the canary")
  func bothBad() throws {
    var mesh = try Mesh()
    mesh.look()
    for _ in 0..<5 {
      mesh.add(errors: [.canary: 1000, .stable: 1000])
      mesh.look()
    }
    #expect(mesh.verdict == .insufficient || mesh.verdict == .unknown)
  }

  @Test(
    "a Prometheus that fails, answers nothing or NaN gives Unknown and never Pass",
    arguments: [
      LookAnswers.Answer.failed("timeout after 10 s"), .series([]),
      .series([
        MetricSeries(
          labels: [
            "destination_service_namespace": "shop", "destination_service_name": "web-canary",
            "destination_workload_namespace": "shop", "pod": "web-abc-bbbbb", "response_code": "200",
          ], value: .nan)
      ]),
    ])
  func source(answer: LookAnswers.Answer) throws {
    var mesh = try Mesh()
    mesh.look()
    for _ in 0..<5 {
      mesh.add()
      mesh.look { look in
        for question in LookAnswers.Question.all(IstioMetrics()) { look.answers[question] = answer }
      }
    }
    #expect(mesh.verdict == .unknown)
    if case .present = mesh.judge.latest.baseline { Issue.record("no baseline can be present") }
  }

  @Test("one look that fails is made good by the next one, whose numbers cover both")
  func recovers() throws {
    var mesh = try Mesh()
    mesh.look()
    mesh.add()
    mesh.look { look in
      for question in LookAnswers.Question.all(IstioMetrics()) { look.answers[question] = .failed("down") }
    }
    #expect(mesh.verdict == .unknown)
    for _ in 0..<5 {
      mesh.add()
      mesh.look()
    }
    #expect(mesh.verdict == .pass)
  }

  @Test("errors from before the traffic was verified are discarded, also where a look in between failed")
  func discards() throws {
    var mesh = try Mesh()
    mesh.verified = nil
    mesh.look()
    mesh.add(errors: [.canary: 3000])
    mesh.verified = mesh.now + 5
    mesh.look { look in
      for question in LookAnswers.Question.all(IstioMetrics()) { look.answers[question] = .failed("down") }
    }
    mesh.look()
    for _ in 0..<5 {
      mesh.add()
      mesh.look()
    }
    #expect(mesh.verdict == .pass)
  }

  @Test("a proxy that restarts loses its counters and nothing else")
  func restart() throws {
    var mesh = try Mesh()
    mesh.look()
    for _ in 0..<3 {
      mesh.add()
      mesh.look()
    }
    mesh.requests = [.stable: 100, .canary: 100]
    mesh.look()
    for _ in 0..<5 {
      mesh.add()
      mesh.look()
    }
    #expect(mesh.verdict == .pass)
  }

  @Test("without series of the stable track there is no baseline, and it says which are missing")
  func baseline() throws {
    var mesh = try Mesh()
    mesh.showsStable = false
    mesh.look()
    #expect(
      mesh.judge.latest.baseline
        == .missing("no series of the stable track for requests in the callers' metrics"))
    #expect(mesh.verdict != .pass)
  }

  private static let p99 = SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: "100ms"))

  @Test(
    "a latency that no histogram can show is named before the first weight, with what to change",
    arguments: [
      ([], "has no buckets but +Inf: give it some"),
      ([250, 500], "p99: the smallest bucket of the latency histogram ends at 250"),
    ] as [([Double], String)])
  func buckets(boundaries: [Double], problem: String) throws {
    var mesh = try Mesh([Self.p99])
    mesh.look { look in
      for view in MetricsView.allCases {
        var labels = ["instance": "node-a"]
        if view == .caller {
          labels["destination_service_namespace"] = "shop"
          labels["destination_service_name"] = "web-stable"
        } else {
          labels["destination_workload_namespace"] = "shop"
          labels["pod"] = "web-s1-aaaaa"
        }
        look.answers[LookAnswers.Question(view: view, kind: .latency)] = .series(
          (boundaries.map { String($0) } + ["+Inf"]).map {
            MetricSeries(labels: labels.merging(["le": $0]) { $1 }, value: 100)
          })
      }
    }
    guard case .missing(let text) = mesh.judge.latest.baseline else {
      Issue.record("found \(mesh.judge.latest.baseline)")
      return
    }
    #expect(text.contains(problem), "\(text)")
  }

  @Test("what a canary does while it is slow is not held against it within the plan's warm-up, and only there")
  func warmUp() throws {
    /// Looks until the failure of a canary that fails and is slow for eight looks, and in which a pass was withheld.
    func watch(_ mesh: Mesh) -> (failed: Int?, withheld: Int, last: Verdict?) {
      var mesh = mesh
      mesh.tellsLatency = true
      mesh.look()
      var withheld = 0
      for look in 1...30 {
        mesh.add(stable: 1000, canary: 1000, errors: look <= 8 ? [.canary: 200] : [:])
        mesh.slow[.canary, default: 0] += look <= 8 ? 400 : 0
        mesh.look()
        if mesh.verdict == .fail { return (look, withheld, .fail) }
        if mesh.judge.latest.checks.first?.judgement?.finding == .warmingUp { withheld += 1 }
      }
      return (nil, withheld, mesh.verdict)
    }
    let warm = watch(try Mesh())
    #expect(warm.failed == nil && warm.withheld == 8 && warm.last == .pass, "\(warm)")
    #expect(watch(try Mesh(warmUp: "0s")).failed ?? 99 <= 5)
    #expect((5...8).contains(watch(try Mesh(warmUp: "40s")).failed ?? 99))
  }

  @Test("a canary that gets no traffic is not judged, whatever stable does meanwhile")
  func noTraffic() throws {
    var mesh = try Mesh()
    mesh.look()
    mesh.add()
    mesh.look()
    let before = mesh.message
    mesh.traffic = .stableOnly
    for _ in 0..<5 {
      mesh.add(canary: 0, errors: [.stable: 2000])
      mesh.look()
    }
    #expect(mesh.message == before)
  }

  @Test("a share that does not fit its weight starts to be counted anew")
  func share() throws {
    var mesh = try Mesh()
    mesh.look()
    mesh.add(stable: 5000, canary: 0)
    mesh.look()
    #expect(mesh.judge.latest.share?.totalRequests == 0)
    mesh.add()
    mesh.look()
    #expect(mesh.judge.latest.share == ObservedShare(canaryRequests: 5000, totalRequests: 10_000, since: mesh.now - 10))
    #expect(mesh.judge.latest.share?.confirms(weight: 50) == true)
  }
}

@Suite("How the risk of a false abort is divided") struct RiskSharesTests {
  @Test(
    "all ways of judging a run together have no more than the plan's falseAbortRisk, and use it",
    arguments: [
      (false, false, false), (true, false, false), (false, true, false), (true, true, false), (true, true, true),
    ]
  )
  func sum(bakes: Bool, pilots: Bool, guardsAbort: Bool) throws {
    let slos = [
      SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%")),
      SLOSpec(
        name: "p99", latency: LatencySpec(quantile: "99", max: "500ms"),
        compare: CompareSpec(distribution: DistributionSpec())),
      SLOSpec(name: "tried", mode: .dryRun, errorRate: ErrorRateSpec(max: "5%")),
      SLOSpec(name: "own", latency: LatencySpec(quantile: "99", max: "500ms", metric: OwnLatencyTests.seconds)),
    ]
    let plan = try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()),
        steps: pilots ? nil : [StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m"))],
        autopilot: pilots ? AutopilotSpec(riskBudget: 400) : nil, bake: bakes ? BakeSpec(for: "10m") : nil,
        analysis: AnalysisSpec(slos: slos, guards: guardsAbort ? .abort : .warn)))
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    let judge = RunJudge(plan: plan, scope: scope, metrics: IstioMetrics())
    let risks = judge.risks + (guardsAbort ? [GuardJudge.risk(of: plan)] : [])
    // Two views of two checks and one of a histogram of its own, the same again for the bake, one of each objective
    // without stable's bad pod.
    #expect(risks.count == 5 + (bakes ? 5 : 0) + 3 + (pilots ? 1 : 0) + (guardsAbort ? 1 : 0))
    #expect(risks.allSatisfy { $0 > 0 })
    let sum = risks.reduce(0, +)
    let whole = plan.analysis.falseAbortRisk.fraction
    #expect(sum <= whole * (1 + 1e-9), "\(sum) of \(whole)")
    // Guards have nothing to do with the bake's share, which is then not used up.
    #expect(sum >= whole * (guardsAbort ? 0.9 : 1 - 1e-9), "\(sum) of \(whole)")
  }
}
