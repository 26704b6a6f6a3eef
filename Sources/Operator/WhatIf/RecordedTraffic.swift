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
    /// What containers used, by pod and ``Signal``.
    public var pods: [String: [String: Double]]?
    /// Answers that are no success and no error, by their code.
    public var stableCodes: [String: Int]?
    public var canaryCodes: [String: Int]?

    public init(stable: TrackLook? = nil, canary: TrackLook? = nil) {
      self.stable = stable
      self.canary = canary
    }
  }

  /// What stable did in so many seconds before the first look, for the windows of error budgets.
  public struct Past: Codable, Sendable, Hashable {
    public var window: Double
    public var stable: TrackLook

    public init(window: Double, stable: TrackLook) {
      self.window = window
      self.stable = stable
    }
  }

  /// Absent in files of versions that did not record it.
  public var past: [Past]?
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

  public init(start: Date, interval: Double, boundaries: [Double], looks: [Look]) {
    self.start = start
    self.interval = interval
    self.boundaries = boundaries
    self.looks = looks
  }

  /// Why it cannot be used.
  public var problem: String? {
    if format != Self.format { return "it has format \(format); this version reads format \(Self.format)" }
    guard interval > 0, interval.isFinite else { return "its interval is \(interval) s; it must be above 0" }
    guard zip(boundaries, boundaries.dropFirst()).allSatisfy(<), boundaries.allSatisfy(\.isFinite) else {
      return "its boundaries are not finite and ascending"
    }
    let tracks = looks.flatMap { [$0.stable, $0.canary].compactMap { $0 } } + (past ?? []).map(\.stable)
    guard tracks.allSatisfy({ $0.buckets.count == boundaries.count }) else {
      return "a look has another number of buckets than there are boundaries (\(boundaries.count))"
    }
    guard tracks.allSatisfy({ $0.requests >= 0 && (0...$0.requests).contains($0.failed) }) else {
      return "a look has more failed requests than requests, or fewer than none"
    }
    for (name, track) in [("stable", \Look.stable), ("canary", \Look.canary)]
    where !looks.contains(where: { $0[keyPath: track]?.requests ?? 0 > 0 }) {
      return "the \(name) revision has no requests in it: choose another time, or another ReplicaSet"
    }
    return nil
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
  }
}

/// Requests drawn from a recording: as many as both revisions had together, divided as the weight says, each with its own
/// revision's recorded rates of errors and latencies.
struct RecordedTraffic: TrafficSource {
  let recording: Recording
  private var random: SeededRandom
  private let nearest: [Track: [TrackLook]]
  private var values: [SeriesKey: [Double?]] = [:]
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
  var tellsOwnLatency: Bool { false }
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
            name: name, track: track, startedAt: look.start, restarts: Int(restarts),
            wasKilledForMemory: values[ContainerMetrics.terminated] ?? 0 > 0)
        }
      }, answers: answers, isDividedOtherwise: true)
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
    let end = index(time)
    let looks = recording.looks[max(0, end - max(1, Int(Self.window / recording.interval)) + 1)...end]
    // Where there are none, those of the whole recording stand in.
    guard let (counts, served) = Self.sum(looks, slo.name, track) ?? Self.sum(recording.looks[...], slo.name, track)
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
