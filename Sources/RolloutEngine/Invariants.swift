import RolloutAPI

/// What the cluster really is at one moment, for checking the invariants of the design: the endpoints behind each routed
/// backend, not the engine's idea of them.
public struct ClusterFacts: Sendable, Equatable {
  /// Ready pods by revision.
  public var ready: [String: Int]
  /// What the stable, canary and callers' Services select: a revision, or nil for every one.
  public var stableSelects: String?
  public var canarySelects: String?
  public var target: TrafficTarget?
  /// The Deployment's replicas, and the replicas of each set that it owns, by revision.
  public var replicas: Int
  public var owned: [String: Int]
  /// Replicas of all sets by revision.
  public var sets: [String: Int]
  public var rejected: Set<String>
  public var stable: String?
  public var canary: String?
  /// The share at weight 100 was measured.
  public var isVerifiedAtFull: Bool
  public var escaped: Bool
  /// Pods were lost for reasons outside Sluice since the last moment.
  public var podsWereLost: Bool

  public init(
    ready: [String: Int], stableSelects: String?, canarySelects: String?, target: TrafficTarget?, replicas: Int,
    owned: [String: Int], sets: [String: Int], rejected: Set<String>, stable: String?, canary: String?,
    isVerifiedAtFull: Bool, escaped: Bool, podsWereLost: Bool
  ) {
    self.ready = ready
    self.stableSelects = stableSelects
    self.canarySelects = canarySelects
    self.target = target
    self.replicas = replicas
    self.owned = owned
    self.sets = sets
    self.rejected = rejected
    self.stable = stable
    self.canary = canary
    self.isVerifiedAtFull = isVerifiedAtFull
    self.escaped = escaped
    self.podsWereLost = podsWereLost
  }

  /// Ready pods by revision behind a Service that selects one revision, or every one.
  func endpoints(_ selected: String?) -> [String: Int] {
    ready.filter { $0.value > 0 && (selected == nil || selected == $0.key) }
  }
}

/// The invariants of the design, by their numbers there; 4 and 5 are about sequences and are tested as such.
public enum Invariant: Int, Sendable, CaseIterable {
  case weightsHavePods = 1
  case rejectedGetsNothing = 2
  case stableIsKept = 3
  case selectorsMoveWithoutTraffic = 6
  case oneOwnedSetHasPods = 7

  /// The invariants that the step from one moment to the next breaks.
  public static func broken(from before: ClusterFacts, to after: ClusterFacts) -> [Invariant] {
    allCases.filter { !$0.holds(from: before, to: after) }
  }

  private func holds(from before: ClusterFacts, to after: ClusterFacts) -> Bool {
    switch self {
    case .weightsHavePods:
      guard let target = after.target, !after.podsWereLost, before.target != after.target else { return true }
      let canary = after.endpoints(after.canarySelects)
      let stable = after.endpoints(after.stableSelects)
      return (!target.reachesCanary || !canary.isEmpty)
        && (target.weight.value == 100 || !stable.isEmpty || after.escaped)
    case .rejectedGetsNothing:
      guard let target = after.target, !after.escaped else { return true }
      let reached = target.reachesCanary ? Set(after.endpoints(after.canarySelects).keys) : []
      return reached.isDisjoint(with: after.rejected)
    case .stableIsKept:
      guard let stable = after.stable, before.stable == stable, after.canary != nil, !after.escaped else { return true }
      let shrank = (after.sets[stable] ?? 0) < min(before.sets[stable] ?? 0, after.replicas)
      return !shrank || (after.target?.weight.value == 100 && after.isVerifiedAtFull)
    case .selectorsMoveWithoutTraffic:
      guard !after.escaped else { return true }
      return Self.moves(before, after, \.stableSelects, hasTraffic: { $0.weight.value < 100 })
        && Self.moves(before, after, \.canarySelects, hasTraffic: { $0.reachesCanary })
    case .oneOwnedSetHasPods:
      return after.escaped || after.owned.values.filter { $0 > 0 }.count <= 1
    }
  }

  private static func moves(
    _ before: ClusterFacts, _ after: ClusterFacts, _ selector: KeyPath<ClusterFacts, String?>,
    hasTraffic: (TrafficTarget) -> Bool
  ) -> Bool {
    guard before[keyPath: selector] != after[keyPath: selector], let target = before.target, hasTraffic(target) else {
      return true
    }
    return before.endpoints(before[keyPath: selector]) == before.endpoints(after[keyPath: selector])
  }
}
