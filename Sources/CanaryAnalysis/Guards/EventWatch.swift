import Foundation

/// Whether rare events (container restarts, kills for lack of memory) befall the canary's pods more often than stable's,
/// by the time that pods have run.
///
/// Two e-processes are averaged, which is one again. The first compares the tracks over the same looks, as
/// ``SequentialComparison`` does, with seconds of pods in the place of requests. The second uses the longer past of
/// stable's pods: with probability 1 − δ the rate of stable's events is below the upper end of Robbins' interval over that
/// past, and the canary is tested against this rate as its limit. So a second crash of one canary pod speaks for itself
/// where stable has run for a week without any.
public struct EventWatch: Codable, Sendable, Hashable {
  private var comparison = SequentialComparison()
  private var bound: BoundTest?
  private var canary = Counts.zero
  private var stable = Counts.zero

  /// - Parameters:
  ///   - past: seconds that stable's pods had run before the watch, and events in them.
  ///   - risk: δ; it adds to the risk of whoever compares ``logEValue`` with a threshold.
  public init(past: Counts, risk: Double) {
    guard past.requests > 0 else { return }
    bound = BoundTest(limit: past.interval(risk: risk).upper)
  }

  /// Adds a look: seconds of pods as `requests`, events as `bad`.
  public mutating func record(canary: Counts, stable: Counts) {
    comparison.update(canary: canary, stable: stable, cap: Self.cap)
    bound?.update(canary, cap: Self.cap)
    self.canary += canary
    self.stable += stable
  }

  /// Events of one look hang together (a node that goes down, one poisoned message): together they add no more than this.
  private static let cap = 4.605170185988091

  public var logEValue: Double {
    guard let bound else { return comparison.logEValue }
    return logSum([comparison.logEValue, bound.logBroken]) - log(2)
  }

  /// Events so far, and the hours that pods ran.
  public var canaryEvents: (events: Double, hours: Double) { (canary.bad, canary.requests / 3600) }
  public var stableEvents: (events: Double, hours: Double) { (stable.bad, stable.requests / 3600) }
}
