import Foundation

/// A native histogram, as the query API gives it: `{"count", "sum", "buckets": [[rule, "lower", "upper", "count"], …]}`.
/// Buckets without observations are left out, and counts may be fractions.
/// <https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms>
public struct NativeHistogram: Sendable, Equatable {
  public struct Bucket: Sendable, Equatable {
    /// Which boundaries belong to the bucket; of positive observations the upper one.
    public enum Rule: Int, Sendable {
      case openLeft = 0
      case openRight = 1
      case openBoth = 2
      case closedBoth = 3
    }

    public var rule: Rule
    public var lower: Double
    public var upper: Double
    public var count: Double

    public init(rule: Rule, lower: Double, upper: Double, count: Double) {
      self.rule = rule
      self.lower = lower
      self.upper = upper
      self.count = count
    }
  }

  public var count: Double
  public var sum: Double
  public var buckets: [Bucket]

  public init(count: Double, sum: Double, buckets: [Bucket]) {
    self.count = count
    self.sum = sum
    self.buckets = buckets
  }
}

extension NativeHistogram {
  /// The boundaries that ``cumulative`` speaks of: eight to an octave, as schema 3 has them, which is what client libraries
  /// choose for a growth of at most 10 % a bucket. 2⁻¹⁴ to 2²²: 61 µs to an hour and more, in seconds or milliseconds.
  static let places = (-14 * 8)...(22 * 8)
  static func boundary(_ place: Int) -> Double { exp2(Double(place) / 8) }

  /// How many observations are at most as large as each of ``places``, as far as the buckets tell: a boundary that may
  /// lie inside of one is left out. The boundaries of a coarser schema are every second, fourth … of a finer one, so
  /// that histograms of different schemas have the coarser one's in common, and those of one schema always the same,
  /// whichever buckets are empty.
  ///
  /// `nil` for buckets that are no powers of two (custom boundaries): empty ones are not told then, so that the boundaries
  /// would change from look to look.
  public var cumulative: [(boundary: Double, count: Double)]? {
    var coarsest = 8
    /// By their upper boundaries, in eighths of an octave.
    var ends: [(end: Double, count: Double)] = []
    var least = -Double.infinity
    for bucket in buckets {
      if bucket.lower <= 0 {
        // The zero bucket, and negative observations: below every boundary beyond the zero bucket.
        least = max(least, bucket.upper)
        ends.append((-.infinity, bucket.count))
        continue
      }
      guard bucket.upper.isFinite else {
        ends.append((.infinity, bucket.count))
        continue
      }
      // A bucket spans 2^(2^−schema).
      let schema = -log2(log2(bucket.upper / bucket.lower))
      guard schema.isFinite, abs(schema - schema.rounded()) < 1e-3, (-4...8).contains(Int(schema.rounded())) else {
        return nil
      }
      coarsest = min(coarsest, Int(schema.rounded()))
      ends.append((log2(bucket.upper) * 8, bucket.count))
    }
    let stride = coarsest >= 3 ? 1 : 1 << (3 - coarsest)
    ends.sort { $0.end < $1.end }
    var next = 0
    var below = 0.0
    return Self.places.filter { $0.isMultiple(of: stride) }.compactMap { place in
      while next < ends.count, ends[next].end <= Double(place) + 1e-6 {
        below += ends[next].count
        next += 1
      }
      let boundary = Self.boundary(place)
      return boundary >= least ? (boundary, below) : nil
    }
  }
}
