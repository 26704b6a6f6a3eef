import Foundation

/// Kayenta v2.46, NetflixACAJudge-v1.0: error percent (`increase`, NaN replaced by 0) and p99 (`increase`, NaN removed,
/// data required) in a group of weight 50 each, against the whole stable track, in a growing window.
struct Kayenta: Judge {
  enum Label: Equatable { case pass, high, low, nodata, nodataFail, error }

  /// One value for each of stable's and the canary's steps; `nil` is NaN.
  private var errors = (canary: [Double?](), stable: [Double?]())
  private var latency = (canary: [Double?](), stable: [Double?]())
  private var pending = (canary: TrackLook(), stable: TrackLook())

  private let boundaries: [Double]
  private let looksPerStep: Int
  private let looksPerRun: Int
  private let lifetime: Int
  private let isCritical: Bool
  private let allowedIncrease: Double

  init(_ scenario: Scenario, _ settings: RivalSettings) {
    boundaries = scenario.boundaries
    // Three hours; after them the canary is promoted and judged no more.
    lifetime = 1080
    switch settings {
    case .docs: (looksPerStep, looksPerRun, isCritical, allowedIncrease) = (6, 360, false, 1)
    case .fair: (looksPerStep, looksPerRun, isCritical, allowedIncrease) = (1, 90, true, 1.1)
    }
  }

  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool {
    guard let measured, look < lifetime else { return false }
    pending = (pending.canary + measured.canary, pending.stable + measured.stable)
    if (look + 1) % looksPerStep == 0 {
      errors.canary.append(Self.percent(pending.canary))
      errors.stable.append(Self.percent(pending.stable))
      latency.canary.append(pending.canary.quantile(0.99, boundaries))
      latency.stable.append(pending.stable.quantile(0.99, boundaries))
      pending = (TrackLook(), TrackLook())
    }
    guard (look + 1) % looksPerRun == 0 else { return false }
    let score = Self.score(
      [
        Self.label(
          experiment: errors.canary, control: errors.stable, replacesNaN: true, mustHaveData: false,
          isCritical: isCritical, allowedIncrease: allowedIncrease),
        Self.label(
          experiment: latency.canary, control: latency.stable, replacesNaN: false, mustHaveData: true,
          isCritical: isCritical, allowedIncrease: allowedIncrease),
      ], areCritical: isCritical)
    // Marginal is 75 and ends the run at once; between that and 95 only the last score counts.
    return score <= 75 || (look + 1 == lifetime && score < 95)
  }

  private static func percent(_ look: TrackLook) -> Double? {
    look.requests > 0 ? 100 * look.errors / look.requests : nil
  }

  /// The label of one metric whose direction is `increase`, and whose effect is the ratio of means.
  static func label(
    experiment: [Double?], control: [Double?], replacesNaN: Bool, mustHaveData: Bool, isCritical: Bool,
    allowedIncrease: Double
  ) -> Label {
    let x = replacesNaN ? experiment.map { $0 ?? 0 } : experiment.compactMap { $0 }
    let y = replacesNaN ? control.map { $0 ?? 0 } : control.compactMap { $0 }
    guard let x0 = x.first, let y0 = y.first else {
      return replacesNaN ? .pass : mustHaveData && !isCritical ? .nodataFail : .nodata
    }
    let areConstant = x.allSatisfy { $0 == x0 } && y.allSatisfy { $0 == y0 }
    if areConstant && x0 == y0 || x.sorted() == y.sorted() { return .pass }
    // Two different constants get noise of a hundred-thousandth in Kayenta; that it is there matters, not what it is.
    func noisy(_ values: [Double]) -> [Double] {
      guard areConstant else { return values }
      return values.enumerated().map { $1 * (1 + 1e-5 * sin(Double($0) * 12.9898 + 1)) }
    }
    guard let shift = try? MannWhitney(experiment: noisy(x), control: noisy(y)).shift() else { return .error }
    let (meanX, meanY) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
    let effect = meanX == 0 || meanY == 0 ? nil : meanX / meanY
    let isHigh = shift.lower > 0.25 * abs(shift.estimate) && (effect.map { $0 >= allowedIncrease } ?? true)
    return isHigh ? .high : .pass
  }

  /// The weighted sum of groups of one metric each, with equal weights.
  static func score(_ labels: [Label], areCritical: Bool) -> Double {
    if areCritical, labels.contains(where: { $0 == .high || $0 == .low || $0 == .nodata }) { return 0 }
    if 2 * labels.filter({ $0 == .nodata }).count >= labels.count { return 0 }
    let groups = labels.map { $0 == .pass || $0 == .error || $0 == .nodata ? 100.0 : 0 }
    return groups.reduce(0, +) / Double(groups.count)
  }
}
