import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator
@testable import TrafficRouting

@Suite("The pace of a run, measured and recorded") struct PaceRecordTests {
  private let start = Date(timeIntervalSince1970: 1_000_000)

  private func pilot() throws -> Plan {
    var spec = spec()
    spec.steps = nil
    spec.autopilot = AutopilotSpec(riskBudget: 200)
    return try Plan(Rollout(metadata: rollout().metadata, spec: spec))
  }

  private func look(canary: (Double, Double), stable: (Double, Double)) -> Measured<[MetricsKey: Double]> {
    var values: [MetricsKey: Double] = [:]
    for (track, counts) in [(Track.canary, canary), (.stable, stable)] {
      values[MetricsKey(track: track, process: "p")] = counts.0 - counts.1
      values[MetricsKey(track: track, process: "p", isError: true)] = counts.1
    }
    return .value(values)
  }

  // MARK: - Harm

  @Test("harm counts from the first write on, verified or not, in the view in which the canary looks worse")
  func harm() throws {
    var watch = HarmWatch(views: [.caller, .callee], risk: 0.001)
    func both(
      _ second: Double, _ caller: (Double, Double), _ callee: (Double, Double), written: Bool, verified: Double?
    ) {
      for (view, canary) in [(MetricsView.caller, caller), (.callee, callee)] {
        watch.record(
          view, look(canary: canary, stable: (900, 0)), at: start + second, writtenAt: written ? start + 15 : nil,
          verifiedAt: verified.map { start + $0 })
      }
    }
    both(0, (0, 0), (0, 0), written: false, verified: nil)
    #expect(watch.harm == nil, "the rate is not known yet")
    both(10, (0, 0), (0, 0), written: false, verified: nil)
    #expect(watch.harm?.rate == 90 && watch.harm?.excess == 1)
    both(20, (100, 10), (100, 4), written: true, verified: nil)
    both(30, (100, 0), (100, 0), written: true, verified: 25)
    #expect(watch.requests == 0, "that look began before the verification")
    both(40, (100, 0), (100, 0), written: true, verified: 25)
    #expect(watch.requests == 100)
    let harm = try #require(watch.harm)
    #expect(harm.harmed == 10)
    #expect(harm.at == start + 40)
    #expect(harm.isSuspect && harm.excess > 10.0 / 300 && harm.excess < 0.2, "\(harm)")
    // A view that is silent makes the whole as old as its last look.
    watch.record(
      .caller, look(canary: (100, 0), stable: (900, 0)), at: start + 50, writtenAt: start, verifiedAt: start + 25)
    watch.record(.callee, .sourceFailed("down"), at: start + 50, writtenAt: start, verifiedAt: start + 25)
    #expect(watch.harm?.at == start + 40)
  }

  @Test("after a restart harm is read again from the beginning of the first step, before its verification")
  func pastHarm() async throws {
    let plan = try pilot()
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    let run = JudgedRun(
      name: "web-1", plan: plan, scope: scope, metrics: IstioMetrics(),
      queries: QuerySetting(plan: plan, scope: scope, hashes: [:], step: 0, namespaceLabel: nil), traffic: .stableOnly)
    let traffic = TrafficTarget(weight: Weight(10) ?? .none)
    let start = start
    func harmed(began: Double) async throws -> Double? {
      let span = TrafficSpan(traffic: traffic, began: start + began, from: start + 100, until: start + 200)
      let questions = run.questions
      return try await PastLooks.judge(run, [span]) { text, times, step in
        var values: PastLooks.Values = [:]
        guard let question = questions[text] else { return values }
        let step = step / .seconds(1)
        for second in stride(
          from: times.lowerBound.timeIntervalSince1970, through: times.upperBound.timeIntervalSince1970, by: step)
        {
          let time = Date(timeIntervalSince1970: second)
          values[PastLooks.milliseconds(time)] = Self.counters(question, at: time.timeIntervalSince(start))
        }
        return values
      }.latest.harm?.harmed
    }
    // One canary request in ten fails, ten a second.
    #expect(try await harmed(began: 100) == 100)
    #expect(try await harmed(began: 60) == 140)
  }

  private static func counters(_ question: LookAnswers.Question, at second: Double) -> [MetricSeries] {
    guard question.kind == .requests else { return [] }
    return [(Track.stable, "200", 90.0), (.canary, "200", 9), (.canary, "503", 1)].map { track, code, rate in
      var labels = ["response_code": code, "instance": "node"]
      if question.view == .caller {
        labels["destination_service_namespace"] = "shop"
        labels["destination_service_name"] = "web-\(track.rawValue)"
      } else {
        labels["destination_workload_namespace"] = "shop"
        labels["pod"] = track == .stable ? "web-s1-aaaaa" : "web-abc-bbbbb"
      }
      return MetricSeries(labels: labels, value: rate * second)
    }
  }

  // MARK: - Records

  private func state(_ stage: Stage, _ weights: [Int], reason: String? = nil) -> RunState {
    var state = RunState(
      name: "web-abc", revision: "abc", set: "web-abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: stage, since: start)
    var flight = Flight(since: start)
    flight.weights = weights.map { Weight($0) ?? .none }
    flight.reason = reason
    state.flight = flight
    return state
  }

  @Test("how far an autopilot is survives a restart")
  func roundTrip() throws {
    var state = state(.step(1, .analyzing), [5, 20], reason: "it is known")
    state.flight?.forgiven = 12.5
    state.flight?.accepted = Weight(20)
    state.flight?.harm = Harm(harmed: 3.25, excess: 0.0125, rate: 250, isWorse: true, at: start + 60)
    let status = RunRecord.status(
      state, of: run(), before: nil, plan: try pilot(), canaryHash: "abc", traffic: nil, checks: [],
      situation: .running("on its way"), now: start + 70)
    #expect(status.autopilot?.weights == [5, 20])
    #expect(status.steps == nil && status.progress == "2")
    #expect(RunRecord.state(of: run(status))?.flight == state.flight)
  }

  @Test("each step of an autopilot is told with its weight and why it was chosen, also if it is chosen late")
  func timeline() throws {
    let plan = try pilot()
    var timeline: [StepRecord] = []
    var before: RunState?
    for (second, now) in [
      (0.0, state(.step(0, .scaling), [])), (5, state(.step(0, .verifying), [5], reason: "nothing is known")),
      (10, state(.step(0, .analyzing), [5], reason: "waits")),
      (15, state(.step(1, .scaling), [5, 20], reason: "it is good")),
    ] {
      timeline = Timeline.updated(timeline, from: before, to: now, plan: plan, checks: [], now: start + second)
      before = now
    }
    #expect(timeline.map(\.weight) == [5, 20])
    #expect(timeline.map(\.title) == ["weight 5%", "weight 20%"])
    #expect(timeline.map(\.message) == ["nothing is known", "it is good"])
    #expect(timeline.map(\.outcome) == [.passed, nil])
  }

  @Test("a step whose analysis ended early says so")
  func early() throws {
    var spec = spec()
    spec.steps = [StepSpec(weight: 10, analyze: AnalyzeSpec(for: "5m", atLeast: "1m")), StepSpec(pause: PauseSpec())]
    let plan = try Plan(Rollout(metadata: rollout().metadata, spec: spec))
    var before = state(.step(0, .analyzing), [])
    before.flight = nil
    var after = before
    after.stage = .step(1, .scaling)
    let open = [StepRecord(kind: .step, step: 1, startedAt: MicroTime(start))]
    func message(_ seconds: Double) -> String? {
      Timeline.updated(open, from: before, to: after, plan: plan, checks: [], now: start + seconds).first?.message
    }
    #expect(message(61) == "every check had passed after 1m1s, so it did not take the whole 5m")
    #expect(message(301) == nil)
  }
}
