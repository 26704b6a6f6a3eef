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
    // Of custom boundaries nothing is known but the whole, which ``NativeBuckets/customBoundaries`` speaks of.
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

  /// - Parameter limits: in milliseconds.
  init(limits: [Double]) { self.limits = limits }

  /// - Returns: what grew, by the boundaries to be compared; and whether the checks begin anew. Classic histograms are
  ///   left as they are.
  mutating func common(_ values: [MetricsKey: Double]) -> (values: [MetricsKey: Double], beginsAnew: Bool) {
    let before = boundaries
    guard narrow(to: values), let kept else { return (values, false) }
    let isNew = boundaries != before
    if isNew { beginnings += 1 }
    return (
      values.filter { key, _ in
        guard key.isNative, let boundary = key.boundary else { return true }
        return boundary == .infinity || kept.contains(boundary)
      }, isNew
    )
  }

  /// Leaves the boundaries that these histograms have too.
  /// - Returns: whether any of them is native.
  @discardableResult
  mutating func narrow(to values: [MetricsKey: Double]) -> Bool {
    var found: [String: Set<Double>] = [:]
    for key in values.keys where key.isNative {
      found["\(key.track) \(key.process)", default: []].formUnion(key.boundary.map { $0.isFinite ? [$0] : [] } ?? [])
    }
    guard let first = found.values.first else { return false }
    let common = found.values.dropFirst().reduce(first) { $0.intersection($1) }
    boundaries = boundaries.map(common.intersection) ?? common
    return true
  }

  /// Of the boundaries that all have, those that are compared; `nil` before any native histogram.
  var kept: Set<Double>? { boundaries.map { Self.thinned($0.sorted(), limits) } }

  /// What to say of native histograms without boundaries: their schema is −53, and the query API leaves out buckets
  /// without answers, so that the others' boundaries would change from look to look.
  static let customBoundaries =
    "a native one with custom boundaries, which cannot be compared: of its buckets Prometheus tells only those with "
    + "answers. Keep the classic buckets (always_scrape_classic_histograms: true in the scrape configuration, or no "
    + "convert_classic_histograms_to_nhcb), or export exponential ones"

  /// Whether what was read are such histograms.
  static func hasCustomBoundaries(_ keys: some Sequence<MetricsKey>) -> Bool {
    keys.contains(where: \.isNative) && !keys.contains { $0.boundary?.isFinite ?? false }
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
