import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import TrafficRouting

extension InstantSample {
  /// As the judge counts it: a number, or the boundaries of a native histogram as buckets of a classic one.
  var series: [MetricSeries] { MetricSeries.series(labels, value, histogram) }
}

extension MetricSeries {
  static func series(_ labels: [String: String], _ value: Double, _ histogram: NativeHistogram?) -> [MetricSeries] {
    guard let histogram else { return [MetricSeries(labels: labels, value: value)] }
    func bucket(_ boundary: String, _ count: Double) -> MetricSeries {
      MetricSeries(labels: labels.merging(["le": boundary]) { $1 }, value: count, isNative: true)
    }
    // Of custom boundaries nothing is known but the whole: a check then says that the histogram has no buckets.
    return (histogram.cumulative ?? []).map { bucket(String($0.boundary), $0.count) } + [
      bucket("+Inf", histogram.count)
    ]
  }
}

/// Brings what grew in native histograms to boundaries that all processes of both tracks have, in all looks.
///
/// A process with many different answers has a coarser schema than others, and one may become coarser at any time. What is
/// compared are the boundaries of the coarsest schema so far. When that changes, the checks of latency begin anew, with
/// half of the risk that they had: `½ + ¼ + …` of it is never more than the whole.
struct NativeBuckets: Sendable {
  /// What the plan's latency objectives allow, in milliseconds.
  let limits: [Double]
  private var boundaries: Set<Double>?
  /// How often the checks began: the first time with the first native histogram.
  private(set) var beginnings = 0

  /// Beyond the limits, boundaries nearer than this to the one before say little that it does not: each of them has a
  /// share of the check.
  private static let spacing = 1.4

  init(limits: [Double]) { self.limits = limits }

  /// - Returns: what grew, by the boundaries to be compared; and whether the checks begin anew. Classic histograms are
  ///   left as they are.
  mutating func common(_ values: [MetricsKey: Double]) -> (values: [MetricsKey: Double], beginsAnew: Bool) {
    var found: [String: Set<Double>] = [:]
    for key in values.keys where key.isNative {
      found["\(key.track) \(key.process)", default: []].formUnion(key.boundary.map { $0.isFinite ? [$0] : [] } ?? [])
    }
    guard let first = found.values.first else { return (values, false) }
    var common = found.values.dropFirst().reduce(first) { $0.intersection($1) }
    if let boundaries { common.formIntersection(boundaries) }
    let isNew = common != boundaries
    boundaries = common
    if isNew { beginnings += 1 }
    let kept = Self.thinned(common.sorted(), limits)
    return (
      values.filter { key, _ in
        guard key.isNative, let boundary = key.boundary else { return true }
        return boundary == .infinity || kept.contains(boundary)
      }, isNew
    )
  }

  /// All boundaries up to the limits, the next one above each, and from there on a few.
  static func thinned(_ boundaries: [Double], _ limits: [Double]) -> Set<Double> {
    let last = limits.max() ?? .infinity
    var kept = Set(boundaries.filter { $0 <= last })
    var before = last / spacing
    for boundary in boundaries where boundary > last && boundary >= before * spacing {
      kept.insert(boundary)
      before = boundary
    }
    return kept
  }
}
