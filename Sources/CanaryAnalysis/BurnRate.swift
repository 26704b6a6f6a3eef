import Foundation

/// How fast a service as a whole, both tracks and all callers together, uses up its error budget: with an SLO that lets a
/// share `max` of requests be bad, the burn rate is the observed share divided by `max`.
///
/// A pair of windows alerts where both burn faster than its rate: the long one, so that it matters, and the short one, so
/// that it still goes on and ends soon after the fault does (Beyer et al., "The Site Reliability Workbook", O'Reilly 2018,
/// chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"). Of the workbook's three pairs the two that page are the default: 2 %
/// of a 30-day budget in one hour, and 5 % in six.
public struct BurnRate: Sendable, Hashable {
  /// A pair of windows, in seconds, and the burn rate that both must exceed.
  public struct Windows: Codable, Sendable, Hashable {
    public var long: Double
    public var short: Double
    public var rate: Double

    public init(long: Double, short: Double, rate: Double) {
      self.long = long
      self.short = short
      self.rate = rate
    }
  }

  /// The requests of one window by track; what reached neither of the generated Services is stable's.
  public struct Reading: Codable, Sendable, Hashable {
    public var canary: Counts
    public var stable: Counts

    public init(canary: Counts, stable: Counts) {
      self.canary = canary
      self.stable = stable
    }

    public var all: Counts { canary + stable }
  }

  /// A pair that burns.
  public struct Alert: Sendable, Hashable {
    public var windows: Windows
    /// Observed burn rates.
    public var long: Double
    public var short: Double
    /// The bad requests are stable's, and the canary keeps the SLO beyond doubt: it may be the cure.
    public var isStableAlone: Bool
  }

  /// The SLO's largest share of bad requests, above 0.
  public let max: Double

  public init(max: Double) { self.max = max }

  /// The first pair that burns, by these readings of each window's length in seconds.
  ///
  /// An observed rate is not enough where there are few requests: those of the long window must also show, with 95 %,
  /// that the SLO is broken at all.
  public func alert(_ pairs: [Windows], readings: [Double: Reading]) -> Alert? {
    for pair in pairs {
      guard let long = readings[pair.long], let short = readings[pair.short], let whole = long.all.rate,
        let newest = short.all.rate
      else { continue }
      // More than all requests cannot be bad.
      let threshold = Swift.min(pair.rate * max, 1)
      guard whole >= threshold, newest >= threshold, long.all.interval(risk: 0.05).lower > max else { continue }
      return Alert(
        windows: pair, long: whole / max, short: newest / max, isStableAlone: isStableAlone(short))
    }
    return nil
  }

  private func isStableAlone(_ reading: Reading) -> Bool {
    let (canary, stable) = (reading.canary.interval(risk: 0.05), reading.stable.interval(risk: 0.05))
    return (reading.canary.rate ?? 1) <= max && canary.upper < stable.lower
  }
}
