import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// What a plan's own query is asked for one track.
struct QueryQuestion: Sendable, Hashable {
  var slo: String
  var track: Track
  var part = Part.value

  enum Part: Codable, Sendable, Hashable {
    /// The query as it is.
    case value
    /// One of the counters that it adds up, and one of those that they are counted per: all their series.
    case amount(Int)
    case per(Int)
    /// The buckets of a histogram.
    case buckets
    /// Whether the track's targets are scraped.
    case presence
  }
}

/// One round of a run's own queries, variables filled in.
struct QueryRound: Sendable, Equatable {
  var texts: [QueryQuestion: String]
  /// How far the queries look back.
  var window: Duration
  /// When the traffic that they speak of was verified; `nil` of a round before any traffic, which only looks whether
  /// the queries can be answered.
  var verifiedAt: Date?
  var servesStable: Bool
  /// When it was asked.
  var at: Date
}

/// What `$(name)` stands for in the queries of one run, and how they are kept to their namespace.
struct QuerySetting: Sendable, Equatable {
  var values: [Track: [QueryVariable: String]]
  var confinement: PromQLQuery.Confinement?
  /// The longest time that a query looks back: the duration of the step's analysis, or two minutes, since a shorter
  /// window may never hold the two samples that a rate needs.
  var longestWindow: Duration

  private static let leastWindow = Duration.seconds(120)

  init(
    plan: Plan, scope: MetricsScope, hashes: [Track: String], step: Int?, namespaceLabel: String?
  ) {
    values = Dictionary(
      uniqueKeysWithValues: Track.allCases.map { track in
        var values: [QueryVariable: String] = [
          .workload: plan.workload, .namespace: plan.namespace, .rollout: plan.name, .hash: hashes[track] ?? "",
          .service: (track == .stable ? scope.stableServices : scope.canaryServices).first ?? "",
        ]
        // A pattern that matches nothing, where the track has no pods.
        values[.pods] = scope.podPattern([track]) ?? "[^\\s\\S]"
        return (track, values)
      })
    confinement = namespaceLabel.map { PromQLQuery.Confinement(label: $0, namespace: plan.namespace) }
    let analyze = step.flatMap { plan.steps.indices.contains($0) ? plan.steps[$0].analyze?.duration : nil }
    longestWindow = max(analyze ?? .seconds(300), Self.leastWindow, plan.analysis.interval * 2)
  }

  func text(_ query: PromQLQuery, _ track: Track, window: Duration) -> String {
    var values = values[track] ?? [:]
    values[.window] = PromQL.duration(window)
    return query.text(values, confinedTo: confinement)
  }

  func text(_ metric: HistogramMetric, _ track: Track) -> String {
    metric.text(values[track] ?? [:], confinedTo: confinement)
  }

  /// What is asked of a histogram over a window: what it counted in all of a track's processes together.
  /// - Parameter service: the callers' Service, which selected stable's pods before the run and is counted as they are.
  /// - Returns: one query, or two whose answers are added.
  func increaseTexts(
    _ metric: HistogramMetric, _ track: Track, over window: Duration, callers service: String?
  ) -> [String] {
    var values = values[track] ?? [:]
    values[.window] = PromQL.duration(window)
    let own = metric.increaseText(values, confinedTo: confinement)
    guard track == .stable, let service else { return [own] }
    values[.service] = service
    let others = metric.increaseText(values, confinedTo: confinement)
    return others == own ? [own] : [own, others]
  }

  /// What is asked of the counters behind a query.
  func text(_ counted: SLO.Counted, _ track: Track, _ part: QueryQuestion.Part) -> String? {
    let values = values[track] ?? [:]
    switch part {
    case .value, .buckets: return nil
    case .amount(let index): return counted.amount.texts(values, confinedTo: confinement)[index]
    case .per(let index): return counted.per?.texts(values, confinedTo: confinement)[index]
    case .presence: return counted.amount.presenceText(values, confinedTo: confinement)
    }
  }
}

/// Judges the objectives of a run that are queries or histograms of the team's own.
struct QueryJudge: Sendable {
  private struct Objective: Sendable {
    var slo: SLO
    var query: SLO.Query
    var check: Check
    var asked: [String] = []
    var window: Duration?
    /// Why stable's value, asked before any traffic, cannot be compared with.
    var obstacle: String?
    var isReady = false

    /// Whether stable must have a value before any traffic.
    var compares: Bool {
      switch check {
      case .value(let check): check.compares
      case .counted: true
      }
    }
  }

  private enum Check: Sendable {
    case value(QueryCheck)
    case counted(EventCheck, EventLooks)
  }

  private var objectives: [Objective]
  private var latencies: [OwnLatencyJudge]
  private let interval: Duration
  private let minRequests: Double
  private let budget: Double
  /// Whether anything counts the requests of the tracks.
  private let countsRequests: Bool
  /// Requests of the tracks since the traffic was verified.
  private var requests: [Track: Double] = [:]
  private var since: Date?
  private var judgedSince: Date?

  /// - Parameter shares: of what each objective has of the probability of a false abort.
  init(_ analysis: PlanAnalysis, countsRequests: Bool = true, shares: RiskShares = .checksAlone) {
    self.countsRequests = countsRequests
    interval = analysis.interval
    minRequests = Double(analysis.minRequests)
    budget = analysis.falseAbortRisk.fraction
    latencies = analysis.slos.compactMap { OwnLatencyJudge($0, analysis, shares) }
    objectives = analysis.slos.compactMap { slo in
      guard case .query(let query) = slo.objective else { return nil }
      return Objective(
        slo: slo, query: query,
        check: Self.check(slo.name, query, analysis, analysis.riskPerCheck * shares.checks))
    }
  }

  /// The probability of a false abort that each test of a histogram was given.
  var latencyRisks: [Double] { latencies.filter { $0.slo.mode == .enforce }.flatMap(\.risks) }

  private static func check(_ name: String, _ query: SLO.Query, _ analysis: PlanAnalysis, _ risk: Double) -> Check {
    func bounds(_ bounds: SLO.Bounds?) -> ThresholdCheck.Bounds? {
      bounds.map { ThresholdCheck.Bounds(min: $0.min?.double, max: $0.max?.double) }
    }
    guard let counted = query.counted else {
      return .value(
        QueryCheck(
          name: name, value: bounds(query.value), ratio: bounds(query.ratio), difference: bounds(query.difference)))
    }
    let kind: EventCheck.Kind = counted.bounds.map { .mean($0.min.double...$0.max.double) } ?? .events
    return .counted(
      EventCheck(
        name: name, kind: kind, ratio: bounds(query.ratio), value: bounds(query.value), risk: risk,
        minimumRequests: Double(analysis.minRequests), unit: counted.unit),
      EventLooks(counted))
  }

  /// What to ask now; `nil` where there is nothing. A value is asked once its window lies wholly after the verification,
  /// counters at once, since what they say first is what later looks are counted from.
  func round(
    _ setting: QuerySetting, now: Date, traffic: TrafficTarget, writtenAt: Date?, verifiedAt: Date?
  ) -> QueryRound? {
    guard !objectives.isEmpty || !latencies.isEmpty else { return nil }
    var window = setting.longestWindow
    var asksValues = true
    if let verifiedAt, traffic.reachesCanary {
      let passed = Duration.seconds(now.timeIntervalSince(verifiedAt).rounded(.down))
      asksValues = passed >= interval * 2
      window = min(passed, setting.longestWindow)
    } else {
      guard writtenAt == nil else { return nil }
    }
    let servesStable = traffic.weight < .all
    let isFirst = writtenAt == nil
    var texts: [QueryQuestion: String] = [:]
    for objective in objectives {
      for track in Track.allCases {
        guard track == .canary ? !isFirst : objective.compares && servesStable else { continue }
        var question = QueryQuestion(slo: objective.slo.name, track: track)
        switch objective.check {
        case .value:
          if asksValues { texts[question] = setting.text(objective.query.expression, track, window: window) }
        case .counted(_, let looks):
          for part in looks.questions(of: track) {
            question.part = part
            texts[question] = setting.text(looks.counted, track, part)
          }
        }
      }
    }
    for judge in latencies {
      for track in Track.allCases where track == .canary ? !isFirst : servesStable {
        texts[QueryQuestion(slo: judge.slo.name, track: track, part: .buckets)] = setting.text(
          judge.latency.metric, track)
      }
    }
    guard !texts.isEmpty else { return nil }
    return QueryRound(
      texts: texts, window: window, verifiedAt: isFirst ? nil : verifiedAt, servesStable: servesStable, at: now)
  }

  /// Counts requests, by which values that grow with the traffic are made comparable.
  mutating func count(_ increase: Measured<[MetricsKey: Double]>?, since verifiedAt: Date) {
    if since != verifiedAt {
      since = verifiedAt
      requests = [:]
    }
    var new: [Track: Double] = [:]
    for (key, value) in increase?.value ?? [:] { new[key.track, default: 0] += value }
    requests.merge(new, uniquingKeysWith: +)
    for index in objectives.indices {
      guard case .counted(let check, var looks) = objectives[index].check else { continue }
      looks.count(new, since: verifiedAt)
      objectives[index].check = .counted(check, looks)
    }
  }

  /// Leaves out what was counted since the last look that was taken, and what is counted until the next one.
  mutating func beginCountingAnew() {
    for index in latencies.indices { latencies[index].beginCountingAnew() }
    for index in objectives.indices {
      guard case .counted(let check, var looks) = objectives[index].check else { continue }
      looks.beginAnew()
      objectives[index].check = .counted(check, looks)
    }
  }

  /// Takes a round of answers in.
  /// - Parameters:
  ///   - values: of queries whose value is judged.
  ///   - series: of counters.
  ///   - places: where the run's pods are, as far as is known.
  mutating func record(
    _ values: [QueryQuestion: Measured<Double>], series: [QueryQuestion: LookAnswers.Answer] = [:],
    of round: QueryRound, places: [PodPlace] = []
  ) {
    for index in objectives.indices {
      let name = objectives[index].slo.name
      switch objectives[index].check {
      case .value(var check):
        record(values, of: round, at: index, &check)
        objectives[index].check = .value(check)
      case .counted(var check, var looks):
        var answers: [Track: [QueryQuestion.Part: LookAnswers.Answer]] = [:]
        for (question, answer) in series where question.slo == name {
          answers[question.track, default: [:]][question.part] = answer
        }
        record(answers, of: round, at: index, &check, &looks)
        objectives[index].check = .counted(check, looks)
      }
    }
    for index in latencies.indices {
      let own = series.filter { $0.key.slo == latencies[index].slo.name }
      latencies[index].record(
        Dictionary(uniqueKeysWithValues: own.map { ($0.key.track, $0.value) }), of: round, places: places)
    }
    if let verifiedAt = round.verifiedAt { judgedSince = verifiedAt }
  }

  private mutating func record(
    _ values: [QueryQuestion: Measured<Double>], of round: QueryRound, at index: Int, _ check: inout QueryCheck
  ) {
    let name = objectives[index].slo.name
    let stable = values[QueryQuestion(slo: name, track: .stable)]
    guard let verifiedAt = round.verifiedAt else {
      // NaN is what a quotient without requests gives; it may well be a number later.
      objectives[index].obstacle = stable.flatMap { $0.value == nil && $0 != .notANumber ? $0.problem : nil }
      objectives[index].isReady = true
      return
    }
    guard let canary = values[QueryQuestion(slo: name, track: .canary)] else { return }
    objectives[index].window = round.window
    objectives[index].asked = Track.allCases.reversed().compactMap { round.texts[QueryQuestion(slo: name, track: $0)] }
    // A value made of a few requests is chance, for good or bad.
    guard hasRequests else { return }
    if judgedSince != verifiedAt { check.beginAnew(comparing: round.servesStable) }
    var scale: Double?
    if objectives[index].query.expression.growsWithTraffic, since == verifiedAt,
      let own = requests[.canary], let base = requests[.stable], own > 0, base > 0
    {
      scale = own / base
    }
    check.record(canary: canary, stable: round.servesStable ? stable ?? .missing : nil, scale: scale)
  }

  private mutating func record(
    _ answers: [Track: [QueryQuestion.Part: LookAnswers.Answer]], of round: QueryRound, at index: Int,
    _ check: inout EventCheck, _ looks: inout EventLooks
  ) {
    guard !answers.isEmpty else { return }
    let look = looks.record(answers, at: round.at, verifiedAt: round.verifiedAt)
    guard let verifiedAt = round.verifiedAt else {
      if case .missing(let problems) = look {
        objectives[index].obstacle = problems[.stable]?.problem
      } else {
        objectives[index].obstacle = nil
      }
      if case .counted(let counts) = look, let base = counts[.stable] { check.learn(stable: base) }
      objectives[index].isReady = true
      return
    }
    objectives[index].window = .seconds(round.at.timeIntervalSince(verifiedAt).rounded())
    objectives[index].asked = round.texts.filter { $0.key.slo == objectives[index].slo.name }
      .sorted { ($0.key.track.rawValue, $0.value) < ($1.key.track.rawValue, $1.value) }.map(\.value)
    switch look {
    case .none: break
    case .counted(let counts):
      check.record(
        canary: .value(counts[.canary] ?? .zero),
        stable: round.servesStable ? .value(counts[.stable] ?? .zero) : nil)
    case .missing(let problems):
      check.record(
        canary: problems[.canary] ?? .value(.zero),
        stable: round.servesStable ? problems[.stable] ?? .value(.zero) : nil)
    }
  }

  private var hasRequests: Bool { !countsRequests || requests[.canary] ?? 0 >= minRequests }

  /// Whether each query that compares has a value of stable.
  var baseline: Measurements.Baseline {
    for objective in objectives where objective.compares {
      if let obstacle = objective.obstacle {
        return .missing("the query of \(objective.slo.name), asked for the stable track: \(obstacle)")
      }
      if !objective.isReady, judgedSince == nil {
        return .missing("the query of \(objective.slo.name) has not been asked yet")
      }
    }
    for judge in latencies {
      if let obstacle = judge.obstacle {
        return .missing("the histogram of \(judge.slo.name), asked for the stable track: \(obstacle)")
      }
      if !judge.isReady, judgedSince == nil {
        return .missing("the histogram of \(judge.slo.name) has not been asked yet")
      }
    }
    return .present
  }

  var reports: [CheckReport] {
    objectives.map { objective in
      switch objective.check {
      case .value(let check): report(objective, check)
      case .counted(let check, let looks): report(objective, check, looks.note)
      }
    } + latencies.map(\.report)
  }

  private func report(_ objective: Objective, _ check: QueryCheck) -> CheckReport {
    var notes = ["a value is no count, so no risk of a false abort can be stated: three looks in a row decide"]
    if check.compares, objective.query.expression.growsWithTraffic {
      notes.append("a sum of rates grows with traffic, so it is compared per request")
    }
    if judgedSince != nil, !hasRequests {
      let seen = Int(nearest: requests[.canary] ?? 0)
      notes.insert("the canary had \(seen) of the \(Int(minRequests)) requests that a verdict needs", at: 0)
    }
    var judgement = check.judgement(
      queries: objective.asked, window: objective.window.map { $0 / .seconds(1) }, notes: notes)
    if judgedSince != nil, !hasRequests, judgement.verdict != .fail { judgement.finding = .tooFewRequests }
    return CheckReport(
      name: objective.slo.name, verdict: judgement.verdict,
      message: [judgement.evidence.values?.sentence, judgement.finding == .tooFewRequests ? notes.first : nil]
        .compactMap { $0 }.joined(separator: "; "), judgement: judgement,
      isDryRun: objective.slo.mode == .dryRun)
  }

  private func report(_ objective: Objective, _ check: EventCheck, _ note: String?) -> CheckReport {
    var judgement = check.judgement(queries: objective.asked, window: objective.window.map { $0 / .seconds(1) })
    let isDryRun = objective.slo.mode == .dryRun
    judgement.evidence.budget = isDryRun ? nil : budget
    if let note { judgement.evidence.notes.append(note) }
    return CheckReport(
      name: objective.slo.name, verdict: judgement.verdict, message: judgement.evidence.sentence, judgement: judgement,
      isDryRun: isDryRun)
  }
}

extension SLO.Counted {
  /// What an event is counted per, for people.
  fileprivate var unit: String { bounds != nil ? "values" : per == nil ? "requests" : "times" }
}
