import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Counts the requests of both tracks since a write took effect.
struct ShareWindow: Sendable {
  private var since: Date?
  private var writtenAt: Date?
  private var canary = 0.0
  private var total = 0.0

  var observed: ObservedShare? {
    since.map { ObservedShare(canaryRequests: canary, totalRequests: total, since: $0) }
  }

  /// What is scraped shortly after a write still speaks of requests before it. So a window that disagrees although it has
  /// enough requests begins anew with the next look: only a share that stays wrong is never confirmed.
  mutating func record(
    _ increase: Measured<[MetricsKey: Double]>?, at now: Date, weight: Int, writtenAt: Date?
  ) {
    if writtenAt != self.writtenAt {
      self.writtenAt = writtenAt
      since = nil
      canary = 0
      total = 0
    }
    guard let writtenAt, now > writtenAt else { return }
    guard since != nil else {
      since = now
      return
    }
    guard let values = increase?.value else { return }
    for (key, value) in values {
      total += value
      if key.track == .canary { canary += value }
    }
    let check = ShareCheck(desired: Double(weight) / 100, slack: 0.01)
    if case .differs = check.result(canary: canary, all: total) {
      since = now
      canary = 0
      total = 0
    }
  }
}
