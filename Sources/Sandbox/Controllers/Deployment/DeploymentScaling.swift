import KubernetesAPI

/// Scaling without rolling: one active set follows the Deployment, several share the change in proportion.
extension DeploymentSync {
  mutating func scale() throws(Status) {
    if let set = activeOrLatest() {
      if set.replicas != deployment.replicas { try resize(set, to: deployment.replicas) }
      return
    }
    if let newSet, isSaturated(newSet) {
      for set in oldSets.active { try resize(set, to: 0) }
      return
    }
    if !deployment.isRecreate { try scaleInProportion() }
  }

  /// The only active set; with none the new one, or else the newest; `nil` when several are active or none exists.
  private func activeOrLatest() -> ReplicaSetView? {
    let active = allSets.active
    if active.count > 1 { return nil }
    return active.first ?? newSet ?? oldSets.sorted(by: ReplicaSetView.isOlder).last
  }

  /// Whether a set is at the size of the Deployment, was told so, and all its pods are available.
  private func isSaturated(_ set: ReplicaSetView) -> Bool {
    set.replicas == deployment.replicas && set.desiredReplicas == deployment.replicas
      && set.availableReplicas == deployment.replicas
  }

  private mutating func scaleInProportion() throws(Status) {
    let allowed = deployment.replicas > 0 ? deployment.replicas + deployment.maxSurge : 0
    let toAdd = allowed - allSets.active.replicas
    let sets = allSets.active.sorted { left, right in
      if left.replicas != right.replicas { return left.replicas > right.replicas }
      // Of two of one size the newer grows first and the older shrinks first.
      return toAdd > 0 ? ReplicaSetView.isOlder(right, left) : ReplicaSetView.isOlder(left, right)
    }
    var sizes: [Int] = []
    var added = 0
    for set in sets {
      let share = share(of: set, toAdd: toAdd, added: added)
      added += share
      sizes.append(set.replicas + share)
    }
    // What rounding leaves over goes to the largest.
    if toAdd != 0, let first = sizes.first { sizes[0] = max(0, first + toAdd - added) }
    for (set, size) in zip(sets, sizes) { try resize(set, to: size) }
  }

  /// What one set takes of a change of `toAdd` pods, of which `added` are given away already.
  private func share(of set: ReplicaSetView, toAdd: Int, added: Int) -> Int {
    guard set.replicas != 0, toAdd != 0, toAdd != added else { return 0 }
    let fraction = fraction(of: set)
    return toAdd > 0 ? min(fraction, toAdd - added) : max(fraction, toAdd - added)
  }

  private func fraction(of set: ReplicaSetView) -> Int {
    if deployment.replicas == 0 { return -set.replicas }
    var before = set.maxReplicas ?? 0
    if before == 0 { before = deployment.status.replicas }
    guard before > 0 else { return 0 }
    let size = Double(set.replicas * (deployment.replicas + deployment.maxSurge)) / Double(before)
    return Int(size.rounded(.toNearestOrAwayFromZero)) - set.replicas
  }

  /// Sets the size of a set and what it should know of the Deployment's size.
  /// - Returns: whether the size changed.
  @discardableResult
  mutating func resize(_ set: ReplicaSetView, to size: Int) throws(Status) -> Bool {
    var updated = set
    let annotated = setSizeAnnotations(of: &updated)
    guard set.replicas != size || annotated else { return false }
    updated.replicas = size
    try write(updated)
    guard set.replicas != size else { return false }
    record("Scaled \(size > set.replicas ? "up" : "down") replica set \(set.name) from \(set.replicas) to \(size)")
    return true
  }
}
