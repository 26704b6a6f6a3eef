import Foundation

/// Whether the share of requests that reach the canary is the share that was written.
public struct ShareCheck: Codable, Sendable, Hashable {
  /// What the requests say.
  public enum Result: Codable, Sendable, Hashable {
    /// The observed share agrees with the desired one.
    case confirmed(observed: Double)
    /// It does not; the interval is what the requests leave possible.
    case differs(observed: Double, interval: RateInterval)
    /// Too few requests to tell.
    case tooFewRequests(seen: Double, needed: Double)
  }

  /// The share that was written, 0 to 1.
  public let desired: Double
  /// The number of standard deviations that count as agreement.
  public let deviations: Double
  /// A difference that is accepted however many requests prove it: connections that are kept alive, retries and clocks
  /// that differ between scrapes distort the share a little.
  public let slack: Double

  public init(desired: Double, deviations: Double = 3, slack: Double = 0.005) {
    self.desired = desired
    self.deviations = deviations
    self.slack = slack
  }

  /// The requests that are needed before "confirmed" means something: at least 20, and so many that a share half as
  /// large, or none at all, would be noticed (`(1 − p)ⁿ ≤ 1 %`); never more than 2,000.
  public var neededRequests: Double {
    let rarer = min(desired, 1 - desired)
    guard rarer > 0 else { return 20 }
    return min(2000, max(20, (log(0.01) / log1p(-rarer)).rounded(.up)))
  }

  /// Wilson's score interval (1927) around the observed share, widened by the slack.
  /// - Parameters:
  ///   - canary: requests that reached the canary since the write took effect.
  ///   - all: those of both tracks.
  public func result(canary: Double, all: Double) -> Result {
    guard all >= neededRequests, canary.isFinite, all.isFinite else {
      return .tooFewRequests(seen: all, needed: neededRequests)
    }
    let observed = min(1, max(0, canary / all))
    let square = deviations * deviations
    let center = (observed + square / (2 * all)) / (1 + square / all)
    let reach =
      deviations / (1 + square / all) * (observed * (1 - observed) / all + square / (4 * all * all)).squareRoot()
    let interval = RateInterval(lower: max(0, center - reach), upper: min(1, center + reach))
    let agrees = interval.lower - slack <= desired && desired <= interval.upper + slack
    // A canary that should get requests and gets none is never confirmed, nor one that gets all of them.
    let isOneSided = desired > 0 && observed == 0 || desired < 1 && observed == 1
    return agrees && !isOneSided ? .confirmed(observed: observed) : .differs(observed: observed, interval: interval)
  }
}
