import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator

@Suite("Records")
struct RecordTests {
  private static let now = Date(timeIntervalSince1970: 1_000_000)

  static let causes: [AbortCause] = [
    .failedCheck("errors: 5 %"), .notAvailable("crash"), .person("ann"), .undecided("no data"), .superseded, .deleted,
    .workloadGone, .escaped("bob resumed it"),
  ]
  static var stages: [Stage] {
    [.starting, .finished(.promoted)] + StepStage.allCases.map { .step(1, $0) }
      + PromotionStage.allCases.map(Stage.promoting)
      + causes.flatMap { cause in
        AbortStage.allCases.map { .aborting($0, cause) } + [.finished(.aborted(cause))]
      }
  }

  private func written(_ state: RunState, situation: Situation = .idle, over run: RolloutRun = run()) throws
    -> RolloutRun
  {
    var run = run
    run.status = RunRecord.status(
      state, of: run, before: nil, plan: try plan(), canaryHash: "abc", traffic: nil, checks: [], situation: situation,
      now: Self.now)
    return run
  }

  @Test("a run that is written and read again is the same, in every stage and for every cause", arguments: stages)
  func roundTrip(stage: Stage) throws {
    var state = RunState(
      name: "web-abc", revision: "abc", set: "web-abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: stage, since: Self.now, commandSequence: 2)
    state.shortSince = Self.now.addingTimeInterval(1)
    state.trafficWrittenAt = Self.now.addingTimeInterval(2)
    state.verifiedAt = Self.now.addingTimeInterval(3.25)
    state.commandMessage = "paused"
    state.acceptsBypass = true
    state.acceptsPlainText = true
    #expect(RunRecord.state(of: try written(state)) == state)
    let json = try JSON(encoding: try written(state))
    #expect(RunRecord.state(of: try json.decode()) == state)
  }

  @Test(
    "a pause outlives a restart",
    arguments: [
      RunState.Pause.plan, .person("ann"), .undecided("too few requests"), .conflict("edited by bob"),
      .bypass("2% beside"), .plainText("98% by mutual TLS"),
    ])
  func pauses(pause: RunState.Pause) throws {
    var state = RunState(
      name: "web-abc", revision: "abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: .step(0, .pausing), since: Self.now)
    state.pause = pause
    let run = try written(state)
    #expect(run.status?.phase == .paused)
    #expect(RunRecord.state(of: run) == state)
  }

  @Test("a finished run keeps its own message, whatever its Rollout does next")
  func finishedMessage() throws {
    let state = RunState(
      name: "web-abc", revision: "abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: .finished(.promoted), since: Self.now)
    let run = try written(state, situation: .running("starting a run for revision next"))
    #expect(run.status?.message == "promoted")
    #expect(run.status?.phase == .promoted)
  }

  @Test("a run without a status begins at its start, and one with a strange stage is not guessed at")
  func strange() {
    #expect(RunRecord.state(of: run())?.stage == .starting)
    #expect(RunRecord.state(of: run(RolloutRunStatus(phase: .promoting, stage: "Dancing"))) == nil)
  }

  @Test(
    "conditions are as kstatus reads them",
    arguments: [
      (Situation.idle, [true, false, false], "Promoted"),
      (.running("step 1 of 2"), [false, true, false], "Running"),
      (.paused("waits"), [false, true, false], "Paused"),
      (.waiting(.waitingForService, "no Service"), [false, true, false], "WaitingForService"),
      (.rejected("bad"), [false, false, true], "Rejected"),
      (.stalled(.escapedRollout, "rolled"), [false, false, true], "EscapedRollout"),
    ])
  func conditions(situation: Situation, values: [Bool], reason: String) throws {
    let conditions = RolloutRecord.conditions(situation, generation: 3, before: [], now: Self.now)
    #expect(conditions.map(\.type) == ["Ready", "Reconciling", "Stalled"])
    #expect(conditions.map { $0.status == .yes } == values)
    #expect(conditions.allSatisfy { $0.reason == reason && $0.observedGeneration == 3 })
  }

  @Test("what the engine remembers of a Rollout is read back from its status")
  func rolloutRoundTrip() throws {
    let state = RolloutState(
      stable: Revision(set: "web-s1", hash: "s1"),
      former: [RolloutState.FormerRevision(revision: Revision(set: "web-s0", hash: "s0"), until: Self.now)],
      reassertions: [Self.now], retiredAt: Self.now.addingTimeInterval(1))
    var rollout = rollout()
    rollout.status = RolloutRecord.status(state, of: rollout, RolloutRecord.Surroundings(), now: Self.now)
    #expect(RolloutRecord.state(of: rollout) == state)
    #expect(rollout.status?.observedGeneration == 3)
  }

  @Test("the timeline has a chapter for each step, and says how each ended")
  func timeline() throws {
    let plan = try plan()
    var before: RunState?
    var timeline: [StepRecord] = []
    var seconds = 0.0
    func go(_ stage: Stage, sequence: Int = 0) {
      seconds += 10
      var state = RunState(
        name: "web-abc", revision: "abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4, stage: stage,
        since: Self.now, commandSequence: sequence)
      state.commandMessage = sequence > 0 ? "step ended by ann" : nil
      timeline = Timeline.updated(
        timeline, from: before, to: state, plan: plan, checks: [], now: Self.now.addingTimeInterval(Double(seconds)))
      before = state
    }
    go(.starting)
    go(.step(0, .scaling))
    go(.step(0, .analyzing))
    go(.step(1, .scaling), sequence: 1)
    go(.aborting(.returningTraffic, .failedCheck("errors: 5 %")), sequence: 1)
    go(.finished(.aborted(.failedCheck("errors: 5 %"))), sequence: 1)
    #expect(timeline.map(\.kind) == [.start, .step, .step, .abort])
    #expect(timeline.map(\.step) == [nil, 1, 2, nil])
    #expect(timeline.map(\.outcome) == [.passed, .skipped, .failed, .passed])
    #expect(timeline.map(\.message) == [nil, "step ended by ann", nil, "errors: 5 %"])
    #expect(timeline.allSatisfy { $0.finishedAt != nil })
  }
}
