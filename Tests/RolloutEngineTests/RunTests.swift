import Foundation
import RolloutAPI
import Testing

@testable import RolloutEngine

@Suite("A run")
struct RunTests {
  /// A world at rest on its first revision.
  func resting(_ plan: Plan = .example()) -> World {
    var world = World(plan: plan)
    world.settle(turns: 6)
    #expect(world.rollout.situation == .idle)
    #expect(world.cluster.deployment?.managed == true)
    return world
  }

  /// A world whose run for v2 has reached a stage.
  func running(_ plan: Plan = .example(), until stage: Stage) -> World {
    var world = resting(plan)
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == stage })
    #expect(world.stage == stage)
    return world
  }

  @Test("a good revision is promoted: the Deployment is unpaused and owns its set, and no pod was replaced")
  func promotion() {
    var world = resting()
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage == .finished(.promoted) })
    world.settle(turns: 3)
    #expect(world.stage == .finished(.promoted))
    #expect(world.rollout.stable?.hash == "v2")
    #expect(world.rollout.situation == .idle)
    #expect(world.cluster.deployment?.paused == false)
    #expect(world.cluster.sets["web-v2"]?.owned == true)
    #expect(world.cluster.sets["web-v2"]?.replicas == 4)
    #expect(world.cluster.sets["web-v1"]?.owned == true)
    #expect(world.cluster.sets["web-v1"]?.replicas == 0)
    #expect(world.cluster.target == .stableOnly)
    #expect(world.cluster.service.pin == nil)
    #expect(world.cluster.service.stable == .some(nil))
    #expect(world.broken == [])
  }

  @Test("a bad revision is taken out of traffic in the decision that learns of it, and stays rejected and held")
  func rollback() {
    var world = running(until: .step(0, .analyzing))
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    world.settle(turns: 20)
    guard case .rejected = world.rollout.situation else {
      Issue.record("expected a rejection, found \(world.rollout.situation)")
      return
    }
    #expect(world.cluster.sets["web-v2"]?.replicas == 0)
    #expect(world.cluster.sets["web-v1"]?.replicas == 4)
    #expect(world.cluster.deployment?.paused == true)
    #expect(world.runs.count == 1)
    #expect(world.broken == [])
  }

  @Test("a rejected revision stays rejected when Git leaves it and comes back, until a person asks for a retry")
  func rejectedForGood() {
    var world = running(until: .step(0, .analyzing))
    world.failing = ["v2"]
    world.settle(turns: 20)
    world.cluster.apply(template: "v1")
    world.settle(turns: 5)
    #expect(world.rollout.situation == .idle)
    #expect(world.cluster.deployment?.paused == false)
    world.cluster.apply(template: "v2")
    world.settle(turns: 10)
    #expect(world.runs.count == 1)
    #expect(world.cluster.target == .stableOnly)

    world.failing = []
    world.command = PersonsCommand(action: .retry, sequence: 1)
    world.settle(until: { $0.runs.count == 2 && $0.stage == .finished(.promoted) })
    #expect(world.rollout.stable?.hash == "v2")
    #expect(world.broken == [])
  }

  @Test("a canary that never becomes available is aborted after the progress deadline, with the cause named")
  func crashLoop() {
    var world = resting()
    world.cluster.broken = ["v2"]
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.stage?.isFinished == true })
    guard case .finished(.aborted(.notAvailable(let message))) = world.stage else {
      Issue.record("expected an abort, found \(String(describing: world.stage))")
      return
    }
    #expect(message.contains("CrashLoopBackOff"))
    #expect(world.cluster.target == .stableOnly)
    #expect(world.broken == [])
  }

  @Test("a new revision in mid-run supersedes the run, weight 0 first, and gets a run of its own")
  func superseded() {
    var world = running(until: .step(1, .analyzing))
    world.cluster.apply(template: "v3")
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    world.settle(turns: 80, until: { $0.rollout.stable?.hash == "v3" })
    #expect(world.runs.map(\.revision) == ["v2", "v3"])
    #expect(world.cluster.sets["web-v2"] == nil)
    #expect(world.broken == [])
  }

  @Test("a template that returns to stable in mid-run ends the run and releases the hold")
  func reverted() {
    var world = running(until: .step(0, .analyzing))
    world.cluster.apply(template: "v1")
    world.settle(turns: 20)
    #expect(world.rollout.situation == .idle)
    #expect(world.cluster.deployment?.paused == false)
    #expect(world.rollout.stable?.hash == "v1")
    #expect(world.broken == [])
  }

  @Test(
    "promotion can be aborted at every stage before the point of no return, and the Deployment owns stable again",
    arguments: PromotionStage.allCases.filter(\.isReversible))
  func abortDuring(stage: PromotionStage) {
    var world = running(.example(bake: "20s"), until: .promoting(stage))
    world.command = PersonsCommand(action: .abort, requestedBy: "ann", sequence: 1)
    world.settle(until: { $0.stage?.isFinished == true })
    #expect(world.cluster.target == .stableOnly)
    #expect(world.cluster.sets["web-v1"]?.owned == true)
    #expect(world.cluster.sets["web-v1"]?.replicas == 4)
    #expect(world.cluster.sets["web-v2"]?.owned == false)
    #expect(world.cluster.sets["web-v2"]?.replicas == 0)
    #expect(world.broken == [])
  }

  @Test("after the point of no return an abort is refused, naming the way back")
  func tooLate() {
    var world = running(until: .promoting(.givingBack))
    world.command = PersonsCommand(action: .abort, sequence: 1)
    world.settle(until: { $0.stage?.isFinished == true })
    #expect(world.stage == .finished(.promoted))
    #expect(world.run?.commandMessage?.contains("undo") == true)
  }

  @Test("promote ends the step that the person saw, and is refused for another one")
  func promote() {
    let plan = Plan.example(steps: [StepSpec(weight: 10, pause: PauseSpec()), StepSpec(weight: 50, pause: PauseSpec())])
    var world = running(plan, until: .step(0, .pausing))
    world.settle(turns: 5)
    #expect(world.rollout.situation == .paused("step 1 of 2 waits for a person"))
    world.command = PersonsCommand(action: .promote, step: 1, sequence: 1)
    world.settle(turns: 2)
    #expect(world.run?.commandMessage?.contains("not at step 2") == true)
    #expect(world.stage == .step(0, .pausing))
    world.command = PersonsCommand(action: .promote, step: 0, sequence: 2)
    world.settle(turns: 20)
    #expect(world.stage == .step(1, .pausing))
    // The command was carried out once, though it still stands there.
    #expect(world.run?.commandSequence == 2)
    #expect(world.broken == [])
  }

  @Test("a paused run does not go on, and still aborts on a failed check")
  func pausedRunStillAborts() {
    var world = running(until: .step(0, .analyzing))
    world.command = PersonsCommand(action: .pause, requestedBy: "ann", sequence: 1)
    world.settle(turns: 20)
    #expect(world.stage == .step(0, .pausing))
    world.failing = ["v2"]
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
  }

  @Test("a Prometheus that does not answer holds the run, then pauses it, and never promotes")
  func noAnswers() {
    var world = running(until: .step(0, .verifying))
    world.answers = false
    world.settle(turns: 150)
    #expect(world.stage == .step(0, .verifying))
    guard case .paused = world.rollout.situation else {
      Issue.record("expected a pause, found \(world.rollout.situation)")
      return
    }
    world.answers = true
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.settle(turns: 60, until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test("with onUndecided: Abort the same ends in an abort")
  func undecidedAborts() {
    var world = running(.example(onUndecided: .abort), until: .step(0, .verifying))
    world.answers = false
    world.settle(turns: 200, until: { $0.stage?.isFinished == true })
    guard case .finished(.aborted(.undecided)) = world.stage else {
      Issue.record("expected an abort, found \(String(describing: world.stage))")
      return
    }
  }

  @Test("nothing is held before the first revision stands, so that a broken one can be fixed")
  func firstRevision() {
    var world = World()
    world.cluster.sets["web-v1"]?.available = 0
    world.cluster.broken = ["v1"]
    world.settle(turns: 10)
    guard case .waiting(.waitingForFirstRevision, _) = world.rollout.situation else {
      Issue.record("expected to wait, found \(world.rollout.situation)")
      return
    }
    world.cluster.apply(template: "v1-fixed")
    world.settle(turns: 10)
    #expect(world.rollout.stable?.hash == "v1-fixed")
    #expect(world.rollout.situation == .idle)
  }

  @Test("a revision that was stable a short time ago goes straight to all traffic")
  func fastUndo() {
    var world = resting()
    world.cluster.apply(template: "v2")
    world.settle(until: { $0.rollout.stable?.hash == "v2" })
    world.settle(turns: 3)
    world.cluster.apply(template: "v1")
    world.settle(until: { $0.runs.count == 2 && $0.stage?.isFinished == true })
    #expect(world.runs.last?.isFastUndo == true)
    #expect(world.rollout.stable?.hash == "v1")
    #expect(world.cluster.news.contains { $0.message.contains("straight to all traffic") })
    #expect(world.broken == [])
  }

  @Test("a Deployment that somebody resumes in mid-run is reported as escaped, with all traffic on what it runs")
  func escaped() {
    var world = running(until: .step(0, .analyzing))
    world.escaped = true
    world.cluster.deployment?.template = "v3"
    world.cluster.deployment?.paused = false
    world.cluster.deployment?.heldBy = nil
    world.cluster.controllers()
    world.turn()
    #expect(world.cluster.target == .stableOnly)
    #expect(world.cluster.service.stable == .some(nil))
    #expect(world.cluster.deployment?.paused == true)
    world.settle(turns: 20)
    guard case .stalled(.escapedRollout, _) = world.rollout.situation else {
      Issue.record("expected EscapedRollout, found \(world.rollout.situation)")
      return
    }
  }

  @Test("deleting the Rollout in mid-run is an abort, and then hands traffic to the callers' Service")
  func deletion() {
    var world = running(until: .step(1, .analyzing))
    world.deletingRollout = true
    world.turn()
    #expect(world.effects.first == .setTraffic(.stableOnly))
    world.settle(until: { $0.cluster.retired })
    let retired = world.now
    world.settle(until: { $0.effects.contains(.deleteServices) })
    // Seen in the turn after the write, kept for the plan's 10 s from then on.
    #expect(world.now.timeIntervalSince(retired) == 15)
    world.settle(until: { $0.effects.contains(.dropRolloutFinalizer) })
    #expect(world.effects.contains(.dropRolloutFinalizer))
    #expect(world.cluster.retired)
    #expect(world.cluster.service.stable == nil)
    #expect(world.cluster.sets["web-v1"]?.replicas == 4)
    // The template holds a revision that was never tested: the Deployment stays held.
    #expect(world.cluster.deployment?.paused == true)
    #expect(world.broken == [])
  }

  @Test("a Deployment that a person has paused is left to that person; its plan starts when it is resumed")
  func personsPause() {
    var world = resting()
    world.cluster.deployment?.paused = true
    world.settle(turns: 5)
    #expect(world.rollout.situation == .idle && world.cluster.deployment?.paused == true)
    world.cluster.apply(template: "v2")
    world.settle(turns: 20)
    guard case .waiting(.pausedByPerson, let text) = world.rollout.situation else {
      Issue.record("expected to wait for the person, found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("resume it") && world.runs.isEmpty)
    world.cluster.apply(template: "v3")
    world.cluster.resume()
    world.settle(until: { $0.rollout.stable?.hash == "v3" })
    #expect(world.runs.map(\.revision) == ["v3"])
    world.settle(turns: 3)
    #expect(world.cluster.deployment?.paused == false)
    #expect(world.broken == [])
  }

  @Test("requests beside the route pause the run before its weight grows, in Always mode, until a person accepts them")
  func bypass() {
    var world = resting()
    world.mode = .always
    world.settle(turns: 3)
    world.bypassed = 0.03
    world.cluster.apply(template: "v2")
    world.settle(turns: 40)
    #expect(world.stage == .step(0, .scaling), "\(world.stage), \(world.rollout.situation)")
    #expect(world.cluster.target?.weight == Weight(0))
    guard case .bypass(let text) = world.run?.pause, world.rollout.situation == .paused(text) else {
      Issue.record("expected a pause, found \(world.rollout.situation)")
      return
    }
    #expect(text.contains("3.0% of all requests") && text.contains("maxBypass (1%)"))
    world.command = PersonsCommand(action: .resume, sequence: 1)
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
    #expect(world.broken == [])
  }

  @Test("where a policy pins the callers' Services, requests beside the route do not stop a run", arguments: [0.03])
  func bypassWhilePinned(share: Double) {
    var world = running(until: .step(0, .analyzing))
    world.bypassed = share
    world.settle(until: { $0.stage == .finished(.promoted) })
    #expect(world.stage == .finished(.promoted))
  }

  @Test("with atLeast a step ends as soon as every check passes, but not on requests of an earlier weight alone")
  func endsEarly() {
    let plan = Plan.example(steps: [StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m", atLeast: "10s"))])
    var world = running(plan, until: .step(0, .analyzing))
    let began = world.now
    world.settle(until: { $0.stage != .step(0, .analyzing) })
    #expect(world.now.timeIntervalSince(began) == 10)

    var quiet = running(plan, until: .step(0, .verifying))
    quiet.rate = 1
    quiet.settle(until: { $0.stage == .step(0, .analyzing) })
    let start = quiet.now
    quiet.settle(until: { $0.stage != .step(0, .analyzing) })
    #expect(quiet.now.timeIntervalSince(start) == 120, "12 requests are fewer than the 50 that a verdict needs")

    var open = running(plan, until: .step(0, .verifying))
    open.isOpen = true
    open.settle(turns: 60)
    #expect(open.stage == .step(0, .analyzing), "what is undecided holds beyond the time")
  }
}
