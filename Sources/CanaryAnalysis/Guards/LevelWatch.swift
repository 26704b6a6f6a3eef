import Foundation

/// Whether the canary's level of something (CPU, memory, time in garbage collection) is higher than stable's and the
/// service's past allow, by more than pods differ anyway.
///
/// Levels are no counts, neighbouring values depend on each other, and one pod differs from the next for good: a test of
/// equality would find a difference between any two pods. So the null is a practical one: "at each block of looks, given
/// all before, the canary's level is as likely as not at or below what is tolerated", which is `tolerance` times stable's
/// level at the same time, and never less than the service's usual level at this hour. Each block is then one yes or no,
/// and ``StartMixture`` of ``BoundTest`` against 1/2 an e-process: it asks nothing of the distribution.
public struct LevelWatch: Codable, Sendable, Hashable {
  /// A multiple of stable's level.
  public let tolerance: Double
  /// What is added to it, in the units of the level: a difference too small to matter.
  public let floor: Double

  private var mixture = StartMixture(limit: 0.5)
  public private(set) var blocks = 0
  /// Of the newest blocks.
  private var recent: [Block] = []

  private struct Block: Codable, Sendable, Hashable {
    var canary: Double
    var stable: Double
  }

  private static let memory = 20

  public init(tolerance: Double, floor: Double) {
    self.tolerance = tolerance
    self.floor = floor
  }

  /// Adds a block.
  /// - Parameters:
  ///   - canary: the median over the track's pods; one bad pod of several does not move it.
  ///   - usual: the highest level that is usual for the service at this hour, where its past is known.
  public mutating func record(canary: Double, stable: Double, usual: Double? = nil) {
    guard canary.isFinite, stable.isFinite else { return }
    let allowed = max(stable * tolerance + floor, usual ?? 0)
    blocks += 1
    recent = recent.suffix(Self.memory - 1) + [Block(canary: canary, stable: stable)]
    mixture.update(Counts(requests: 1, bad: canary > allowed ? 1 : 0) ?? .zero)
  }

  /// ln of the e-value of "higher than tolerated, since some moment".
  public var logEValue: Double { blocks == 0 ? 0 : mixture.logEValue }

  /// The medians of the newest blocks.
  public var levels: (canary: Double, stable: Double)? {
    guard let canary = RobustStatistics.median(recent.map(\.canary)),
      let stable = RobustStatistics.median(recent.map(\.stable))
    else { return nil }
    return (canary, stable)
  }
}

/// What a service did at this hour on the days before.
public struct PastLevel: Codable, Sendable, Hashable {
  /// One for each day, at least one.
  public let values: [Double]

  /// - Returns: `nil` without a finite value.
  public init?(_ values: [Double]) {
    let finite = values.filter { $0.isFinite && $0 >= 0 }
    guard !finite.isEmpty else { return nil }
    self.values = finite
  }

  public var median: Double { RobustStatistics.median(values) ?? 0 }

  /// How far a day may be from the median and be like the others: three robust deviations, and never less than a fifth,
  /// since a few equal days say little of the next.
  public var reach: Double { max(3 * (RobustStatistics.deviation(values) ?? 0), median / 5) }
  public var upper: Double { median + reach }
  public var lower: Double { max(0, median - reach) }
}
