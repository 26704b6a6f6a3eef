import KubernetesAPI

/// The two strategies.
extension DeploymentSync {
  /// RollingUpdate: first the new set grows as far as the surge allows, then the old ones shrink as far as the new
  /// pods carry; one of the two per look.
  mutating func roll() throws(Status) -> Duration? {
    try findSets(creating: true)
    if try growNewSet() { return try writeStatusOfRollout() }
    if try shrinkOldSets() { return try writeStatusOfRollout() }
    if isComplete(deployment.status) { try deleteHistory() }
    return try writeStatusOfRollout()
  }

  /// Recreate: no new pod before the last old one is gone.
  mutating func recreate() throws(Status) -> Duration? {
    try findSets(creating: false)
    var scaledDown = false
    for set in oldSets.active where try resize(set, to: 0) { scaledDown = true }
    if scaledDown || oldPodsExist() { return try writeStatusOfRollout() }
    if newSet == nil { try findSets(creating: true) }
    if let newSet, newSet.replicas != deployment.replicas { try resize(newSet, to: deployment.replicas) }
    if isComplete(deployment.status) { try deleteHistory() }
    return try writeStatusOfRollout()
  }

  /// How many pods a new set may have now.
  func sizeOfNewSet(current: Int, others: Int) -> Int {
    if deployment.isRecreate { return deployment.replicas }
    let room = deployment.replicas + deployment.maxSurge - (current + others)
    return room <= 0 ? current : current + min(room, deployment.replicas - current)
  }

  private mutating func growNewSet() throws(Status) -> Bool {
    guard let newSet, newSet.replicas != deployment.replicas else { return false }
    let size =
      newSet.replicas > deployment.replicas
      ? deployment.replicas : sizeOfNewSet(current: newSet.replicas, others: oldSets.replicas)
    return size == newSet.replicas ? false : try resize(newSet, to: size)
  }

  private mutating func shrinkOldSets() throws(Status) -> Bool {
    guard let newSet, oldSets.active.replicas > 0 else { return false }
    let minimum = deployment.replicas - deployment.maxUnavailable
    let missing = newSet.replicas - newSet.availableReplicas
    let allowed = allSets.replicas - minimum - missing
    guard allowed > 0 else { return false }
    let removed = try removeUnhealthy(atMost: allowed)
    return try removeHealthy(keeping: minimum) + removed > 0
  }

  /// Old pods that are not available go first: they carry nothing.
  private mutating func removeUnhealthy(atMost limit: Int) throws(Status) -> Int {
    var removed = 0
    for set in oldSets.active.sorted(by: ReplicaSetView.isOlder) {
      if removed >= limit { break }
      let count = min(limit - removed, set.replicas - set.availableReplicas)
      guard count > 0 else { continue }
      try resize(set, to: set.replicas - count)
      removed += count
    }
    return removed
  }

  private mutating func removeHealthy(keeping minimum: Int) throws(Status) -> Int {
    let surplus = allSets.availableReplicas - minimum
    var removed = 0
    for set in oldSets.active.sorted(by: ReplicaSetView.isOlder) {
      if removed >= surplus { break }
      let count = min(set.replicas, surplus - removed)
      try resize(set, to: set.replicas - count)
      removed += count
    }
    return removed
  }

  private func oldPodsExist() -> Bool {
    if oldSets.actualReplicas > 0 { return true }
    let owners = Set(oldSets.map(\.uid))
    return cluster.list(.pods, namespace: deployment.namespace).contains { pod in
      let phase = PodView(pod).phase
      return owners.contains(pod.controllerUID ?? "") && phase != "Failed" && phase != "Succeeded"
    }
  }

  /// Deletes the oldest revisions beyond the limit, except sets that still have pods.
  mutating func deleteHistory() throws(Status) {
    guard let limit = deployment.revisionHistoryLimit else { return }
    let history = oldSets.filter { !$0.json.isBeingDeleted }.sorted { left, right in
      left.revision == right.revision ? ReplicaSetView.isOlder(left, right) : left.revision < right.revision
    }
    for set in history.prefix(max(0, history.count - limit)) {
      guard set.actualReplicas == 0, set.replicas == 0, set.json.generation <= set.observedGeneration else { continue }
      do {
        try cluster.delete(.replicaSets, set.json.objectKey, uid: set.uid)
      } catch let error where error.reason == "NotFound" {
        continue
      }
    }
  }
}
