import Foundation

/// Tells what a canary does because it is cold from what it does because it is bad.
///
/// A process that has just started does everything for the first time: code is not compiled, caches and pools of
/// connections are empty. So it is slow, and fails where callers do not wait. A canary that is *not* slow is not cold.
/// Against "the canary is cold until some look of the warm-up, and good from then on" stands an e-process of the looks
/// since the traffic was verified,
///
///     A = ½ + ⅖ K + ⅒ D,  K of "a tenth or more of its requests are slow", D of "at most three in four of them fail",
///
/// each a mixture of ``BoundTest``. As long as the warm-up lasts, a test of the canary whose e-value exceeds A begins anew
/// with A, and what it had seen is discarded. So its value never exceeds A while the canary is cold, and is multiplied by
/// what has a mean of at most 1 afterwards: a canary that is cold at first and then good fails with at most the test's risk,
/// whenever it becomes warm (Ville 1939). A canary that is bad and not slow loses nothing once some 100 requests show that,
/// one that is bad and slow all it did in the warm-up, and one of which nearly all requests fail is not waited for.
///
/// *Slow* means slower than 99 of 100 requests of stable, by the smallest bucket boundary of which that is true. Where the
/// mesh tells no latency of stable, nothing shows that a canary is cold, and nothing is discarded.
public struct WarmUp: Codable, Sendable, Hashable {
  /// How long a canary may be cold after each ``begin()``, in seconds; 0 for never.
  public let bound: Double

  /// ln A; `nil` outside of a warm-up.
  public private(set) var logAllowance: Double?
  /// The canary's requests of this warm-up, of which the bad ones were slow.
  public private(set) var slow = Counts.zero
  /// In milliseconds, as long as a warm-up lasts.
  private var boundary: Double?
  private var usual: LatencyHistogram?
  private var isBegun = false
  private var cold = BoundTest(limit: coldShare)
  private var down = BoundTest(limit: downShare)

  static let coldShare = 0.1
  static let downShare = 0.75
  static let usualShare = 0.01
  /// The probability that a cold canary is said to be warm.
  static let risk = 0.001

  public init(bound: Double) { self.bound = max(0, bound) }

  /// Whether the canary may be cold: no check passes meanwhile.
  public var isOpen: Bool { logAllowance.map { $0 < -log(Self.risk) } ?? isBegun }

  /// More traffic reaches the canary, and processes that were just started serve it.
  public mutating func begin() {
    isBegun = bound > 0
    logAllowance = nil
    boundary = nil
    slow = .zero
    cold = BoundTest(limit: Self.coldShare)
    down = BoundTest(limit: Self.downShare)
  }

  /// Learns what is slow, from a look at stable before the canary has traffic.
  public mutating func learn(stable: LatencyHistogram?) {
    guard let stable, stable.total > 0 else { return }
    usual = usual.map { $0 + stable } ?? stable
  }

  /// Adds a look; the checks come after it.
  /// - Parameters:
  ///   - age: the seconds from the moment at which the canary's traffic was verified to the look's beginning.
  ///   - requests: the canary's, of which the bad ones failed; `nil` where they were not measured.
  public mutating func record(age: Double, requests: Counts?, canary: LatencyHistogram?, stable: LatencyHistogram?) {
    learn(stable: stable)
    guard isBegun else { return }
    boundary = boundary ?? usual?.smallestBoundary(exceededBy: Self.usualShare)
    guard age < bound, let boundary else {
      isBegun = false
      logAllowance = nil
      return
    }
    let look = canary?.slower(than: boundary) ?? .zero
    slow += look
    cold.update(look)
    // One look alone shows nothing of an outage: errors of one look hang together.
    down.update(requests ?? .zero, cap: Clumps.half)
    logAllowance = logSum([log(0.5), log(0.4) + cold.logKept, log(0.1) + down.logBroken])
  }

  /// The judgement of a check, with what keeps it from passing.
  public func judged(_ judgement: Judgement) -> Judgement {
    guard isOpen, [.kept, .undecided, .tooFewRequests].contains(judgement.finding) else { return judgement }
    var judged = judgement
    judged.finding = .warmingUp
    let seen =
      boundary.map {
        ": \(Evidence.number(slow.bad)) of \(Evidence.number(slow.requests)) requests were slower than "
          + "\(Evidence.number($0)) ms"
      } ?? ""
    judged.evidence.notes.append(
      "warming up\(seen); it is not shown to be warm yet, and \(Evidence.number(bound)) s after its traffic was verified "
        + "it is judged as it is")
    return judged
  }
}

extension LatencyHistogram {
  /// The smallest boundary that at most this share of the requests exceeds; `nil` without requests or such a boundary.
  fileprivate func smallestBoundary(exceededBy share: Double) -> Double? {
    guard total > 0 else { return nil }
    return zip(boundaries, cumulative).first { total - $1 <= share * total }?.0
  }
}

/// What a check has discarded as warm-up, and what its tests begin with since.
struct HeadStart: Codable, Sendable, Hashable {
  /// ln of the e-value that each test began with.
  private(set) var log = 0.0
  /// The canary's requests that were discarded.
  private(set) var discarded = Counts.zero

  mutating func begin(with log: Double, discarding counts: Counts) {
    self.log = log
    discarded += counts
  }

  /// The settings with which tests that begin at 1 decide as those do that begin with this.
  func applied(to settings: CheckSettings) -> CheckSettings {
    var settings = settings
    settings.risk = min(1, settings.risk * exp(log))
    return settings
  }

  var note: String? {
    guard discarded.requests > 0 else { return nil }
    let kept =
      log > 0.05 ? "; of what they say, numbers \(Evidence.number(exp(log))) times likelier if it is bad are kept" : ""
    return
      "discarded as warm-up: \(Evidence.number(discarded.bad)) of \(Evidence.number(discarded.requests)) requests of "
      + "the canary were bad while it may have been cold" + kept
  }
}
