import RolloutAPI

/// How the probability of a false abort is divided among the ways in which a run is judged: most of it has the checks.
/// The shares are of the whole and add up to 1, so that all ways together have no more than the plan's `falseAbortRisk`.
struct RiskShares {
  let bake: Double
  let autopilot: Double
  /// For a canary that only a bad pod of stable's had hidden.
  let unhidden: Double

  /// The checks have it all.
  static let checksAlone = RiskShares(bake: 0, autopilot: 0, unhidden: 0)

  private init(bake: Double, autopilot: Double, unhidden: Double) {
    self.bake = bake
    self.autopilot = autopilot
    self.unhidden = unhidden
  }

  init(_ plan: Plan) {
    bake = plan.bake == nil ? 0 : 0.25
    autopilot = plan.autopilot == nil ? 0 : 0.25
    unhidden = 0.01
  }

  var checks: Double { 1 - bake - autopilot - unhidden }
}
