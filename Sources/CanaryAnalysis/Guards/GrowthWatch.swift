import Foundation

/// Whether the canary's memory grows without end while stable's does not.
///
/// Memory goes up and down with garbage collection and is a random walk as much as a line, so no regression test is
/// valid for it. What is watched are the troughs: the least value in each block, and whether it rises from block to block
/// by more than stable's does. A garbage collector that takes longer than a block makes its troughs go up and down by more
/// than a leak does, so that longer spans are watched as well. A third of the bet is on each of these:
///
/// - The median of the canary's pods rises by more than that of stable's, from block to block; the null is that, given all
///   before, it is as likely as not to fall behind. See ``LevelWatch`` for the e-process.
/// - The same from one span of four blocks to the next.
/// - Most of the canary's pods rise by more than each single pod of stable, from one span of six blocks to the next. Where
///   the tracks do not differ, no pod has a greater chance than another to rise most: for one canary pod beside m of
///   stable that is 1 / (m + 1), and for more than half of several pods less. The null is this rate, though never below
///   1 / 8: what the pods of one track have in common is no proof. Beside seven pods of stable six such rises are enough
///   for an e-value of 1200, beside three of them eight, where the sign of a median takes sixteen.
///
/// A leak must also matter: ``growth`` tells its size by the Theil–Sen slope.
public struct GrowthWatch: Codable, Sendable, Hashable {
  private var blockRises = Rises(blocks: 1)
  private var blockTest = StartMixture(limit: 0.5)
  private var spanRises = Rises(blocks: 4)
  private var spanTest = StartMixture(limit: 0.5)
  private var longRises = Rises(blocks: 6)
  private var foremost: Foremost?
  /// Medians of the canary's troughs over its pods.
  private var troughs: [Trough] = []
  public private(set) var blocks = 0

  private struct Trough: Codable, Sendable, Hashable {
    var seconds: Double
    var level: Double
  }

  /// The test of the greatest rise, beside at least so many pods of stable.
  private struct Foremost: Codable, Sendable, Hashable {
    var stablePods: Int
    var test: StartMixture

    init(stablePods: Int) {
      self.stablePods = min(stablePods, 7)
      test = StartMixture(limit: 1 / Double(self.stablePods + 1))
    }
  }

  private static let memory = 120
  /// A rise of less than this share of the level is none.
  private static let resolution = 0.0005

  public init() {}

  /// Adds a block: by pod, the least value in it. Pods that are new give no increment yet.
  /// - Parameters:
  ///   - seconds: when the block ended, on any clock.
  public mutating func record(canary: [String: Double], stable: [String: Double], at seconds: Double) {
    guard let level = RobustStatistics.median(canary.values), level > 0 else { return }
    troughs = troughs.suffix(Self.memory - 1) + [Trough(seconds: seconds, level: level)]
    let least = level * Self.resolution
    if let rises = blockRises.add(canary, stable), let isRise = rises.isTypicalRise(least) {
      blocks += 1
      blockTest.update(isRise)
    }
    if let rises = spanRises.add(canary, stable), let isRise = rises.isTypicalRise(least) { spanTest.update(isRise) }
    if let rises = longRises.add(canary, stable), let isRise = rises.isForemostRise(least) {
      var now = foremost ?? Foremost(stablePods: rises.stable.count)
      if rises.stable.count >= now.stablePods { now.test.update(isRise) }
      foremost = now
    }
  }

  public var logEValue: Double {
    guard blocks > 0 else { return 0 }
    return logSum([blockTest.logEValue, spanTest.logEValue, foremost?.test.logEValue ?? 0]) - log(3)
  }

  /// The size of the growth so far.
  /// - Complexity: O(n² log n) in the number of blocks, of which 120 are kept: ask once for each.
  public var growth: Growth? { Growth(troughs.map { (x: $0.seconds, y: $0.level) }) }

  /// The size of a growth.
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

    fileprivate init?(_ troughs: [(x: Double, y: Double)]) {
      guard troughs.count >= 6, let first = troughs.first, let last = troughs.last, first.y > 0,
        let slope = RobustStatistics.slope(troughs),
        let newer = RobustStatistics.slope(Array(troughs.suffix(troughs.count / 2)))
      else { return nil }
      self.slope = slope
      level = last.y
      ratio = last.y / first.y
      persistence = slope > 0 ? newer / slope : 0
    }
  }
}

/// By how much the least value of each pod rises from one span of blocks to the next.
private struct Rises: Codable, Sendable, Hashable {
  let blocks: Int
  private var seen = 0
  private var least: [String: Double] = [:]
  private var last: [String: Double] = [:]

  init(blocks: Int) { self.blocks = blocks }

  /// Those of one span, of the pods that were there in the span before as well.
  struct Found {
    var canary: [Double]
    var stable: [Double]

    /// Whether the middle pod of the canary rises by more than stable's does; `nil` without any.
    func isTypicalRise(_ least: Double) -> Bool? {
      RobustStatistics.median(canary).map { $0 > max(0, RobustStatistics.median(stable) ?? 0) + least }
    }

    /// Whether more than half of the canary's pods rise by more than each of stable's; `nil` where one track has none.
    func isForemostRise(_ least: Double) -> Bool? {
      guard !canary.isEmpty, let most = stable.max() else { return nil }
      return 2 * canary.count { $0 > max(0, most) + least } > canary.count
    }
  }

  /// Adds a block; `nil` where the span is not complete, or is the first.
  mutating func add(_ canary: [String: Double], _ stable: [String: Double]) -> Found? {
    least.merge(canary.merging(stable) { $1 }) { min($0, $1) }
    seen += 1
    guard seen == blocks else { return nil }
    defer { (seen, last, least) = (0, least, [:]) }
    guard !last.isEmpty else { return nil }
    func rises(_ pods: [String: Double]) -> [Double] {
      pods.keys.compactMap { pod in
        guard let now = least[pod], let before = last[pod] else { return nil }
        return now - before
      }
    }
    return Found(canary: rises(canary), stable: rises(stable))
  }
}

extension StartMixture {
  fileprivate mutating func update(_ isBad: Bool) { update(Counts(requests: 1, bad: isBad ? 1 : 0) ?? .zero) }
}
