import Foundation
import RolloutEngine
import TrafficRouting

/// Counts the requests that reached canary pods since a write took effect, and how many of them the route explains: those
/// that callers' proxies sent to the canary's Service, and copies of all that they sent.
///
/// Attempts that a proxy repeats after an answer are counted as well: they show as bypass of a canary that fails.
struct BypassWindow: Sendable {
  private var writtenAt: Date?
  private var received: [Track: Double] = [:]
  private var explained = 0.0

  /// Fewer requests say nothing of a share of one percent.
  private static let minimum = 200.0
  /// Deviations of a Poisson count that chance may explain.
  private static let deviations = 3.0

  var share: BypassShare? {
    let total = received.values.reduce(0, +)
    guard total >= Self.minimum else { return nil }
    let canary = received[.canary] ?? 0
    return BypassShare(
      requests: canary - explained, total: total, noise: Self.deviations * max(canary, 1).squareRoot())
  }

  /// - Parameters:
  ///   - mirrored: the share of requests of which the canary gets a copy, 0 to 1.
  ///   - writtenAt: when the present traffic was written; another time begins a new window.
  mutating func record(
    caller: [MetricsKey: Double]?, callee: [MetricsKey: Double]?, mirrored: Double, writtenAt: Date?
  ) {
    if writtenAt != self.writtenAt { self = BypassWindow(writtenAt: writtenAt) }
    // Only looks that both sides answered can be compared.
    guard let caller, let callee else { return }
    var look: [Track: Double] = [:]
    for (key, requests) in caller { look[key.track, default: 0] += requests }
    for (key, requests) in callee { received[key.track, default: 0] += requests }
    explained += (look[.canary] ?? 0) + mirrored * look.values.reduce(0, +)
  }

  init() {}

  private init(writtenAt: Date?) { self.writtenAt = writtenAt }
}
