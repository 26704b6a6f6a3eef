import Foundation

/// Judges a canary that has all requests against the rate that stable had while it still had some.
///
/// Nothing is measured at the same time then, so the two are not compared look by look. The highest rate that stable's
/// looks leave possible, with half of the risk, plus what is tolerated, is the limit of bets on the canary's later
/// looks, with the other half. A canary that is no worse fails with at most that risk, provided that nothing but the
/// revision has changed since: a fault that now hits both would be laid to the canary, as it would be by a limit.
///
/// The risk is that of the whole run, however often all traffic goes to the canary and a part of it back: there is one
/// set of bets, which never begins anew. Where stable gets requests again, by plan, they are added to its past, and
/// later bets are made against the limit that follows. That limit is known before each look it is used in, and stable's
/// interval holds at all times at once (see ``Counts/interval(risk:)``). So unless the interval is ever wrong, each bet
/// is fair or worse for a canary that is no worse, and Ville's inequality bounds all of them together (see ``Bets``).
/// Requests that come to stable by no plan, as on a connection that was kept open, are few and no sample of what it
/// gets otherwise: they are passed over, good or bad.
public struct EarlierStable: Codable, Sendable, Hashable {
  public let tolerance: Tolerance
  /// The probability that a canary which is no worse ever fails.
  public let risk: Double

  /// Of the looks in which stable was given requests.
  public private(set) var stable = Counts.zero
  private var clumps = Clumps()
  private var bets = Bets()
  private var alone = Counts.zero
  private var isAlone = false

  public init(tolerance: Tolerance, risk: Double) {
    self.tolerance = tolerance
    self.risk = risk
  }

  /// Adds a look.
  /// - Parameter isAlone: the canary was to get all requests.
  public mutating func record(canary look: Counts, stable other: Counts, isAlone: Bool) {
    self.isAlone = isAlone
    guard isAlone else {
      clumps.observe(other)
      stable += other
      return
    }
    guard look.requests > 0, stable.requests > 0 else { return }
    let remedy = clumps.remedy
    bets.update(look, above: limit, remedy: .known(remedy.divisor, cap: remedy.cap))
    alone += look
  }

  /// The highest rate that a canary may have which is no worse than stable was.
  public var limit: Double {
    let highest = stable.divided(by: clumps.remedy.divisor).interval(risk: risk / 2).upper
    return min(1, highest * tolerance.ratio + tolerance.margin)
  }

  /// Whether the canary is worse than stable was, beyond doubt.
  public var isWorse: Bool { bets.logPeak >= -log(risk / 2) }

  /// What the canary did in all looks in which it had all requests and there was something to compare with; `nil` before.
  public var canary: Counts? { alone.requests > 0 ? alone : nil }

  /// What a reader must know of the comparison; `nil` while both tracks have requests, but for a canary that is worse.
  /// - Parameter bad: what counts as bad, as `slower than 500 ms`.
  public func note(_ bad: String = "bad") -> String? {
    guard isAlone || isWorse, let canary else { return nil }
    return (isAlone ? "all requests go to the canary: since then " : "while all requests went to the canary ")
      + "\(Evidence.number(canary.bad)) of \(Evidence.number(canary.requests)) were \(bad); by stable's rate before "
      + "(\(Evidence.number(stable.bad)) of \(Evidence.number(stable.requests))) up to \(Evidence.percent(limit)) are no "
      + "worse, if nothing else has changed"
  }
}
