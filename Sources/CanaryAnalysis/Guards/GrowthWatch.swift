import Foundation

/// Whether the canary's memory grows without end while stable's does not.
///
/// Memory goes up and down with garbage collection and is a random walk as much as a line, so no regression test is
/// valid for it. What is watched are the troughs: the least value in each block, and whether it rises from block to block
/// by more than stable's does. The null is that, given all before, it is as likely as not to fall behind; see
/// ``LevelWatch`` for the e-process. It is asked of blocks and of spans of four, half of the bet on each: a garbage
/// collector that takes longer than a block makes its troughs go up and down by more than a leak does. A leak must also
/// matter: ``growth`` tells its size by the Theil–Sen slope.
public struct GrowthWatch: Codable, Sendable, Hashable {
  private var mixture = StartMixture(limit: 0.5)
  private var last: [String: Double] = [:]
  private var spans = StartMixture(limit: 0.5)
  private var lastOfSpan: [String: Double] = [:]
  private var leastOfSpan: [String: Double] = [:]
  private var blocksOfSpan = 0
  /// Medians of the canary's troughs over its pods.
  private var troughs: [Trough] = []
  public private(set) var blocks = 0

  private struct Trough: Codable, Sendable, Hashable {
    var seconds: Double
    var level: Double
  }

  private static let memory = 120
  /// Blocks of a span.
  private static let span = 4
  /// A rise of less than this share of the level is none.
  private static let resolution = 0.0005

  public init() {}

  /// Adds a block: by pod, the least value in it. Pods that are new give no increment yet.
  /// - Parameters:
  ///   - seconds: when the block ended, on any clock.
  ///   - usual: how much the service's pods grew in a block of the same length at the canary's age, where that is known.
  public mutating func record(
    canary: [String: Double], stable: [String: Double], at seconds: Double, usual: Double? = nil
  ) {
    closeSpan(canary: canary, stable: stable, usual: usual)
    let rise = increment(canary, since: last)
    let other = increment(stable, since: last) ?? 0
    last.merge(canary.merging(stable) { $1 }) { $1 }
    if let level = RobustStatistics.median(canary.values) {
      troughs = troughs.suffix(Self.memory - 1) + [Trough(seconds: seconds, level: level)]
    }
    guard let rise, let level = troughs.last?.level, level > 0 else { return }
    blocks += 1
    let allowed = max(0, other, usual ?? 0) + level * Self.resolution
    mixture.update(Counts(requests: 1, bad: rise > allowed ? 1 : 0) ?? .zero)
  }

  private mutating func closeSpan(canary: [String: Double], stable: [String: Double], usual: Double?) {
    leastOfSpan.merge(canary.merging(stable) { $1 }) { min($0, $1) }
    blocksOfSpan += 1
    guard blocksOfSpan == Self.span else { return }
    let worse = leastOfSpan.filter { canary[$0.key] != nil }
    if let rise = increment(worse, since: lastOfSpan), let level = RobustStatistics.median(worse.values), level > 0 {
      let other = increment(leastOfSpan.filter { stable[$0.key] != nil }, since: lastOfSpan) ?? 0
      let allowed = max(0, other, (usual ?? 0) * Double(Self.span)) + level * Self.resolution
      spans.update(Counts(requests: 1, bad: rise > allowed ? 1 : 0) ?? .zero)
    }
    lastOfSpan = leastOfSpan
    leastOfSpan = [:]
    blocksOfSpan = 0
  }

  private func increment(_ pods: [String: Double], since last: [String: Double]) -> Double? {
    RobustStatistics.median(pods.compactMap { pod, level in last[pod].map { level - $0 } })
  }

  public var logEValue: Double {
    blocks == 0 ? 0 : logSum([mixture.logEValue, spans.logEValue]) - log(2)
  }

  /// The size of the growth so far.
  public struct Growth: Codable, Sendable, Hashable {
    /// In the unit of the level for a second.
    public var slope: Double
    /// The newest trough.
    public var level: Double
    /// The newest trough divided by the first.
    public var ratio: Double
    /// The slope over the newer half divided by the slope over all: about 1 for a leak, far below it for a cache that
    /// fills or a heap that warms up.
    public var persistence: Double

    /// The time until a limit is reached, in seconds; `nil` where it is not approached.
    public func timeUntil(_ limit: Double) -> Double? {
      slope > 0 && limit > level ? (limit - level) / slope : nil
    }

    /// It goes on as it began, is more than noise, and within a day adds half of what is there.
    public var matters: Bool { persistence >= 0.6 && ratio >= 1.03 && slope * 86_400 >= level / 2 }
  }

  public var growth: Growth? {
    guard troughs.count >= 6, let first = troughs.first, let last = troughs.last, first.level > 0 else { return nil }
    let points = troughs.map { (x: $0.seconds, y: $0.level) }
    guard let slope = RobustStatistics.slope(points),
      let newer = RobustStatistics.slope(Array(points.suffix(points.count / 2)))
    else { return nil }
    return Growth(
      slope: slope, level: last.level, ratio: last.level / first.level, persistence: slope > 0 ? newer / slope : 0)
  }
}
