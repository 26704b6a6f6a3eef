import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Judges one objective on a histogram of a team's own, look after look, as those of a mesh are judged.
///
/// A look is taken whole or not at all: where a track's buckets were not read nothing is concluded until they are, and
/// what grew meanwhile then counts as one look.
struct OwnLatencyJudge: Sendable {
  let slo: SLO
  let latency: SLO.OwnLatency
  private let analysis: PlanAnalysis
  private let shares: RiskShares
  private var objective: JudgedObjective
  /// What the quantile may be, in milliseconds.
  private let max: Double
  private var counters = CounterIncreases<MetricsKey>()
  private var gaps = ScrapeGaps<String>()
  private var native: NativeBuckets
  /// When both tracks were last read, under verified traffic.
  private var readAt: Date?
  private var hasLearned = false
  private var since: Date?
  private var asked: [String] = []
  private var watched: Double?
  /// Why stable's histogram, asked before any traffic, cannot be compared with.
  private(set) var obstacle: String?
  private(set) var isReady = false

  /// - Returns: `nil` for another objective.
  init?(_ slo: SLO, _ analysis: PlanAnalysis, _ shares: RiskShares) {
    guard case .ownLatency(let latency) = slo.objective,
      let objective = JudgedObjective(slo, analysis, shares, views: 1)
    else { return nil }
    self.slo = slo
    self.latency = latency
    self.analysis = analysis
    self.shares = shares
    self.objective = objective
    max = latency.max / .milliseconds(1)
    native = NativeBuckets(limits: [max])
  }

  /// The probability of a false abort that each of its tests was given.
  var risks: [Double] { objective.risks }

  /// The next look is the first one.
  mutating func beginCountingAnew() { readAt = nil }

  /// Takes a round of answers in.
  mutating func record(_ answers: [Track: LookAnswers.Answer], of round: QueryRound, places: [PodPlace]) {
    guard !answers.isEmpty else { return }
    asked = round.texts.filter { $0.key.slo == slo.name }.sorted { $0.key.track.rawValue < $1.key.track.rawValue }
      .map(\.value)
    if since != round.verifiedAt {
      since = round.verifiedAt
      // What began before the traffic was verified is not of it.
      if let verifiedAt = round.verifiedAt, readAt.map({ $0 < verifiedAt }) ?? true { readAt = nil }
    }
    let found = increase(answers, at: round.at)
    guard let verifiedAt = round.verifiedAt else {
      learn(found)
      return
    }
    watched = round.at.timeIntervalSince(verifiedAt)
    if case .value(let values) = found {
      defer { readAt = round.at }
      guard readAt != nil else { return }
      judge(values, round, places)
    } else {
      let problem: Measured<LatencyHistogram> = found.map { _ in nil }
      objective.record(0, canary: problem, stable: problem)
    }
  }

  private mutating func judge(_ values: [MetricsKey: Double], _ round: QueryRound, _ places: [PodPlace]) {
    let isUneven = gaps.record(LookParts.growth(values, of: .latency))
    var circumstances: Circumstances = round.servesStable ? [] : .alone
    if isUneven { circumstances.insert(.uneven) }
    let reading = TrackReading(
      traffic: TrafficTarget(weight: round.servesStable ? Weight(1) ?? .none : .all), stableIsDown: false)
    let (canary, stable) = (
      reading.histogram(.value(values), .canary, .callee), reading.histogram(.value(values), .stable, .callee)
    )
    objective.record(
      0, canary: canary, stable: stable, parts: LookParts.histograms(values), circumstances: circumstances)
    let (slow, usual) = (canary.value?.slower(thanAtLeast: max), stable.value?.slower(thanAtLeast: max))
    objective.compare(0, canary: slow, stable: usual, isAlone: !round.servesStable)
    let times = reading.byPod(values) { reading.histogram(.value($0), $1, .callee).value }
    let pods = times.compactMapValues { pod in pod.look.slower(thanAtLeast: max).map { (track: pod.track, look: $0) } }
    objective.attribution.record(
      pods: pods, times: objective.attribution.comparesTimes ? times : [:],
      service: slow.flatMap { slow in usual.map { slow + $0 } }, writtenAt: round.verifiedAt,
      places: places)
  }

  /// What grew since the look before; nothing of the first.
  private mutating func increase(
    _ answers: [Track: LookAnswers.Answer], at now: Date
  ) -> Measured<[MetricsKey: Double]> {
    var readings: [MetricsKey: Double] = [:]
    for track in Track.allCases {
      switch answers[track] {
      case nil: break
      case .failed(let text): return .sourceFailed(text)
      case .series(let series): readings.merge(Self.readings(series, track, latency.unit)) { $1 }
      }
    }
    if readings.values.contains(where: { !$0.isFinite }) { return .notANumber }
    if NativeBuckets.hasCustomBoundaries(Array(readings.keys)) {
      return .sourceFailed("the histogram is \(NativeBuckets.customBoundaries)")
    }
    let known = Set(counters.keys.map(\.process))
    let increase = counters.record(readings, at: now, of: \.process) { $0.beginsAtZero(known: known) }
    var values = increase?.values ?? [:]
    for key in readings.keys where values[key] == nil { values[key] = 0 }
    guard readings.keys.contains(where: \.isNative) else { return .value(values) }
    let common = native.common(values)
    // Other boundaries are another test, with half of what risk there was.
    if common.beginsAnew {
      objective.beginAnew(analysis, shares, views: 1, part: pow(0.5, Double(native.beginnings)))
    }
    return .value(common.values)
  }

  private mutating func learn(_ found: Measured<[MetricsKey: Double]>) {
    isReady = true
    guard let values = found.value else {
      obstacle = found.problem
      return
    }
    let boundaries = values.keys.filter { $0.track == .stable }.compactMap(\.boundary)
    obstacle = problem(boundaries)
    // The first look is what the next one is counted from.
    defer { hasLearned = true }
    guard hasLearned else { return }
    let stable = TrackReading(traffic: .stableOnly, stableIsDown: false).histogram(found, .stable, .callee)
    objective.learn(0, stable: stable, parts: LookParts.histograms(values).stable)
  }

  private func problem(_ boundaries: [Double]) -> String? {
    guard !boundaries.isEmpty else { return Measured<Double>.missing.problem }
    guard let smallest = boundaries.filter(\.isFinite).min() else { return "the histogram has no buckets but +Inf" }
    guard smallest > max else { return nil }
    return "the smallest bucket ends at \(smallest) ms, so nothing can show that \(max) ms is kept"
  }

  /// - Returns: by boundaries in milliseconds.
  static func readings(
    _ series: [MetricSeries], _ track: Track, _ unit: LatencyUnit
  ) -> [MetricsKey: Double] {
    series.readings(process: HistogramMetric.process) { _ in
      track
    } isError: { _ in
      false
    } bucket: {
      unit == .seconds ? MetricSeries.milliseconds($0) : $0
    }
  }

  var report: CheckReport {
    let isDryRun = slo.mode == .dryRun
    guard var judgement = objective.judgement?.judgement else {
      return CheckReport(name: slo.name, verdict: .unknown, message: "nothing is measured", isDryRun: isDryRun)
    }
    judgement.evidence.window = watched
    judgement.evidence.queries = asked
    judgement.evidence.budget = isDryRun ? nil : analysis.falseAbortRisk.fraction
    if let note = counters.note { judgement.evidence.notes.append(note) }
    return CheckReport(
      name: slo.name, verdict: judgement.verdict, message: judgement.evidence.sentence, judgement: judgement,
      isDryRun: isDryRun)
  }
}
