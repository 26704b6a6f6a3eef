import CanaryAnalysis

/// What one check of the plan says now.
public struct CheckReport: Sendable, Equatable {
  public var name: String
  public var verdict: Verdict
  /// The evidence in a sentence.
  public var message: String
  public var judgement: Judgement?
  /// Whether it only reports.
  public var isDryRun: Bool

  public init(
    name: String, verdict: Verdict, message: String, judgement: Judgement? = nil, isDryRun: Bool = false
  ) {
    self.name = name
    self.isDryRun = isDryRun
    self.verdict = verdict
    self.message = message
    self.judgement = judgement
  }

  public init(name: String, judgement: Judgement) {
    self.init(name: name, verdict: judgement.verdict, message: judgement.evidence.sentence, judgement: judgement)
  }
}

/// How fast one error budget burns.
public struct BurnReport: Sendable, Equatable {
  public enum Finding: String, Sendable, Equatable {
    case kept = "BudgetKept"
    case burns = "BudgetBurns"
    /// Stable burns it, and the canary is shown not to: it may be the cure.
    case stableAlone = "StableBurns"
    /// The metrics' source gave no usable answer.
    case noMeasurement = "NoMeasurement"
  }

  /// Of the objective whose budget it is.
  public var objective: String
  public var finding: Finding
  /// The evidence in a sentence.
  public var message: String
  public var queries: [String]

  public init(objective: String, finding: Finding, message: String, queries: [String] = []) {
    self.objective = objective
    self.finding = finding
    self.message = message
    self.queries = queries
  }
}

/// What one guard finds.
public struct GuardReport: Sendable, Equatable {
  public enum Finding: String, Sendable, Equatable {
    /// Watched, and nothing beyond what stable and the past do.
    case normal = "Normal"
    /// The canary does what neither stable nor the past does.
    case anomaly = "Anomaly"
    /// The service as a whole does what its past does not: the canary is not blamed.
    case unusualService = "UnusualService"
    /// The cluster exports no such metric for both tracks.
    case inactive = "Inactive"
    /// What it saw before the controller was started is being read again.
    case unread = "Unread"
  }

  public var name: String
  public var finding: Finding
  public var message: String
  /// The tracks' values, in the words of the guard.
  public var canary: Double?
  public var stable: Double?
  /// The e-value, and the one from which on a single guard speaks.
  public var eValue: Double?
  public var threshold: Double?
  /// The probability that any guard ever speaks of a canary that does nothing unusual.
  public var risk: Double?
  public var queries: [String]
  public var notes: [String]

  public init(
    name: String, finding: Finding, message: String, canary: Double? = nil, stable: Double? = nil,
    eValue: Double? = nil, threshold: Double? = nil, risk: Double? = nil, queries: [String] = [], notes: [String] = []
  ) {
    self.name = name
    self.finding = finding
    self.message = message
    self.canary = canary
    self.stable = stable
    self.eValue = eValue
    self.threshold = threshold
    self.risk = risk
    self.queries = queries
    self.notes = notes
  }
}
