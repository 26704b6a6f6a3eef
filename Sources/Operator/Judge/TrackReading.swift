import CanaryAnalysis
import RolloutAPI
import TrafficRouting

/// What the increases of one look say of each track, under the traffic that was routed meanwhile.
struct TrackReading {
  let traffic: TrafficTarget
  /// The stable revision has no available pod.
  let stableIsDown: Bool

  func sum(_ canary: Measured<Counts>, _ stable: Measured<Counts>) -> Counts? {
    guard let canary = canary.value, let stable = stable.value else { return nil }
    return canary + stable
  }

  /// What each pod did.
  func byPod<Look>(
    _ values: [MetricsKey: Double], _ look: ([MetricsKey: Double], Track) -> Look?
  ) -> [String: (track: Track, look: Look)] {
    var pods: [String: (track: Track, look: Look)] = [:]
    for (pod, own) in Dictionary(grouping: values, by: { $0.key.pod }) where !pod.isEmpty {
      guard let track = own.first?.key.track,
        let look = look(Dictionary(uniqueKeysWithValues: own.map { ($0.key, $0.value) }), track)
      else { continue }
      pods[pod] = (track, look)
    }
    return pods
  }

  /// Whether a track gets requests that this view counts; callers do not count copies.
  func isServed(_ track: Track, _ view: MetricsView) -> Bool {
    switch track {
    case .stable: traffic.weight < .all && !stableIsDown
    case .canary: traffic.weight > .none || !traffic.routes.isEmpty || (view == .callee && traffic.mirror != nil)
    }
  }

  func counts(
    _ found: Measured<[MetricsKey: Double]>, _ track: Track, _ view: MetricsView
  ) -> Measured<Counts> {
    guard isServed(track, view) else { return .value(.zero) }
    switch found {
    case .value(let values):
      let own = values.filter { $0.key.track == track }
      guard !own.isEmpty else { return .missing }
      let bad = own.filter(\.key.isError).values.reduce(0, +)
      return .counts(requests: .value(own.values.reduce(0, +)), bad: .value(bad))
    default: return found.map { _ in nil }
    }
  }

  func histogram(
    _ found: Measured<[MetricsKey: Double]>, _ track: Track, _ view: MetricsView
  ) -> Measured<LatencyHistogram> {
    guard isServed(track, view) else {
      // With the boundaries of what was measured, or a sum with it would lose them.
      let all = Set((found.value ?? [:]).keys.compactMap(\.boundary).filter(\.isFinite))
      return .value(.empty(boundaries: Array(all)))
    }
    switch found {
    case .value(let values):
      var buckets: [Double: Double] = [:]
      for (key, value) in values where key.track == track {
        if let boundary = key.boundary { buckets[boundary, default: 0] += value }
      }
      guard !buckets.isEmpty else { return .missing }
      do {
        return .value(try LatencyHistogram(buckets: buckets))
      } catch {
        return .sourceFailed("\(error)")
      }
    default: return found.map { _ in nil }
    }
  }
}
