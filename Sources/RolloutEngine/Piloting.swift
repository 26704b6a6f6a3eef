import CanaryAnalysis
import Foundation
import RolloutAPI

/// The autopilot in the stages of a step: it makes one step at a time, raises the weight only on evidence, and lowers it
/// in the decision that learns that the budget no longer covers it.
extension Turn {
  private func rule(_ run: RunState) -> AutopilotRule? {
    guard let autopilot = runPlan.autopilot, let flight = run.flight, let harm = seen.measured?.harm ?? flight.harm
    else { return nil }
    return AutopilotRule(
      autopilot: autopilot, interval: runPlan.analysis.interval, flight: flight, harm: harm, now: now)
  }

  /// What the next decision of this run is made from, also by a process that has measured nothing yet.
  mutating func remember(harm run: inout RunState) {
    guard runPlan.autopilot != nil else { return }
    if run.flight == nil, run.stage.stepIndex != nil { run.flight = Flight(since: run.since) }
    if let harm = seen.measured?.harm { run.flight?.harm = harm }
  }

  // MARK: - Before anything else

  /// Whether what is left of the budget covers the present weight, and the time is not over; otherwise lowers it, holds
  /// or aborts. Where nothing has been measured by this process yet, nothing is known to be wrong.
  mutating func keepsBudget(_ run: inout RunState, _ index: Int, _ stage: StepStage) -> Bool {
    guard let autopilot = runPlan.autopilot, let flight = run.flight else { return true }
    let present = stage == .scaling ? index - 1 : index
    let weight = flight.weights.indices.contains(present) ? flight.weights[present].value : 0
    if weight > 0, seen.measured != nil, let rule = rule(run), let lower = rule.lower(from: weight) {
      return descend(to: lower, from: weight, rule, &run, index)
    }
    if run.pause == nil, now.isOver(autopilot.maxDuration, since: flight.since) {
      undecided(
        &run,
        "the autopilot has not come to a promotion within maxDuration (\(autopilot.maxDuration.text))"
          + (flight.reason.map { ": \($0)" } ?? ""))
      if case .aborting = run.stage { return false }
    } else if run.pause == nil {
      look(in: now.remaining(of: autopilot.maxDuration, since: flight.since))
    }
    return true
  }

  private mutating func descend(
    to lower: Int, from weight: Int, _ rule: AutopilotRule, _ run: inout RunState, _ index: Int
  ) -> Bool {
    let budget = rule.autopilot.riskBudget
    let used = "\(AutopilotRule.text(rule.harm.harmed)) of riskBudget \(budget) are used"
    if rule.harm.isWorse {
      beginAbort(
        .failedCheck(
          "autopilot: the canary fails more often than stable beyond doubt, and weight \(weight)% could cost more than is "
            + "left of the budget: \(used)"), &run)
      return false
    }
    let why =
      rule.remaining <= 0
      ? "the risk budget is used up without proof: \(used)"
      : "weight \(weight)% could cost \(AutopilotRule.text(rule.cost(of: weight))) requests, more than is left: \(used)"
    // Without a measurement for a while nobody knows whether requests fail: it may go on once there is one.
    let isUsedUp = lower == 0 && !rule.isStale
    if isUsedUp, runPlan.analysis.onUndecided == .abort {
      beginAbort(.undecided("autopilot: \(why)"), &run)
      return false
    }
    take(Weight(lower) ?? .none, because: why, &run, after: index)
    if isUsedUp { undecided(&run, "autopilot: \(why)") }
    return true
  }

  /// The next step has this weight, whatever was meant to be next.
  private mutating func take(_ weight: Weight, because reason: String, _ run: inout RunState, after index: Int) {
    guard var flight = run.flight else { return }
    let isScaling = run.stage == .step(index, .scaling)
    // A step of which nothing has been written yet is another one now.
    if isScaling, flight.weights.indices.contains(index) { flight.weights.removeLast() }
    guard flight.weights.count < Plan.longestFlight else { return }
    // The last entry that there is room for must be one that needs no other after it.
    flight.weights.append(flight.weights.count + 1 < Plan.longestFlight ? weight : .none)
    flight.reason = reason
    run.flight = flight
    enter(.step(flight.weights.count - 1, .scaling), &run)
  }

  // MARK: - Raising

  /// Chooses the first weight, and makes sure that a weight that was chosen may still be written.
  /// - Returns: whether there is a weight to be written.
  mutating func mayRaise(_ run: inout RunState, _ index: Int) -> Bool {
    guard runPlan.autopilot != nil, let flight = run.flight else { return true }
    let present = index > 0 && flight.weights.indices.contains(index - 1) ? flight.weights[index - 1].value : 0
    let chosen = flight.weights.indices.contains(index) ? flight.weights[index].value : nil
    if let chosen, chosen <= present { return true }
    if let chosen, let accepted = flight.accepted, chosen <= accepted.value, run.pause == nil { return true }
    guard seen.measured != nil, let rule = rule(run) else {
      rollout.situation = .running("the autopilot waits for the first measurement")
      return false
    }
    let target = min(chosen ?? rule.autopilot.startWeight.value, rule.allowed)
    if run.pause == nil, !rule.isStale, target > present {
      if target != chosen {
        run.flight?.weights = Array(flight.weights.prefix(index)) + [Weight(target) ?? .none]
        run.flight?.reason = rule.reason(for: target)
      }
      return true
    }
    if index > 0, run.verifiedAt != nil {
      run.flight?.weights[index] = Weight(present) ?? .none
      return true
    }
    // Nothing may be written at all; traffic that falls, or a person, can change that.
    run.flight?.weights = Array(flight.weights.prefix(index))
    let why =
      rule.isStale
      ? "the autopilot waits for a measurement"
      : "the autopilot waits: at \(AutopilotRule.text(rule.harm.rate)) requests/s weight 1% could cost "
        + "\(AutopilotRule.text(rule.cost(of: 1))) requests in the \(Int(rule.timeToStop.rounded())) s that stopping it takes, "
        + "too many for riskBudget \(rule.autopilot.riskBudget); a larger one, or a shorter analysis.interval, lets it begin"
    run.flight?.reason = why
    if run.pause == nil { rollout.situation = .running(why) }
    return false
  }

  /// At a weight that is verified: raises it, promotes, or waits.
  mutating func fly(_ run: inout RunState, _ index: Int) {
    guard runPlan.autopilot != nil, let flight = run.flight, flight.weights.indices.contains(index) else { return }
    guard run.pause == nil, let rule = rule(run), seen.measured != nil else { return }
    let weight = flight.weights[index].value
    let binding = seen.measured?.binding ?? []
    let open = binding.filter { $0.verdict != .pass }.map { "\($0.name) (\($0.verdict.rawValue))" }
    let isComplete = binding.count == runPlan.analysis.binding.count
    let isBlind = !isComplete || (weight > 0 && binding.contains { $0.verdict == .unknown })
    let raise = rule.raise(
      from: weight, requests: seen.measured?.requests ?? 0, minRequests: runPlan.analysis.minRequests, open: open,
      doubt: doubt(binding, rule.harm), isBlind: isBlind)
    switch raise {
    case .promote:
      run.flight?.reason = "every check passes, and \(rule.reason(for: 100))"
      enter(.promoting(.scaling), &run)
    case .to(let next) where flight.weights.count < Plan.raises:
      take(Weight(next) ?? .none, because: rule.reason(for: next), &run, after: index)
    case .to: undecided(&run, "the autopilot went up and down \(Plan.raises) times and came to no end")
    case .wait(let why):
      run.flight?.reason = why
      rollout.situation = .running("\(runPlan.place(index, of: run)) \(why)")
    }
  }

  /// What speaks against a canary that nothing proves bad yet.
  private func doubt(_ binding: [CheckReport], _ harm: Harm) -> String? {
    if let check = binding.first(where: { $0.verdict != .pass && $0.judgement?.evidence.ratioLower ?? 0 > 1 }) {
      return "the canary seems to be worse than stable (\(check.name))"
    }
    return harm.isSuspect ? "the canary seems to fail more often than stable" : nil
  }

  // MARK: - People

  /// A person ends the step under way: the next weight comes without more evidence.
  mutating func raiseByPerson(_ run: inout RunState, _ index: Int) {
    guard let autopilot = runPlan.autopilot, let flight = run.flight else { return }
    let weight = flight.weights.indices.contains(index) ? flight.weights[index].value : 0
    let next = weight == 0 ? autopilot.startWeight.value : AutopilotRule.next(after: weight)
    if next >= 100 {
      run.flight?.accepted = .all
      return enter(.promoting(.scaling), &run)
    }
    let target = Weight(min(next, AutopilotRule.ceiling)) ?? .none
    run.flight?.accepted = target
    take(target, because: "a person raised it", &run, after: index)
  }

  /// A person lets it go on after it was undecided: the time and the budget begin anew.
  mutating func renew(_ run: inout RunState) {
    guard run.flight != nil else { return }
    let harmed = rule(run)?.harm.harmed
    run.flight?.since = now
    if let harmed { run.flight?.forgiven = harmed }
  }

  // MARK: - All traffic

  /// Whether the canary may still get all traffic now that its pods are there; otherwise the last step goes on.
  mutating func mayTakeAll(_ run: inout RunState) -> Bool {
    guard let flight = run.flight, flight.accepted != .all, let last = flight.weights.indices.last else { return true }
    guard seen.measured != nil, let rule = rule(run) else {
      rollout.situation = .running("the autopilot waits for a measurement before all traffic moves")
      return false
    }
    if !rule.isStale, rule.allowed >= 100 { return true }
    run.flight?.reason = "what is left of the budget no longer covers all traffic: \(rule.reason(for: 100))"
    enter(.step(last, .analyzing), &run)
    return false
  }

  /// Whether the budget is used up by a canary that has all traffic, and is worse than stable was beyond doubt; there is
  /// nobody left to ask in time, so it is aborted.
  mutating func exceedsBudget(_ run: inout RunState) -> Bool {
    guard let rule = rule(run), rule.harm.isWorse, rule.remaining <= 0 else { return false }
    beginAbort(
      .failedCheck(
        "autopilot: with all traffic the canary fails more often than stable did beyond doubt; "
          + "\(AutopilotRule.text(rule.harm.harmed)) of riskBudget \(rule.autopilot.riskBudget) are used"), &run)
    return true
  }
}
