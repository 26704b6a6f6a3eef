import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// The story of a run: one entry for its start, each step, the promotion or the abort.
enum Timeline {
  /// The entry that a stage belongs to.
  private struct Chapter: Equatable {
    var kind: StepRecord.Kind
    var step: Int?

    init?(_ stage: Stage) {
      switch stage {
      case .starting: kind = .start
      case .step(let index, _):
        kind = .step
        step = index + 1
      case .promoting: kind = .promotion
      case .aborting: kind = .abort
      case .finished: return nil
      }
    }
  }

  static func updated(
    _ timeline: [StepRecord], from before: RunState?, to after: RunState, plan: Plan, checks: [CheckRecord], now: Date
  ) -> [StepRecord] {
    var timeline = timeline
    let chapter = Chapter(after.stage)
    if let last = timeline.indices.last, timeline[last].finishedAt == nil {
      // The state keeps what was verified in the step before until new traffic is written.
      if let verified = after.verifiedAt.map({ MicroTime($0) }), let started = timeline[last].startedAt,
        verified > started, timeline[last].kind == .step || timeline[last].kind == .promotion
      {
        timeline[last].verifiedAt = verified
      }
      if let chapter, chapter.kind == timeline[last].kind, chapter.step == timeline[last].step {
        describe(&timeline[last], after, plan)
        return timeline
      }
      close(&timeline[last], before: before, after: after, plan: plan, checks: checks, now: now)
    }
    guard let chapter else { return timeline }
    var record = StepRecord(kind: chapter.kind, step: chapter.step, startedAt: MicroTime(now))
    describe(&record, after, plan)
    if case .aborting(_, let cause) = after.stage { record.message = cause.message }
    return timeline + [record]
  }

  /// What a step does. An autopilot chooses the weight when pods for it are wanted, and may choose another one until it
  /// is written; the reason of the choice stays.
  private static func describe(_ record: inout StepRecord, _ run: RunState, _ plan: Plan) {
    guard let index = record.step.map({ $0 - 1 }), let step = plan.step(index, of: run) else { return }
    guard plan.autopilot != nil else {
      record.name = step.name
      record.title = step.description
      return
    }
    guard record.weight != step.traffic.weight.value else { return }
    record.weight = step.traffic.weight.value
    record.title = step.description
    record.message = run.flight?.reason
  }

  /// When which traffic was verified, as far as the run has come; empty once it is being aborted.
  static func verified(_ timeline: [StepRecord], run: RunState, plan: Plan, now: Date) -> [TrafficSpan] {
    switch run.stage {
    case .starting, .aborting, .finished: return []
    case .step, .promoting: break
    }
    var spans: [TrafficSpan] = []
    for record in timeline {
      let traffic: TrafficTarget
      switch record.kind {
      case .step:
        if plan.autopilot != nil {
          guard let weight = record.weight.flatMap(Weight.init) else { continue }
          traffic = TrafficTarget(weight: weight)
        } else {
          guard let step = record.step, plan.steps.indices.contains(step - 1) else { continue }
          traffic = plan.steps[step - 1].traffic
        }
      case .promotion: traffic = .allToCanary
      case .start, .abort: continue
      }
      // A step that keeps the traffic before it is not verified again.
      let from = record.verifiedAt ?? (spans.last?.traffic == traffic ? record.startedAt : nil)
      guard let from, traffic.reachesCanary, record.finishedAt != nil || run.verifiedAt != nil else { continue }
      let until = record.finishedAt?.date ?? now
      if let last = spans.indices.last, spans[last].traffic == traffic, record.verifiedAt == nil {
        spans[last].until = until
      } else {
        spans.append(TrafficSpan(traffic: traffic, began: record.startedAt?.date, from: from.date, until: until))
      }
    }
    return spans
  }

  private static func close(
    _ record: inout StepRecord, before: RunState?, after: RunState, plan: Plan, checks: [CheckRecord], now: Date
  ) {
    record.finishedAt = MicroTime(now)
    if record.kind == .step || record.kind == .promotion, !checks.isEmpty { record.checks = checks }
    record.outcome = .passed
    switch after.stage {
    case .aborting(_, .failedCheck), .aborting(_, .notAvailable), .aborting(_, .undecided): record.outcome = .failed
    case .aborting: record.outcome = .cut
    default: break
    }
    if let before, let note = early(before, after, plan, now) { record.message = note }
    if record.outcome == .passed, let before, after.commandSequence > before.commandSequence, record.kind == .step {
      record.outcome = .skipped
      record.message = after.commandMessage
    }
  }

  /// That a step's analysis ended before its whole time, since every check had passed.
  private static func early(_ before: RunState, _ after: RunState, _ plan: Plan, _ now: Date) -> String? {
    guard case .step(let index, .analyzing) = before.stage, plan.steps.indices.contains(index),
      let analyze = plan.steps[index].analyze, after.commandSequence == before.commandSequence
    else { return nil }
    if case .aborting = after.stage { return nil }
    let took = Duration.seconds(now.timeIntervalSince(before.since).rounded(.down))
    guard took < analyze.duration else { return nil }
    return "every check had passed after \(took.text), so it did not take the whole \(analyze.duration.text)"
  }
}
