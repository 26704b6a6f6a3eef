/// A pace that follows from the evidence: each weight is as large as what is known of the canary allows.
public struct AutopilotSpec: Codable, Sendable, Hashable {
  /// How many requests may fail that would not have failed on stable.
  public var riskBudget: Int
  /// How long may pass until the promotion begins; then the run is undecided.
  public var maxDuration: String?
  /// The largest first weight, before anything is known, in percent.
  public var startWeight: Int?

  public init(riskBudget: Int, maxDuration: String? = nil, startWeight: Int? = nil) {
    self.riskBudget = riskBudget
    self.maxDuration = maxDuration
    self.startWeight = startWeight
  }
}

/// A watch over a canary that has all traffic, with the old pods still there.
public struct BakeSpec: Codable, Sendable, Hashable {
  /// How long; what is undecided then holds until the analysis deadline.
  public var `for`: String

  public init(for duration: String) { self.for = duration }
}
