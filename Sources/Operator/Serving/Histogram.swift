/// Counts durations by upper bounds, for Prometheus.
struct Histogram: Sendable, Equatable {
  /// In seconds, ascending.
  let bounds: [Double]
  /// By bound, not cumulative; the last one is beyond all bounds.
  private(set) var buckets: [Int]
  private(set) var seconds = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    buckets = Array(repeating: 0, count: bounds.count + 1)
  }

  var count: Int { buckets.reduce(0, +) }

  mutating func count(_ duration: Duration) {
    let seconds = duration / .seconds(1)
    buckets[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
    self.seconds += seconds
  }

  /// In Prometheus' text format, each sample with these labels besides its own.
  func samples(_ labels: [(name: String, value: String)] = []) -> [MetricsText.Sample] {
    var cumulative = 0
    var samples: [MetricsText.Sample] = []
    for (bound, count) in zip(bounds + [.infinity], buckets) {
      cumulative += count
      samples.append(
        MetricsText.Sample(
          suffix: "_bucket", labels: labels + [("le", MetricsText.number(bound))], value: Double(cumulative)))
    }
    samples.append(MetricsText.Sample(suffix: "_sum", labels: labels, value: seconds))
    samples.append(MetricsText.Sample(suffix: "_count", labels: labels, value: Double(cumulative)))
    return samples
  }
}
