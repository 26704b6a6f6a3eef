import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Tries a plan without a cluster: the engine and the judge that decide on one, on a clock that jumps from event to
/// event, with requests from a model or a recording.
public struct Rehearsal: Sendable {
  /// What is not in the plan.
  public struct Settings: Codable, Sendable, Hashable {
    public var replicas: Int
    /// How long a pod takes until it is available, in seconds.
    public var podStart: Double
    /// The share of requests that a step's route matches.
    public var routeShare: Double
    /// After how many seconds a person promotes what waits for one; `nil` for never.
    public var approveAfter: Double?
    /// When it ends although the run has not, in seconds.
    public var horizon: Double

    public init(
      replicas: Int = 10, podStart: Double = 10, routeShare: Double = 0.05, approveAfter: Double? = 0,
      horizon: Double = 7 * 86_400
    ) {
      self.replicas = replicas
      self.podStart = podStart
      self.routeShare = routeShare
      self.approveAfter = approveAfter
      self.horizon = horizon
    }
  }

  private let plan: Plan
  private let settings: Settings
  private let engine: RolloutEngine
  private var source: any TrafficSource
  private var cluster: ImaginedCluster
  private var counters: ImaginedCounters
  private var judge: RunJudge
  private var guards: GuardJudge
  private var budgets: BurnJudge
  private var burnRates: [BurnReport] = []
  /// What guards are given as counters.
  private var answers: [AnswerKey: Double] = [:]
  private var rollout = RolloutState(stable: ImaginedCluster.stable)
  private var run: RunState
  private var now = Self.start
  private var looked = Self.start
  private var report: RehearsalReport
  /// The keys of what was announced.
  private var told: Set<String> = []
  private var pausedSince: Date?
  /// Requests since the traffic was verified.
  private var served: [Track: Double] = [:]
  /// What the counters of the plan's queries stand at.
  private var counted: [QueryQuestion: Double] = [:]
  private var servedSince: Date?

  private static let start = Date(timeIntervalSince1970: 0)
  /// Decisions at one moment; more than any stage needs.
  private static let maxTurns = 200

  /// Of invented requests.
  public init(_ plan: Plan, model: TrafficModel, seed: UInt64, settings: Settings = Settings()) {
    self.init(plan, InventedTraffic(model, seed: seed), settings)
  }

  /// Of a recording, resampled: at each look, each track gets as many of the recorded requests as the weight says, with
  /// the recorded rates of its own.
  public init(_ plan: Plan, recording: Recording, seed: UInt64, settings: Settings = Settings()) {
    self.init(plan, RecordedTraffic(recording, seed: seed), settings)
  }

  init(_ plan: Plan, _ source: any TrafficSource, _ settings: Settings) {
    self.plan = plan
    self.settings = settings
    self.source = source
    engine = RolloutEngine(plan: plan)
    cluster = ImaginedCluster(
      plan: plan, replicas: settings.replicas, podStart: .seconds(settings.podStart), now: Self.start)
    counters = ImaginedCounters(plan: plan, source: source)
    judge = RunJudge(plan: plan, scope: counters.scope, metrics: counters.metrics)
    guards = GuardJudge(scope: counters.scope, risk: GuardJudge.risk(of: plan))
    budgets = BurnJudge(
      plan: plan, scope: counters.scope, metrics: counters.metrics,
      queries: QuerySetting(plan: plan, scope: counters.scope, hashes: [:], step: nil, namespaceLabel: nil))
    run = RunState(
      name: "imagined", revision: ImaginedCluster.revision, stable: ImaginedCluster.stable, demand: settings.replicas,
      since: Self.start)
    report = RehearsalReport(plan)
  }

  /// Runs it to its end.
  public func result() -> RehearsalReport {
    var copy = self
    copy.perform()
    return copy.report
  }

  private mutating func perform() {
    // Stable has a past, as a service that is in use.
    look(for: seconds(plan.analysis.interval), isCounted: false)
    let end = min(settings.horizon, source.duration ?? .infinity)
    while true {
      let wait = decide()
      if case .finished = run.stage { return finish() }
      if let pause = run.pause, isStuck(pause) { return finish() }
      let next =
        [
          looked.addingTimeInterval(seconds(plan.analysis.interval)),
          wait.map { now.addingTimeInterval(max(seconds($0), 0.001)) }, cluster.nextChange(after: now), approval,
        ]
        .compactMap { $0 }.filter { $0 > now }.min() ?? now
      guard next > now, next.timeIntervalSince(Self.start) <= end else { return finish() }
      now = next
      if now.timeIntervalSince(looked) >= seconds(plan.analysis.interval) - 1e-6 {
        look(for: now.timeIntervalSince(looked), isCounted: true)
      }
    }
  }

  private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
  private var elapsed: Double { now.timeIntervalSince(Self.start) }

  // MARK: - Deciding

  /// - Returns: when to look again although nothing changes.
  private mutating func decide() -> Duration? {
    for _ in 0..<Self.maxTurns {
      var seen = cluster.observe(now)
      seen.measured = judge.latest
      if plan.analysis.guards != .disabled { seen.measured?.guards = guards.reports() }
      seen.measured?.burnRates = burnRates
      seen.command = command
      let before = run
      let decision = engine.decide(rollout: rollout, run: run, runPlan: plan, seen: seen, now: now)
      rollout = decision.rollout
      // What happens after the end is not of this run.
      guard !before.stage.isFinished else { return nil }
      run = decision.run ?? run
      if seen.command != nil, run.commandSequence != before.commandSequence { report.approve() }
      for effect in decision.effects {
        cluster.carryOut(effect, now: now)
        // What is announced again and again, with other numbers, is told once.
        if case .announce(let news) = effect, told.insert(news.key).inserted { report.note(news.message, at: elapsed) }
      }
      report.follow(from: before, to: run, checks: judge.latest.checks, at: elapsed)
      let works = decision.effects.contains { if case .announce = $0 { false } else { true } }
      if !works, before.stage == run.stage, before.pause == run.pause { return decision.lookAgain }
    }
    return nil
  }

  private var approval: Date? {
    guard run.pause == .plan, let delay = settings.approveAfter else { return nil }
    return (pausedSince ?? now).addingTimeInterval(delay)
  }

  private var command: PersonsCommand? {
    guard let approval, now >= approval, let step = run.stage.stepIndex else { return nil }
    return PersonsCommand(
      action: .promote, step: step, requestedBy: "a person", sequence: run.commandSequence + 1)
  }

  /// Whether only a person could go on, and none does.
  private mutating func isStuck(_ pause: RunState.Pause) -> Bool {
    if pausedSince == nil { pausedSince = now }
    guard pause == .plan else { return true }
    return settings.approveAfter == nil
  }

  private mutating func finish() {
    report.finish(run, at: elapsed, checks: judge.latest.checks)
    report.blamed =
      judge.latest.checks.lazy.compactMap { check in
        check.message.firstMatch(of: /come from pod ([^\s;]+)/).map { String($0.1) }
      }.first
    report.guards = guards.reports().filter { $0.finding == .anomaly || $0.finding == .unusualService }.map(\.name)
  }

  // MARK: - Measuring

  private mutating func look(for duration: Double, isCounted: Bool) {
    let target = cluster.target ?? .stableOnly
    let share = target.share(matched: settings.routeShare)
    let from = elapsed - (isCounted ? duration : 0)
    let look = source.look(from: from, to: from + duration, share: share)
    for (track, counts) in look {
      counters.count(counts, track, .caller)
      let parts = track == .canary ? source.canaryParts : []
      for (pod, part) in (parts.isEmpty ? [counts] : parts).enumerated() {
        counters.count(part, track, .callee, pod: pod)
      }
    }
    if let mirror = target.mirror, share < 1 {
      let copies = source.look(from: from, to: from + duration, share: mirror.fraction * (1 - share))
      if let copies = copies[.canary] { counters.count(copies, .canary, .callee) }
    }
    // In an order of its own: each draws random numbers.
    for (track, counts) in look.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { count(counts, track, at: from) }
    if run.pause == nil { pausedSince = nil }
    looked = now
    judge.record(
      counters.answers, at: now, traffic: target, writtenAt: run.trafficWrittenAt, verifiedAt: run.verifiedAt)
    if servedSince != run.verifiedAt {
      servedSince = run.verifiedAt
      served = [:]
    } else {
      for (track, counts) in look { served[track, default: 0] += Double(counts.requests) }
    }
    ask(target, share)
    watch(from: from, to: from + duration, look, target)
    counters.mark(at: elapsed)
    for ask in budgets.takeDue(uptime: .seconds(elapsed)) {
      budgets.record(counters.increase(of: ask, at: elapsed), of: ask)
    }
    burnRates = budgets.reports
    if isCounted {
      report.count(
        look, weight: target.weight.value, share: share, checks: judge.latest.checks, at: elapsed,
        boundaries: source.boundaries)
    }
  }

  /// Advances the plan's own counters and histograms while a track answers requests.
  private mutating func count(_ look: TrackLook, _ track: Track, at time: Double) {
    for slo in plan.analysis.slos {
      switch slo.objective {
      case .errorRate, .latency: break
      case .ownLatency:
        guard let own = source.histogram(of: slo.name, track, look, at: time) else { continue }
        counters.count(own, track, histogram: slo.name)
      case .query(let query):
        guard let counters = query.counted,
          let events = source.events(slo, counters, track, requests: look.requests, at: time)
        else { continue }
        counted[QueryQuestion(slo: slo.name, track: track, part: .amount(0)), default: 0] += events.events
        if counters.per != nil {
          counted[QueryQuestion(slo: slo.name, track: track, part: .per(0)), default: 0] += events.requests
        }
      }
    }
  }

  /// Shows guards what there is beside the requests.
  private mutating func watch(from: Double, to: Double, _ look: [Track: TrackLook], _ target: TrafficTarget) {
    guard plan.analysis.guards != .disabled else { return }
    let trial = TrialLook(from: from, to: to, pods: cluster.pods(now), served: look, start: Self.start)
    guard let signals = source.signals(trial) else { return }
    for (track, codes) in signals.answers {
      for (code, count) in codes where count > 0 {
        let key = AnswerKey(
          track: track, process: "imagined", isError: code.hasPrefix("5"), labels: [.code: code])
        answers[key, default: 0] += Double(count)
      }
    }
    let isCounted = run.verifiedAt.map { $0 <= guards.lastLook ?? .distantPast } ?? false
    guards.watchesShare = !signals.isDividedOtherwise
    guards.usual = signals.usual ?? UsualLevels()
    guards.record(
      GuardLook(
        containers: signals.containers, answers: answers, serviceRequests: signals.serviceRequests.map(Double.init)),
      pods: signals.pods, traffic: target, at: now, isCounted: isCounted)
  }

  /// Asks the plan's own queries as often as the judge would have them asked.
  private mutating func ask(_ target: TrafficTarget, _ share: Double) {
    let setting = QuerySetting(
      plan: plan, scope: counters.scope, hashes: [:], step: run.stage.stepIndex, namespaceLabel: nil)
    guard
      let round = judge.round(
        setting, now: now, traffic: target, writtenAt: run.trafficWrittenAt, verifiedAt: run.verifiedAt)
    else { return }
    let all = served.values.reduce(0, +)
    var values: [QueryQuestion: Measured<Double>] = [:]
    for slo in plan.analysis.slos {
      for track in Track.allCases where round.texts[QueryQuestion(slo: slo.name, track: track)] != nil {
        let expected = track == .canary ? share : 1 - share
        let part = all > 0 ? (served[track] ?? 0) / all : expected
        values[QueryQuestion(slo: slo.name, track: track)] = source.value(slo, track, at: elapsed, share: part)
      }
    }
    var series: [QueryQuestion: LookAnswers.Answer] = [:]
    for question in round.texts.keys where question.part == .buckets {
      series[question] = .series(counters.histogram(of: question.slo, question.track))
    }
    for question in round.texts.keys where question.part != .value && question.part != .buckets {
      let labels = ["pod": question.track.rawValue]
      series[question] = .series(counted[question].map { [MetricSeries(labels: labels, value: $0)] } ?? [])
    }
    judge.record(values, series: series, of: round)
  }
}
