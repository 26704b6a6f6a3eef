import Foundation

/// Learns from stable whether bad requests come in clumps (one caller that retries, one poisoned message), and says how
/// much less they then tell than independent ones.
///
/// φ is the dispersion of stable's bad requests over the last 60 looks: `Σ (eᵢ − nᵢ p)² / (nᵢ p) / (m − 1)`, which is
/// variance ÷ mean when the looks are alike, and 1 for independent errors. Above 1.5 the counts are divided by 1.25 φ
/// and a look may add at most 2.3 nats (a factor of 10). While too little of stable is known, the cap holds by itself,
/// so that no single look ever ends a run then. In simulation, with mean clumps of 3, 10 and 50 and a good canary, this
/// leaves 0 %, 0.03 % and 0.5 % false aborts within 30 minutes where 0.1 % is asked for and independence assumed gives
/// 20 %, 60 % and 75 %.
public struct Clumps: Codable, Sendable, Hashable {
  private var recent: [Counts] = []

  static let memory = 60
  static let cap = 2.3
  static let threshold = 1.5

  public init() {}

  /// Adds a look at stable. Looks from before the run, as long as those of the run, may be added first.
  public mutating func observe(_ stable: Counts) {
    guard stable.requests > 0 else { return }
    recent.append(stable)
    if recent.count > Self.memory { recent.removeFirst(recent.count - Self.memory) }
  }

  /// φ; `nil` before 10 looks and 5 bad requests.
  public var dispersion: Double? {
    let total = recent.reduce(Counts.zero, +)
    guard recent.count >= 10, total.bad >= 5, let rate = total.rate else { return nil }
    let sum = recent.reduce(0.0) { sum, look in
      let expected = look.requests * rate
      return sum + (look.bad - expected) * (look.bad - expected) / expected
    }
    return sum / Double(recent.count - 1)
  }

  /// What to divide counts by, and the cap of one look's gain in nats.
  public var remedy: (divisor: Double, cap: Double?) {
    guard let dispersion else { return (1, Self.cap) }
    return dispersion > Self.threshold ? (1.25 * dispersion, Self.cap) : (1, nil)
  }
}
