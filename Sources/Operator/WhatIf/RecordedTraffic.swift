import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What two revisions of a service did, look by look, as a Prometheus has it or a file keeps it.
public struct Recording: Codable, Sendable, Hashable {
  /// Changes where the format does.
  public static let format = 1

  public struct Look: Codable, Sendable, Hashable {
    /// Absent where the track had no series then.
    public var stable: TrackLook?
    public var canary: TrackLook?
    /// What the plan's queries gave, by the name of the SLO.
    public var stableValues: [String: Double]?
    public var canaryValues: [String: Double]?
    /// What its counters counted in this look, likewise, and what it is counted per.
    public var stableEvents: [String: EventCount]?
    public var canaryEvents: [String: EventCount]?
    /// What histograms of the team's own measured in this look, likewise, by ``Recording/histograms``.
    public var stableHistograms: [String: TrackLook]?
    public var canaryHistograms: [String: TrackLook]?
    /// What containers used, by pod and ``Signal``.
    public var pods: [String: [String: Double]]?
    /// Answers that are no success and no error, by their code.
    public var stableCodes: [String: Int]?
    public var canaryCodes: [String: Int]?
    /// Of the service, as its callers count them, whichever pods answered.
    public var serviceRequests: Int?

    public init(stable: TrackLook? = nil, canary: TrackLook? = nil) {
      self.stable = stable
      self.canary = canary
    }
  }

  /// What stable did in so many seconds before the first look, for the windows of error budgets.
  public struct Past: Codable, Sendable, Hashable {
    public var window: Double
    public var stable: TrackLook
    /// What histograms of the team's own measured.
    public var histograms: [String: TrackLook]?

    public init(window: Double, stable: TrackLook) {
      self.window = window
      self.stable = stable
    }
  }

  /// Absent in files of versions that did not record it.
  public var past: [Past]?
  /// Absent in files of versions that did not record it.
  public var otherDays: OtherDays?
  /// The ReplicaSets whose pods they are; absent in files of versions that did not record pods.
  public var stableSet: String?
  public var canarySet: String?

  public var format = Self.format
  /// When the first look began.
  public var start: Date
  /// Of each look, in seconds.
  public var interval: Double
  /// Upper bounds of the latency buckets in milliseconds, ascending and finite.
  public var boundaries: [Double]
  public var looks: [Look]
  /// The same of the histograms of the team's own, by the name of the SLO; absent in files of versions that did not record
  /// them.
  public var histograms: [String: [Double]]?

  public init(start: Date, interval: Double, boundaries: [Double], looks: [Look]) {
    self.start = start
    self.interval = interval
    self.boundaries = boundaries
    self.looks = looks
  }

  /// Looks that one may have.
  public static let maxLooks = 50_000
  /// Seconds that a look may last, as the intervals of plans.
  static let intervals = 1.0...600
  /// More of anything in one look is nothing that was counted.
  private static let most = 1_000_000_000_000

  /// Why it cannot be used: the field, what was found and what would be right.
  public var problem: String? {
    if format != Self.format { return "format: found \(format), wanted \(Self.format), which this version reads" }
    guard Self.intervals.contains(interval) else {
      return "interval: found \(interval), wanted the seconds of a look, from 1 to 600"
    }
    for (name, boundaries) in [("boundaries", boundaries)] + histogramBoundaries {
      let isAscending = zip(boundaries, boundaries.dropFirst()).allSatisfy(<)
      guard isAscending, boundaries.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        return "\(name): found \(boundaries.prefix(5)), wanted finite numbers from 0 on, ascending"
      }
    }
    guard (1...Self.maxLooks).contains(looks.count) else {
      return "looks: found \(looks.isEmpty ? "none" : "\(looks.count)"), wanted 1 to \(Self.maxLooks)"
    }
    for (index, look) in looks.enumerated() {
      if let problem = problem(of: look) { return "looks[\(index)].\(problem)" }
    }
    for (index, past) in (past ?? []).enumerated() {
      guard past.window.isFinite, past.window > 0 else {
        return "past[\(index)].window: found \(past.window), wanted seconds above 0"
      }
      if let problem = problem(of: past.stable) { return "past[\(index)].stable.\(problem)" }
      if let problem = problem(of: past.histograms, "histograms") { return "past[\(index)].\(problem)" }
    }
    if let problem = otherDays?.problem { return "otherDays.\(problem)" }
    return withoutRequests.map { "\($0) has no requests in it: choose another time, or another ReplicaSet" }
  }

  /// The first track that never had a request.
  private var withoutRequests: String? {
    let sides = [
      ("the stable revision", stableSet, \Look.stable), ("the canary revision", canarySet, \Look.canary),
    ]
    return sides.first { side in !looks.contains { $0[keyPath: side.2]?.requests ?? 0 > 0 } }
      .map { name, set, _ in set.map { "\(name) (\($0))" } ?? name }
  }

  private func problem(of look: Look) -> String? {
    for (name, track, codes) in [
      ("stable", look.stable, look.stableCodes), ("canary", look.canary, look.canaryCodes),
    ] {
      if let problem = track.flatMap({ problem(of: $0) }) { return "\(name).\(problem)" }
      if let (code, count) = codes?.first(where: { !(0...Self.most).contains($0.value) }) {
        return "\(name)Codes.\(code): found \(count), wanted 0 to \(Self.most)"
      }
    }
    if let count = look.serviceRequests, !(0...Self.most).contains(count) {
      return "serviceRequests: found \(count), wanted 0 to \(Self.most)"
    }
    for (field, histograms) in [
      ("stableHistograms", look.stableHistograms), ("canaryHistograms", look.canaryHistograms),
    ] {
      if let problem = problem(of: histograms, field) { return problem }
    }
    for (name, events) in [("stable", look.stableEvents), ("canary", look.canaryEvents)] {
      let isWrong = { (count: EventCount) in !count.requests.isFinite || count.requests < 0 || !(count.events >= 0) }
      if let (slo, count) = events?.first(where: { isWrong($0.value) }) {
        return "\(name)Events.\(slo): found \(count.events) of \(count.requests), wanted numbers from 0 on"
      }
    }
    let values = (look.pods ?? [:]).flatMap { pod, values in values.map { ("pods.\(pod).\($0.key)", $0.value) } }
    return values.first { !($0.1 >= 0) || $0.1 > Double(Self.most) * 1e6 }
      .map { "\($0.0): found \($0.1), wanted 0 to 1e18" }
  }

  private var histogramBoundaries: [(String, [Double])] {
    (histograms ?? [:]).sorted { $0.key < $1.key }.map { ("histograms.\($0.key)", $0.value) }
  }

  private func problem(of histograms: [String: TrackLook]?, _ field: String) -> String? {
    for (slo, look) in (histograms ?? [:]).sorted(by: { $0.key < $1.key }) {
      let name = "histograms.\(slo)"
      if let problem = problem(of: look, self.histograms?[slo] ?? [], name) { return "\(field).\(slo).\(problem)" }
    }
    return nil
  }

  private func problem(of track: TrackLook) -> String? { problem(of: track, boundaries, "boundaries") }

  private func problem(of track: TrackLook, _ boundaries: [Double], _ name: String) -> String? {
    guard (0...Self.most).contains(track.requests) else {
      return "requests: found \(track.requests), wanted 0 to \(Self.most)"
    }
    guard (0...track.requests).contains(track.failed) else {
      return "failed: found \(track.failed), wanted 0 to \(track.requests), which is all requests"
    }
    guard track.buckets.count == boundaries.count else {
      return "buckets: found \(track.buckets.count), wanted \(boundaries.count), one for each of \(name)"
    }
    let isRising = zip(track.buckets, track.buckets.dropFirst()).allSatisfy(<=)
    guard isRising, (track.buckets.first ?? 0) >= 0, (track.buckets.last ?? 0) <= track.requests else {
      return "buckets: found \(track.buckets.prefix(5)), wanted counts that never fall, from 0 to \(track.requests)"
    }
    return nil
  }

  /// The plan's objectives on histograms of which nothing is recorded, of one of the tracks at least.
  public func unknownHistograms(of plan: Plan) -> [String] {
    plan.analysis.slos.compactMap { slo in
      guard case .ownLatency = slo.objective else { return nil }
      let isKnown = [\Look.stableHistograms, \.canaryHistograms].allSatisfy { track in
        looks.contains { $0[keyPath: track]?[slo.name]?.requests ?? 0 > 0 }
      }
      return isKnown ? nil : slo.name
    }
  }

  /// What limits the trust in a trial with it, for people.
  public var cautions: [String] {
    let gaps: [String] = [("stable", \Look.stable), ("canary", \Look.canary)].compactMap { name, track in
      let without = looks.filter { $0[keyPath: track]?.requests ?? 0 == 0 }.count
      guard without > 0 else { return nil }
      return "the \(name) revision had no requests in \(without) of \(looks.count) looks; the nearest look with some "
        + "stands in for each"
    }
    let hasPods = looks.contains { $0.pods?.isEmpty == false }
    let hasPast = past?.isEmpty == false
    return gaps
      + (hasPast ? [] : ["nothing from before is recorded, so that an error budget begins to burn at the first look"])
      + (hasPods ? [] : ["nothing of containers is recorded, so that guards see answers alone"])
      + [otherDays.map(\.caution) ?? OtherDays.unrecorded].compactMap { $0 }
  }
}

/// Requests drawn from a recording: as many as both revisions had together, divided as the weight says, each with its own
/// revision's recorded rates of errors and latencies.
struct RecordedTraffic: TrafficSource {
  let recording: Recording
  private var random: SeededRandom
  private let nearest: [Track: [TrackLook]]
  private var values: [SeriesKey: [Double?]] = [:]
  private var patterns: [SeriesKey: [TrackLook]] = [:]
  /// Requests per second of both revisions together.
  private var rates: [Double] = []

  private struct SeriesKey: Hashable, Sendable {
    var slo: String
    var track: Track
  }

  /// How far back a rate looks, in seconds, as the queries of a recording do.
  private static let window = 120.0

  init(_ recording: Recording, seed: UInt64) {
    self.recording = recording
    random = SeededRandom(seed: seed)
    nearest = [
      .stable: Self.filled(recording.looks.map(\.stable)), .canary: Self.filled(recording.looks.map(\.canary)),
    ]
    rates = Self.meanRates(recording, [\.stable, \.canary])
  }

  private static func meanRates(_ recording: Recording, _ tracks: [KeyPath<Recording.Look, TrackLook?>]) -> [Double] {
    let count = max(1, Int(window / recording.interval))
    let requests = recording.looks.map { look in tracks.reduce(0) { $0 + (look[keyPath: $1]?.requests ?? 0) } }
    var sum = 0
    return requests.indices.map { index in
      sum += requests[index] - (index >= count ? requests[index - count] : 0)
      return Double(sum) / (Double(min(count, index + 1)) * recording.interval)
    }
  }

  var boundaries: [Double] { recording.boundaries }
  var canaryParts: [TrackLook] { [] }
  var duration: Double? { Double(recording.looks.count) * recording.interval }

  /// Where there are no requests, the look before that has some; at the beginning, the first one that has.
  private static func filled(_ looks: [TrackLook?]) -> [TrackLook] {
    var last = looks.lazy.compactMap { $0 }.first { $0.requests > 0 }
    return looks.compactMap { look in
      if let look, look.requests > 0 { last = look }
      return last
    }
  }

  private func index(_ time: Double) -> Int {
    min(max(0, recording.looks.count - 1), max(0, Int(time / recording.interval)))
  }

  mutating func look(from: Double, to: Double, share: Double) -> [Track: TrackLook] {
    let index = index(from)
    let look = recording.looks[index]
    let recorded = Double((look.stable?.requests ?? 0) + (look.canary?.requests ?? 0))
    let all = recorded * (to - from) / recording.interval
    var result: [Track: TrackLook] = [:]
    for (track, part) in [(Track.stable, 1 - share), (.canary, share)] where part > 0 {
      guard let pattern = nearest[track], pattern.indices.contains(index) else { continue }
      result[track] = draw(random.poisson(all * part), as: pattern[index])
    }
    return result
  }

  func past(of windows: [Double]) -> [Double: TrackLook] {
    Dictionary((recording.past ?? []).filter { $0.window > 0 }.map { ($0.window, $0.stable) }) { $1 }
  }

  func boundaries(of slo: String) -> [Double] { recording.histograms?[slo] ?? [] }

  func past(of windows: [Double], histogram slo: String) -> [Double: TrackLook] {
    Dictionary(
      (recording.past ?? []).compactMap { past in
        past.window > 0 ? past.histograms?[slo].map { (past.window, $0) } : nil
      }
    ) { $1 }
  }

  /// As many of the recorded answers as the track had by request, with the recorded times of its own.
  mutating func histogram(of slo: String, _ track: Track, _ look: TrackLook, at time: Double) -> TrackLook? {
    let key = SeriesKey(slo: slo, track: track)
    let own = track == .stable ? \Recording.Look.stableHistograms : \.canaryHistograms
    let pattern = patterns[key] ?? Self.filled(recording.looks.map { $0[keyPath: own]?[slo] })
    patterns[key] = pattern
    let index = index(time)
    guard pattern.indices.contains(index) else { return nil }
    func share(_ looks: ArraySlice<Recording.Look>) -> Double? {
      let served = looks.reduce(0) { $0 + ((track == .stable ? $1.stable : $1.canary)?.requests ?? 0) }
      let measured = looks.reduce(0) { $0 + ($1[keyPath: own]?[slo]?.requests ?? 0) }
      return served > 0 && measured > 0 ? Double(measured) / Double(served) : nil
    }
    guard let share = share(recent(index)) ?? share(recording.looks[...]) else { return nil }
    return draw(random.poisson(Double(look.requests) * share), as: pattern[index])
  }

  /// The looks up to one that a rate is made of.
  private func recent(_ end: Int) -> ArraySlice<Recording.Look> {
    recording.looks[max(0, end - max(1, Int(Self.window / recording.interval)) + 1)...end]
  }

  private mutating func draw(_ requests: Int, as pattern: TrackLook) -> TrackLook {
    let total = Double(max(1, pattern.requests))
    var buckets: [Int] = []
    var rest = requests
    var below = 0
    for count in pattern.buckets {
      let above = pattern.requests - below
      let here = above > 0 ? random.binomial(rest, Double(max(0, count - below)) / Double(above)) : 0
      rest -= here
      below = max(below, count)
      buckets.append(requests - rest)
    }
    return TrackLook(
      requests: requests, failed: random.binomial(requests, Double(pattern.failed) / total), buckets: buckets)
  }

  /// The release as it was: how its requests were divided then, and what its pods used for them.
  mutating func signals(_ look: TrialLook) -> TrialSignals? {
    let recorded = recording.looks[index(look.from)]
    let recordedPods = (recorded.pods ?? [:]).compactMap { name, values -> (Track, String, [String: Double])? in
      // A set that is compared with itself stands for both tracks.
      let tracks = [(Track.stable, recording.stableSet), (.canary, recording.canarySet)]
      guard let track = tracks.first(where: { $0.1.map { name.hasPrefix("\($0.prefix(57))") } ?? false })?.0 else {
        return nil
      }
      let set = track == .stable ? ImaginedCluster.stable.set : "imagined-\(ImaginedCluster.revision)"
      return (track, "\(set)-\(name.suffix(5))", Signal.metrics(values))
    }
    var answers: [Track: [String: Int]] = [:]
    for (track, counts, codes) in [
      (Track.stable, recorded.stable, recorded.stableCodes), (.canary, recorded.canary, recorded.canaryCodes),
    ] {
      guard let counts else { continue }
      let others = codes ?? [:]
      answers[track] = others
      answers[track]?["503"] = counts.failed
      answers[track]?["200"] = max(0, counts.requests - counts.failed - others.values.reduce(0, +))
    }
    return TrialSignals(
      containers: Dictionary(recordedPods.map { ($0.1, $0.2) }) { $1 },
      pods: recordedPods.compactMap { track, name, values in
        values[ContainerMetrics.restarts].map { restarts in
          PodFacts(
            name: name, track: track, startedAt: look.start, restarts: Int(nearest: restarts),
            wasKilledForMemory: values[ContainerMetrics.terminated] ?? 0 > 0)
        }
      }, answers: answers, serviceRequests: recorded.serviceRequests,
      usual: recording.otherDays?.levels(at: look.from), isDividedOtherwise: true)
  }

  mutating func value(_ slo: SLO, _ track: Track, at time: Double, share: Double) -> Measured<Double> {
    guard case .query(let query) = slo.objective else { return .missing }
    let grows = query.expression.growsWithTraffic
    let key = SeriesKey(slo: slo.name, track: track)
    let series = values[key] ?? series(key, perRequest: grows)
    values[key] = series
    let index = index(time)
    guard series.indices.contains(index), let value = series[index] else { return .missing }
    // A sum over the recorded requests becomes one over those that the weight gives.
    return .value(grows ? value * rates[index] * share : value)
  }

  /// Where there is no value, the one before stands in; at the beginning the first one.
  private func series(_ key: SeriesKey, perRequest: Bool) -> [Double?] {
    let own = Self.meanRates(recording, [key.track == .stable ? \Recording.Look.stable : \Recording.Look.canary])
    let found = recording.looks.indices.map { index -> Double? in
      let look = recording.looks[index]
      guard let value = (key.track == .stable ? look.stableValues : look.canaryValues)?[key.slo] else { return nil }
      return perRequest ? (own[index] > 0 ? value / own[index] : nil) : value
    }
    var last = found.lazy.compactMap { $0 }.first
    return found.map { value in
      last = value ?? last
      return last
    }
  }

  mutating func events(
    _ slo: SLO, _ counted: SLO.Counted, _ track: Track, requests: Int, at time: Double
  ) -> EventCount? {
    // Where there are none, those of the whole recording stand in.
    guard
      let (counts, served) = Self.sum(recent(index(time)), slo.name, track)
        ?? Self.sum(recording.looks[...], slo.name, track)
    else { return nil }
    let per = counted.per == nil ? requests : random.poisson(Double(requests) * counts.requests / served)
    guard counted.bounds == nil else {
      return EventCount(requests: Double(per), events: Double(per) * (counts.rate ?? 0))
    }
    let rate = counts.rate ?? 0
    return EventCount(
      requests: Double(per),
      events: Double(rate <= 1 ? random.binomial(per, rate) : random.poisson(Double(per) * rate)))
  }

  /// What was counted in looks, and the requests of them; `nil` without either.
  private static func sum(
    _ looks: ArraySlice<Recording.Look>, _ slo: String, _ track: Track
  ) -> (EventCount, Double)? {
    var (counts, served) = (EventCount.zero, 0.0)
    for look in looks {
      guard let found = (track == .stable ? look.stableEvents : look.canaryEvents)?[slo] else { continue }
      let requests = Double((track == .stable ? look.stable : look.canary)?.requests ?? 0)
      counts += EventCount(requests: found.requests > 0 ? found.requests : requests, events: found.events)
      served += requests
    }
    return counts.requests > 0 && served > 0 ? (counts, served) : nil
  }
}
