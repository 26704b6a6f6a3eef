import Foundation

/// The likelihood-ratio test of the same conditional law on the same looks at the same risk, that knows beforehand which
/// property the fault touches, when it begins and how bad it is: nobody can do better on average (Wald 1945).
struct Oracle: Judge {
  static let risk = 0.001

  private let scenario: Scenario
  private var logRatio = 0.0

  init(_ scenario: Scenario) { self.scenario = scenario }

  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool {
    guard let measured, measured.canary.requests > 0, measured.stable.requests > 0 else { return false }
    let ratio = scenario.ratio(look)
    let share = measured.canary.requests / (measured.canary.requests + measured.stable.requests)
    let (worse, base) = (measured.canary.count(scenario.property), measured.stable.count(scenario.property))
    logRatio += worse * log(ratio) - (worse + base) * log1p(share * (ratio - 1))
    return logRatio >= -log(Self.risk)
  }
}
