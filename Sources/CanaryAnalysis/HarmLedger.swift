/// What a canary has cost its callers so far, and how much more often than stable it may still fail.
///
/// Fed with every look in which the canary has requests, also with those that no check counts: callers suffer whether or
/// not the traffic is verified.
public struct HarmLedger: Codable, Sendable, Hashable {
  /// Of the looks in which the canary had requests.
  public private(set) var canary = Counts.zero
  public private(set) var stable = Counts.zero
  private var clumps = Clumps()

  public init() {}

  public mutating func record(canary look: Counts, stable other: Counts) {
    clumps.observe(other)
    guard look.requests > 0 else { return }
    canary += look
    stable += other
  }

  /// Of the canary's failed requests, those that would not have failed at stable's rate over the same looks; at least 0.
  /// Without requests of stable, all of them.
  public var harmed: Double { max(0, canary.bad - canary.requests * (stable.rate ?? 0)) }

  /// The differences of the two rates, canary less stable, that the looks leave possible at all times at once: both
  /// ends of the tracks' confidence sequences, each with half of the risk (union bound). Clumps widen it.
  public func excess(risk: Double) -> (lower: Double, upper: Double) {
    let divisor = clumps.remedy.divisor
    let own = canary.divided(by: divisor).interval(risk: risk / 2)
    let base = stable.divided(by: divisor).interval(risk: risk / 2)
    return (own.lower - base.upper, own.upper - base.lower)
  }
}
