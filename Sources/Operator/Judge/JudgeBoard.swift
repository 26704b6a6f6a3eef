import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI
import RolloutEngine
import Synchronization
import TrafficRouting

/// What the reconcilers tell the judge of a run under way.
struct JudgedRun: Sendable {
  var name: String
  var plan: Plan
  var scope: MetricsScope
  var traffic: TrafficTarget
  var writtenAt: Date?
  var verifiedAt: Date?
}

/// Where reconcilers and the judge meet: the runs to be judged, and what was found. Neither ever waits for the other.
final class JudgeBoard: Sendable {
  private struct Entry {
    var run: JudgedRun
    var judge: RunJudge
    var due: Duration
    /// A round of queries is under way; answers must come in the order of their questions.
    var isAsking = false
    var isAsked = false
  }

  private let entries = Mutex<[ObjectKey: Entry]>([:])

  /// Has a run judged from now on, or tells how it stands.
  func follow(_ rollout: ObjectKey, _ run: JudgedRun, uptime: Duration) {
    entries.withLock { entries in
      guard var entry = entries[rollout], entry.run.name == run.name, entry.run.scope == run.scope else {
        entries[rollout] = Entry(run: run, judge: RunJudge(plan: run.plan, scope: run.scope), due: uptime)
        return
      }
      entry.run = run
      entries[rollout] = entry
    }
  }

  func forget(_ rollout: ObjectKey) {
    entries.withLock { $0[rollout] = nil }
  }

  func latest(_ rollout: ObjectKey, run: String) -> Measurements? {
    entries.withLock { entries in
      guard let entry = entries[rollout], entry.run.name == run else { return nil }
      return entry.isAsked ? entry.judge.latest : nil
    }
  }

  /// The runs whose next look is due, sorted by Rollout; their following look is set.
  func takeDue(uptime: Duration) -> [(rollout: ObjectKey, scope: MetricsScope)] {
    entries.withLock { entries in
      var due: [(ObjectKey, MetricsScope)] = []
      for key in entries.keys.sorted() {
        guard let entry = entries[key], entry.due <= uptime, !entry.isAsking else { continue }
        entries[key]?.isAsking = true
        entries[key]?.due = uptime + entry.run.plan.analysis.interval
        due.append((key, entry.run.scope))
      }
      return due
    }
  }

  /// Takes the answers of one round in.
  /// - Returns: whether a check fails now.
  func record(_ answers: LookAnswers, for rollout: ObjectKey, at now: Date) -> Bool {
    entries.withLock { entries in
      guard var entry = entries.removeValue(forKey: rollout) else { return false }
      entry.judge.record(
        answers, at: now, traffic: entry.run.traffic, writtenAt: entry.run.writtenAt, verifiedAt: entry.run.verifiedAt)
      entry.isAsked = true
      entry.isAsking = false
      entries[rollout] = entry
      return entry.judge.latest.checks.contains { $0.verdict == .fail }
    }
  }
}
