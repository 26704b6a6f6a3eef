/// Tests, look by look, whether events come at the canary about as often per request as at stable: conversions, orders,
/// cache hits, whatever is counted.
///
/// Given the events of both tracks in a look, the canary's are binomial with its share of the requests, as in
/// ``SequentialComparison``. "Too seldom" is that test with the tracks exchanged, "too often" the test itself; "not too
/// seldom" and "not too often" refute the opposite nulls, so that a pass is as sure as a failure. Between two bounds, each
/// of them has half of a failure's risk. Events that come several at a time are tempered by ``Clumps``.
public struct EventComparison: Codable, Sendable, Hashable {
  /// What a track did.
  public struct Track: Codable, Sendable, Hashable {
    public var requests: Double
    /// May be more than requests.
    public var events: Double

    public init(requests: Double, events: Double) {
      self.requests = requests
      self.events = events
    }

    /// Events per request; `nil` without requests.
    public var rate: Double? { requests > 0 ? events / requests : nil }
  }

  /// The smallest and the largest tolerated ratio of the canary's rate of events to stable's.
  public let least: Double?
  public let most: Double?
  public private(set) var canary = Track(requests: 0, events: 0)
  public private(set) var stable = Track(requests: 0, events: 0)

  private var tooSeldom: SequentialComparison?
  private var notTooSeldom: SequentialComparison?
  private var tooOften: SequentialComparison?
  private var notTooOften: SequentialComparison?
  private var clumps = Clumps()

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

  /// Adds a look. One with a number that is negative or not finite is passed over.
  /// - Returns: whether it was taken.
  @discardableResult
  public mutating func update(canary look: Track, stable other: Track) -> Bool {
    // Only the tracks' shares of the requests matter, so these may be scaled until no track has fewer than events.
    let scale = max(1, look.rate ?? 0, other.rate ?? 0)
    guard let own = Counts(requests: look.requests * scale, bad: look.events),
      let base = Counts(requests: other.requests * scale, bad: other.events)
    else { return false }
    canary = Track(requests: canary.requests + look.requests, events: canary.events + look.events)
    stable = Track(requests: stable.requests + other.requests, events: stable.events + other.events)
    let (divisor, cap) = clumps.remedy
    tooSeldom?.update(canary: base, stable: own, dispersion: divisor, cap: cap)
    notTooSeldom?.update(canary: own, stable: base, dispersion: divisor, cap: cap)
    tooOften?.update(canary: own, stable: base, dispersion: divisor, cap: cap)
    notTooOften?.update(canary: base, stable: own, dispersion: divisor, cap: cap)
    clumps.observe(base)
    return true
  }

  /// Whether a tolerated ratio was ever left: true for a canary that keeps both with probability ≤ `risk`.
  public func isBroken(risk: Double) -> Bool {
    let tests = [tooSeldom, tooOften].compactMap { $0 }
    return tests.contains { $0.rejects(alpha: risk / Double(tests.count)) }
  }

  /// Whether both tolerated ratios were shown to be kept: true for a canary that leaves one with probability ≤ `risk`.
  public func isKept(risk: Double) -> Bool {
    let tests = [notTooSeldom, notTooOften].compactMap { $0 }
    return !tests.isEmpty && tests.allSatisfy { $0.rejects(alpha: risk) }
  }
}
