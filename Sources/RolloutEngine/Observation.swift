import CanaryAnalysis
import Foundation
import RolloutAPI

/// One snapshot of everything that a decision depends on. What is not in here does not exist for the engine.
public struct Observation: Sendable, Equatable {
  public var deployment: DeploymentView?
  /// The ReplicaSets that the Deployment owns and those that Sluice holds, sorted by name.
  public var sets: [SetView]
  /// One for each Service that the plan names, in the plan's order.
  public var services: [ServiceView]
  public var routing: RoutingView
  /// The place in a run by which the routing object says what it says, where it was one.
  public var routedBy: RoutedBy?
  /// What keeps the mesh from having taken over what the routing object says; `nil` where it has, or tells nobody.
  public var routePending: String?
  /// Whether anything counts which requests arrive where.
  public var measuresShare = true
  /// Who else wrote what the routing object says, by the name of a field manager.
  public var routeWriter: String?
  public var hold: HoldView
  /// What Prometheus says of the two tracks; `nil` until the first measurement.
  public var measured: Measurements?
  public var rolloutIsBeingDeleted: Bool
  public var runIsBeingDeleted: Bool
  /// What a person asked of the run and it has not carried out yet.
  public var command: PersonsCommand?
  /// Since when Rollout, Deployment and Services have not changed their specs.
  public var quietSince: Date
  /// The generated Services have the policies that the callers' Services have.
  public var policiesAreRendered: Bool
  /// The routing object is gone, or sends everything to the callers' Service.
  public var routingIsRetired: Bool
  /// Why requests do not reach the routing object, where that can be told beforehand.
  public var unreached: String?
  /// Other Services than the plan's that select the pods, sorted.
  public var otherServices: [String] = []
  /// The routing object can be written: the Services that it names are known.
  public var canRoute: Bool
  /// Why this workload or its policies cannot be served; no run starts meanwhile.
  public var refusal: String?
  public var autoscaler: AutoscalerView?
  /// What each quota of the namespace leaves for pods of the Deployment's template.
  public var rooms: [QuotaRoom] = []
  /// The names of PodDisruptionBudgets that select the pods and allow no disruption now, sorted.
  public var exhaustedBudgets: [String] = []

  public init(
    deployment: DeploymentView? = nil, sets: [SetView] = [], services: [ServiceView] = [],
    routing: RoutingView = .absent, routeWriter: String? = nil,
    hold: HoldView = HoldView(mode: .admission, ready: true),
    measured: Measurements? = nil, rolloutIsBeingDeleted: Bool = false, runIsBeingDeleted: Bool = false,
    command: PersonsCommand? = nil, quietSince: Date = .distantPast, policiesAreRendered: Bool = true,
    routingIsRetired: Bool = false, canRoute: Bool = true, refusal: String? = nil
  ) {
    self.deployment = deployment
    self.sets = sets
    self.services = services
    self.routing = routing
    self.routeWriter = routeWriter
    self.hold = hold
    self.measured = measured
    self.rolloutIsBeingDeleted = rolloutIsBeingDeleted
    self.runIsBeingDeleted = runIsBeingDeleted
    self.command = command
    self.quietSince = quietSince
    self.policiesAreRendered = policiesAreRendered
    self.routingIsRetired = routingIsRetired
    self.canRoute = canRoute
    self.refusal = refusal
  }

  public func set(named name: String?) -> SetView? {
    guard let name else { return nil }
    return sets.first { $0.name == name }
  }

  /// The set whose template equals the Deployment's; of several, one that the Deployment owns, as its controller would
  /// take that one.
  public var setOfTemplate: SetView? {
    let equal = sets.filter(\.matchesTemplate)
    return equal.first { $0.owner == .deployment } ?? equal.first
  }

  /// Sets that the Deployment owns, those with pods first.
  public var owned: [SetView] { sets.filter { $0.owner == .deployment } }
}

public struct DeploymentView: Sendable, Equatable {
  public var replicas: Int
  public var paused: Bool
  /// The value of the annotation that marks a hold: the run's name, or the Rollout's between runs.
  public var heldBy: String?
  /// Whether the label that the admission policies match is there.
  public var managed: Bool
  /// Names the revision that the template holds.
  public var revision: String
  /// Its controller has seen the newest spec.
  public var observed: Bool
  public var progressDeadline: Duration
  public var isBeingDeleted: Bool
  /// Who last wrote the spec, for the report of an escape: a field manager's name.
  public var lastWriter: String?
  public var replicasWriter: ReplicasWriter?

  public init(
    replicas: Int, paused: Bool = false, heldBy: String? = nil, managed: Bool = false, revision: String,
    observed: Bool = true, progressDeadline: Duration = .seconds(600), isBeingDeleted: Bool = false,
    lastWriter: String? = nil, replicasWriter: ReplicasWriter? = nil
  ) {
    self.replicas = replicas
    self.paused = paused
    self.heldBy = heldBy
    self.managed = managed
    self.revision = revision
    self.observed = observed
    self.progressDeadline = progressDeadline
    self.isBeingDeleted = isBeingDeleted
    self.lastWriter = lastWriter
    self.replicasWriter = replicasWriter
  }
}

public struct SetView: Sendable, Equatable {
  public enum Owner: Sendable, Equatable {
    /// The Deployment is its controller.
    case deployment
    /// Sluice holds it: a reference to the Deployment that does not control, and no label that its selector matches.
    case sluice
  }

  public var name: String
  /// Its `pod-template-hash`.
  public var hash: String
  public var owner: Owner
  /// Its template equals the Deployment's, both read live.
  public var matchesTemplate: Bool
  public var replicas: Int
  /// Pods that exist, ready or not.
  public var pods: Int
  public var available: Int
  /// The Deployment's revision number, where the set carries one.
  public var number: Int?
  /// A label of ours says that a run rejected this revision.
  public var rejected: Bool
  /// What keeps pods from becoming available, in the cluster's words.
  public var trouble: String?
  /// The trouble is that no node has room.
  public var isUnschedulable = false
  public var createdAt: Date

  public init(
    name: String, hash: String, owner: Owner, matchesTemplate: Bool = false, replicas: Int, pods: Int? = nil,
    available: Int? = nil, number: Int? = nil, rejected: Bool = false, trouble: String? = nil,
    createdAt: Date = .distantPast
  ) {
    self.name = name
    self.hash = hash
    self.owner = owner
    self.matchesTemplate = matchesTemplate
    self.replicas = replicas
    self.pods = pods ?? replicas
    self.available = available ?? replicas
    self.number = number
    self.rejected = rejected
    self.trouble = trouble
    self.createdAt = createdAt
  }
}

public struct ServiceView: Sendable, Equatable {
  /// A Service that Sluice generates beside the callers' one.
  public struct Generated: Sendable, Equatable {
    /// The `pod-template-hash` in its selector.
    public var hash: String?
    /// All but the hash is as it should be rendered from the callers' Service.
    public var current: Bool
    /// Ready endpoints by the hash of their pods.
    public var ready: [String: Int]

    public init(hash: String? = nil, current: Bool = true, ready: [String: Int] = [:]) {
      self.hash = hash
      self.current = current
      self.ready = ready
    }
  }

  public var name: String
  public var exists: Bool
  /// The hash that a pin keeps in the callers' selector.
  public var pin: String?
  public var stable: Generated?
  public var canary: Generated?
  /// Ready endpoints of the callers' Service by the hash of their pods.
  public var ready: [String: Int] = [:]
  /// Sluice has its selector.
  public var isManaged = false
  /// Sluice has its selector, and it does not select the Deployment's pods.
  public var lacksSelector = false

  public init(
    name: String, exists: Bool = true, pin: String? = nil, stable: Generated? = nil, canary: Generated? = nil
  ) {
    self.name = name
    self.exists = exists
    self.pin = pin
    self.stable = stable
    self.canary = canary
  }
}

public enum RoutingView: Sendable, Equatable {
  case absent
  /// What the routing object sends where. `intact` is false where somebody changed the object beyond that.
  case present(target: TrafficTarget, intact: Bool)
  /// The object is there and sends traffic somewhere that no target describes.
  case foreign(String)
  /// Another object claims the same traffic.
  case conflict(String)
  /// The object is a person's, cannot be edited, and sends nothing to the canary.
  case unusable(String)

  public var target: TrafficTarget? {
    if case .present(let target, _) = self { target } else { nil }
  }
}

/// Which step of which run wrote a route. It is stored with the route, in one write, and so cannot be lost with a process
/// that ends before it stores where its run is.
public struct RoutedBy: Sendable, Equatable {
  public var run: String
  /// Counted from 0; ``Plan/stepLimit`` for the promotion, which begins with a route of its own.
  public var step: Int

  public init(run: String, step: Int) {
    self.run = run
    self.step = step
  }

  /// `nil` for a stage whose route leads a run no further.
  public init?(_ run: RunState, steps: Int) {
    switch run.stage {
    case .step(let index, _): self.init(run: run.name, step: index)
    case .promoting(let stage) where stage.isReversible: self.init(run: run.name, step: steps)
    case .starting, .promoting, .aborting, .finished: return nil
    }
  }
}

public struct HoldView: Sendable, Equatable {
  public enum Mode: String, Sendable, Equatable {
    /// Policies pause the Deployment in the request that changes its template.
    case admission = "Admission"
    /// The Deployment is paused at rest too.
    case always = "Always"
  }

  public var mode: Mode
  /// A dry-run probe was held.
  public var ready: Bool

  public init(mode: Mode, ready: Bool) {
    self.mode = mode
    self.ready = ready
  }
}

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

  public enum Differences: Sendable, Equatable {
    case notAsked
    case underWay
    case found([Difference])
  }

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

public struct PersonsCommand: Sendable, Equatable {
  public var action: CommandAction
  /// The step that the person saw, where the action concerns one.
  public var step: Int?
  public var reason: String?
  public var requestedBy: String?
  public var sequence: Int

  public init(
    action: CommandAction, step: Int? = nil, reason: String? = nil, requestedBy: String? = nil, sequence: Int
  ) {
    self.action = action
    self.step = step
    self.reason = reason
    self.requestedBy = requestedBy
    self.sequence = sequence
  }
}
