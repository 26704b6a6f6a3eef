import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// Counts, look by look, what the counters of one objective's query say of each track, and what they are counted per.
///
/// A look is taken whole or not at all: where a track's counters were not read, or a busy process of it was not scraped,
/// nothing is concluded until they are, and what grew meanwhile then counts as one look. So an event counts once, and no
/// track's events are compared with the other's of another time.
struct EventLooks: Sendable {
  /// One series of one counter.
  private struct SeriesKey: Codable, Hashable, Sendable {
    var part: QueryQuestion.Part
    var labels: [String: String]

    /// Who counts.
    var process: String { [labels["instance"], labels["pod"]].compactMap { $0 }.joined(separator: "/") }
  }

  /// What a track's counters gave.
  private enum Reading {
    case values([SeriesKey: Double])
    case problem(Measured<EventCount>)
  }

  let counted: SLO.Counted
  private var counters: [Track: CounterIncreases<SeriesKey>] = [:]
  private var gaps = ScrapeGaps<String>()
  /// What was counted since the last look that was taken.
  private var open: [Track: EventCount] = [:]
  /// When the counters of all tracks were last read.
  private var readAt: Date?
  private var since: Date?
  /// The jobs that scrape stable's series, by which a canary is known that has counted nothing yet.
  private var jobs: Set<String> = []

  init(_ counted: SLO.Counted) { self.counted = counted }

  /// What a reader of the counts should know.
  var note: String? { Track.allCases.compactMap { counters[$0]?.note }.first }

  /// What to ask of a track.
  func questions(of track: Track) -> [QueryQuestion.Part] {
    var parts = (0..<counted.amount.count).map(QueryQuestion.Part.amount)
    parts += (0..<(counted.per?.count ?? 0)).map(QueryQuestion.Part.per)
    let mayBeMissing = !counted.amount.isZeroWithoutSeries || counted.per.map { !$0.isZeroWithoutSeries } ?? false
    if track == .canary, mayBeMissing, !hasAll(.canary) { parts.append(.presence) }
    return parts
  }

  private func hasAll(_ track: Track) -> Bool {
    let known = Set((counters[track]?.keys).map { $0.map(\.part) } ?? [])
    return known.contains { $0.isAmount } && (counted.per == nil || known.contains { $0.isPer })
  }

  /// Requests that the mesh counted, where nothing else is counted per.
  mutating func count(_ requests: [Track: Double], since verifiedAt: Date) {
    guard counted.per == nil else { return }
    begin(verifiedAt)
    for (track, number) in requests { open[track, default: .zero].requests += number }
  }

  /// The next look is the first one.
  mutating func beginAnew() {
    readAt = nil
    open = [:]
  }

  private mutating func begin(_ verifiedAt: Date?) {
    guard since != verifiedAt else { return }
    since = verifiedAt
    open = [:]
  }

  /// What a round of answers came to.
  enum Look: Sendable, Equatable {
    /// Nothing can be said yet: it is the first one since the traffic was verified, or part of it is still to come.
    case none
    case counted([Track: EventCount])
    case missing([Track: Measured<EventCount>])
  }

  /// Takes a round of answers in.
  /// - Parameters:
  ///   - answers: of each track that was asked.
  ///   - verifiedAt: `nil` before any traffic.
  mutating func record(
    _ answers: [Track: [QueryQuestion.Part: LookAnswers.Answer]], at now: Date, verifiedAt: Date?
  ) -> Look {
    begin(verifiedAt)
    var readings: [Track: Reading] = [:]
    // Stable first: by its jobs a canary is known that has counted nothing yet.
    for track in Track.allCases { if let own = answers[track] { readings[track] = reading(own, track) } }
    var problems: [Track: Measured<EventCount>] = [:]
    for (track, reading) in readings { if case .problem(let problem) = reading { problems[track] = problem } }
    guard problems.isEmpty else { return .missing(problems) }
    var growth: [String: Double] = [:]
    var grown: [Track: EventCount] = [:]
    for track in Track.allCases {
      guard case .values(let values)? = readings[track] else { continue }
      let known = Set((counters[track]?.keys).map { $0.map(\.process) } ?? [])
      let increase = counters[track, default: CounterIncreases()].record(values, at: now, of: \.process) {
        track == .canary || known.contains($0.process)
      }
      for key in values.keys { growth["\(track) \(key.process)", default: 0] += increase?.values[key] ?? 0 }
      guard let increase else { continue }
      var count = EventCount.zero
      for (key, value) in increase.values {
        if key.part.isAmount { count.events += value } else { count.requests += value }
      }
      grown[track] = count
    }
    let isUneven = gaps.record(growth)
    defer { readAt = now }
    // What grew before the traffic was verified is not of it.
    guard let readAt, verifiedAt.map({ readAt >= $0 }) ?? true, grown.count == readings.count else {
      open = [:]
      return .none
    }
    for (track, count) in grown { open[track, default: .zero] += count }
    guard !isUneven else { return .none }
    let look = open.filter { readings[$0.key] != nil }
    guard readings.keys.allSatisfy({ look[$0]?.requests ?? 0 > 0 }) else {
      // Events whose requests are still to be counted wait for them.
      return look[.canary]?.requests ?? 0 > 0 || verifiedAt == nil ? .none : .counted([:])
    }
    open = [:]
    return .counted(look)
  }

  /// The values of one track's series. Counters that have no series yet count nothing, if it is known that they would be
  /// seen: before its first order a canary has no series of orders, and must not pass for one that is not measured.
  private mutating func reading(
    _ answers: [QueryQuestion.Part: LookAnswers.Answer], _ track: Track
  ) -> Reading {
    var values: [SeriesKey: Double] = [:]
    var present: Set<String>?
    for (part, answer) in answers.sorted(by: { $0.key.order < $1.key.order }) {
      let series: [MetricSeries]
      switch answer {
      case .failed(let text): return .problem(.sourceFailed(text))
      case .series(let found): series = found
      }
      if part == .presence {
        present = Set(series.filter { $0.value == 1 }.map { $0.labels["job"] ?? "" })
        continue
      }
      for one in series {
        guard one.value.isFinite else { return .problem(.notANumber) }
        values[SeriesKey(part: part, labels: one.labels), default: 0] += one.value
        if track == .stable, let job = one.labels["job"] { jobs.insert(job) }
      }
    }
    for (sum, isOfSum) in [(counted.amount, { $0.isAmount }), (counted.per, { $0.isPer })]
      as [(CounterSum?, (QueryQuestion.Part) -> Bool)]
    {
      guard let sum, !values.keys.contains(where: { isOfSum($0.part) }) else { continue }
      let wasSeen = counters[track]?.keys.contains { isOfSum($0.part) } ?? false
      let isScraped = track == .canary && !wasSeen && !(present ?? []).isDisjoint(with: jobs)
      guard sum.isZeroWithoutSeries || isScraped else { return .problem(.missing) }
    }
    return .values(values)
  }
}

extension QueryQuestion.Part {
  var isAmount: Bool { if case .amount = self { true } else { false } }
  var isPer: Bool { if case .per = self { true } else { false } }

  /// The presence first, which the others are read by.
  fileprivate var order: Int {
    switch self {
    case .presence: 0
    case .value: 1
    case .amount(let index): 2 + index
    case .per(let index): 100 + index
    case .buckets: 200
    }
  }
}
