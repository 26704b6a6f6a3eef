import Foundation

/// Whether the canary's answers are made up differently from stable's: a response code, a kind of connection error or the
/// errors of one endpoint that the whole hides.
///
/// One ``SequentialComparison`` for each, averaged with weights 1 / (j (j + 1)) in the order in which they first occur;
/// what has not occurred yet stands at 1. The average is an e-process, since the order is known before its numbers are.
public struct MixWatch: Codable, Sendable, Hashable {
  /// How many times stable's rate is tolerated.
  public let tolerance: Double
  /// And how much above it, as a share of requests.
  public let margin: Double

  private var parts: [Part] = []

  private struct Part: Codable, Sendable, Hashable {
    var name: String
    var comparison: SequentialComparison
    var clumps = Clumps()
    var canary = Counts.zero
    var stable = Counts.zero
  }

  /// More names than this are not told apart: labels of this kind may have no end.
  private static let maxParts = 40

  public init(tolerance: Double, margin: Double) {
    self.tolerance = tolerance
    self.margin = margin
  }

  /// Adds a look: by name, the requests that could be of that kind, and those that are.
  public mutating func record(canary: [String: Counts], stable: [String: Counts]) {
    for name in Set(canary.keys).union(stable.keys).sorted() where !parts.contains(where: { $0.name == name }) {
      guard parts.count < Self.maxParts else { break }
      parts.append(Part(name: name, comparison: SequentialComparison(toleratedRatio: tolerance)))
    }
    for index in parts.indices {
      guard let worse = canary[parts[index].name], let base = stable[parts[index].name] else { continue }
      let remedy = parts[index].clumps.remedy
      parts[index].comparison.update(canary: worse, stable: base, dispersion: remedy.divisor, cap: remedy.cap)
      parts[index].clumps.observe(base)
      parts[index].canary += worse
      parts[index].stable += base
    }
  }

  public var logEValue: Double {
    let begun = parts.enumerated().map { index, part in
      part.comparison.logEValue - log(Double((index + 1) * (index + 2)))
    }
    return logSum(begun + [-log(Double(parts.count + 1))])
  }

  public var isEmpty: Bool { parts.isEmpty }

  /// The kind that differs most, by the evidence for it.
  public struct Leader: Sendable, Hashable {
    public var name: String
    public var canary: Counts
    public var stable: Counts
  }

  public var leader: Leader? {
    parts.max { $0.comparison.logEValue < $1.comparison.logEValue }
      .map { Leader(name: $0.name, canary: $0.canary, stable: $0.stable) }
  }

  /// The difference is beyond the margin, so that it matters.
  public var matters: Bool {
    guard let leader, let worse = leader.canary.rate else { return false }
    return worse - (leader.stable.rate ?? 0) > margin
  }
}
