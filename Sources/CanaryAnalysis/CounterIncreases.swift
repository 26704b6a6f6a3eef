/// Turns the values of counters, read look after look, into increases.
///
/// Unlike PromQL's `increase` it does not extrapolate, so that the counts of a look are whole, looks never overlap, and
/// nothing falls between two windows. The key names one process and one class of answers.
public struct CounterIncreases<Key: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  /// What a look added.
  public struct Increase: Sendable, Hashable {
    /// By series; those that did not grow are left out.
    public var values: [Key: Double]
    /// Series that went backwards: their process started anew, and the new value is all that is known of them.
    public var resets: Int

    public var total: Double { values.values.reduce(0, +) }
  }

  private var last: [Key: Double]?

  public init() {}

  /// The series seen so far.
  public var keys: some Collection<Key> { (last ?? [:]).keys }

  /// Records one look.
  ///
  /// The first one is the baseline. A series that appears later began at zero and counts in full: that is how a pod
  /// that started after the baseline is counted from its first request. A series that vanishes and returns continues
  /// from its last value. Values that are not finite or negative are passed over.
  /// - Parameter beginsAtZero: asked of a series that is seen for the first time; false makes its value a baseline, as
  ///   for a process that is older than the first look and was not scraped then (its source had just started, say).
  /// - Returns: the increase since the look before; `nil` for the first.
  /// - Complexity: O(number of series).
  public mutating func record(_ values: [Key: Double], beginsAtZero: (Key) -> Bool = { _ in true }) -> Increase? {
    let values = values.filter { $0.value.isFinite && $0.value >= 0 }
    guard let before = last else {
      last = values
      return nil
    }
    var increase = Increase(values: [:], resets: 0)
    for (key, value) in values {
      let previous = before[key] ?? (beginsAtZero(key) ? 0 : value)
      if value < previous { increase.resets += 1 }
      let added = value < previous ? value : value - previous
      if added > 0 { increase.values[key] = added }
    }
    last = before.merging(values) { $1 }
    return increase
  }
}
