import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Synchronization
import TrafficRouting

/// Where reconcilers and the ``Guardian`` meet, as they meet the judge at the ``JudgeBoard``. It is a board of its own, so
/// that nothing that guards do delays what decides an abort.
final class GuardBoard: Sendable {
  private struct Entry {
    var run: JudgedRun
    var isAborting: Bool
    var guards: GuardJudge
    var burn: BurnJudge
    var differences = Measurements.Differences.notAsked
    /// The verified traffic of the run began, and the newest moment at which it stood.
    var verified: ClosedRange<Date>?
    var lookDue: Duration
    var usualDue: Duration
    var isLooking = false
    /// Rounds of questions on burn rates that are under way.
    var burnsUnderWay = 0
    /// What is to be read again before the first look, and how often that has failed.
    var past: [TrafficSpan]
    var failures = 0
    /// The past at this hour has been asked, with or without an answer.
    var isUsualKnown = false
    /// When the newest look was asked.
    var lastAsked: Date?
  }

  /// What cannot be read again after so many attempts is begun anew.
  private static let maxFailures = 5

  private let entries = Mutex<[ObjectKey: Entry]>([:])

  /// What differed is read from no more than this before the abort.
  private static let longestPast = 1800.0

  /// Has a run watched from now on, or tells how it stands.
  func follow(_ rollout: ObjectKey, _ run: JudgedRun, isAborting: Bool, now: Date, uptime: Duration) {
    entries.withLock { entries in
      var entry: Entry
      if let known = entries.removeValue(forKey: rollout), known.run.name == run.name, known.run.scope == run.scope {
        entry = known
      } else {
        entry = Entry(
          run: run, isAborting: isAborting, guards: GuardJudge(scope: run.scope, risk: GuardJudge.risk(of: run.plan)),
          burn: BurnJudge(plan: run.plan, scope: run.scope, metrics: run.metrics, queries: run.queries),
          lookDue: uptime, usualDue: uptime,
          past: run.plan.analysis.guards == .disabled ? [] : run.past)
        entry.guards.recall(run.pastFindings, at: now)
        // Traffic that another process verified.
        if let first = run.past.first { entry.verified = min(first.from, now)...now }
      }
      entry.run = run
      entry.burn.queries = run.queries
      entry.isAborting = isAborting
      if !isAborting, let verifiedAt = run.verifiedAt {
        entry.verified = min(entry.verified?.lowerBound ?? verifiedAt, now)...now
      }
      entries[rollout] = entry
    }
  }

  func forget(_ rollout: ObjectKey) {
    entries.withLock { $0[rollout] = nil }
  }

  /// Adds what is found to what the judge measured.
  func complete(_ measured: Measurements?, _ rollout: ObjectKey, run: String) -> Measurements? {
    guard var measured else { return nil }
    entries.withLock { entries in
      guard let entry = entries[rollout], entry.run.name == run else { return }
      measured.burnRates = entry.burn.reports
      measured.guards =
        entry.run.plan.analysis.guards == .disabled ? [] : entry.guards.reports(isUnread: !entry.past.isEmpty)
      measured.differences = entry.differences
    }
    return measured
  }

  // MARK: - Guards

  /// The runs whose guards are to look.
  func takeDue(uptime: Duration) -> [DueLook] {
    take { entry -> JudgedRun? in
      guard entry.lookDue <= uptime, !entry.isLooking, !entry.isAborting, entry.past.isEmpty,
        entry.run.plan.analysis.guards != .disabled
      else { return nil }
      entry.isLooking = true
      entry.lookDue = uptime + entry.run.plan.analysis.interval
      return entry.run
    }.map { DueLook(rollout: $0.rollout, scope: $0.1.scope, metrics: $0.1.metrics) }
  }

  /// What a look changed, as far as the run has to learn of it at once.
  enum News: Sendable {
    case nothing
    case finding
    /// A guard that aborts speaks.
    case failure
  }

  func record(_ look: GuardLook, for rollout: ObjectKey, asked: Date, at now: Date) -> News {
    change(rollout) { entry in
      entry.isLooking = false
      let before = entry.guards.findings
      // What grew since the look before is counted only where that one was made after the verification too.
      let isCounted = entry.run.verifiedAt.map { $0 <= entry.lastAsked ?? .distantPast } ?? false
      entry.lastAsked = asked
      entry.guards.record(
        look, pods: entry.run.pods, traffic: entry.run.traffic, at: now, isCounted: isCounted && !entry.isAborting)
      if entry.run.plan.analysis.guards == .abort, entry.guards.findsAnomaly { return .failure }
      return entry.guards.findings == before ? .nothing : .finding
    } ?? .nothing
  }

  /// The runs whose past at this hour is to be asked.
  func takeUsual(uptime: Duration) -> [(rollout: ObjectKey, run: JudgedRun)] {
    take { entry -> JudgedRun? in
      guard entry.usualDue <= uptime, !entry.isAborting, entry.run.plan.analysis.guards != .disabled else { return nil }
      entry.usualDue = uptime + UsualQuestion.interval
      return entry.run
    }
  }

  func record(_ usual: UsualLevels, run: String, for rollout: ObjectKey) {
    _ = change(rollout) { entry in
      guard entry.run.name == run else { return }
      let before = entry.guards.usual.before
      entry.guards.usual = usual
      entry.guards.usual.before = usual.before ?? before
      entry.isUsualKnown = true
    }
  }

  // MARK: - What another process had seen

  /// A run whose guards' past is to be read again, with the judge that is to see it.
  struct DuePast: Sendable {
    var rollout: ObjectKey
    var run: JudgedRun
    var past: [TrafficSpan]
    var judge: GuardJudge
  }

  func takePasts(uptime: Duration) -> [DuePast] {
    take { entry -> (JudgedRun, [TrafficSpan], GuardJudge)? in
      guard entry.lookDue <= uptime, !entry.isLooking, !entry.isAborting, !entry.past.isEmpty, entry.isUsualKnown
      else { return nil }
      entry.isLooking = true
      entry.lookDue = uptime + entry.run.plan.analysis.interval
      return (entry.run, entry.past, entry.guards)
    }.map { DuePast(rollout: $0.rollout, run: $0.1.0, past: $0.1.1, judge: $0.1.2) }
  }

  /// Takes in what was read again.
  /// - Parameter judge: `nil` where it cannot be read now.
  /// - Returns: whether it is to be read once more.
  func record(past judge: GuardJudge?, run: String, for rollout: ObjectKey) -> Bool {
    change(rollout) { entry in
      guard entry.run.name == run else { return false }
      entry.isLooking = false
      if let judge {
        // The first look of its own adds what came since the last one of the past.
        entry.lastAsked = judge.lastLook
        entry.guards = judge
      } else {
        entry.failures += 1
        guard entry.failures >= Self.maxFailures else { return true }
      }
      entry.past = []
      entry.lookDue = .zero
      return false
    } ?? false
  }

  // MARK: - Burn rates

  /// A run whose burn rates are to be asked: what one query can ask for many runs, and what is the run's own.
  struct DueBurn: Sendable {
    var look: DueLook
    var asks: [BurnJudge.Ask]
    /// The queries whose answers are added, by what they ask.
    var own: [BurnJudge.Ask: [String]]
  }

  func takeBurns(uptime: Duration) -> [DueBurn] {
    take { entry -> (JudgedRun, [BurnJudge.Ask], [BurnJudge.Ask: [String]])? in
      guard entry.burnsUnderWay == 0, !entry.isAborting else { return nil }
      var (asks, own): ([BurnJudge.Ask], [BurnJudge.Ask: [String]]) = ([], [:])
      for ask in entry.burn.takeDue(uptime: uptime) {
        switch ask.source {
        case .mesh: asks.append(ask)
        case .own: own[ask] = entry.burn.texts(ask)
        }
      }
      entry.burnsUnderWay = (asks.isEmpty ? 0 : 1) + (own.isEmpty ? 0 : 1)
      return entry.burnsUnderWay == 0 ? nil : (entry.run, asks, own)
    }.map { rollout, due in
      let scope = BurnJudge.whole(due.0.scope, due.0.plan)
      return DueBurn(
        look: DueLook(rollout: rollout, scope: scope, metrics: due.0.metrics), asks: due.1, own: due.2)
    }
  }

  /// Takes in what one round of questions was answered.
  /// - Returns: whether a budget begins or ceases to burn.
  func record(_ answers: [BurnJudge.Ask: LookAnswers.Answer], for rollout: ObjectKey) -> Bool {
    change(rollout) { entry in
      entry.burnsUnderWay = max(0, entry.burnsUnderWay - 1)
      let before = entry.burn.reports.map(\.finding)
      for (ask, answer) in answers {
        switch answer {
        case .series(let series): entry.burn.record(series, of: ask)
        case .failed(let text): entry.burn.fail(text)
        }
      }
      return entry.burn.reports.map(\.finding) != before
    } ?? false
  }

  // MARK: - Differences

  /// The runs that are being aborted and whose differences nobody has asked yet, with the time to look at.
  func takeDifferences() -> [(rollout: ObjectKey, run: JudgedRun, past: ClosedRange<Date>)] {
    take { entry -> (JudgedRun, ClosedRange<Date>)? in
      guard entry.isAborting, entry.differences == .notAsked, let verified = entry.verified else { return nil }
      entry.differences = .underWay
      let start = max(verified.lowerBound, verified.upperBound.addingTimeInterval(-Self.longestPast))
      return (entry.run, start...verified.upperBound)
    }.map { ($0.rollout, $0.1.0, $0.1.1) }
  }

  func record(_ differences: [Difference], run: String, for rollout: ObjectKey) {
    _ = change(rollout) { entry in
      if entry.run.name == run { entry.differences = .found(differences) }
    }
  }

  private func take<Due: Sendable>(_ due: (inout Entry) -> Due?) -> [(rollout: ObjectKey, Due)] {
    entries.withLock { entries in
      entries.keys.sorted().compactMap { key in
        // Taken out, so that it is changed in place.
        guard var entry = entries.removeValue(forKey: key) else { return nil }
        defer { entries[key] = entry }
        return due(&entry).map { (key, $0) }
      }
    }
  }

  private func change<Found: Sendable>(_ rollout: ObjectKey, _ body: (inout Entry) -> Found) -> Found? {
    entries.withLock { entries in
      guard var entry = entries.removeValue(forKey: rollout) else { return nil }
      defer { entries[rollout] = entry }
      return body(&entry)
    }
  }
}
