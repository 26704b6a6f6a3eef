import CanaryAnalysis
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
  /// The mesh's numbers; `nil` where there are none but the plan's own queries.
  var metrics: (any MeshMetrics)?
  var queries: QuerySetting
  var traffic: TrafficTarget
  var writtenAt: Date?
  var verifiedAt: Date?
  /// What was verified before now, for a judge that begins in the middle of a run.
  var past: [TrafficSpan] = []
  /// What guards had found by then, by their names: the message.
  var pastFindings: [String: String] = [:]
  /// The stable revision has no available pod.
  var stableIsDown = false
  /// The run's pods, as the API server has them.
  var pods: [PodFacts] = []

  func isOfSameMesh(as other: JudgedRun) -> Bool {
    metrics.map { AnyHashable($0) } == other.metrics.map { AnyHashable($0) }
  }
}

/// A run whose next look at the mesh's numbers is due.
struct DueLook: Sendable {
  var rollout: ObjectKey
  var scope: MetricsScope
  var metrics: (any MeshMetrics)?
  /// Whether the run's plan asks how requests are secured.
  var asksSecurity = false

  /// What is to be asked for these looks together.
  static func questions(_ looks: [DueLook]) -> [LookAnswers.Question] {
    let metrics = looks.first?.metrics
    let asksSecurity = metrics?.tellsSecurity == true && looks.contains(where: \.asksSecurity)
    return LookAnswers.Question.all(metrics) + (asksSecurity ? [.security] : [])
  }
}

/// A time during which the traffic was verified and stayed the same.
struct TrafficSpan: Sendable, Equatable {
  var traffic: TrafficTarget
  /// When it was begun to be brought about, before it was verified.
  var began: Date
  var from: Date
  var until: Date

  init(traffic: TrafficTarget, began: Date? = nil, from: Date, until: Date) {
    self.traffic = traffic
    self.began = began ?? from
    self.from = from
    self.until = until
  }
}

/// Where reconcilers and the judge meet: the runs to be judged, and what was found. Neither ever waits for the other.
final class JudgeBoard: Sendable {
  private struct Entry {
    var run: JudgedRun
    var judge: RunJudge
    var due: Duration
    var queriesDue: Duration
    /// A round of queries is under way; answers must come in the order of their questions.
    var isAsking = false
    var isAskingQueries = false
    var isAsked = false
    /// What is to be read again before the first look, and how often that has failed.
    var past: [TrafficSpan]
    var failures = 0
  }

  private let entries = Mutex<[ObjectKey: Entry]>([:])

  /// What cannot be read again after so many attempts is begun anew.
  private static let maxFailures = 5

  /// Has a run judged from now on, or tells how it stands.
  func follow(_ rollout: ObjectKey, _ run: JudgedRun, uptime: Duration) {
    entries.withLock { entries in
      guard var entry = entries[rollout], entry.run.name == run.name, entry.run.scope == run.scope,
        entry.run.isOfSameMesh(as: run)
      else {
        entries[rollout] = Entry(
          run: run, judge: RunJudge(plan: run.plan, scope: run.scope, metrics: run.metrics), due: uptime,
          queriesDue: uptime, past: run.past)
        return
      }
      entry.run = run
      entries[rollout] = entry
    }
  }

  func forget(_ rollout: ObjectKey) {
    entries.withLock { $0[rollout] = nil }
  }

  /// By what the Rollout's run is judged.
  func metrics(_ rollout: ObjectKey) -> (any MeshMetrics)? { entries.withLock { $0[rollout]?.run.metrics } }

  func latest(_ rollout: ObjectKey, run: String) -> Measurements? {
    entries.withLock { entries in
      guard let entry = entries[rollout], entry.run.name == run else { return nil }
      return entry.isAsked ? entry.judge.latest : nil
    }
  }

  /// The runs whose next look is due, sorted by Rollout; their following look is set.
  func takeDue(uptime: Duration) -> [DueLook] {
    entries.withLock { entries in
      var due: [DueLook] = []
      for key in entries.keys.sorted() {
        guard let entry = entries[key], entry.due <= uptime, !entry.isAsking, entry.past.isEmpty else { continue }
        entries[key]?.isAsking = true
        entries[key]?.due = uptime + entry.run.plan.analysis.interval
        due.append(
          DueLook(
            rollout: key, scope: entry.run.scope, metrics: entry.run.metrics,
            asksSecurity: entry.run.plan.policy.mtls != nil))
      }
      return due
    }
  }

  /// What a look or a round of queries came to.
  enum Found: Sendable {
    /// All is as it was known before.
    case nothingNew
    case news
    /// A check fails now.
    case failure
  }

  /// Takes the answers of one round in.
  func record(_ answers: LookAnswers, for rollout: ObjectKey, at now: Date) -> Found {
    change(rollout) { entry in
      entry.judge.record(
        answers, at: now, traffic: entry.run.traffic, writtenAt: entry.run.writtenAt, verifiedAt: entry.run.verifiedAt,
        stableIsDown: entry.run.stableIsDown, places: entry.run.pods.map(\.place))
      entry.isAsked = true
      entry.isAsking = false
    }
  }

  // MARK: - Queries of the teams' own

  /// The rounds of queries that are due; one that is slow holds up neither other runs nor the checks of the mesh.
  func takeDueQueries(uptime: Duration, now: Date) -> [(rollout: ObjectKey, run: String, round: QueryRound)] {
    entries.withLock { entries in
      var due: [(ObjectKey, String, QueryRound)] = []
      for key in entries.keys.sorted() {
        guard let entry = entries[key], entry.queriesDue <= uptime, !entry.isAskingQueries, entry.past.isEmpty,
          let round = entry.judge.round(
            entry.run.queries, now: now, traffic: entry.run.traffic, writtenAt: entry.run.writtenAt,
            verifiedAt: entry.run.verifiedAt)
        else { continue }
        entries[key]?.isAskingQueries = true
        entries[key]?.queriesDue = uptime + entry.run.plan.analysis.interval
        due.append((key, entry.run.name, round))
      }
      return due
    }
  }

  /// Takes the values of a round in, unless they speak of traffic that is no more.
  func record(
    _ values: [QueryQuestion: Measured<Double>], series: [QueryQuestion: LookAnswers.Answer] = [:],
    of round: QueryRound, run: String, for rollout: ObjectKey
  ) -> Found {
    change(rollout) { entry in
      guard entry.run.name == run else { return }
      entry.isAskingQueries = false
      guard round.verifiedAt == nil ? entry.run.writtenAt == nil : round.verifiedAt == entry.run.verifiedAt else {
        return
      }
      entry.judge.record(values, series: series, of: round)
    }
  }

  // MARK: - What another process had measured

  /// The runs whose past is to be read again.
  func takePasts(uptime: Duration) -> [(rollout: ObjectKey, run: JudgedRun, past: [TrafficSpan])] {
    entries.withLock { entries in
      var due: [(ObjectKey, JudgedRun, [TrafficSpan])] = []
      for key in entries.keys.sorted() {
        guard let entry = entries[key], entry.due <= uptime, !entry.isAsking, !entry.past.isEmpty else { continue }
        entries[key]?.isAsking = true
        entries[key]?.due = uptime + entry.run.plan.analysis.interval
        due.append((key, entry.run, entry.past))
      }
      return due
    }
  }

  /// Takes in what was read again.
  /// - Parameter judge: `nil` where it cannot be read now.
  /// - Returns: whether it is to be read once more.
  func record(past judge: RunJudge?, run: String, for rollout: ObjectKey) -> Bool {
    var again = false
    _ = change(rollout) { entry in
      guard entry.run.name == run else { return }
      entry.isAsking = false
      if let judge {
        entry.judge = judge
        entry.isAsked = true
        entry.past = []
        entry.due = .zero
      } else {
        entry.failures += 1
        again = entry.failures < Self.maxFailures
        if !again { entry.past = [] }
      }
    }
    return again
  }

  private func change(_ rollout: ObjectKey, _ body: (inout Entry) -> Void) -> Found {
    entries.withLock { entries in
      // Taken out, so that the judge is changed in place.
      guard var entry = entries.removeValue(forKey: rollout) else { return .nothingNew }
      let before = entry.isAsked ? entry.judge.latest : nil
      body(&entry)
      entries[rollout] = entry
      let latest = entry.judge.latest
      return latest.hasFailure ? .failure : latest == before ? .nothingNew : .news
    }
  }
}

extension Measurements {
  /// Whether a check that decides fails.
  var hasFailure: Bool { checks.contains { $0.verdict == .fail && !$0.isDryRun } }
}
