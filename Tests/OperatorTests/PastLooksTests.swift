import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

/// Counters that grow as a function of time, so that they can be asked for any moment.
private struct GrowingMesh: Sendable {
  static let start = Date(timeIntervalSince1970: 1_000_000)
  var canaryErrors = 0.002

  func series(_ question: LookAnswers.Question, at time: Date) -> [MetricSeries] {
    guard question.kind == .requests else { return [] }
    let seconds = (time.timeIntervalSince(Self.start)).rounded()
    return [(Track.stable, 80.0, 0.002), (.canary, 20.0, canaryErrors)].flatMap { track, rate, errors in
      [("200", 1 - errors), ("503", errors)].map { code, share in
        var labels = ["response_code": code, "instance": "node"]
        switch question.view {
        case .caller:
          labels["destination_service_namespace"] = "shop"
          labels["destination_service_name"] = "web-\(track.rawValue)"
        case .callee:
          labels["destination_workload_namespace"] = "shop"
          labels["pod"] = track == .stable ? "web-s1-aaaaa" : "web-abc-bbbbb"
        }
        return MetricSeries(labels: labels, value: (seconds * rate * share).rounded())
      }
    }
  }

  func look(at time: Date) -> LookAnswers {
    var look = LookAnswers()
    for question in LookAnswers.Question.all(IstioMetrics()) {
      look.answers[question] = .series(series(question, at: time))
    }
    return look
  }
}

@Suite("Evidence that survives a restart") struct PastLooksTests {
  private let mesh = GrowingMesh()
  private let start = GrowingMesh.start
  private let small = TrafficTarget(weight: Weight(20) ?? .none)
  private let large = TrafficTarget(weight: Weight(50) ?? .none)

  private func run() throws -> JudgedRun {
    let plan = try plan(slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))])
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    return JudgedRun(
      name: "web-1", plan: plan, scope: scope, metrics: IstioMetrics(),
      queries: QuerySetting(plan: plan, scope: scope, hashes: [:], step: 0, namespaceLabel: nil), traffic: large)
  }

  @Test("a judge that reads the past again has the counts and evidence of the one that saw it")
  func same() async throws {
    let run = try run()
    let spans = [
      TrafficSpan(traffic: small, from: start + 100, until: start + 400),
      TrafficSpan(traffic: large, from: start + 450, until: start + 1050),
    ]
    var live = RunJudge(plan: run.plan, scope: run.scope, metrics: run.metrics)
    for second in stride(from: 90.0, through: 1050, by: 10) {
      let now = start + second
      let span = spans.last { $0.from <= now }
      live.record(
        mesh.look(at: now), at: now, traffic: span?.traffic ?? .stableOnly, writtenAt: span?.from,
        verifiedAt: span.flatMap { now <= $0.until ? $0.from : nil })
    }
    let mesh = mesh
    let questions = run.questions
    let again = try await PastLooks.judge(run, spans) { text, times, step in
      var values: PastLooks.Values = [:]
      guard let question = questions[text] else { return values }
      for second in stride(
        from: times.lowerBound.timeIntervalSince1970, through: times.upperBound.timeIntervalSince1970,
        by: step / .seconds(1))
      {
        let time = Date(timeIntervalSince1970: second)
        values[PastLooks.milliseconds(time)] = mesh.series(question, at: time)
      }
      return values
    }
    let (before, after) = (live.latest.checks.first?.judgement, again.latest.checks.first?.judgement)
    #expect(before?.evidence.canary.counts.requests == 18_000)
    #expect(after?.evidence.canary == before?.evidence.canary)
    #expect(after?.evidence.stable == before?.evidence.stable)
    #expect(after?.evidence.limitEValue == before?.evidence.limitEValue)
    #expect(after?.evidence.looks == before?.evidence.looks)
    #expect(again.latest.checks.first?.verdict == .pass)
  }

  @Test(
    "a Prometheus whose clock is off shifts both tracks alike, so that neither verdict changes",
    arguments: [-120.0, 120], [0.002, 0.1])
  func skew(seconds: Double, errors: Double) async throws {
    let run = try run()
    let mesh = GrowingMesh(canaryErrors: errors)
    let questions = run.questions
    let now = start + 700
    var judge = try await PastLooks.judge(run, [TrafficSpan(traffic: small, from: start + 400, until: now)]) {
      text, times, step in
      var values: PastLooks.Values = [:]
      guard let question = questions[text] else { return values }
      for moment in stride(
        from: times.lowerBound.timeIntervalSince1970, through: times.upperBound.timeIntervalSince1970,
        by: step / .seconds(1))
      {
        let time = Date(timeIntervalSince1970: moment)
        // What it calls this time was so much earlier, or is still to come: then its last samples stand in.
        values[PastLooks.milliseconds(time)] = mesh.series(question, at: min(time + seconds, now))
      }
      return values
    }
    // Asked for what is now, it shows what its clock had hidden, in one look.
    judge.record(mesh.look(at: now + 10), at: now + 10, traffic: small, writtenAt: start + 400, verifiedAt: start + 400)
    let evidence = try #require(judge.latest.checks.first?.judgement?.evidence)
    // From 400 s after the start on, by its clock: 310 s, or 120 s less or more, of 20 and of 80 requests a second.
    #expect(evidence.canary.counts.requests == (310 - seconds) * 20)
    #expect(evidence.stable.counts.requests == (310 - seconds) * 80)
    #expect(judge.latest.checks.first?.verdict == (errors > 0.01 ? .fail : .pass))
  }

  @Test("events are counted again as the process before counted them, since the verification and once each")
  func events() async throws {
    var run = try run()
    run.plan = try plan(slos: [
      SLOSpec(
        name: "orders", query: "sum(increase(orders_total{pod=~\"$(pods)\"}[$(window)]))", kind: .events,
        compare: CompareSpec(ratio: BoundsSpec(min: "0.8")))
    ])
    run.queries = QuerySetting(
      plan: run.plan, scope: run.scope, hashes: [:], step: 0, namespaceLabel: "namespace")
    let mesh = mesh
    let questions = run.questions
    @Sendable func answer(_ text: String, at time: Date) -> [MetricSeries] {
      if let question = questions[text] { return mesh.series(question, at: time) }
      guard text.hasPrefix("orders_total{") else { return [] }
      let isCanary = text.contains("web-abc")
      let seconds = time.timeIntervalSince(GrowingMesh.start).rounded()
      // A fifth of each track's requests makes an order.
      return [
        MetricSeries(
          labels: ["pod": isCanary ? "web-abc-bbbbb" : "web-s1-aaaaa"], value: (seconds * (isCanary ? 4 : 16)).rounded()
        )
      ]
    }
    let span = TrafficSpan(traffic: small, from: start + 100, until: start + 700)
    var live = RunJudge(plan: run.plan, scope: run.scope, metrics: run.metrics)
    for second in stride(from: 90.0, through: 700, by: 10) {
      let now = start + second
      let verified = now >= span.from ? span.from : nil
      live.record(
        mesh.look(at: now), at: now, traffic: verified == nil ? .stableOnly : small, writtenAt: verified,
        verifiedAt: verified)
      guard
        let round = live.round(
          run.queries, now: now, traffic: verified == nil ? .stableOnly : small, writtenAt: verified,
          verifiedAt: verified)
      else { continue }
      live.record([:], series: round.texts.mapValues { .series(answer($0, at: now)) }, of: round)
    }
    let again = try await PastLooks.judge(run, [span]) { text, times, step in
      var values: PastLooks.Values = [:]
      for second in stride(
        from: times.lowerBound.timeIntervalSince1970, through: times.upperBound.timeIntervalSince1970,
        by: step / .seconds(1))
      {
        let time = Date(timeIntervalSince1970: second)
        values[PastLooks.milliseconds(time)] = answer(text, at: time)
      }
      return values
    }
    let (before, after) = (live.latest.checks.first, again.latest.checks.first)
    let amount = try #require(before?.judgement?.evidence.values?.canaryAmount)
    #expect(amount.amount == amount.per / 5)
    #expect(amount.per > 9000 && amount.per < 12_000, "600 s of 20 requests each, but for the warm-up")
    #expect(after?.judgement?.evidence.values == before?.judgement?.evidence.values)
    #expect(after?.judgement?.evidence.comparisonEValue == before?.judgement?.evidence.comparisonEValue)
    #expect(before?.verdict == .pass)
    #expect(
      before?.judgement?.evidence.queries == [
        "orders_total{pod=~\"web-abc-[a-z0-9]{5}\",namespace=\"shop\"}",
        "orders_total{pod=~\"web-s1-[a-z0-9]{5}\",namespace=\"shop\"}",
      ])
  }

  @Test("a long past is read in pieces of bounded size, at larger intervals")
  func pieces() {
    let day = TrafficSpan(traffic: small, from: start, until: start + 86_400)
    let step = PastLooks.step([day], interval: .seconds(10))
    #expect(step == .seconds(120))
    let pieces = PastLooks.times(day, step: step)
    #expect(pieces.allSatisfy { $0.count <= PastLooks.looksPerQuery })
    #expect(pieces.joined().count == 721)
    #expect(pieces.last?.last == day.until)
  }

  @Test("the timeline tells when which traffic was verified; a step that keeps it goes on with the same")
  func spans() throws {
    let plan = try Plan(
      Rollout(
        metadata: rollout().metadata,
        spec: RolloutSpec(
          workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
          traffic: TrafficSpec(istio: IstioSpec()),
          steps: [
            StepSpec(weight: 20, analyze: AnalyzeSpec(for: "5m")), StepSpec(pause: PauseSpec()),
            StepSpec(weight: 50, analyze: AnalyzeSpec(for: "5m")),
          ], analysis: AnalysisSpec(slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))]))))
    func at(_ second: Double) -> MicroTime { MicroTime(start + second) }
    let timeline = [
      StepRecord(kind: .start, startedAt: at(0), finishedAt: at(5)),
      StepRecord(kind: .step, step: 1, startedAt: at(5), verifiedAt: at(30), finishedAt: at(330)),
      StepRecord(kind: .step, step: 2, startedAt: at(330), finishedAt: at(900)),
      StepRecord(kind: .step, step: 3, startedAt: at(900), verifiedAt: at(930)),
    ]
    var state = RunState(
      name: "web-1", revision: "abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: .step(2, .analyzing), since: start)
    state.verifiedAt = start + 930
    #expect(
      Timeline.verified(timeline, run: state, plan: plan, now: start + 1000) == [
        TrafficSpan(traffic: small, began: start + 5, from: start + 30, until: start + 900),
        TrafficSpan(traffic: large, began: start + 900, from: start + 930, until: start + 1000),
      ])
    state.stage = .aborting(.draining, .person("me"))
    #expect(Timeline.verified(timeline, run: state, plan: plan, now: start + 1000) == [])
  }

  @Test("a run with a past is asked for nothing else first; what cannot be read five times is begun anew")
  func board() throws {
    let board = JudgeBoard()
    var run = try run()
    run.past = [TrafficSpan(traffic: small, from: start, until: start + 60)]
    let key = ObjectKey(namespace: "shop", name: "web")
    board.follow(key, run, uptime: .zero)
    for attempt in 1...5 {
      let uptime = Duration.seconds(attempt * 60)
      #expect(board.takeDue(uptime: uptime).isEmpty)
      #expect(board.takePasts(uptime: uptime).count == 1)
      #expect(board.takePasts(uptime: uptime).isEmpty, "under way")
      #expect(board.record(past: nil, run: run.name, for: key) == (attempt < 5))
    }
    #expect(board.takePasts(uptime: .seconds(600)).isEmpty)
    #expect(board.takeDue(uptime: .seconds(600)).count == 1)
  }

  @Test("a look that finds what was known is no news, so that nobody has to look at it again")
  func news() throws {
    let board = JudgeBoard()
    let run = try run()
    let key = ObjectKey(namespace: "shop", name: "web")
    board.follow(key, run, uptime: .zero)
    var silent = LookAnswers()
    for question in LookAnswers.Question.all(IstioMetrics()) { silent.answers[question] = .series([]) }
    #expect(board.record(silent, for: key, at: start) == .news, "the first look says at least that there is nothing")
    #expect(board.record(silent, for: key, at: start + 10) == .nothingNew)
    #expect(board.record(mesh.look(at: start + 20), for: key, at: start + 20) == .news)
    #expect(
      board.record(mesh.look(at: start + 30), for: ObjectKey(namespace: "shop", name: "x"), at: start) == .nothingNew)
  }
}

extension JudgedRun {
  /// The mesh's questions by what they ask.
  var questions: [String: LookAnswers.Question] {
    guard let metrics else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: LookAnswers.Question.all(metrics).compactMap { question in
        question.text(metrics, [scope]).map { ($0, question) }
      })
  }
}
