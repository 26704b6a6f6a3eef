import CanaryAnalysis
import TrafficRouting

/// What each process counted in one look, for checks that compare a track's processes with each other. In an order of
/// its own, so that sums do not depend on that of a dictionary.
enum LookParts {
  static func counts(_ values: [MetricsKey: Double]) -> TrackParts<Counts> {
    parts(values) { values in
      Counts(
        requests: values.reduce(0) { $0 + $1.value }, bad: values.reduce(0) { $1.key.isError ? $0 + $1.value : $0 })
    }
  }

  static func histograms(_ values: [MetricsKey: Double]) -> TrackParts<LatencyHistogram> {
    parts(values) { values in
      var buckets: [Double: Double] = [:]
      for (key, value) in values {
        if let boundary = key.boundary { buckets[boundary, default: 0] += value }
      }
      return try? LatencyHistogram(buckets: buckets)
    }
  }

  /// The requests of each process, by track and process.
  static func growth(_ values: [MetricsKey: Double], of kind: LookAnswers.Question.Kind) -> [String: Double] {
    var growth: [String: Double] = [:]
    for (key, value) in values where kind == .requests || key.boundary == .infinity {
      growth["\(key.track) \(key.process)", default: 0] += value
    }
    return growth
  }

  private static func parts<Look>(
    _ values: [MetricsKey: Double], _ look: ([(key: MetricsKey, value: Double)]) -> Look?
  ) -> TrackParts<Look> {
    func parts(of track: Track) -> [Look] {
      Dictionary(grouping: values.filter { $0.key.track == track && !$0.key.process.isEmpty }) { $0.key.process }
        .sorted { $0.key < $1.key }.compactMap { look($0.value.map { (key: $0.key, value: $0.value) }) }
    }
    return TrackParts(canary: parts(of: .canary), stable: parts(of: .stable))
  }
}
