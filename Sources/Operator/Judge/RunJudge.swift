import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Judges one run, look after look: counts what each track did since the look before, and feeds the checks with it.
///
/// A look counts only when all of it lies after the traffic was verified. Every objective is judged twice, from the
/// callers' view and from the callees': a pod that never answers has no metrics of its own, and retries hide errors
/// from callers. Each view has its part of the check's risk (``ViewsCheck``).
struct RunJudge: Sendable {
  let scope: MetricsScope
  /// The mesh's; `nil` where there are none but the plan's own queries.
  let metrics: (any MeshMetrics)?
  private var counters: [LookAnswers.Question: CounterIncreases<MetricsKey>] = [:]
  private var gaps: [LookAnswers.Question: ScrapeGaps<String>] = [:]
  private var objectives: [JudgedObjective]
  private var share = ShareWindow()
  private var bypass = BypassWindow()
  private let asksSecurity: Bool
  private var security: SecurityReport?
  private var harm: HarmWatch
  private let hasAutopilot: Bool
  private var volume = VolumeWindow()
  private var warmUp: WarmUp
  /// The newest traffic that was verified, and when.
  private var verified: (traffic: TrafficTarget, at: Date)?
  /// Of the newest look.
  private var stableIsDown = false
  private var places: [PodPlace] = []
  /// When each question was last answered: what grew since then is what the next answer adds.
  private var answeredAt: [LookAnswers.Question: Date] = [:]
  private(set) var latest = Measurements(baseline: .missing("nothing has been measured yet"))
  private var queries: QueryJudge
  /// What each of the mesh's questions asks, for the evidence.
  private let questions: [LookAnswers.Question: String]
  private let plan: Plan
  private let names: [String]
  private let budget: Double
  private var native: [LookAnswers.Question: NativeBuckets] = [:]
  /// How often the checks of latency began, with native histograms.
  private var latencyBeginnings = 0
  /// In this look, in one of the views.
  private var hasNewBoundaries = false
  private var mesh: Measurements.Baseline = .missing("nothing has been measured yet")
  /// When the first look that counts began, and the last one ended.
  private var watched: ClosedRange<Date>?

  init(plan: Plan, scope: MetricsScope, metrics: (any MeshMetrics)?) {
    self.scope = scope
    self.metrics = metrics
    asksSecurity = plan.policy.mtls != nil
    self.plan = plan
    names = plan.analysis.slos.map(\.name)
    budget = plan.analysis.falseAbortRisk.fraction
    let shares = RiskShares(plan)
    hasAutopilot = plan.autopilot != nil
    // Without a mesh nothing tells how slow a canary is.
    warmUp = WarmUp(bound: metrics == nil ? 0 : plan.analysis.warmUp / .seconds(1))
    let views = metrics?.views ?? []
    harm = HarmWatch(views: views, risk: plan.analysis.falseAbortRisk.fraction * shares.autopilot)
    objectives = plan.analysis.slos.filter(\.isOfMesh).compactMap {
      JudgedObjective($0, plan.analysis, shares, views: views.count)
    }
    queries = QueryJudge(plan.analysis, countsRequests: metrics != nil, shares: shares)
    questions = Dictionary(
      uniqueKeysWithValues: LookAnswers.Question.all(metrics).compactMap { question in
        metrics.flatMap { question.text($0, [scope]) }.map { (question, $0) }
      })
  }

  /// The probability of a false abort that each way of judging the run has, as its own tests were given it.
  var risks: [Double] {
    objectives.filter { !$0.isDryRun }.flatMap(\.risks) + queries.latencyRisks + (hasAutopilot ? [harm.risk] : [])
  }

  /// Takes one round of answers in.
  /// - Parameters:
  ///   - writtenAt: when the present traffic was written; nil before the first.
  ///   - verifiedAt: when its share was seen to arrive; nil before.
  ///   - stableIsDown: the stable revision has no available pod, so that it serves no requests.
  ///   - places: where the run's pods are, as far as is known.
  mutating func record(
    _ look: LookAnswers, at now: Date, traffic: TrafficTarget, writtenAt: Date?, verifiedAt: Date?,
    stableIsDown: Bool = false, places: [PodPlace] = []
  ) {
    self.stableIsDown = stableIsDown
    self.places = places
    var increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>] = [:]
    for question in questionsAsked {
      increases[question] = increase(question, look.answers[question], at: now)
    }
    beginLatencyAnew()
    let uneven = Set(
      increases.filter { question, increase in
        gaps[question, default: ScrapeGaps()].record(LookParts.growth(increase.value ?? [:], of: question.kind))
      }.keys)
    share.record(
      increases[LookAnswers.Question(view: .caller, kind: .requests)], at: now, weight: traffic.weight.value,
      writtenAt: writtenAt)
    for view in metrics?.views ?? [] {
      harm.record(
        view, increases[LookAnswers.Question(view: view, kind: .requests)], at: now, writtenAt: writtenAt,
        verifiedAt: verifiedAt)
    }
    if asksSecurity, let answer = look.answers[.security] { security = SecurityReport(answer, of: scope, metrics) }
    volume.record(questionsAsked.first { $0.kind == .requests }.flatMap { increases[$0]?.value }, at: now)
    // What began before the traffic was verified is discarded, also where an answer in between failed. A canary that
    // nothing reaches is not judged: stable's numbers alone say nothing of it.
    if let verifiedAt, traffic.reachesCanary {
      let whole = increases.filter { $0.value.value == nil || answeredAt[$0.key] ?? .distantPast >= verifiedAt }
      warm(whole, traffic, verifiedAt)
      feed(whole, traffic, uneven: uneven)
      attribute(whole, traffic, writtenAt)
      if whole.contains(where: { $0.value.value != nil }) {
        watched = min(watched?.lowerBound ?? verifiedAt, now)...now
      }
      // The callees' count where they count: it has copies and what bypasses the route too.
      queries.count(
        whole[LookAnswers.Question(view: metrics?.views.last ?? .callee, kind: .requests)], since: verifiedAt)
      // What a cold canary counts is not held against it: the first look after it is what later ones are counted from.
      if warmUp.isOpen { queries.beginCountingAnew() }
      bypass.record(
        caller: whole[LookAnswers.Question(view: .caller, kind: .requests)]?.value,
        callee: whole[LookAnswers.Question(view: .callee, kind: .requests)]?.value,
        mirrored: traffic.mirror?.fraction ?? 0, writtenAt: writtenAt)
    } else {
      learn(increases, traffic)
    }
    for (question, increase) in increases where increase.isAnswer { answeredAt[question] = now }
    mesh = baseline(look)
    conclude()
  }

  /// The team's own queries that are due.
  func round(
    _ setting: QuerySetting, now: Date, traffic: TrafficTarget, writtenAt: Date?, verifiedAt: Date?
  ) -> QueryRound? {
    // Windows hold what a cold canary did, too.
    guard !warmUp.isOpen || verifiedAt == nil else { return nil }
    return queries.round(setting, now: now, traffic: traffic, writtenAt: writtenAt, verifiedAt: verifiedAt)
  }

  /// What the counters of the team's own queries are asked, cold canary or not.
  func counterTexts(
    _ setting: QuerySetting, at now: Date, traffic: TrafficTarget, verifiedAt: Date
  ) -> [QueryQuestion: String] {
    let round = queries.round(setting, now: now, traffic: traffic, writtenAt: verifiedAt, verifiedAt: verifiedAt)
    return (round?.texts ?? [:]).filter { $0.key.part != .value }
  }

  /// Takes the answers to a team's own queries in; they come at times of their own.
  mutating func record(
    _ values: [QueryQuestion: Measured<Double>], series: [QueryQuestion: LookAnswers.Answer] = [:], of round: QueryRound
  ) {
    queries.record(values, series: series, of: round, places: places)
    conclude()
  }

  private mutating func conclude() {
    let reports = objectives.map(report) + queries.reports
    latest = Measurements(
      checks: names.compactMap { name in reports.first { $0.name == name } }, share: share.observed,
      baseline: mesh == .present ? queries.baseline : mesh, bypass: bypass.share, security: security,
      volume: volume.volume, requests: harm.requests, harm: hasAutopilot ? harm.harm : nil)
  }

  // MARK: - Counting

  private var questionsAsked: [LookAnswers.Question] { LookAnswers.Question.all(metrics) }

  private mutating func increase(
    _ question: LookAnswers.Question, _ answer: LookAnswers.Answer?, at now: Date
  ) -> Measured<[MetricsKey: Double]>? {
    switch answer {
    case nil: return nil
    case .failed(let text): return .sourceFailed(text)
    case .series(let series):
      let readings = metrics?.readings(series, of: scope, view: question.view) ?? [:]
      if readings.values.contains(where: { !$0.isFinite }) { return .notANumber }
      let known = Set(counters[question]?.keys.map(\.process) ?? [])
      let increase = counters[question, default: CounterIncreases()]
        .record(readings, at: now, of: \.process) { $0.beginsAtZero(known: known) }
      guard let increase else { return .missing }
      // A track is measured where it has any series, also one that did not grow.
      var values = increase.values
      for key in readings.keys where values[key] == nil { values[key] = 0 }
      guard question.kind == .latency, readings.keys.contains(where: \.isNative) else { return .value(values) }
      var buckets = native[question] ?? NativeBuckets(limits: plan.analysis.latencyLimits)
      let found = buckets.common(values)
      native[question] = buckets
      hasNewBoundaries = hasNewBoundaries || found.beginsAnew
      return .value(found.values)
    }
  }

  /// Other boundaries are other tests: those that there were cannot be continued.
  private mutating func beginLatencyAnew() {
    guard hasNewBoundaries else { return }
    hasNewBoundaries = false
    latencyBeginnings += 1
    let part = pow(0.5, Double(latencyBeginnings))
    let shares = RiskShares(plan)
    for index in objectives.indices {
      guard case .latency = objectives[index].check else { continue }
      objectives[index].beginAnew(plan.analysis, shares, views: metrics?.views.count ?? 0, part: part)
    }
  }

  /// Finds out whether the canary is warm, in the view that counts most of its requests.
  private mutating func warm(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget, _ verifiedAt: Date
  ) {
    let tracks = TrackReading(traffic: traffic, stableIsDown: stableIsDown)
    if verifiedAt != verified?.at {
      // More traffic comes with processes that were just started.
      if verified.map({ traffic.weight > $0.traffic.weight || !$0.traffic.reachesCanary }) ?? true { warmUp.begin() }
      verified = (traffic, verifiedAt)
    }
    // A view that cannot tell how slow the canary is says at least how old its traffic is.
    let looks = (metrics?.views ?? []).compactMap {
      view -> (view: MetricsView, began: Date, canary: LatencyHistogram?)? in
      func question(_ kind: LookAnswers.Question.Kind) -> LookAnswers.Question {
        LookAnswers.Question(view: view, kind: kind)
      }
      guard increases[question(.requests)]?.value != nil, let began = answeredAt[question(.requests)] else {
        return nil
      }
      return (view, began, increases[question(.latency)].flatMap { tracks.histogram($0, .canary, view).value })
    }
    guard let look = looks.max(by: { $0.canary?.total ?? -1 < $1.canary?.total ?? -1 }) else { return }
    func increase(_ kind: LookAnswers.Question.Kind) -> Measured<[MetricsKey: Double]> {
      increases[LookAnswers.Question(view: look.view, kind: kind)] ?? .missing
    }
    warmUp.record(
      age: look.began.timeIntervalSince(verifiedAt),
      requests: tracks.counts(increase(.requests), .canary, look.view).value, canary: look.canary,
      stable: tracks.histogram(increase(.latency), .stable, look.view).value)
  }

  private mutating func feed(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget,
    uneven: Set<LookAnswers.Question>
  ) {
    let tracks = TrackReading(traffic: traffic, stableIsDown: stableIsDown)
    // What a cold canary does is not compared with what stable did before.
    let isCompared = !warmUp.isOpen
    for index in objectives.indices {
      for (place, view) in (metrics?.views ?? []).enumerated() {
        let isAlone = !tracks.isServed(.stable, view)
        func circumstances(_ question: LookAnswers.Question) -> Circumstances {
          var found: Circumstances = isAlone ? .alone : []
          if uneven.contains(question) { found.insert(.uneven) }
          if warmUp.logAllowance != nil { found.insert(.warmingUp) }
          return found
        }
        switch objectives[index].check {
        case .errors(var check):
          let question = LookAnswers.Question(view: view, kind: .requests)
          guard let found = increases[question] else { continue }
          let (canary, stable) = (tracks.counts(found, .canary, view), tracks.counts(found, .stable, view))
          check.record(
            place, canary: canary, stable: stable, parts: LookParts.counts(found.value ?? [:]),
            circumstances: circumstances(question))
          if let allowance = warmUp.logAllowance { check.discard(above: allowance) }
          objectives[index].check = .errors(check)
          if isCompared {
            objectives[index].compare(place, canary: canary.value, stable: stable.value, isAlone: isAlone)
          }
        case .latency(var check):
          let question = LookAnswers.Question(view: view, kind: .latency)
          guard let found = increases[question] else { continue }
          let (canary, stable) = (tracks.histogram(found, .canary, view), tracks.histogram(found, .stable, view))
          check.record(
            place, canary: canary, stable: stable, parts: LookParts.histograms(found.value ?? [:]),
            circumstances: circumstances(question))
          if let allowance = warmUp.logAllowance { check.discard(above: allowance) }
          objectives[index].check = .latency(check)
          let limit = check.views[place].max
          if isCompared {
            objectives[index].compare(
              place, canary: canary.value?.slower(thanAtLeast: limit), stable: stable.value?.slower(thanAtLeast: limit),
              isAlone: isAlone)
          }
        }
      }
    }
  }

  /// How stable's bad requests come is learned from every look at it, also where the canary has no traffic yet.
  private mutating func learn(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget
  ) {
    let tracks = TrackReading(traffic: traffic, stableIsDown: stableIsDown)
    for view in metrics?.views.prefix(1) ?? [] {
      guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
      warmUp.learn(stable: tracks.histogram(found, .stable, view).value)
    }
    for index in objectives.indices {
      for (place, view) in (metrics?.views ?? []).enumerated() where tracks.isServed(.stable, view) {
        switch objectives[index].check {
        case .errors(var check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .requests)] else { continue }
          check.learn(
            place, stable: tracks.counts(found, .stable, view), parts: LookParts.counts(found.value ?? [:]).stable)
          objectives[index].check = .errors(check)
        case .latency(var check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
          check.learn(
            place, stable: tracks.histogram(found, .stable, view),
            parts: LookParts.histograms(found.value ?? [:]).stable)
          objectives[index].check = .latency(check)
        }
      }
    }
  }

  /// Counts each pod by itself, in the callees' view.
  private mutating func attribute(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget, _ writtenAt: Date?
  ) {
    let tracks = TrackReading(traffic: traffic, stableIsDown: stableIsDown)
    for index in objectives.indices {
      var pods: [String: (track: Track, look: Counts)] = [:]
      var times: [String: (track: Track, look: LatencyHistogram)] = [:]
      var whole: Counts?
      for view in metrics?.views ?? [] {
        switch objectives[index].check {
        case .errors:
          guard let found = increases[LookAnswers.Question(view: view, kind: .requests)] else { continue }
          if view == .callee { pods = tracks.byPod(found.value ?? [:]) { tracks.counts(.value($0), $1, view).value } }
          whole = whole ?? tracks.sum(tracks.counts(found, .canary, view), tracks.counts(found, .stable, view))
        case .latency(let check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
          func slow(_ found: Measured<[MetricsKey: Double]>, _ track: Track) -> Measured<Counts> {
            tracks.histogram(found, track, view).map { $0.slower(thanAtLeast: check.views.first?.max ?? .infinity) }
          }
          if view == .callee {
            pods = tracks.byPod(found.value ?? [:]) { slow(.value($0), $1).value }
            // The comparison of the whole passes over a canary that may be cold.
            if objectives[index].attribution.comparesTimes, warmUp.logAllowance == nil {
              times = tracks.byPod(found.value ?? [:]) { tracks.histogram(.value($0), $1, view).value }
            }
          }
          whole = whole ?? tracks.sum(slow(found, .canary), slow(found, .stable))
        }
      }
      objectives[index].attribution.record(
        pods: pods, times: times, service: whole, writtenAt: writtenAt, places: places)
    }
  }

  // MARK: - Reporting

  private func report(_ objective: JudgedObjective) -> CheckReport {
    let kind: LookAnswers.Question.Kind =
      switch objective.check {
      case .errors: .requests
      case .latency: .latency
      }
    guard let metrics, let (place, found) = objective.judgement else {
      return CheckReport(name: objective.name, verdict: .unknown, message: "nothing is measured")
    }
    let view = metrics.views[place]
    var judgement = warmUp.judged(found)
    judgement.evidence.window = watched.map { $0.upperBound.timeIntervalSince($0.lowerBound) }
    judgement.evidence.queries = [questions[LookAnswers.Question(view: view, kind: kind)]].compactMap { $0 }
    judgement.evidence.budget = objective.isDryRun ? nil : budget
    if let note = counters[LookAnswers.Question(view: view, kind: kind)]?.note { judgement.evidence.notes.append(note) }
    return CheckReport(
      name: objective.name, verdict: judgement.verdict,
      message: "\(judgement.evidence.sentence) (\(view.rawValue)s' metrics"
        + (stableIsDown ? "; stable has no available pod, so the canary is judged alone)" : ")"),
      judgement: judgement, isDryRun: objective.isDryRun)
  }

  /// Why a latency objective could never pass, whatever is measured; `nil` where it could.
  private func bucketProblem(_ readings: [MetricsKey: Double]) -> String? {
    let boundaries = readings.keys.filter { $0.track == .stable }.compactMap(\.boundary).filter(\.isFinite)
    guard let smallest = boundaries.min() else {
      if NativeBuckets.hasCustomBoundaries(Array(readings.keys)) {
        return "the mesh's latency histogram is \(NativeBuckets.customBoundaries)"
      }
      return "the mesh's latency histogram has no buckets but +Inf: give it some, or take the latency objectives out"
    }
    for case (let name, .latency(let check), false) in objectives.map({ ($0.name, $0.check, $0.isDryRun) }) {
      guard let max = check.views.first?.max, smallest > max else { continue }
      return "\(name): the smallest bucket of the latency histogram ends at \(smallest) ms, so nothing can show that "
        + "\(max) ms is kept: raise max to \(smallest) ms, or give the mesh smaller buckets"
    }
    return nil
  }

  /// Each query that the plan needs must have series of the stable track.
  private func baseline(_ look: LookAnswers) -> Measurements.Baseline {
    let needsLatency = objectives.contains { objective in
      if case .latency = objective.check { true } else { false }
    }
    for question in questionsAsked where question.kind == .requests || needsLatency {
      let name = question.kind == .requests ? "requests" : "latency"
      switch look.answers[question] {
      case .series(let series):
        let readings = metrics?.readings(series, of: scope, view: question.view) ?? [:]
        guard readings.contains(where: { $0.key.track == .stable && $0.value > 0 }) else {
          return .missing("no series of the stable track for \(name) in the \(question.view.rawValue)s' metrics")
        }
        if question.kind == .latency, let problem = bucketProblem(readings) {
          return .missing("\(problem) (\(question.view.rawValue)s' metrics)")
        }
      case .failed(let text): return .missing("\(name), \(question.view.rawValue)s' metrics: \(text)")
      case nil: return .missing("\(name), \(question.view.rawValue)s' metrics: not asked yet")
      }
    }
    return .present
  }
}

extension Measured {
  /// Whether the source answered, be it with nothing.
  fileprivate var isAnswer: Bool {
    if case .sourceFailed = self { false } else { true }
  }
}
