import Foundation

/// What a track did: events, and what they are counted per.
public struct EventCount: Codable, Sendable, Hashable {
  /// Requests, or whatever the events are counted per.
  public var requests: Double
  /// May be more than requests. Of a mean: the sum of the values.
  public var events: Double

  public init(requests: Double, events: Double) {
    self.requests = requests
    self.events = events
  }

  public static let zero = EventCount(requests: 0, events: 0)

  /// Events per request; `nil` without requests.
  public var rate: Double? { requests > 0 ? events / requests : nil }

  /// As counts of a test in which only the share of requests matters.
  var counts: Counts? { Counts(events: events, per: requests) }

  public static func + (left: EventCount, right: EventCount) -> EventCount {
    EventCount(requests: left.requests + right.requests, events: left.events + right.events)
  }

  public static func += (left: inout EventCount, right: EventCount) { left = left + right }
}

/// Tests, look by look, whether events come at the canary about as often per request as at stable: conversions, orders,
/// cache hits, whatever is counted.
///
/// Given the events of both tracks in a look, the canary's are binomial with its share `w` of the requests, as in
/// ``SequentialComparison``. "Too seldom" is that test with the tracks exchanged, "too often" the test itself; "not too
/// seldom" and "not too often" refute the opposite nulls, so that a pass is as sure as a failure.
///
/// **What is assumed.** A request may make any number of events x, at random, as long as x ≤ 1 or the events come one
/// by one (Poisson). Proof: a look multiplies a bet by `Aˣ` for each request of the canary and `Bʸ` for each of stable,
/// with `A = q/q₀`, `B = (1 − q)/(1 − q₀)`. For 0 ≤ x ≤ 1, `Aˣ ≤ 1 + x (A − 1)`, since it is convex, so its mean is at
/// most `1 + μ (A − 1) ≤ exp(μ (A − 1))`, which is the mean itself of a Poisson number. Of all requests together it is
/// then at most `exp(n_c μ_c (A − 1) + n_s μ_s (B − 1))`, and where `μ_c = θ₀ μ_s`, so that
/// `n_c μ_c : n_s μ_s = q₀ : 1 − q₀`, the exponent is 0; for a smaller `μ_c` it is negative. So each bet is a
/// nonnegative supermartingale whatever the law of x is, and x need not be whole: sums of values between 0 and 1 are
/// tested in the same way, with a null on the ratio of their means. (Hoeffding 1963, section 4, for the convexity.)
/// Events that come several at a time, beyond that, are tempered by ``Clumps``, which learns from stable how they come.
public struct EventComparison: Codable, Sendable, Hashable {
  /// The smallest and the largest tolerated ratio of the canary's rate of events to stable's.
  public let least: Double?
  public let most: Double?
  public private(set) var canary = EventCount.zero
  public private(set) var stable = EventCount.zero

  private(set) var tooSeldom: SequentialComparison?
  private(set) var notTooSeldom: SequentialComparison?
  private(set) var tooOften: SequentialComparison?
  private(set) var notTooOften: SequentialComparison?
  private var ratios = RatioSequence()
  private(set) var clumps = Clumps()

  /// - Parameters:
  ///   - least: above 0; `nil` where few events are no fault.
  ///   - most: above 0; `nil` where many are none.
  public init(least: Double?, most: Double?) {
    self.least = least.map { max($0, 1e-6) }
    self.most = most.map { max($0, 1e-6) }
    tooSeldom = self.least.map { SequentialComparison(toleratedRatio: 1 / $0) }
    notTooSeldom = self.least.map { SequentialComparison(toleratedRatio: $0) }
    tooOften = self.most.map { SequentialComparison(toleratedRatio: $0) }
    notTooOften = self.most.map { SequentialComparison(toleratedRatio: 1 / $0) }
  }

  /// Learns how stable's events come, from a look before the run.
  public mutating func learn(stable look: EventCount) {
    if let base = look.counts { clumps.observe(base) }
  }

  /// Adds a look. One with a number that is negative or not finite is passed over.
  /// - Returns: whether it was taken.
  @discardableResult
  public mutating func update(canary look: EventCount, stable other: EventCount) -> Bool {
    guard let own = look.counts, let base = other.counts else { return false }
    canary += look
    stable += other
    let (divisor, cap) = clumps.remedy
    tooSeldom?.update(canary: base, stable: own, dispersion: divisor, cap: cap)
    notTooSeldom?.update(canary: own, stable: base, dispersion: divisor, cap: cap)
    tooOften?.update(canary: own, stable: base, dispersion: divisor, cap: cap)
    notTooOften?.update(canary: base, stable: own, dispersion: divisor, cap: cap)
    ratios.update(canary: own, stable: base, dispersion: divisor)
    clumps.observe(base)
    return true
  }

  /// Whether a tolerated ratio was ever left: true for a canary that keeps both with probability ≤ `risk`. Between two
  /// bounds, each of them has half of it.
  public func isBroken(risk: Double) -> Bool {
    let tests = [tooSeldom, tooOften].compactMap { $0 }
    return tests.contains { $0.rejects(alpha: risk / Double(tests.count)) }
  }

  /// Whether both tolerated ratios were shown to be kept: true for a canary that leaves one with probability ≤ `risk`.
  public func isKept(risk: Double) -> Bool {
    let tests = [notTooSeldom, notTooOften].compactMap { $0 }
    return !tests.isEmpty && tests.allSatisfy { $0.rejects(alpha: risk) }
  }

  /// The ratios of the canary's rate to stable's that the looks leave possible; an end that is `nil` is open.
  public func ratioInterval(risk: Double) -> (lower: Double?, upper: Double?) { ratios.interval(risk: risk) }
}

extension Counts {
  /// Events as the tests take them that ask for the share of requests alone. Unlike bad requests they may be more than
  /// requests.
  /// - Returns: `nil` for a number that is negative or not finite.
  init?(events: Double, per requests: Double) {
    guard requests.isFinite, events.isFinite, requests >= 0, events >= 0 else { return nil }
    self.init(unchecked: requests, events)
  }
}
