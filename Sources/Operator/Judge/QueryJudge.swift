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
}

/// Judges the objectives of a run that are queries of the team's own.
struct QueryJudge: Sendable {
  private struct Objective: Sendable {
    var slo: SLO
    var query: SLO.Query
    var check: QueryCheck
    var asked: [String] = []
    var window: Duration?
    /// Why stable's value, asked before any traffic, cannot be compared with.
    var obstacle: String?
    var isReady = false
  }

  private var objectives: [Objective]
  private let interval: Duration
  private let minRequests: Double
  /// Whether anything counts the requests of the tracks.
  private let countsRequests: Bool
  /// Requests of the tracks since the traffic was verified.
  private var requests: [Track: Double] = [:]
  private var since: Date?
  private var judgedSince: Date?

  init(_ analysis: PlanAnalysis, countsRequests: Bool = true) {
    self.countsRequests = countsRequests
    interval = analysis.interval
    minRequests = Double(analysis.minRequests)
    objectives = analysis.slos.compactMap { slo in
      guard case .query(let query) = slo.objective else { return nil }
      func bounds(_ bounds: SLO.Bounds?) -> ThresholdCheck.Bounds? {
        bounds.map { ThresholdCheck.Bounds(min: $0.min?.double, max: $0.max?.double) }
      }
      return Objective(
        slo: slo, query: query,
        check: QueryCheck(
          name: slo.name, value: bounds(query.value), ratio: bounds(query.ratio), difference: bounds(query.difference)))
    }
  }

  /// What to ask now; `nil` where there is nothing, or where too little time has passed for a window that lies wholly
  /// after the verification.
  func round(
    _ setting: QuerySetting, now: Date, traffic: TrafficTarget, writtenAt: Date?, verifiedAt: Date?
  ) -> QueryRound? {
    guard !objectives.isEmpty else { return nil }
    let window: Duration
    if let verifiedAt, traffic.reachesCanary {
      let passed = Duration.seconds(now.timeIntervalSince(verifiedAt).rounded(.down))
      guard passed >= interval * 2 else { return nil }
      window = min(passed, setting.longestWindow)
    } else {
      guard writtenAt == nil else { return nil }
      window = setting.longestWindow
    }
    let servesStable = traffic.weight < .all
    let isFirst = writtenAt == nil
    var texts: [QueryQuestion: String] = [:]
    for objective in objectives {
      for track in Track.allCases {
        guard track == .canary ? !isFirst : objective.check.compares && servesStable else { continue }
        texts[QueryQuestion(slo: objective.slo.name, track: track)] = setting.text(
          objective.query.expression, track, window: window)
      }
    }
    guard !texts.isEmpty else { return nil }
    return QueryRound(
      texts: texts, window: window, verifiedAt: isFirst ? nil : verifiedAt, servesStable: servesStable)
  }

  /// Counts requests, by which values that grow with the traffic are made comparable.
  mutating func count(_ increase: Measured<[MetricsKey: Double]>?, since verifiedAt: Date) {
    if since != verifiedAt {
      since = verifiedAt
      requests = [:]
    }
    for (key, value) in increase?.value ?? [:] { requests[key.track, default: 0] += value }
  }

  mutating func record(_ values: [QueryQuestion: Measured<Double>], of round: QueryRound) {
    for index in objectives.indices { record(values, of: round, at: index) }
    if let verifiedAt = round.verifiedAt { judgedSince = verifiedAt }
  }

  private mutating func record(
    _ values: [QueryQuestion: Measured<Double>], of round: QueryRound, at index: Int
  ) {
    let name = objectives[index].slo.name
    let stable = values[QueryQuestion(slo: name, track: .stable)]
    guard let verifiedAt = round.verifiedAt else {
      // NaN is what a quotient without requests gives; it may well be a number later.
      objectives[index].obstacle = stable.flatMap { $0.value == nil && $0 != .notANumber ? $0.problem : nil }
      objectives[index].isReady = true
      return
    }
    objectives[index].window = round.window
    objectives[index].asked = Track.allCases.reversed().compactMap { round.texts[QueryQuestion(slo: name, track: $0)] }
    // A value made of a few requests is chance, for good or bad.
    guard hasRequests else { return }
    guard let canary = values[QueryQuestion(slo: name, track: .canary)] else { return }
    if judgedSince != verifiedAt { objectives[index].check.beginAnew(comparing: round.servesStable) }
    var scale: Double?
    if objectives[index].query.expression.growsWithTraffic, since == verifiedAt,
      let own = requests[.canary], let base = requests[.stable], own > 0, base > 0
    {
      scale = own / base
    }
    objectives[index].check.record(canary: canary, stable: round.servesStable ? stable ?? .missing : nil, scale: scale)
  }

  private var hasRequests: Bool { !countsRequests || requests[.canary] ?? 0 >= minRequests }

  /// Whether each query that compares has a value of stable.
  var baseline: Measurements.Baseline {
    for objective in objectives where objective.check.compares {
      if let obstacle = objective.obstacle {
        return .missing("the query of \(objective.slo.name), asked for the stable track: \(obstacle)")
      }
      if !objective.isReady, judgedSince == nil {
        return .missing("the query of \(objective.slo.name) has not been asked yet")
      }
    }
    return .present
  }

  var reports: [CheckReport] {
    objectives.map { objective in
      var notes = ["a value is no count, so no risk of a false abort can be stated: three looks in a row decide"]
      if objective.check.compares, objective.query.expression.growsWithTraffic {
        notes.append("a sum of rates grows with traffic, so it is compared per request")
      }
      if judgedSince != nil, !hasRequests {
        let seen = Int(requests[.canary] ?? 0)
        notes.insert("the canary had \(seen) of the \(Int(minRequests)) requests that a verdict needs", at: 0)
      }
      var judgement = objective.check.judgement(
        queries: objective.asked, window: objective.window.map { $0 / .seconds(1) }, notes: notes)
      if judgedSince != nil, !hasRequests, judgement.verdict != .fail { judgement.finding = .tooFewRequests }
      return CheckReport(
        name: objective.slo.name, verdict: judgement.verdict,
        message: [judgement.evidence.values?.sentence, judgement.finding == .tooFewRequests ? notes.first : nil]
          .compactMap { $0 }.joined(separator: "; "), judgement: judgement,
        isDryRun: objective.slo.mode == .dryRun)
    }
  }
}
