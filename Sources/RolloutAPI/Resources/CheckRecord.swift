import KubernetesAPI

/// What one check concluded, and from what.
public struct CheckRecord: Codable, Sendable, Hashable {
  /// What a check concludes.
  public enum Verdict: String, Codable, Sendable, Hashable, CaseIterable {
    case pass = "Pass"
    case fail = "Fail"
    /// Too little data.
    case insufficient = "Insufficient"
    /// The source failed.
    case unknown = "Unknown"
  }

  /// What a check looks at.
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case objective = "Objective"
    /// How fast the service as a whole burns its error budget.
    case burnRate = "BurnRate"
    /// An anomaly that no objective names.
    case anomaly = "Guard"
  }

  public var name: String
  /// `Objective` where absent.
  public var kind: Kind?
  /// Absent where the check decides.
  public var mode: CheckMode?
  public var verdict: Verdict
  /// What was found in one word, as `WorseThanStable` or `TooFewRequests`.
  public var finding: String?
  /// The evidence in a sentence.
  public var message: String?
  public var at: MicroTime?
  public var evidence: EvidenceRecord?

  public init(
    name: String, kind: Kind? = nil, mode: CheckMode? = nil, verdict: Verdict, finding: String? = nil,
    message: String? = nil, at: MicroTime? = nil,
    evidence: EvidenceRecord? = nil
  ) {
    self.name = name
    self.kind = kind
    self.mode = mode
    self.verdict = verdict
    self.finding = finding
    self.message = message
    self.at = at
    self.evidence = evidence
  }
}

extension CheckRecord {
  /// A guard or a burn rate that has found nothing: of interest to who asks for the evidence, and to nobody else.
  public var isRoutine: Bool { kind ?? .objective != .objective && (verdict == .pass || verdict == .unknown) }
}

/// The numbers behind a verdict, as decimal texts; rates are shares from 0 to 1. A text that is absent was not known or
/// is without bound.
public struct EvidenceRecord: Codable, Sendable, Hashable {
  /// The numbers of one track.
  public struct Track: Codable, Sendable, Hashable {
    /// Of a query of events or a mean: what they are counted per.
    public var requests: String?
    /// Of these, the bad ones.
    public var bad: String?
    /// Between which rates the truth lies, with 95 % at all times at once.
    public var lower: String?
    public var upper: String?
    /// Of latency: between which times the quantile lies, in milliseconds, likewise.
    public var latencyLower: String?
    public var latencyUpper: String?
    /// Of a query: its value, rate of events or mean.
    public var value: String?
    /// Of a query of events how many, of a mean the sum of its values.
    public var amount: String?

    public init(
      requests: String? = nil, bad: String? = nil, lower: String? = nil, upper: String? = nil,
      latencyLower: String? = nil, latencyUpper: String? = nil, value: String? = nil, amount: String? = nil
    ) {
      self.requests = requests
      self.bad = bad
      self.lower = lower
      self.upper = upper
      self.latencyLower = latencyLower
      self.latencyUpper = latencyUpper
      self.value = value
      self.amount = amount
    }
  }

  /// What is known of the answers as a whole, where latencies are compared so.
  public struct Distribution: Codable, Sendable, Hashable {
    /// How much larger the canary's share of slower answers may be.
    public var margin: String?
    /// Where the two shares are furthest apart, in milliseconds, and the shares of slower answers there.
    public var boundary: String?
    public var canary: String?
    public var stable: String?
    /// The largest e-value of "slower as a whole", and the one that fails.
    public var eValue: String?
    public var threshold: String?
    /// The canary's pods that explain it, the slowest first.
    public var pods: [String]?

    public init(
      margin: String? = nil, boundary: String? = nil, canary: String? = nil, stable: String? = nil,
      eValue: String? = nil, threshold: String? = nil, pods: [String]? = nil
    ) {
      self.pods = pods
      self.margin = margin
      self.boundary = boundary
      self.canary = canary
      self.stable = stable
      self.eValue = eValue
      self.threshold = threshold
    }
  }

  /// What counts as bad, in the plural.
  public var property: String?
  public var canary: Track?
  public var stable: Track?
  /// The largest tolerated rate of bad requests.
  public var limit: String?
  /// The canary's rate divided by stable's, between these.
  public var ratioLower: String?
  public var ratioUpper: String?
  /// The largest e-value of "worse than stable", and the one that fails.
  public var eValue: String?
  public var threshold: String?
  /// The same of "breaks the limit".
  public var limitEValue: String?
  public var limitThreshold: String?
  /// The probability that the check ever fails a good canary.
  public var risk: String?
  /// The same of all checks of the run together, of which ``risk`` is this one's share.
  public var budget: String?
  /// Of latency: the quantile, from 0 to 1.
  public var quantile: String?
  public var distribution: Distribution?
  /// Of a query: the canary's value divided by stable's.
  public var ratio: String?
  /// Of a query: what it must keep, for people.
  public var wanted: String?
  /// How long was watched, as `2m30s`.
  public var window: String?
  public var queries: [String]?
  public var notes: [String]?

  public init(
    property: String? = nil, canary: Track? = nil, stable: Track? = nil, limit: String? = nil,
    ratioLower: String? = nil, ratioUpper: String? = nil, eValue: String? = nil, threshold: String? = nil,
    limitEValue: String? = nil, limitThreshold: String? = nil, risk: String? = nil, budget: String? = nil,
    quantile: String? = nil, distribution: Distribution? = nil,
    ratio: String? = nil, wanted: String? = nil, window: String? = nil,
    queries: [String]? = nil, notes: [String]? = nil
  ) {
    self.property = property
    self.canary = canary
    self.stable = stable
    self.limit = limit
    self.ratioLower = ratioLower
    self.ratioUpper = ratioUpper
    self.eValue = eValue
    self.threshold = threshold
    self.limitEValue = limitEValue
    self.limitThreshold = limitThreshold
    self.risk = risk
    self.budget = budget
    self.quantile = quantile
    self.distribution = distribution
    self.ratio = ratio
    self.wanted = wanted
    self.window = window
    self.queries = queries
    self.notes = notes
  }
}

/// One place where a rejected canary's bad requests gathered.
public struct DifferenceRecord: Codable, Sendable, Hashable {
  /// By what requests are told apart.
  public enum Dimension: String, Codable, Sendable, Hashable, CaseIterable {
    case responseCode = "ResponseCode"
    case endpoint = "Endpoint"
    case pod = "Pod"
    case node = "Node"
    case zone = "Zone"
    case caller = "Caller"
    case callerVersion = "CallerVersion"
  }

  public var dimension: Dimension
  public var value: String
  /// The part of the canary's bad requests beyond stable's rate that was found there, from 0 to 1 as decimal text.
  public var share: String?
  /// The canary's requests there.
  public var requests: String?
  /// Of these, the bad ones.
  public var bad: String?
  /// The e-value of "more of them than its share of requests explains".
  public var eValue: String?

  public init(
    dimension: Dimension, value: String, share: String? = nil, requests: String? = nil, bad: String? = nil,
    eValue: String? = nil
  ) {
    self.dimension = dimension
    self.value = value
    self.share = share
    self.requests = requests
    self.bad = bad
    self.eValue = eValue
  }
}
