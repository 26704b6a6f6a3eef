import Foundation
import KubernetesAPI

/// One look at one Deployment. What it writes it also changes here, so that later steps decide on the newest state.
struct DeploymentSync {
  let cluster: any ClusterAccess
  let events: EventRecorder
  var deployment: DeploymentView

  /// The sets that the Deployment controls.
  private(set) var owned: [ReplicaSetView] = []
  /// Of these the one whose template is the Deployment's; the oldest of several.
  var newSet: ReplicaSetView?
  var oldSets: [ReplicaSetView] = []

  init(_ deployment: JSON, in cluster: any ClusterAccess, events: EventRecorder) {
    self.deployment = DeploymentView(deployment)
    self.cluster = cluster
    self.events = events
  }

  var allSets: [ReplicaSetView] { oldSets + (newSet.map { [$0] } ?? []) }

  /// - Returns: when to look again, for a deadline.
  mutating func run() throws(Status) -> Duration? {
    try claimSets()
    if deployment.json.isBeingDeleted {
      try findSets(creating: false)
      return try writeStatusOfScaling()
    }
    try notePause()
    if deployment.isPaused { return try scaleOnly() }
    try findSets(creating: false)
    let isScaled = allSets.active.contains { $0.desiredReplicas.map { $0 != deployment.replicas } ?? false }
    if isScaled { return try scaleOnly() }
    return deployment.isRecreate ? try recreate() : try roll()
  }

  /// Paused, or its replicas changed: sizes and status, no new set.
  private mutating func scaleOnly() throws(Status) -> Duration? {
    try findSets(creating: false)
    try scale()
    if deployment.isPaused { try deleteHistory() }
    return try writeStatusOfScaling()
  }

  private mutating func claimSets() throws(Status) {
    owned = []
    for set in cluster.list(.replicaSets, namespace: deployment.namespace) {
      let matches = SelectorMatch.matches(deployment.selector, labels: set.labels)
      switch Claim(of: set, by: deployment.json, matches: matches) {
      case .keep:
        owned.append(ReplicaSetView(set))
      case .adopt:
        let adopted = Ownership.adopting(set, by: deployment.json, of: .deployments)
        owned.append(ReplicaSetView(try cluster.update(.replicaSets, adopted, subresource: nil)))
      case .release:
        let released = Ownership.releasing(set, from: [deployment.uid])
        _ = try cluster.update(.replicaSets, released, subresource: nil)
      case .ignore:
        break
      }
    }
  }

  /// Tells the new set from the old ones, gives it its revision, and the Deployment too.
  mutating func findSets(creating: Bool) throws(Status) {
    let found = owned.sorted(by: ReplicaSetView.isOlder)
      .first { PodTemplate.isSameRevision($0.template, deployment.template) }
    oldSets = owned.filter { $0.uid != found?.uid }
    if let found {
      newSet = try updateRevision(of: found)
    } else {
      newSet = creating ? try createNewSet() : nil
    }
    if let newSet {
      owned.removeAll { $0.uid == newSet.uid }
      owned.append(newSet)
    }
  }

  /// Writes a set and remembers what came of it.
  @discardableResult
  mutating func write(_ set: ReplicaSetView) throws(Status) -> ReplicaSetView {
    let written = ReplicaSetView(try cluster.update(.replicaSets, set.json, subresource: nil))
    func replace(in sets: inout [ReplicaSetView]) {
      if let index = sets.firstIndex(where: { $0.uid == written.uid }) { sets[index] = written }
    }
    replace(in: &owned)
    replace(in: &oldSets)
    if newSet?.uid == written.uid { newSet = written }
    return written
  }

  /// Writes status and annotations; the status subresource of a Deployment takes both.
  mutating func writeDeployment() throws(Status) {
    deployment = DeploymentView(try cluster.update(.deployments, deployment.json, subresource: "status"))
  }

  /// Says in the condition Progressing that the Deployment was paused or resumed; the deadline does not run meanwhile.
  private mutating func notePause() throws(Status) {
    guard deployment.progressDeadline != nil else { return }
    let reason = deployment.status.conditions[type: "Progressing"]?.reason
    if reason == "ProgressDeadlineExceeded" { return }
    let condition: WorkloadCondition
    if deployment.isPaused, reason != "DeploymentPaused" {
      condition = WorkloadCondition(
        "Progressing", "Unknown", reason: "DeploymentPaused", message: "Deployment is paused", now: cluster.now)
    } else if !deployment.isPaused, reason == "DeploymentPaused" {
      condition = WorkloadCondition(
        "Progressing", "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed", now: cluster.now)
    } else {
      return
    }
    deployment.status.conditions.set(condition)
    try writeDeployment()
  }
}
