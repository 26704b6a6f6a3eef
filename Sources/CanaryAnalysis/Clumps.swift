import Foundation

/// Learns from stable whether bad requests come in clumps (one caller that retries, one poisoned message), and says how
/// much less they then tell than independent ones.
///
/// Stable is its own null, twice: each look of it against the look before, and each of its processes against the others
/// in the same look. Given the bad requests of two looks together, those of the second are binomial if they are
/// independent; given those of all processes, the split is multinomial. φ is how much wider they really fall, over the
/// last 60 looks, weighted by bad requests: 1 for independent ones, `E[S²] / E[S]` for clumps of size S. A fault of all
/// processes that begins or ends widens the first and not the second, a process that is bad throughout the second and
/// not the first, and neither is a clump: so the smaller of the two counts.
///
/// Above 1.5 a bad request counts as a part of one, so that each bet of the tests is fair for clumps of geometric size
/// whose mean is (1.5 φ + 1) / 2; the better a bet would be, the more it is divided (see ``fairness(gain:loss:share:)``).
/// A look may then add at most 2.3 nats (a factor of 10). While too little of stable is known, the cap holds by itself,
/// so that no single look ever ends a run then.
public struct Clumps: Codable, Sendable, Hashable {
  /// Widths of one look, and what they weigh.
  private struct Width: Codable, Sendable, Hashable {
    var bad = 0.0
    var inTime = 0.0
    var timeWeight = 0.0
    var amongParts = 0.0
    var partsWeight = 0.0

    static func += (left: inout Width, right: Width) {
      left.bad += right.bad
      left.inTime += right.inTime
      left.timeWeight += right.timeWeight
      left.amongParts += right.amongParts
      left.partsWeight += right.partsWeight
    }

    mutating func fade(by factor: Double) {
      bad *= factor
      inTime *= factor
      timeWeight *= factor
      amongParts *= factor
      partsWeight *= factor
    }

    /// φ; `nil` for fewer than 5 bad requests.
    var dispersion: Double? {
      guard bad >= 5, timeWeight > 0 else { return nil }
      let inTime = inTime / timeWeight
      return partsWeight >= 5 ? min(inTime, amongParts / partsWeight) : inTime
    }
  }

  private var recent: [Width] = []
  private var long = Width()
  private var before: Counts?

  static let memory = 60
  /// All looks together count like the last 400.
  static let fading = 1 - 1.0 / 400
  static let cap = 2.3
  static let threshold = 1.5
  static let caution = 1.5
  /// Up to this φ among its processes the canary's bad requests are spread evenly.
  static let even = 2.0
  /// What one look may add in any case where bad requests come one by one, in nats.
  static let half = 4.2
  /// The mean size of clumps that may begin unseen, less 1.
  static let unseen = 2.0

  public init() {}

  /// Adds a look at stable. Looks from before the run, as long as those of the run, may be added first.
  /// - Parameter parts: what each of stable's processes did, where that is known.
  public mutating func observe(_ stable: Counts, parts: [Counts] = []) {
    guard stable.requests > 0 else { return }
    let width = width(of: stable, parts)
    recent.append(width)
    long.fade(by: Self.fading)
    long += width
    before = stable
    if recent.count > Self.memory { recent.removeFirst(recent.count - Self.memory) }
  }

  private func width(of stable: Counts, _ parts: [Counts]) -> Width {
    var width = Width(bad: stable.bad)
    if let before, before.bad + stable.bad > 0 {
      let bad = before.bad + stable.bad
      let share = stable.requests / (before.requests + stable.requests)
      let deviation = stable.bad - bad * share
      // Of two looks one of which is nothing beside the other, the smaller one tells nothing.
      if share > 1e-9, share < 1 - 1e-9 {
        width.inTime = deviation * deviation / (share * (1 - share))
        width.timeWeight = bad
      }
    }
    let served = parts.filter { $0.requests > 0 }
    let all = served.reduce(Counts.zero, +)
    if served.count > 1, all.bad > 0 {
      let squares = served.reduce(0.0) { sum, part in
        let share = part.requests / all.requests
        let deviation = part.bad - all.bad * share
        return sum + deviation * deviation / share
      }
      width.amongParts = squares / Double(served.count - 1)
      width.partsWeight = all.bad
    }
    return width
  }

  /// φ of one look alone, at least 1: clumps may begin in it. It rests on few requests and may only make a gain smaller.
  func present(_ stable: Counts, parts: [Counts]) -> Double {
    max(1, width(of: stable, parts).dispersion ?? 1)
  }

  /// φ of a look of the canary, among its processes alone; `nil` where they or its bad requests are too few. What is
  /// wrong with a revision is so on all of its processes, and for all callers, while a clump falls on one.
  static func spread(_ parts: [Counts]) -> Double? {
    let width = Clumps().width(of: parts.reduce(.zero, +), parts)
    return width.partsWeight >= 5 ? width.amongParts / width.partsWeight : nil
  }

  /// φ: the larger of the last 60 looks' and of all looks', older ones fading; `nil` before 10 looks and 5 bad requests.
  public var dispersion: Double? {
    guard recent.count >= 10 else { return nil }
    let last = recent.reduce(into: Width()) { $0 += $1 }.dispersion
    guard let whole = long.dispersion else { return last }
    return max(last ?? whole, whole)
  }

  /// What to divide counts by, and the cap of one look's gain in nats.
  public var remedy: (divisor: Double, cap: Double?) {
    guard let dispersion else { return (1, Self.cap) }
    return dispersion > Self.threshold ? (Self.caution * dispersion, Self.cap) : (1, nil)
  }

  /// What part of a clump's mean size a bet's gains are to be divided by, so that it stays fair for clumps that fall on
  /// one track as a whole.
  ///
  /// A clump of S bad requests multiplies the stake by `e^(A S/d)` on the canary, with the probability w, and by
  /// `e^(−B S/d)` on stable. For an exponential S of mean b the mean of that is 1 for `d = b / c`,
  /// `c = ((1 − w) B − w A) / (A B)`, which is ½ for small bets and less for large ones; for S = 1 it is 1 for `d = 1`.
  /// Between the two the divisor is `1 + (b − 1) / c`.
  /// - Parameters:
  ///   - gain: A, what a bad request of the canary adds, in nats.
  ///   - loss: B, what one of stable takes.
  ///   - share: w, the canary's share of bad requests under the null.
  static func fairness(gain: Double, loss: Double, share: Double) -> Double {
    // Rounding can make it nothing where both are tiny.
    max(0.01, ((1 - share) * loss - share * gain) / (gain * loss))
  }
}

/// How a look's part of a bet is tempered, so that clumps do not pass for evidence. Each rule either was known before
/// the look or only takes from gains, so a supermartingale stays one.
struct Remedy {
  /// b − 1 for the mean clump b, as known before the look, and the same or more for gains.
  private var past: Double
  private var now: Double
  private var cap: Double?
  private var isSpread: Bool

  /// - Parameters:
  ///   - dispersion: φ as known before the look, with caution.
  ///   - present: φ of stable's part of the look.
  ///   - spread: φ among the canary's processes, where that is known.
  ///   - cap: the most that the look may add, in nats.
  init(dispersion: Double = 1, present: Double = 1, spread: Double? = nil, cap: Double? = nil) {
    past = (dispersion - 1) / 2
    isSpread = (spread ?? .infinity) <= Clumps.even
    now = (max(present, dispersion, isSpread ? 1 : spread ?? 1) - 1) / 2
    self.cap = cap
  }

  /// Where nothing but the dispersion is to be reckoned with.
  static func known(_ dispersion: Double, cap: Double?) -> Remedy {
    Remedy(dispersion: dispersion, spread: 1, cap: cap)
  }

  /// - Parameter fairness: that of ``Clumps/fairness(gain:loss:share:)``.
  func tempered(_ change: Double, fairness: () -> Double) -> Double {
    guard change > 0 else { return past > 0 ? change / (1 + past / fairness()) : change }
    let gain = now > 0 ? change / (1 + now / fairness()) : change
    if let cap { return min(gain, cap) }
    // Small clumps may begin at any time: beyond half of what an abort needs a look counts as if they had, unless the
    // canary's bad requests are spread over its processes.
    guard gain > Clumps.half, !isSpread else { return gain }
    return max(Clumps.half, min(gain, change / (1 + Clumps.unseen / fairness())))
  }
}
