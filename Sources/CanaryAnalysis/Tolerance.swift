import Foundation

/// How much worse than stable a canary may be, as long as it keeps its limit. It is worse only where it exceeds both: the
/// multiple beyond doubt, the addition as counted. A canary that breaks its limit has no tolerance: it fails if it is
/// shown to be worse than stable at all.
public struct Tolerance: Codable, Sendable, Hashable {
  /// A multiple of stable's rate of bad requests, at least 1. The sequential test is made against it.
  public var ratio: Double
  /// An addition to stable's rate, 0 to 1: where the rates counted so far are no further apart than this, a difference
  /// does not fail, however certain it is. It is a threshold for what was counted, not a test of its own. So a rise from
  /// 0.001 % to 0.002 %, which enough requests prove, ends no run that allows 1 %. A canary that has all requests is
  /// judged by the highest rate that stable may have had, times ``ratio``, plus this (see ``EarlierStable``).
  public var margin: Double

  public init(ratio: Double = 1, margin: Double = 0) {
    self.ratio = max(1, ratio)
    self.margin = max(0, margin)
  }

  /// No multiple of stable's rate is tolerated that costs more than a quarter of what the limit allows.
  public static func usual(limit: Double) -> Tolerance { Tolerance(ratio: 1, margin: limit / 4) }
}

/// What a check allows, and how sure it must be.
public struct CheckSettings: Codable, Sendable, Hashable {
  /// The check's name in the plan.
  public var name: String
  /// How much worse than stable the canary may be; `nil` fails on the limit alone.
  public var tolerance: Tolerance?
  /// The probability that this check ever fails a good canary, however long it runs. Where a check compares with stable
  /// and with a limit, three quarters are the comparison's: it is at work as long as stable has requests.
  public var risk: Double
  /// The probability that this check ever passes a canary that breaks its limit.
  public var passRisk: Double
  /// A pass needs at least this many requests of the canary. A failure needs none: its test is as strict with few
  /// requests as with many, and waiting would only harm more callers.
  public var minimumRequests: Double

  public init(
    name: String, tolerance: Tolerance?, risk: Double = 0.001, passRisk: Double = 0.05,
    minimumRequests: Double = 50
  ) {
    self.name = name
    self.tolerance = tolerance
    self.risk = risk
    self.passRisk = passRisk
    self.minimumRequests = minimumRequests
  }

  /// The share of the risk that the comparison with what is tolerated has.
  var comparisonRisk: Double { tolerance.map { $0.ratio > 1 ? risk / 2 : risk * 3 / 4 } ?? risk }
  /// The share that "worse than stable" has, where a broken limit asks whom to blame. Without a tolerated ratio that is
  /// the same test, and costs nothing.
  var blameRisk: Double { tolerance.map { $0.ratio > 1 ? risk / 4 : risk * 3 / 4 } ?? risk / 2 }
  /// The share of the limit, where it judges alone. Also without a comparison it is not the whole: where stable has
  /// requests, a broken limit fails a canary that is shown to be worse, and where it has none, by itself.
  var limitRisk: Double { tolerance == nil ? risk / 2 : risk / 4 }
  /// ln of the e-value at which every test has failed.
  var logCertainty: Double { -log(min(comparisonRisk, blameRisk, limitRisk)) }
}
