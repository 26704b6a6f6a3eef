/// The increase of a classic Prometheus histogram during one look: how many requests were at most as slow as each
/// boundary, in milliseconds.
public struct LatencyHistogram: Codable, Sendable, Hashable {
  /// Why the buckets of a histogram make no sense.
  public enum Defect: Error, Sendable, Hashable, CustomStringConvertible {
    case noInfiniteBucket
    case badBoundary(Double)
    case badCount(boundary: Double)

    public var description: String {
      switch self {
      case .noInfiniteBucket: "the histogram has no bucket le=\"+Inf\", so its total is not known"
      case .badBoundary(let value): "the histogram has the bucket boundary \(value); it must be a number"
      case .badCount(let boundary):
        "the histogram's bucket le=\"\(boundary)\" has a count that is negative or not finite"
      }
    }
  }

  /// Finite boundaries, ascending, in milliseconds.
  public let boundaries: [Double]
  /// Requests at most as slow as each boundary; never decreasing.
  public let cumulative: [Double]
  /// All requests.
  public let total: Double

  /// Counts that decrease from one bucket to the next by the noise of extrapolation are raised to their predecessor, as
  /// `histogram_quantile` does it.
  /// - Parameter buckets: boundary (infinite for `+Inf`) → cumulative count.
  public init(buckets: [Double: Double]) throws(Defect) {
    guard let total = buckets[.infinity] else { throw .noInfiniteBucket }
    var boundaries: [Double] = []
    var cumulative: [Double] = []
    var largest = 0.0
    for (boundary, count) in buckets.sorted(by: { $0.key < $1.key }) {
      if boundary.isNaN || boundary == -.infinity { throw .badBoundary(boundary) }
      guard count.isFinite, count >= 0 else { throw .badCount(boundary: boundary) }
      largest = max(largest, count)
      guard boundary.isFinite else { continue }
      boundaries.append(boundary)
      cumulative.append(largest)
    }
    guard total.isFinite, total >= 0 else { throw .badCount(boundary: .infinity) }
    self.boundaries = boundaries
    self.cumulative = cumulative
    self.total = max(total, largest)
  }

  /// Buckets that are in order already.
  /// - Parameters:
  ///   - boundaries: finite and ascending, in milliseconds.
  ///   - cumulative: as many; raised to their predecessor where they decrease.
  ///   - total: all requests.
  public init(boundaries: [Double], cumulative: [Double], total: Double) throws(Defect) {
    for (index, boundary) in boundaries.enumerated() {
      guard boundary.isFinite, index == 0 || boundaries[index - 1] < boundary else { throw .badBoundary(boundary) }
    }
    guard total.isFinite, total >= 0 else { throw .badCount(boundary: .infinity) }
    var levelled: [Double] = []
    levelled.reserveCapacity(boundaries.count)
    var largest = 0.0
    for (boundary, count) in zip(boundaries, cumulative) {
      guard count.isFinite, count >= 0 else { throw .badCount(boundary: boundary) }
      largest = max(largest, count)
      levelled.append(largest)
    }
    self.init(unchecked: boundaries, levelled, max(total, largest))
  }

  init(unchecked boundaries: [Double], _ cumulative: [Double], _ total: Double) {
    self.boundaries = boundaries
    self.cumulative = cumulative
    self.total = total
  }

  /// A histogram without requests.
  public static func empty(boundaries: [Double]) -> LatencyHistogram {
    LatencyHistogram(unchecked: boundaries.sorted(), boundaries.map { _ in 0 }, 0)
  }

  /// Requests, of which those slower than a boundary are bad; `nil` where the histogram has no such boundary.
  public func slower(than boundary: Double) -> Counts? {
    guard let index = boundaries.firstIndex(of: boundary) else { return nil }
    return Counts(requests: total, bad: total - cumulative[index])
  }

  /// The same of the first boundary at or above a limit, `nil` where there is none; no requests of a histogram without any.
  public func slower(thanAtLeast limit: Double) -> Counts? {
    total == 0 ? .zero : boundaries.first { $0 >= limit }.flatMap { slower(than: $0) }
  }

  /// Where a quantile (0 to 1) lies; `nil` without requests.
  public func quantile(_ quantile: Double) -> QuantileEstimate? {
    guard total > 0 else { return nil }
    let rank = quantile * total
    guard let index = cumulative.firstIndex(where: { $0 >= rank }) else {
      return QuantileEstimate(lower: boundaries.last ?? 0, upper: nil)
    }
    return QuantileEstimate(lower: index == 0 ? 0 : boundaries[index - 1], upper: boundaries[index])
  }

  /// The sum of two looks, on the boundaries that both have.
  public static func + (left: LatencyHistogram, right: LatencyHistogram) -> LatencyHistogram {
    if left.boundaries == right.boundaries {
      return LatencyHistogram(
        unchecked: left.boundaries, zip(left.cumulative, right.cumulative).map { $0 + $1 }, left.total + right.total)
    }
    var boundaries: [Double] = []
    var cumulative: [Double] = []
    for (boundary, count) in zip(left.boundaries, left.cumulative) {
      guard let index = right.boundaries.firstIndex(of: boundary) else { continue }
      boundaries.append(boundary)
      cumulative.append(count + right.cumulative[index])
    }
    return LatencyHistogram(unchecked: boundaries, cumulative, left.total + right.total)
  }
}

/// The boundaries between which a quantile lies, in milliseconds: a histogram knows no more of it.
public struct QuantileEstimate: Codable, Sendable, Hashable {
  public var lower: Double
  /// `nil` beyond the last boundary.
  public var upper: Double?

  public init(lower: Double, upper: Double?) {
    self.lower = lower
    self.upper = upper
  }

  /// `100 … 250 ms`, `above 10000 ms`, or `unknown` where nothing is excluded.
  public var text: String {
    if lower == 0, upper == nil { return "unknown" }
    return upper.map { "\(Evidence.number(lower)) … \(Evidence.number($0)) ms" } ?? "above \(Evidence.number(lower)) ms"
  }
}
