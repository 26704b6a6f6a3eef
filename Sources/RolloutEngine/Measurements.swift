import CanaryAnalysis
import Foundation
import RolloutAPI

/// What the judge concluded for the traffic now written.
public struct Measurements: Sendable, Equatable {
  /// The checks of the plan, in its order.
  public var checks: [CheckReport]
  /// Requests of the tracks since the traffic was written; nil where the source did not answer.
  public var share: ObservedShare?
  /// Every query has series for stable; otherwise the reason why not.
  public var baseline: Baseline
  /// Requests that reach the canary beside the route; nil until enough is measured to tell.
  public var bypass: BypassShare?
  /// How requests are secured; nil where nobody asked.
  public var security: SecurityReport?
  /// Requests of late; nil until some were measured.
  public var volume: RequestVolume?
  /// The canary's since the present traffic was verified.
  public var requests: Double
  /// What the canary has cost; nil until the rate of requests is known.
  public var harm: Harm?
  /// How fast the service as a whole burns its error budgets, one for each that is watched.
  public var burnRates: [BurnReport] = []
  /// What the guards find; none where they are disabled.
  public var guards: [GuardReport] = []
  /// What differs most, of a run that is being aborted.
  public var differences = Differences.notAsked

  /// How far the question has come where the bad requests gathered.
  public enum Differences: Sendable, Equatable {
    case notAsked
    case underWay
    case found([Difference])
  }

  /// Whether there is anything to compare the canary with.
  public enum Baseline: Sendable, Equatable {
    case present
    case missing(String)
  }

  /// The checks that decide.
  var binding: [CheckReport] { checks.filter { !$0.isDryRun } }

  public init(
    checks: [CheckReport] = [], share: ObservedShare? = nil, baseline: Baseline = .present, bypass: BypassShare? = nil,
    security: SecurityReport? = nil, volume: RequestVolume? = nil, requests: Double = 0, harm: Harm? = nil
  ) {
    self.checks = checks
    self.share = share
    self.baseline = baseline
    self.bypass = bypass
    self.security = security
    self.volume = volume
    self.requests = requests
    self.harm = harm
  }
}

/// Requests that were counted at the tracks.
public struct ObservedShare: Sendable, Equatable {
  public var canaryRequests: Double
  public var totalRequests: Double
  /// The beginning of the window in which they were counted.
  public var since: Date

  public init(canaryRequests: Double, totalRequests: Double, since: Date) {
    self.canaryRequests = canaryRequests
    self.totalRequests = totalRequests
    self.since = since
  }

  /// Whether the canary's share agrees with a weight in percent, beyond what chance explains.
  public func confirms(weight: Int) -> Bool {
    let check = ShareCheck(desired: Double(weight) / 100, slack: 0.01)
    if case .confirmed = check.result(canary: canaryRequests, all: totalRequests) { return true }
    return false
  }
}

/// How the requests of late at the pods of both tracks were secured.
public enum SecurityReport: Sendable, Equatable {
  case counted(SecurityShare)
  /// Nothing that is missing counts as success.
  case unknown(String)
}

/// How many requests came by mutual TLS.
public struct SecurityShare: Sendable, Equatable {
  /// Requests by mutual TLS, and all others.
  public var mutual: Double
  public var other: Double
  /// Who sent the others, as far as is known.
  public var callers: [String]

  public init(mutual: Double, other: Double, callers: [String] = []) {
    self.mutual = mutual
    self.other = other
    self.callers = callers
  }

  /// 0 to 1.
  public var fraction: Double { mutual + other > 0 ? mutual / (mutual + other) : 0 }
}

/// Requests that canary pods got and the route does not explain: of callers without a proxy, by another Service, by pod
/// addresses.
public struct BypassShare: Sendable, Equatable {
  public var requests: Double
  /// Requests at the pods of both tracks.
  public var total: Double
  /// How many of ``requests`` chance explains.
  public var noise: Double

  public init(requests: Double, total: Double, noise: Double) {
    self.requests = requests
    self.total = total
    self.noise = noise
  }

  /// 0 to 1.
  public var fraction: Double { total > 0 ? min(1, max(0, requests) / total) : 0 }

  /// Whether more than that share bypasses the route, beyond what chance explains.
  public func exceeds(_ max: Percent) -> Bool { total > 0 && requests - noise > max.fraction * total }
}
