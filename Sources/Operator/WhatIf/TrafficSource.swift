import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What one track did in one look.
public struct TrackLook: Codable, Sendable, Hashable {
  public var requests: Int
  /// Of these, the failed ones.
  public var failed: Int
  /// Requests at most as slow as each boundary of ``TrafficLook/boundaries``.
  public var buckets: [Int]

  public init(requests: Int, failed: Int, buckets: [Int]) {
    self.requests = requests
    self.failed = failed
    self.buckets = buckets
  }
}

/// Where the requests of a plan that is tried come from: invented, or recorded.
protocol TrafficSource: Sendable {
  /// Upper bounds of the latency buckets in milliseconds, ascending and finite.
  var boundaries: [Double] { get }
  /// The longest time that there are requests for, in seconds; `nil` without an end.
  var duration: Double? { get }

  /// What both tracks did between two moments, in seconds since the beginning.
  /// - Parameter share: the part of the requests that goes to the canary.
  mutating func look(from: Double, to: Double, share: Double) -> [Track: TrackLook]

  /// The canary's requests of the look before, pod by pod, where its pods differ; empty where they are alike.
  var canaryParts: [TrackLook] { get }

  /// What a query of the plan gave for a track.
  /// - Parameter share: the part of the requests that the track got, by which values are less that grow with them.
  mutating func value(_ slo: SLO, _ track: Track, at time: Double, share: Double) -> Measured<Double>

  /// What the counters of a query of the plan counted while a track answered requests; `nil` where nothing is known of it.
  mutating func events(_ slo: SLO, _ counted: SLO.Counted, _ track: Track, requests: Int, at time: Double)
    -> EventCount?

  /// What stable did before the beginning.
  /// - Parameter windows: how far back, in seconds.
  /// - Returns: by window, those of which something is known.
  func past(of windows: [Double]) -> [Double: TrackLook]

  /// What a histogram of the team's own measured while a track answered requests; `nil` where nothing is known of it.
  mutating func histogram(of slo: String, _ track: Track, _ look: TrackLook, at time: Double) -> TrackLook?

  /// The upper bounds of its buckets, as ``boundaries``.
  func boundaries(of slo: String) -> [Double]

  /// What it measured of stable before the beginning, as ``past(of:)``.
  func past(of windows: [Double], histogram slo: String) -> [Double: TrackLook]

  /// What guards see at the end of a look; `nil` where nothing is known.
  mutating func signals(_ look: TrialLook) -> TrialSignals?
}

/// A look of a trial, as far as it concerns guards.
struct TrialLook: Sendable {
  /// In seconds since the beginning.
  var from: Double
  var to: Double
  /// Pods of each track.
  var pods: [Track: Int]
  /// What was answered meanwhile.
  var served: [Track: TrackLook]
  /// When the trial's clock began.
  var start: Date
}

/// What guards see in a trial.
struct TrialSignals: Sendable {
  var containers: [String: [String: Double]]
  var pods: [PodFacts]
  /// Of a look: answers by track and code.
  var answers: [Track: [String: Int]]
  /// Of a look: requests of the service, where they are not the sum of the answers.
  var serviceRequests: Int?
  /// What the days before were like; `nil` where nothing is known of them.
  var usual: UsualLevels?
  /// The requests are not divided as the plan says.
  var isDividedOtherwise = false
}

/// Which part of the requests reaches the canary.
extension TrafficTarget {
  /// - Parameter matched: the part that a step's route matches.
  func share(matched: Double) -> Double {
    let split = Double(weight.value) / 100
    return routes.isEmpty ? split : split + (1 - split) * matched
  }
}
