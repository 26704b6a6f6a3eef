/// What one track did in one look: its requests, and how many of them were bad. Bad is any yes/no property: an error,
/// or an answer slower than a bucket boundary. Fractions are allowed, since Prometheus extrapolates increases.
public struct Counts: Codable, Sendable, Hashable {
  /// At least 0.
  public private(set) var requests: Double
  /// From 0 to ``requests``.
  public private(set) var bad: Double

  /// More bad requests than requests is the noise of two series read apart, and is cut.
  /// - Returns: `nil` for a number that is negative or not finite: that is a measurement that failed, not a count.
  public init?(requests: Double, bad: Double) {
    guard requests.isFinite, bad.isFinite, requests >= 0, bad >= 0 else { return nil }
    self.requests = requests
    self.bad = min(bad, requests)
  }

  init(unchecked requests: Double, _ bad: Double) {
    self.requests = requests
    self.bad = bad
  }

  public static let zero = Counts(unchecked: 0, 0)

  /// The share of bad requests; `nil` without requests.
  public var rate: Double? { requests > 0 ? bad / requests : nil }

  public static func + (left: Counts, right: Counts) -> Counts {
    Counts(unchecked: left.requests + right.requests, left.bad + right.bad)
  }

  public static func += (left: inout Counts, right: Counts) { left = left + right }

  /// The counts that carry as much information when bad requests come in clumps.
  func divided(by factor: Double) -> Counts { Counts(unchecked: requests / factor, bad / factor) }
}
