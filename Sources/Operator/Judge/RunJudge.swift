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
/// from callers. Each view has half of the check's risk.
struct RunJudge: Sendable {
  let scope: MetricsScope
  /// The mesh's; `nil` where there are none but the plan's own queries.
  let metrics: (any MeshMetrics)?
  private var counters: [LookAnswers.Question: CounterIncreases<MetricsKey>] = [:]
  private var gaps: [LookAnswers.Question: ScrapeGaps<String>] = [:]
  private var objectives: [Objective]
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

  private struct Objective: Sendable {
    var name: String
    var isDryRun: Bool
    var check: Check
    /// Of each view, where the plan watches a canary that has all traffic.
    var earlier: [EarlierStable] = []
    var attribution: Attribution
  }

  /// The views in the order of ``MeshMetrics/views``.
  private enum Check: Sendable {
    case errors(ViewsCheck<ErrorRateCheck>)
    case latency(ViewsCheck<LatencyCheck>)

    var limit: Double {
      switch self {
      case .errors(let check): check.views.first?.limit ?? 1
      case .latency(let check): check.views.first?.limit ?? 1
      }
    }
  }

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
    objectives = plan.analysis.slos.compactMap { slo in
      Self.check(of: slo, plan.analysis, shares, views: views.count).map { check in
        Objective(
          name: slo.name, isDryRun: slo.mode == .dryRun, check: check,
          earlier: Self.earlier(of: slo, plan.analysis, shares, views: views.count),
          attribution: Attribution(
            limit: check.limit, risk: plan.analysis.riskPerCheck * shares.checks,
            unhiddenRisk: plan.analysis.riskPerCheck * shares.unhidden))
      }
    }
    queries = QueryJudge(
      plan.analysis, countsRequests: metrics != nil, risk: plan.analysis.riskPerCheck * shares.checks)
    questions = Dictionary(
      uniqueKeysWithValues: LookAnswers.Question.all(metrics).compactMap { question in
        metrics.flatMap { question.text($0, [scope]) }.map { (question, $0) }
      })
  }

  private static func tolerance(_ comparison: SLO.Comparison?, limit: Double) -> Tolerance? {
    comparison.map { Tolerance(ratio: $0.ratio.double, margin: $0.margin?.fraction ?? limit / 4) }
  }

  /// What judges the canary by stable's earlier rate, for each view; none where the objective does not compare.
  private static func earlier(
    of slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int, part: Double = 1
  ) -> [EarlierStable] {
    let tolerance: Tolerance? =
      switch slo.objective {
      case .errorRate(let max, let comparison): Self.tolerance(comparison, limit: max.fraction)
      case .latency(let quantile, _, let comparison): Self.tolerance(comparison, limit: 1 - quantile.fraction)
      case .query: nil
      }
    guard let tolerance, shares.bake > 0 else { return [] }
    let risk = analysis.riskPerCheck * shares.bake * part / Double(max(1, views))
    return (0..<views).map { _ in EarlierStable(tolerance: tolerance, risk: risk) }
  }

  /// - Parameter part: of its share of the risk.
  private static func check(
    of slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares, views: Int, part: Double = 1
  ) -> Check? {
    func settings(limit: Double, _ comparison: SLO.Comparison?) -> CheckSettings {
      CheckSettings(
        name: slo.name, tolerance: tolerance(comparison, limit: limit),
        risk: analysis.riskPerCheck * shares.checks * part,
        minimumRequests: Double(analysis.minRequests))
    }
    switch slo.objective {
    case .errorRate(let max, let comparison):
      let settings = settings(limit: max.fraction, comparison)
      return .errors(
        ViewsCheck(count: views, settings: settings) {
          ErrorRateCheck(limit: max.fraction, settings: $0)
        })
    case .latency(let quantile, let max, let comparison):
      let settings = settings(limit: 1 - quantile.fraction, comparison)
      return .latency(
        ViewsCheck(count: views, settings: settings) {
          LatencyCheck(quantile: quantile.fraction, max: max / .milliseconds(1), settings: $0)
        })
    case .query: return nil
    }
  }

  /// The probability of a false abort that each way of judging the run has, as its own tests were given it.
  var risks: [Double] {
    objectives.filter { !$0.isDryRun }.flatMap { objective in
      let views =
        switch objective.check {
        case .errors(let check): check.views.map(\.settings.risk)
        case .latency(let check): check.views.map(\.settings.risk)
        }
      return views + objective.earlier.map(\.risk) + [objective.attribution.unhiddenRisk]
    } + (hasAutopilot ? [harm.risk] : [])
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
    var increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>] = [:]
    for question in questionsAsked {
      increases[question] = increase(question, look.answers[question])
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
    if asksSecurity, let answer = look.answers[.security] { security = report(answer) }
    volume.record(questionsAsked.first { $0.kind == .requests }.flatMap { increases[$0]?.value }, at: now)
    // What began before the traffic was verified is discarded, also where an answer in between failed. A canary that
    // nothing reaches is not judged: stable's numbers alone say nothing of it.
    if let verifiedAt, traffic.reachesCanary {
      let whole = increases.filter { $0.value.value == nil || answeredAt[$0.key] ?? .distantPast >= verifiedAt }
      warm(whole, traffic, verifiedAt)
      feed(whole, traffic, uneven: uneven)
      attribute(whole, traffic, writtenAt, places)
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
    queries.record(values, series: series, of: round)
    conclude()
  }

  private mutating func conclude() {
    let reports = objectives.map(report) + queries.reports
    latest = Measurements(
      checks: names.compactMap { name in reports.first { $0.name == name } }, share: share.observed,
      baseline: mesh == .present ? queries.baseline : mesh, bypass: bypass.share, security: security,
      volume: volume.volume, requests: harm.requests, harm: hasAutopilot ? harm.harm : nil)
  }

  /// How the requests of late were secured.
  private func report(_ answer: LookAnswers.Answer) -> SecurityReport {
    switch answer {
    case .failed(let text): return .unknown(text)
    case .series(let series):
      if series.contains(where: { !$0.value.isFinite }) { return .unknown("a value is no number") }
      let found = metrics?.security(series, of: scope) ?? [:]
      let tracks = found.values.filter { $0.mutual + $0.other > 0 }
      guard !tracks.isEmpty else { return .unknown("no request was counted by how it was secured") }
      return .counted(
        SecurityShare(
          mutual: tracks.reduce(0) { $0 + $1.mutual }, other: tracks.reduce(0) { $0 + $1.other },
          callers: Set(tracks.flatMap(\.callers)).sorted()))
    }
  }

  // MARK: - Counting

  private var questionsAsked: [LookAnswers.Question] { LookAnswers.Question.all(metrics) }

  private mutating func increase(
    _ question: LookAnswers.Question, _ answer: LookAnswers.Answer?
  ) -> Measured<[MetricsKey: Double]>? {
    switch answer {
    case nil: return nil
    case .failed(let text): return .sourceFailed(text)
    case .series(let series):
      let readings = metrics?.readings(series, of: scope, view: question.view) ?? [:]
      if readings.values.contains(where: { !$0.isFinite }) { return .notANumber }
      let known = Set(counters[question]?.keys.map(\.process) ?? [])
      let increase = counters[question, default: CounterIncreases()]
        .record(readings) { $0.beginsAtZero(known: known) }
      guard let increase else { return .missing }
      // A track is measured where it has any series, also one that did not grow.
      var values = increase.values
      for key in readings.keys where values[key] == nil { values[key] = 0 }
      guard question.kind == .latency, readings.keys.contains(where: \.isNative) else { return .value(values) }
      var buckets = native[question] ?? NativeBuckets(limits: latencyLimits)
      let found = buckets.common(values)
      native[question] = buckets
      hasNewBoundaries = hasNewBoundaries || found.beginsAnew
      return .value(found.values)
    }
  }

  private var latencyLimits: [Double] {
    objectives.compactMap { if case .latency(let check) = $0.check { check.views.first?.max } else { nil } }
  }

  /// Other boundaries are other tests: those that there were cannot be continued.
  private mutating func beginLatencyAnew() {
    guard hasNewBoundaries else { return }
    hasNewBoundaries = false
    latencyBeginnings += 1
    let part = pow(0.5, Double(latencyBeginnings))
    for index in objectives.indices {
      guard case .latency = objectives[index].check,
        let slo = plan.analysis.slos.first(where: { $0.name == objectives[index].name }),
        let check = Self.check(
          of: slo, plan.analysis, RiskShares(plan), views: metrics?.views.count ?? 0, part: part)
      else { continue }
      objectives[index].check = check
      objectives[index].earlier = Self.earlier(
        of: slo, plan.analysis, RiskShares(plan), views: metrics?.views.count ?? 0, part: part)
    }
  }

  /// Finds out whether the canary is warm, in the view that counts most of its requests.
  private mutating func warm(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget, _ verifiedAt: Date
  ) {
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
      return (view, began, increases[question(.latency)].flatMap { histogram($0, .canary, view, traffic).value })
    }
    guard let look = looks.max(by: { $0.canary?.total ?? -1 < $1.canary?.total ?? -1 }) else { return }
    func increase(_ kind: LookAnswers.Question.Kind) -> Measured<[MetricsKey: Double]> {
      increases[LookAnswers.Question(view: look.view, kind: kind)] ?? .missing
    }
    warmUp.record(
      age: look.began.timeIntervalSince(verifiedAt),
      requests: counts(increase(.requests), .canary, look.view, traffic).value, canary: look.canary,
      stable: histogram(increase(.latency), .stable, look.view, traffic).value)
  }

  private mutating func feed(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget,
    uneven: Set<LookAnswers.Question>
  ) {
    for index in objectives.indices {
      for (place, view) in (metrics?.views ?? []).enumerated() {
        func circumstances(_ question: LookAnswers.Question) -> Circumstances {
          var found: Circumstances = isServed(.stable, view, traffic) ? [] : .alone
          if uneven.contains(question) { found.insert(.uneven) }
          return found
        }
        switch objectives[index].check {
        case .errors(var check):
          let question = LookAnswers.Question(view: view, kind: .requests)
          guard let found = increases[question] else { continue }
          let (canary, stable) = (counts(found, .canary, view, traffic), counts(found, .stable, view, traffic))
          check.record(
            place, canary: canary, stable: stable, parts: LookParts.counts(found.value ?? [:]),
            circumstances: circumstances(question))
          if let allowance = warmUp.logAllowance { check.discard(above: allowance) }
          objectives[index].check = .errors(check)
          compare(index, place, canary.value, stable.value)
        case .latency(var check):
          let question = LookAnswers.Question(view: view, kind: .latency)
          guard let found = increases[question] else { continue }
          let (canary, stable) = (histogram(found, .canary, view, traffic), histogram(found, .stable, view, traffic))
          check.record(
            place, canary: canary, stable: stable, parts: LookParts.histograms(found.value ?? [:]),
            circumstances: circumstances(question))
          if let allowance = warmUp.logAllowance { check.discard(above: allowance) }
          objectives[index].check = .latency(check)
          let limit = check.views[place].max
          compare(index, place, canary.value?.slower(thanAtLeast: limit), stable.value?.slower(thanAtLeast: limit))
        }
      }
    }
  }

  /// How stable's bad requests come is learned from every look at it, also where the canary has no traffic yet.
  private mutating func learn(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget
  ) {
    for view in metrics?.views.prefix(1) ?? [] {
      guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
      warmUp.learn(stable: histogram(found, .stable, view, traffic).value)
    }
    for index in objectives.indices {
      for (place, view) in (metrics?.views ?? []).enumerated() where isServed(.stable, view, traffic) {
        switch objectives[index].check {
        case .errors(var check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .requests)] else { continue }
          check.learn(
            place, stable: counts(found, .stable, view, traffic), parts: LookParts.counts(found.value ?? [:]).stable)
          objectives[index].check = .errors(check)
        case .latency(var check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
          check.learn(
            place, stable: histogram(found, .stable, view, traffic),
            parts: LookParts.histograms(found.value ?? [:]).stable)
          objectives[index].check = .latency(check)
        }
      }
    }
  }

  private mutating func compare(_ index: Int, _ place: Int, _ canary: Counts?, _ stable: Counts?) {
    // What a cold canary does is not compared with what stable did before.
    guard !warmUp.isOpen, let canary, let stable, objectives[index].earlier.indices.contains(place) else { return }
    objectives[index].earlier[place].record(canary: canary, stable: stable)
  }

  /// Counts each pod by itself, in the callees' view.
  private mutating func attribute(
    _ increases: [LookAnswers.Question: Measured<[MetricsKey: Double]>], _ traffic: TrafficTarget, _ writtenAt: Date?,
    _ places: [PodPlace]
  ) {
    for index in objectives.indices {
      var pods: [String: (track: Track, counts: Counts)] = [:]
      var whole: Counts?
      for view in metrics?.views ?? [] {
        switch objectives[index].check {
        case .errors:
          guard let found = increases[LookAnswers.Question(view: view, kind: .requests)] else { continue }
          if view == .callee { pods = byPod(found.value ?? [:]) { counts(.value($0), $1, view, traffic).value } }
          whole = whole ?? sum(counts(found, .canary, view, traffic), counts(found, .stable, view, traffic))
        case .latency(let check):
          guard let found = increases[LookAnswers.Question(view: view, kind: .latency)] else { continue }
          func slow(_ found: Measured<[MetricsKey: Double]>, _ track: Track) -> Measured<Counts> {
            histogram(found, track, view, traffic).map { $0.slower(thanAtLeast: check.views.first?.max ?? .infinity) }
          }
          if view == .callee { pods = byPod(found.value ?? [:]) { slow(.value($0), $1).value } }
          whole = whole ?? sum(slow(found, .canary), slow(found, .stable))
        }
      }
      objectives[index].attribution.record(pods: pods, service: whole, writtenAt: writtenAt, places: places)
    }
  }

  private func sum(_ canary: Measured<Counts>, _ stable: Measured<Counts>) -> Counts? {
    guard let canary = canary.value, let stable = stable.value else { return nil }
    return canary + stable
  }

  private func byPod(
    _ values: [MetricsKey: Double], _ counts: ([MetricsKey: Double], Track) -> Counts?
  ) -> [String: (track: Track, counts: Counts)] {
    var pods: [String: (track: Track, counts: Counts)] = [:]
    for (pod, own) in Dictionary(grouping: values, by: { $0.key.pod }) where !pod.isEmpty {
      guard let track = own.first?.key.track,
        let counts = counts(Dictionary(uniqueKeysWithValues: own.map { ($0.key, $0.value) }), track)
      else { continue }
      pods[pod] = (track, counts)
    }
    return pods
  }

  /// Whether a track gets requests that this view counts; callers do not count copies.
  private func isServed(_ track: Track, _ view: MetricsView, _ traffic: TrafficTarget) -> Bool {
    switch track {
    case .stable: traffic.weight < .all && !stableIsDown
    case .canary: traffic.weight > .none || !traffic.routes.isEmpty || (view == .callee && traffic.mirror != nil)
    }
  }

  private func counts(
    _ found: Measured<[MetricsKey: Double]>, _ track: Track, _ view: MetricsView, _ traffic: TrafficTarget
  ) -> Measured<Counts> {
    guard isServed(track, view, traffic) else { return .value(.zero) }
    switch found {
    case .value(let values):
      let own = values.filter { $0.key.track == track }
      guard !own.isEmpty else { return .missing }
      let bad = own.filter(\.key.isError).values.reduce(0, +)
      return .counts(requests: .value(own.values.reduce(0, +)), bad: .value(bad))
    default: return found.map { _ in nil }
    }
  }

  private func histogram(
    _ found: Measured<[MetricsKey: Double]>, _ track: Track, _ view: MetricsView, _ traffic: TrafficTarget
  ) -> Measured<LatencyHistogram> {
    guard isServed(track, view, traffic) else {
      // With the boundaries of what was measured, or a sum with it would lose them.
      let all = Set((found.value ?? [:]).keys.compactMap(\.boundary).filter(\.isFinite))
      return .value(.empty(boundaries: Array(all)))
    }
    switch found {
    case .value(let values):
      var buckets: [Double: Double] = [:]
      for (key, value) in values where key.track == track {
        if let boundary = key.boundary { buckets[boundary, default: 0] += value }
      }
      guard !buckets.isEmpty else { return .missing }
      do {
        return .value(try LatencyHistogram(buckets: buckets))
      } catch {
        return .sourceFailed("\(error)")
      }
    default: return found.map { _ in nil }
    }
  }

  // MARK: - Reporting

  private func report(_ objective: Objective) -> CheckReport {
    var found: (Int, Judgement)?
    let kind: LookAnswers.Question.Kind
    // A canary that is worse than stable was fails, whatever its limit says.
    let worse = objective.earlier.firstIndex(where: \.isWorse)
    switch objective.check {
    case .errors(let check):
      (found, kind) = (worse.map { ($0, check.views[$0].judgement(window: nil, queries: [])) }, .requests)
      found = found ?? check.judgement()
    case .latency(let check):
      (found, kind) = (worse.map { ($0, check.views[$0].judgement(window: nil, queries: [])) }, .latency)
      found = found ?? check.judgement()
    }
    guard let metrics, let (place, found) = found else {
      return CheckReport(name: objective.name, verdict: .unknown, message: "nothing is measured")
    }
    let view = metrics.views[place]
    var judgement = found
    if worse != nil { judgement.finding = .worseThanStable }
    if objective.earlier.indices.contains(place), let note = objective.earlier[place].note {
      judgement.evidence.notes.append(note)
    }
    judgement = warmUp.judged(objective.attribution.judged(judgement))
    judgement.evidence.window = watched.map { $0.upperBound.timeIntervalSince($0.lowerBound) }
    judgement.evidence.queries = [questions[LookAnswers.Question(view: view, kind: kind)]].compactMap { $0 }
    judgement.evidence.budget = objective.isDryRun ? nil : budget
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

/// How the probability of a false abort is divided among the ways in which a run is judged: most of it has the checks.
/// The shares are of the whole and add up to 1, so that all ways together have no more than the plan's `falseAbortRisk`.
struct RiskShares {
  let bake: Double
  let autopilot: Double
  /// For a canary that only a bad pod of stable's had hidden.
  let unhidden: Double

  init(_ plan: Plan) {
    bake = plan.bake == nil ? 0 : 0.25
    autopilot = plan.autopilot == nil ? 0 : 0.25
    unhidden = 0.01
  }

  var checks: Double { 1 - bake - autopilot - unhidden }
}

extension LatencyHistogram {
  /// The requests slower than the first boundary at or above a limit; none of a histogram without requests.
  fileprivate func slower(thanAtLeast limit: Double) -> Counts? {
    total == 0 ? .zero : boundaries.first { $0 >= limit }.flatMap { slower(than: $0) }
  }
}
