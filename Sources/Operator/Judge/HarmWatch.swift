import CanaryAnalysis
import Foundation
import RolloutEngine
import TrafficRouting

/// Counts what the canary costs its callers, for the autopilot: every look since the first write, whether or not the
/// traffic was verified, in every view of the requests that the mesh has. The view in which it looks worse counts: retries hide errors from
/// callers, and a pod that never answers has no metrics of its own.
struct HarmWatch: Sendable {
  private struct View: Sendable {
    var ledger = HarmLedger()
    var lookedAt: Date?
    /// Requests of both tracks in the newest looks, and how many seconds each covers.
    var recent: [(seconds: Double, requests: Double)] = []
    /// The canary's since the traffic was verified.
    var requests = 0.0
  }

  private var views: [MetricsView: View] = [:]
  private var verifiedAt: Date?
  /// The probability that the canary is ever said to fail more often than stable, and does not; of all views together.
  let risk: Double

  /// The rate of requests is a mean over so many looks.
  private static let memory = 6
  /// The probability that the canary's true excess is ever above what is counted with.
  private static let doubt = 0.01

  private let sides: [MetricsView]

  /// The probability that a canary seems to fail more often than stable, and does not.
  private static let suspicion = 0.05

  /// - Parameters:
  ///   - views: those that the mesh has.
  ///   - risk: of all views together.
  init(views: [MetricsView], risk: Double) {
    sides = views
    self.risk = risk
  }

  /// Adds what one view saw since its look before.
  mutating func record(
    _ view: MetricsView, _ increase: Measured<[MetricsKey: Double]>?, at now: Date, writtenAt: Date?, verifiedAt: Date?
  ) {
    if verifiedAt != self.verifiedAt {
      self.verifiedAt = verifiedAt
      for side in sides { views[side]?.requests = 0 }
    }
    guard let values = increase?.value else { return }
    var own = views[view] ?? View()
    func counts(_ track: Track) -> Counts {
      let values = values.filter { $0.key.track == track }
      return Counts(
        requests: values.values.reduce(0, +), bad: values.filter(\.key.isError).values.reduce(0, +)) ?? .zero
    }
    let (canary, stable) = (counts(.canary), counts(.stable))
    if let before = own.lookedAt, now > before {
      own.recent.append((now.timeIntervalSince(before), canary.requests + stable.requests))
      own.recent.removeFirst(max(0, own.recent.count - Self.memory))
    }
    own.ledger.record(canary: writtenAt == nil ? .zero : canary, stable: stable)
    if let verifiedAt, let before = own.lookedAt, before >= verifiedAt { own.requests += canary.requests }
    own.lookedAt = now
    views[view] = own
  }

  /// The canary's requests since the present traffic was verified.
  var requests: Double { views.values.map(\.requests).max() ?? 0 }

  var harm: Harm? {
    let known = sides.compactMap { views[$0] }
    guard known.count == sides.count, let at = known.compactMap(\.lookedAt).min(),
      known.contains(where: { !$0.recent.isEmpty })
    else { return nil }
    let rates = known.map { view in
      view.recent.map(\.requests).reduce(0, +) / max(1, view.recent.map(\.seconds).reduce(0, +))
    }
    // Before the canary has a request in any view, nothing is known of it; a view without any says nothing.
    let served = known.filter { $0.ledger.canary.requests > 0 }
    return Harm(
      harmed: known.map(\.ledger.harmed).max() ?? 0,
      excess: served.map { min(1, max(0, $0.ledger.excess(risk: Self.doubt).upper)) }.max() ?? 1,
      rate: rates.max() ?? 0, isWorse: known.contains { $0.ledger.excess(risk: risk / Double(sides.count)).lower > 0 },
      isSuspect: known.contains { $0.ledger.excess(risk: Self.suspicion).lower > 0 }, at: at)
  }
}
