/// What the canary is judged by.
public struct AnalysisSpec: Codable, Sendable, Hashable {
  public var slos: [SLOSpec]?
  /// Reusable SLOs, added to those above.
  public var templates: [TemplateReference]?
  /// How long a step may stay undecided.
  public var deadline: String?
  /// How often is measured.
  public var interval: String?
  public var onUndecided: UndecidedAction?
  /// No check passes with fewer requests of the canary.
  public var minRequests: Int?
  /// The probability that a run aborts a canary that is no worse than stable, all checks together.
  public var falseAbortRisk: String?
  /// How long a canary that was just given traffic may be cold: slow, and failing for that reason.
  public var warmUp: String?
  /// Whether anomalies of what the cluster exports anyway are looked for, and what they do.
  public var guards: GuardMode?
  /// When the service as a whole burns its error budget too fast to go on.
  public var burnRate: BurnRateSpec?

  public init(
    slos: [SLOSpec]? = nil, templates: [TemplateReference]? = nil, deadline: String? = nil, interval: String? = nil,
    onUndecided: UndecidedAction? = nil, minRequests: Int? = nil, falseAbortRisk: String? = nil,
    warmUp: String? = nil, guards: GuardMode? = nil, burnRate: BurnRateSpec? = nil
  ) {
    self.slos = slos
    self.templates = templates
    self.deadline = deadline
    self.interval = interval
    self.onUndecided = onUndecided
    self.minRequests = minRequests
    self.falseAbortRisk = falseAbortRisk
    self.warmUp = warmUp
    self.guards = guards
    self.burnRate = burnRate
  }
}

/// What an anomaly does that no objective names.
public enum GuardMode: String, Codable, Sendable, Hashable, CaseIterable {
  /// The step is held at its end, and a person goes on or aborts.
  case warn = "Warn"
  /// It aborts, as a failed objective does; the guards have a share of the false-abort risk.
  case abort = "Abort"
  case disabled = "Disabled"
}

/// When a run is held since its service burns its error budget, whoever is to blame.
public struct BurnRateSpec: Codable, Sendable, Hashable {
  /// `Hold` where absent.
  public var mode: BurnRateMode?
  /// One hour with five minutes at 14.4, and six hours with thirty minutes at 6, where absent.
  public var windows: [BurnWindowsSpec]?

  public init(mode: BurnRateMode? = nil, windows: [BurnWindowsSpec]? = nil) {
    self.mode = mode
    self.windows = windows
  }
}

/// What a burning error budget does to a run.
public enum BurnRateMode: String, Codable, Sendable, Hashable, CaseIterable {
  case hold = "Hold"
  case disabled = "Disabled"
}

/// Two windows that must both burn.
public struct BurnWindowsSpec: Codable, Sendable, Hashable {
  public var long: String
  public var short: String
  /// How many times as fast as the SLO allows.
  public var rate: String

  public init(long: String, short: String, rate: String) {
    self.long = long
    self.short = short
    self.rate = rate
  }
}

/// What happens when a step stays undecided beyond the deadline; never a promotion.
public enum UndecidedAction: String, Codable, Sendable, Hashable, CaseIterable {
  case pause = "Pause"
  case abort = "Abort"
}

/// One objective: exactly one of error rate, latency and query.
public struct SLOSpec: Codable, Sendable, Hashable {
  public var name: String
  /// `Enforce` where absent.
  public var mode: CheckMode?
  public var errorRate: ErrorRateSpec?
  public var latency: LatencySpec?
  /// PromQL with the variables `$(pods)`, `$(window)`, `$(namespace)` …, evaluated for each track.
  public var query: String?
  /// What the query gives; `Value` where absent.
  public var kind: QueryKind?
  /// What events, or the values of a mean, are counted per: another query of counters. The requests that the mesh counts
  /// where absent, of events only.
  public var per: String?
  /// The smallest and the largest value that can enter a mean.
  public var bounds: BoundsSpec?
  /// The bounds of a query's value.
  public var value: BoundsSpec?
  /// How the canary may differ from stable.
  public var compare: CompareSpec?

  public init(
    name: String, mode: CheckMode? = nil, errorRate: ErrorRateSpec? = nil, latency: LatencySpec? = nil,
    query: String? = nil, kind: QueryKind? = nil, per: String? = nil, bounds: BoundsSpec? = nil,
    value: BoundsSpec? = nil, compare: CompareSpec? = nil
  ) {
    self.name = name
    self.mode = mode
    self.errorRate = errorRate
    self.latency = latency
    self.query = query
    self.kind = kind
    self.per = per
    self.bounds = bounds
    self.value = value
    self.compare = compare
  }
}

/// What a query gives, and so how it is judged.
public enum QueryKind: String, Codable, Sendable, Hashable, CaseIterable {
  /// A number of which nothing is known: three looks in a row must agree.
  case value = "Value"
  /// A count of events, compared per request by a sequential test with a stated risk.
  case events = "Events"
  /// A sum of values between declared bounds, whose mean is tested likewise.
  case mean = "Mean"
}

/// What a check may do.
public enum CheckMode: String, Codable, Sendable, Hashable, CaseIterable {
  /// Its failure aborts, and without its pass nothing goes on.
  case enforce = "Enforce"
  /// It is measured and reported, and decides nothing.
  case dryRun = "DryRun"
}

/// The share of requests that fail.
public struct ErrorRateSpec: Codable, Sendable, Hashable {
  /// The largest share of requests that may fail.
  public var max: String

  public init(max: String) { self.max = max }
}

/// How long answers take.
public struct LatencySpec: Codable, Sendable, Hashable {
  /// In percent: `99`.
  public var quantile: String
  public var max: String
  /// A histogram of the team's own instead of the mesh's: a selector with a variable that tells the tracks apart, as
  /// `http_request_duration_seconds{pod=~"$(pods)"}`.
  public var metric: String?
  /// Of the metric's times; what its name says where absent.
  public var unit: LatencyUnit?

  public init(quantile: String, max: String, metric: String? = nil, unit: LatencyUnit? = nil) {
    self.quantile = quantile
    self.max = max
    self.metric = metric
    self.unit = unit
  }
}

public enum LatencyUnit: String, Codable, Sendable, Hashable, CaseIterable {
  case seconds = "Seconds"
  case milliseconds = "Milliseconds"
}

/// Bounds as decimal texts; at least one.
public struct BoundsSpec: Codable, Sendable, Hashable {
  public var min: String?
  public var max: String?

  public init(min: String? = nil, max: String? = nil) {
    self.min = min
    self.max = max
  }
}

/// What the canary is compared with, and how much worse it may be.
public struct CompareSpec: Codable, Sendable, Hashable {
  /// `Stable` where absent.
  public var against: ComparedTrack?
  /// The canary's value divided by stable's. Where stable's is 0, a canary above 0 keeps no `max` but that of
  /// ``difference``.
  public var ratio: BoundsSpec?
  /// The canary's value less stable's; for queries only.
  public var difference: BoundsSpec?
  /// For latency only: the answers as a whole are compared too, and not those slower than the limit alone.
  public var distribution: DistributionSpec?
  /// For error rate and latency only: how far apart the shares of bad requests that were counted may be, however certain
  /// it is that the canary's is the larger one. A quarter of what the limit allows where absent.
  public var margin: String?

  public init(
    against: ComparedTrack? = nil, ratio: BoundsSpec? = nil, difference: BoundsSpec? = nil, margin: String? = nil,
    distribution: DistributionSpec? = nil
  ) {
    self.against = against
    self.ratio = ratio
    self.difference = difference
    self.margin = margin
    self.distribution = distribution
  }
}

/// How two tracks' answers are compared as a whole.
public struct DistributionSpec: Codable, Sendable, Hashable {
  /// How much larger the share of the canary's answers may be that are slower than any one boundary of the histogram,
  /// however certain it is that they are slower.
  public var margin: String?

  public init(margin: String? = nil) { self.margin = margin }
}

/// The other side of a comparison.
public enum ComparedTrack: String, Codable, Sendable, Hashable, CaseIterable {
  case stable = "Stable"
  /// Only the limit counts.
  case none = "None"
}

/// A template by name, with values for its arguments.
public struct TemplateReference: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
    case analysisTemplate = "AnalysisTemplate"
    case clusterAnalysisTemplate = "ClusterAnalysisTemplate"
  }

  /// `AnalysisTemplate`, in the namespace of the Rollout, where absent.
  public var kind: Kind?
  public var name: String
  public var args: [ArgumentSpec]?

  public init(kind: Kind? = nil, name: String, args: [ArgumentSpec]? = nil) {
    self.kind = kind
    self.name = name
    self.args = args
  }
}

/// An argument of a template, for `$(args.name)` in its queries.
public struct ArgumentSpec: Codable, Sendable, Hashable {
  public var name: String
  /// In a template: the value where a reference gives none; without it the reference must give one.
  public var value: String?

  public init(name: String, value: String? = nil) {
    self.name = name
    self.value = value
  }
}
