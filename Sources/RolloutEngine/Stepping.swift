import CanaryAnalysis
import Foundation
import RolloutAPI

/// The steps of the plan: scale, set the traffic, verify it, analyze, pause, go on.
extension Turn {
  /// Goes on from where the route says the run is. A process that ended after it wrote a weight and before it stored the
  /// stage has decided all that comes before that weight, and nobody should see the weight go back and up again.
  mutating func catchUp(_ run: inout RunState) {
    let place: (index: Int, stage: StepStage)
    switch run.stage {
    case .starting: place = (0, .scaling)
    case .step(let index, let stage): place = (index, stage)
    case .promoting, .aborting, .finished: return
    }
    guard let by = seen.routedBy, by.run == run.name,
      by.step > place.index || by.step == place.index && place.stage == .scaling
    else { return }
    let isPromotion = by.step >= runPlan.stepLimit
    guard let target = isPromotion ? .allToCanary : routedTarget(of: by.step),
      seen.routing == .present(target: target, intact: true),
      target.reachesCanary || runPlan.autopilot != nil,
      // The set that its pods belong to may not be stored either.
      let set = seen.set(named: run.set) ?? seen.setOfTemplate
    else { return }
    if runPlan.autopilot != nil, run.flight == nil { run.flight = Flight(since: now) }
    if !isPromotion, run.flight != nil {
      let known = run.flight?.weights.prefix(by.step) ?? []
      run.flight?.weights = known + Array(repeating: target.weight, count: by.step + 1 - known.count)
    }
    run.set = set.name
    run.trafficWrittenAt = now
    run.verifiedAt = nil
    if run.pause == .plan { run.pause = nil }
    enter(isPromotion ? .promoting(.verifying) : .step(by.step, .verifying), &run)
  }

  /// What the route says at a step that no status tells of; the autopilot's weights stand nowhere else then.
  private func routedTarget(of step: Int) -> TrafficTarget? {
    guard runPlan.autopilot != nil else { return runPlan.steps[step].traffic }
    guard let target = seen.routing.target, target == TrafficTarget(weight: target.weight) else { return nil }
    return target
  }

  mutating func step(_ run: inout RunState, _ index: Int, _ stage: StepStage) {
    guard stillWanted(&run), !abortOnFailure(&run), keepsBudget(&run, index, stage),
      run.stage == .step(index, stage)
    else { return }
    describe(run, index)
    if stage == .scaling, !mayRaise(&run, index) { return }
    guard let step = runPlan.step(index, of: run) else { return enter(.promoting(.scaling), &run) }
    switch stage {
    case .scaling:
      let current = index == 0 ? .stableOnly : runPlan.step(index - 1, of: run)?.traffic ?? .stableOnly
      guard keepTraffic(current, &run), hasPods(podsNeeded(by: step, run), &run) else { return }
      if isByPods { shrink(to: podsNeeded(by: step, run), run) }
      if current == step.traffic, run.verifiedAt != nil { return enter(.step(index, .analyzing), &run) }
      if index == 0, step.traffic.reachesCanary, !hasBaseline(&run) { return }
      if step.traffic.weight > current.weight, isBypassed(&run) || lacksMutualTLS(&run) { return }
      if !isByPods { effects.append(.setTraffic(step.traffic)) }
      run.trafficWrittenAt = now
      run.verifiedAt = nil
      enter(.step(index, .verifying), &run)
    case .verifying:
      guard keepTraffic(step.traffic, &run), hasPods(podsNeeded(by: step, run), &run) else { return }
      guard hasArrived(weight: step.traffic.weight.value, &run, "the share that arrives") else { return }
      run.verifiedAt = now
      shrink(to: podsNeeded(by: step, run), run)
      announce(
        .step,
        (runPlan.autopilot == nil
          ? "\(runPlan.place(index, of: run)): \(step.traffic), verified"
          : "\(runPlan.place(index, of: run)), verified" + (run.flight?.reason.map { ": \($0)" } ?? ""))
          + (realShare(run).map { ": \($0)" } ?? ""),
        "\(run.name)-step-\(index)")
      enter(.step(index, .analyzing), &run)
    case .analyzing:
      guard keepTraffic(step.traffic, &run), hasPods(podsNeeded(by: step, run), &run) else { return }
      if runPlan.autopilot != nil {
        if step.traffic.reachesCanary, isHeld(&run) { return }
        return fly(&run, index)
      }
      guard isConclusive(step, &run), !isHeld(&run) else { return }
      enter(.step(index, .pausing), &run)
    case .pausing:
      guard keepTraffic(step.traffic, &run), hasPods(podsNeeded(by: step, run), &run) else { return }
      guard pauseIsOver(step, index, &run), !isHeld(&run) else { return }
      next(after: index, &run)
    }
  }

  /// The plan's next step, or the promotion.
  mutating func next(after index: Int, _ run: inout RunState) {
    if runPlan.autopilot != nil { return raiseByPerson(&run, index) }
    enter(index + 1 < runPlan.steps.count ? .step(index + 1, .scaling) : .promoting(.scaling), &run)
  }

  /// Pods for the share that a step routes and mirrors, of the demand at the start; at least one where anything arrives.
  func podsNeeded(by step: PlanStep, _ run: RunState) -> Int {
    if isByPods { return podsNeeded(byWeight: step.traffic.weight, run) }
    if let scale = step.scale { return max(scale.share(of: run.demand), step.traffic.reachesCanary ? 1 : 0) }
    guard step.traffic.reachesCanary else { return 0 }
    let percent = min(100, Double(step.traffic.weight.value) + (step.traffic.mirror?.value ?? 0))
    return max(1, Int((percent * Double(run.demand) / 100).rounded(.up)))
  }

  /// Re-asserts the traffic that should be there; a canary without any ready pod loses it.
  private mutating func keepTraffic(_ target: TrafficTarget, _ run: inout RunState) -> Bool {
    let set = seen.set(named: run.set)
    if target.reachesCanary, set?.available ?? 0 == 0 {
      let trouble = set?.trouble.map { ": \($0)" } ?? ""
      beginAbort(.notAvailable("no pod of the canary is available any more\(trouble)"), &run)
      return false
    }
    return !isContested(&run) && ensureTracks(run) && ensureTraffic(target)
  }

  /// The generated Services follow the callers' ones, and are made again where somebody deleted them.
  mutating func ensureTracks(_ run: RunState) -> Bool {
    guard let set = seen.set(named: run.set) else { return true }
    return ensureServices(stable: run.stable.hash, canary: set.hash)
  }

  /// Whether the canary has that many available pods; otherwise creates or scales its set, and aborts when that takes
  /// longer than the Deployment's progress deadline.
  mutating func hasPods(_ count: Int, _ run: inout RunState) -> Bool {
    guard let deployment = seen.deployment else { return false }
    guard let set = seen.set(named: run.set) ?? seen.setOfTemplate else {
      guard admits(count, &run) else { return false }
      effects.append(.createSet(revision: run.revision, replicas: count))
      look(in: deployment.progressDeadline)
      return false
    }
    run.set = set.name
    if set.owner == .deployment {
      effects.append(.releaseSets([set.name]))
      return false
    }
    if set.replicas < count {
      guard admits(count - set.pods, &run) else { return false }
      effects.append(.scale(set: set.name, replicas: count))
    }
    if set.available >= count, set.replicas >= count {
      run.shortSince = nil
      return true
    }
    let trouble = set.trouble.map { ": \($0)" } ?? ""
    if run.pause == nil {
      rollout.situation = .running(
        "\(place(of: run)): \(set.available) of \(count) canary pods are available\(trouble)")
    }
    noteTrouble(of: set, count)
    let since = run.shortSince ?? now
    run.shortSince = since
    if now.isOver(deployment.progressDeadline, since: since) {
      let seconds = Int(deployment.progressDeadline / .seconds(1))
      beginAbort(
        .notAvailable("\(set.available) of \(count) canary pods available after \(seconds)s\(trouble)"), &run)
    } else {
      look(in: now.remaining(of: deployment.progressDeadline, since: since))
    }
    return false
  }

  /// Whether quotas admit so many more pods. What they do not admit is not asked for: pods that are refused would use up
  /// the time that the revision has to become available, and half of them what is left for stable.
  private mutating func admits(_ pods: Int, _ run: inout RunState) -> Bool {
    if hasRoom(for: pods, "\(place(of: run)) needs") { return true }
    run.shortSince = nil
    rollout.situation = .running("waiting for room: \(rollout.limits.last?.message ?? "")")
    expire(&run, "a quota without room for the canary")
    return false
  }

  private func place(of run: RunState) -> String {
    guard let index = run.stage.stepIndex, index < runPlan.steps.count else { return "promotion" }
    return "step \(index + 1)\(runPlan.steps[index].title)"
  }

  /// A step that needs fewer pods gives them back, after the traffic has moved.
  private mutating func shrink(to count: Int, _ run: RunState) {
    guard let set = seen.set(named: run.set), set.replicas > max(count, 1) else { return }
    effects.append(.scale(set: set.name, replicas: max(count, 1)))
  }

  /// For proxies to follow where nothing tells that they have.
  private static let unmeasuredWait = Duration.seconds(30)

  /// Whether the mesh has taken the route that was written, and its share arrives.
  mutating func hasArrived(weight: Int, _ run: inout RunState, _ what: String) -> Bool {
    if runPlan.division != nil {
      if endpointsFit(weight: weight, run) { return true }
      expire(&run, what)
      return false
    }
    if let pending = seen.routePending {
      rollout.situation = .running("the mesh has not taken the route: \(pending)")
      expire(&run, "the mesh's word on the route (\(pending))")
      return false
    }
    guard seen.measuresShare || weight == 0 else {
      // Nothing tells when proxies have it; they follow within seconds.
      let written = run.trafficWrittenAt ?? now
      if now.isOver(Self.unmeasuredWait, since: written) { return true }
      look(in: now.remaining(of: Self.unmeasuredWait, since: written))
      return false
    }
    guard isVerified(weight: weight, run) else {
      expire(&run, what)
      return false
    }
    return true
  }

  /// Whether the share that arrives agrees with the weight, counted after the write.
  private func isVerified(weight: Int, _ run: RunState) -> Bool {
    guard weight > 0 else { return true }
    guard let share = seen.measured?.share, let written = run.trafficWrittenAt, share.since >= written else {
      return false
    }
    return share.confirms(weight: weight)
  }

  /// What is undecided for longer than the deadline pauses or aborts, as the plan says; it never promotes.
  mutating func expire(_ run: inout RunState, _ what: String) {
    let deadline = runPlan.analysis.deadline
    guard now.isOver(deadline, since: run.since) else { return look(in: now.remaining(of: deadline, since: run.since)) }
    undecided(&run, "\(what) stayed undecided for \(deadline.text)")
  }

  mutating func undecided(_ run: inout RunState, _ message: String) {
    switch runPlan.analysis.onUndecided {
    case .abort: beginAbort(.undecided(message), &run)
    case .pause:
      guard run.pause == nil else { return }
      run.pause = .undecided(message)
      announce(.paused, message, "\(run.name)-undecided-\(run.stage.stepIndex ?? -1)", isWarning: true)
      rollout.situation = .paused(message)
    }
  }

  /// Whether the step's analysis lets it go on.
  private mutating func isConclusive(_ step: PlanStep, _ run: inout RunState) -> Bool {
    guard let analyze = step.analyze else { return true }
    return isConclusive(
      over: analyze.duration, atLeast: analyze.atLeast, place: "step \((run.stage.stepIndex ?? 0) + 1)", &run)
  }

  /// Whether every check has passed when the time is over, or, after the least time, by evidence that includes this
  /// traffic: what passes by looks at an earlier weight alone waits for the whole time.
  mutating func isConclusive(
    over duration: Duration, atLeast: Duration? = nil, place: String, _ run: inout RunState
  ) -> Bool {
    let since = run.since
    let verdicts = seen.measured?.binding.map(\.verdict) ?? []
    let wanted = runPlan.analysis.binding.count
    let allPass = wanted > 0 && verdicts.count == wanted && verdicts.allSatisfy { $0 == .pass }
    if allPass || wanted == 0 {
      if now.isOver(duration, since: since) { return true }
      if let atLeast, allPass, seen.measured?.requests ?? 0 >= Double(runPlan.analysis.minRequests) {
        if now.isOver(atLeast, since: since) { return true }
        look(in: now.remaining(of: atLeast, since: since))
      }
      look(in: now.remaining(of: duration, since: since))
      return false
    }
    guard now.isOver(duration, since: since) else {
      look(in: now.remaining(of: duration, since: since))
      return false
    }
    let open = seen.measured?.binding.filter { $0.verdict != .pass } ?? []
    let names =
      open.isEmpty ? "every check" : open.map { "\($0.name) (\($0.verdict.rawValue))" }.joined(separator: ", ")
    rollout.situation = .running("\(place): undecided: \(names)")
    let deadline = max(runPlan.analysis.deadline, duration)
    if now.isOver(deadline, since: since) {
      undecided(&run, "\(names) stayed undecided for \(deadline.text)")
    } else {
      look(in: now.remaining(of: deadline, since: since))
    }
    return false
  }

  private mutating func pauseIsOver(_ step: PlanStep, _ index: Int, _ run: inout RunState) -> Bool {
    switch run.pause {
    case .person, .undecided, .bypass, .conflict, .anomaly, .plainText:
      describe(run, index)
      return false
    case .plan, nil: break
    }
    switch step.pause {
    case nil:
      run.pause = nil
      return true
    case .indefinite:
      if run.pause == nil {
        run.pause = .plan
        announce(
          .paused,
          "\(runPlan.place(index, of: run)) waits for a person: 'sluice promote' goes on",
          "\(run.name)-paused-\(index)")
      }
      describe(run, index)
      return false
    case .duration(let duration):
      guard now.isOver(duration, since: run.since) else {
        look(in: now.remaining(of: duration, since: run.since))
        return false
      }
      return true
    }
  }

  /// A failed check aborts as soon as it is known, whatever else goes on.
  mutating func abortOnFailure(_ run: inout RunState) -> Bool {
    guard let failed = seen.measured?.binding.first(where: { $0.verdict == .fail }) else {
      return abortOnAnomaly(&run)
    }
    let text = failed.message.hasPrefix(failed.name) ? failed.message : "\(failed.name): \(failed.message)"
    beginAbort(.failedCheck(text), &run)
    return true
  }

  mutating func describe(_ run: RunState, _ index: Int) {
    let place = runPlan.place(index, of: run)
    switch run.pause {
    case nil: rollout.situation = .running(place)
    case .plan: rollout.situation = .paused("\(place) waits for a person")
    case .person(let who): rollout.situation = .paused("\(place): paused by \(who)")
    case .undecided(let why), .bypass(let why), .conflict(let why), .anomaly(let why), .plainText(let why):
      rollout.situation = .paused("\(place): \(why)")
    }
  }
}
