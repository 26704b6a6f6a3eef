/// Judges a canary that has all requests against the rate that stable had while it still had some.
///
/// Nothing is measured at the same time then, so the two are not compared look by look. The highest rate that stable's
/// looks leave possible, with half of the risk, plus what is tolerated, becomes the limit of a ``BoundTest`` of the
/// canary's later looks, with the other half. A canary that is no worse fails with at most that risk, provided that
/// nothing but the revision has changed since: a fault that now hits both would be laid to the canary, as it would be
/// by a limit.
public struct EarlierStable: Codable, Sendable, Hashable {
  public let tolerance: Tolerance
  public let risk: Double

  /// Of the looks that both tracks had requests in.
  public private(set) var stable = Counts.zero
  private var clumps = Clumps()
  private var test: BoundTest?

  public init(tolerance: Tolerance, risk: Double) {
    self.tolerance = tolerance
    self.risk = risk
  }

  public mutating func record(canary look: Counts, stable other: Counts) {
    if other.requests > 0 {
      clumps.observe(other)
      stable += other
      // What came before a return of traffic to stable was another full weight.
      test = nil
      return
    }
    guard look.requests > 0, stable.requests > 0 else { return }
    let remedy = clumps.remedy
    var test = self.test ?? BoundTest(limit: limit)
    test.update(look, dispersion: remedy.divisor, cap: remedy.cap)
    self.test = test
  }

  /// The highest rate that a canary may have which is no worse than stable was.
  public var limit: Double {
    let highest = stable.divided(by: clumps.remedy.divisor).interval(risk: risk / 2).upper
    return min(1, highest * tolerance.ratio + tolerance.margin)
  }

  /// Whether the canary is worse than stable was, beyond doubt.
  public var isWorse: Bool { test?.isBroken(alpha: risk / 2) ?? false }

  /// What has been counted since the canary has all requests; `nil` before.
  public var canary: Counts? { test?.counts }

  /// What a reader must know of the comparison; `nil` while both tracks have requests.
  /// - Parameter bad: what counts as bad, as `slower than 500 ms`.
  public func note(_ bad: String = "bad") -> String? {
    guard let test else { return nil }
    return "all requests go to the canary: since then \(Evidence.number(test.counts.bad)) of "
      + "\(Evidence.number(test.counts.requests)) were \(bad); by stable's rate before (\(Evidence.number(stable.bad)) of "
      + "\(Evidence.number(stable.requests))) up to \(Evidence.percent(test.limit)) are no worse, if nothing else has changed"
  }
}
