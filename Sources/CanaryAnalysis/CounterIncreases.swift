import Foundation

/// Turns the values of counters, read look after look, into increases.
///
/// Unlike PromQL's `increase` it does not extrapolate, so that the counts of a look are whole, looks never overlap, and
/// nothing falls between two windows. The key names one process and one class of answers.
///
/// Series come and go with their pods, so that those that are in no answer for ``memory`` are forgotten: only that they
/// were there is kept, as a hash. One that returns after all begins anew with a baseline, since what it says was counted
/// at a time that nobody looked at.
public struct CounterIncreases<Key: Sendable & Hashable>: Sendable {
  /// What a look added.
  public struct Increase: Sendable, Hashable {
    /// By series; those that did not grow are left out.
    public var values: [Key: Double]
    /// Series that went backwards: their process started anew, and the new value is all that is known of them.
    public var resets: Int

    public var total: Double { values.values.reduce(0, +) }
  }

  private struct Reading: Sendable {
    var value: Double
    /// The first look that did not have it; `nil` while it is in the answers.
    var missingSince: Date?
  }

  private var last: [Key: Reading]?
  /// Hashes of series that were forgotten, and of processes all of whose series were.
  private var forgotten: Set<Int> = []
  private var forgottenProcesses: Set<Int> = []

  /// In seconds: longer than scrape gaps, a restart of Prometheus, or its own five minutes of staleness.
  static var memory: TimeInterval { 3600 }
  /// Missing series beyond these are forgotten at once, the one that is missing longest first. Those that are there are
  /// as many as one answer may have.
  var maxMissing = 10_000
  var maxForgotten = 100_000
  /// So many series came and went that a returning one cannot be told from a new one any more: from then on each series
  /// that appears only begins a count, whatever its first value.
  private var isCrowded = false

  public init() {}

  /// The series seen so far that are not forgotten.
  public var keys: some Collection<Key> { (last ?? [:]).keys }

  /// What a reader of the counts should know; `nil` where there is nothing.
  public var note: String? {
    isCrowded
      ? "so many series came and went that what a new pod counts before it is first read is left out from now on" : nil
  }

  /// Records one look.
  ///
  /// The first one is the baseline. A series that appears later began at zero and counts in full: that is how a pod
  /// that started after the baseline is counted from its first request. A series that vanishes and returns within the
  /// memory continues from its last value. Values that are not finite or negative are passed over.
  /// - Parameters:
  ///   - process: who counts a series; all series of one that returns after it was forgotten are baselines.
  ///   - beginsAtZero: asked of a series that is seen for the first time; false makes its value a baseline, as for a
  ///     process that is older than the first look and was not scraped then (its source had just started, say).
  /// - Returns: the increase since the look before; `nil` for the first.
  /// - Complexity: O(number of series).
  public mutating func record(
    _ values: [Key: Double], at now: Date, of process: (Key) -> String = { _ in "" },
    beginsAtZero: (Key) -> Bool = { _ in true }
  ) -> Increase? {
    let values = values.filter { $0.value.isFinite && $0.value >= 0 }
    guard var readings = last else {
      last = values.mapValues { Reading(value: $0) }
      return nil
    }
    last = nil
    var increase = Increase(values: [:], resets: 0)
    for (key, value) in values {
      let previous = readings[key]?.value ?? (isNew(key, process) && beginsAtZero(key) ? 0 : value)
      if value < previous { increase.resets += 1 }
      let added = value < previous ? value : value - previous
      if added > 0 { increase.values[key] = added }
      readings[key] = Reading(value: value)
    }
    if !forgotten.isEmpty || !forgottenProcesses.isEmpty {
      for key in values.keys {
        forgotten.remove(key.hashValue)
        forgottenProcesses.remove(process(key).hashValue)
      }
    }
    forget(&readings, but: values, at: now, of: process)
    last = readings
    return increase
  }

  private func isNew(_ key: Key, _ process: (Key) -> String) -> Bool {
    !isCrowded && !forgotten.contains(key.hashValue) && !forgottenProcesses.contains(process(key).hashValue)
  }

  private mutating func forget(
    _ readings: inout [Key: Reading], but values: [Key: Double], at now: Date, of process: (Key) -> String
  ) {
    guard readings.count > values.count else { return }
    var gone: [Key] = []
    var missing: [(key: Key, since: Date)] = []
    for (key, reading) in readings where values[key] == nil {
      let since = reading.missingSince ?? now
      if now.timeIntervalSince(since) > Self.memory {
        gone.append(key)
      } else {
        missing.append((key, since))
      }
    }
    for (key, since) in missing { readings[key]?.missingSince = since }
    if missing.count > maxMissing {
      gone += missing.sorted { $0.since < $1.since }.prefix(missing.count - maxMissing).map(\.key)
    }
    guard !gone.isEmpty else { return }
    for key in gone { readings[key] = nil }
    let there = Set(readings.keys.map(process))
    for key in gone {
      forgotten.insert(key.hashValue)
      let process = process(key)
      if !there.contains(process) { forgottenProcesses.insert(process.hashValue) }
    }
    guard forgotten.count + forgottenProcesses.count > maxForgotten else { return }
    (forgotten, forgottenProcesses, isCrowded) = ([], [], true)
  }
}
