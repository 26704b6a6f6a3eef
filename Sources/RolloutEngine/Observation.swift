import Foundation

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

  /// The sets that the Deployment owns.
  public var owned: [SetView] { sets.filter { $0.owner == .deployment } }
}
