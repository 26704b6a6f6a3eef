/// Location, scale and trend that a few wild values do not move.
public enum RobustStatistics {
  /// The middle value; the mean of the two middle ones of an even number; `nil` for none.
  /// - Complexity: O(n log n).
  public static func median(_ values: some Sequence<Double>) -> Double? {
    let sorted = values.filter(\.isFinite).sorted()
    guard !sorted.isEmpty else { return nil }
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }

  /// The median absolute deviation from the median, times 1.4826, by which it estimates the standard deviation of
  /// normal values (Hampel 1974, "The influence curve and its role in robust estimation"); half of the values may be
  /// arbitrarily wrong.
  public static func deviation(_ values: some Collection<Double>) -> Double? {
    guard let center = median(values) else { return nil }
    return median(values.map { abs($0 - center) }).map { $0 * 1.4826 }
  }

  /// The median of the slopes of all pairs of points (Theil 1950; Sen 1968, "Estimates of the regression coefficient
  /// based on Kendall's tau"), in units of y for one unit of x; up to 29 % of the points may be wild. `nil` where no two
  /// points differ in x.
  /// - Complexity: O(n² log n): bound the number of points.
  public static func slope(_ points: [(x: Double, y: Double)]) -> Double? {
    var slopes: [Double] = []
    for (index, first) in points.enumerated() {
      for second in points[(index + 1)...] where second.x != first.x {
        slopes.append((second.y - first.y) / (second.x - first.x))
      }
    }
    return median(slopes)
  }
}
