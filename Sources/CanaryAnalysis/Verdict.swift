/// What a check concludes.
public enum Verdict: String, Codable, Sendable, Hashable, CaseIterable {
  /// The check holds beyond doubt.
  case pass = "Pass"
  /// The canary is bad beyond doubt.
  case fail = "Fail"
  /// Too little data for either.
  case insufficient = "Insufficient"
  /// The source of metrics gave no usable answer.
  case unknown = "Unknown"
}

/// A verdict, why it was reached, and what it rests on.
public struct Judgement: Codable, Sendable, Hashable {
  /// What was found.
  public enum Finding: String, Codable, Sendable, Hashable, CaseIterable {
    /// The canary keeps the limit beyond doubt, and is not worse than stable.
    case kept = "Kept"
    /// The canary is worse than stable beyond doubt, by more than is tolerated.
    case worseThanStable = "WorseThanStable"
    /// The canary's answers are slower than stable's as a whole beyond doubt, by more than is tolerated.
    case slowerThanStable = "SlowerThanStable"
    /// The canary breaks the limit beyond doubt, and stable does not.
    case limitBroken = "LimitBroken"
    /// The canary breaks the limit and stable is no better: the fault lies in what both depend on. A hold, no abort.
    case environment = "Environment"
    /// One pod of several, or one node, is bad, and the rest of the canary is like stable. A hold, no abort, as long as
    /// callers on the whole are served within the limit.
    case onePod = "OnePod"
    /// The canary may be cold, so that what it does is passed over.
    case warmingUp = "WarmingUp"
    /// Fewer requests than a verdict needs.
    case tooFewRequests = "TooFewRequests"
    /// Enough requests for a verdict, but they do not decide.
    case undecided = "Undecided"
    /// The last look has no usable measurement.
    case noMeasurement = "NoMeasurement"

    /// Whether it is the canary's fault beyond doubt.
    public var isFailure: Bool { [.worseThanStable, .slowerThanStable, .limitBroken].contains(self) }
  }

  public var finding: Finding
  public var evidence: Evidence

  public init(finding: Finding, evidence: Evidence) {
    self.finding = finding
    self.evidence = evidence
  }

  public var verdict: Verdict {
    switch finding {
    case .kept: .pass
    case .worseThanStable, .slowerThanStable, .limitBroken: .fail
    case .environment, .onePod, .warmingUp, .tooFewRequests, .undecided: .insufficient
    case .noMeasurement: .unknown
    }
  }
}

extension Verdict {
  /// The verdict of several checks together: one failure fails, and only passes pass. `insufficient` for none, since no
  /// check has shown anything.
  public static func joint(_ verdicts: some Sequence<Verdict>) -> Verdict {
    let all = Set(verdicts)
    for verdict in [Verdict.fail, .unknown, .insufficient, .pass] where all.contains(verdict) { return verdict }
    return .insufficient
  }
}
