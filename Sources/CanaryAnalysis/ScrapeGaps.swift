/// Notices looks in which a process was not read, or was read again after it had been missed: then the tracks' counts
/// speak of different times (see ``Circumstances/uneven``).
///
/// A process that usually adds at least 7 requests a look is silent by chance once in a thousand looks (e⁻⁷).
public struct ScrapeGaps<Process: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  private struct Pace: Codable, Sendable, Hashable {
    /// Requests of a look, a moving average.
    var mean: Double
    var silent = 0
  }

  private var paces: [Process: Pace] = [:]

  static var busy: Double { 7 }
  /// A process that is silent for more looks than this is gone.
  static var patience: Int { 2 }

  public init() {}

  /// Adds a look.
  /// - Parameter growth: what each process that was read added, also where that is nothing.
  /// - Returns: whether the look is uneven.
  public mutating func record(_ growth: [Process: Double]) -> Bool {
    var isUneven = false
    for (process, added) in growth {
      guard var pace = paces[process] else {
        paces[process] = Pace(mean: added)
        continue
      }
      if added == 0, pace.mean >= Self.busy, pace.silent <= Self.patience {
        pace.silent += 1
      } else {
        if pace.silent > 0, added > 0 { isUneven = true }
        pace.mean += 0.2 * (added / Double(pace.silent + 1) - pace.mean)
        pace.silent = 0
      }
      isUneven = isUneven || (1...Self.patience).contains(pace.silent)
      paces[process] = pace
    }
    for (process, var pace) in paces where growth[process] == nil {
      pace.silent += 1
      if pace.mean >= Self.busy, pace.silent <= Self.patience { isUneven = true }
      paces[process] = pace.silent > 30 ? nil : pace
    }
    return isUneven
  }
}
