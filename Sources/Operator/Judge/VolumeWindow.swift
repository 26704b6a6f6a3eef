import Foundation
import RolloutEngine
import TrafficRouting

/// Counts all requests over the last minute, whichever track they went to.
struct VolumeWindow: Sendable {
  private struct Look: Sendable {
    var seconds: Double
    var requests: Double
  }

  private var looks: [Look] = []
  private var last: Date?

  private static let length = 60.0
  /// With fewer looks one slow scrape would pass for a change of the volume.
  private static let fewest = 3

  var volume: RequestVolume? {
    guard looks.count >= Self.fewest else { return nil }
    return RequestVolume(
      requests: looks.map(\.requests).reduce(0, +), seconds: looks.map(\.seconds).reduce(0, +))
  }

  /// - Parameter requests: what grew since the last look that was answered; `nil` where this one was not.
  mutating func record(_ requests: [MetricsKey: Double]?, at now: Date) {
    guard let requests else { return }
    defer { last = now }
    guard let last, now > last else { return }
    looks.append(Look(seconds: now.timeIntervalSince(last), requests: requests.values.reduce(0, +)))
    while looks.count > Self.fewest, looks.dropFirst().map(\.seconds).reduce(0, +) >= Self.length {
      looks.removeFirst()
    }
  }
}
