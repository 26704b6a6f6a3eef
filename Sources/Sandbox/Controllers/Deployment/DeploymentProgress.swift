import Foundation
import KubernetesAPI

/// Status and conditions.
extension DeploymentSync {
  /// The status of a Deployment that is not rolling: paused, scaled or being deleted. Progressing stays as it is.
  mutating func writeStatusOfScaling() throws(Status) -> Duration? {
    let status = currentStatus()
    if status != deployment.status {
      deployment.status = status
      try writeDeployment()
    }
    return nil
  }

  /// The status of a rollout.
  /// - Returns: when its deadline has passed, if it has one and is not through.
  mutating func writeStatusOfRollout() throws(Status) -> Duration? {
    var status = currentStatus()
    if deployment.progressDeadline == nil {
      status.conditions.remove(type: "Progressing")
    } else {
      noteProgress(in: &status)
    }
    noteFailedSets(in: &status)
    if status != deployment.status {
      deployment.status = status
      try writeDeployment()
    }
    return timeToDeadline(status)
  }

  /// Whether all pods are those of the new set, and available.
  func isComplete(_ status: ObservedDeployment) -> Bool {
    status.updatedReplicas == deployment.replicas && status.replicas == deployment.replicas
      && status.availableReplicas == deployment.replicas && status.observedGeneration >= deployment.json.generation
  }

  private func currentStatus() -> ObservedDeployment {
    var status = ObservedDeployment()
    status.observedGeneration = deployment.json.generation
    status.replicas = allSets.actualReplicas
    status.updatedReplicas = newSet?.actualReplicas ?? 0
    status.readyReplicas = allSets.readyReplicas
    status.availableReplicas = allSets.availableReplicas
    status.unavailableReplicas = max(0, allSets.replicas - status.availableReplicas)
    status.terminatingReplicas = allSets.terminatingReplicas
    status.collisionCount = deployment.status.collisionCount
    status.conditions = deployment.status.conditions
    let isAvailable = status.availableReplicas >= deployment.replicas - deployment.maxUnavailable
    status.conditions.set(
      isAvailable
        ? WorkloadCondition(
          "Available", "True", reason: "MinimumReplicasAvailable",
          message: "Deployment has minimum availability.", now: cluster.now)
        : WorkloadCondition(
          "Available", "False", reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.", now: cluster.now))
    return status
  }

  private func noteProgress(in status: inout ObservedDeployment) {
    let current = deployment.status.conditions[type: "Progressing"]
    // What is through stays through: pods lost later are no rollout.
    if status.replicas == status.updatedReplicas, current?.reason == "NewReplicaSetAvailable" { return }
    let subject = newSet.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\""
    if isComplete(status) {
      status.conditions.set(
        WorkloadCondition(
          "Progressing", "True", reason: "NewReplicaSetAvailable",
          message: "\(subject) has successfully progressed.", now: cluster.now))
    } else if isProgressing(status) {
      var condition = WorkloadCondition(
        "Progressing", "True", reason: "ReplicaSetUpdated", message: "\(subject) is progressing.", now: cluster.now)
      // The same condition again, so that its time of update moves on and the deadline with it.
      if let current, current.status == "True" { condition.lastTransitionTime = current.lastTransitionTime }
      status.conditions.remove(type: "Progressing")
      status.conditions.append(condition)
    } else if isTimedOut(status) {
      status.conditions.set(
        WorkloadCondition(
          "Progressing", "False", reason: "ProgressDeadlineExceeded",
          message: "\(subject) has timed out progressing.", now: cluster.now))
    }
  }

  private func isProgressing(_ status: ObservedDeployment) -> Bool {
    let before = deployment.status
    return status.updatedReplicas > before.updatedReplicas
      || status.replicas - status.updatedReplicas < before.replicas - before.updatedReplicas
      || status.readyReplicas > before.readyReplicas || status.availableReplicas > before.availableReplicas
  }

  private func isTimedOut(_ status: ObservedDeployment) -> Bool {
    guard let deadline = deployment.progressDeadline, let condition = status.conditions[type: "Progressing"] else {
      return false
    }
    if condition.reason == "NewReplicaSetAvailable" { return false }
    if condition.reason == "ProgressDeadlineExceeded" { return true }
    guard let start = condition.lastUpdateTime.flatMap({ Timestamp($0) }) else { return false }
    return start.date.adding(.seconds(deadline)) < cluster.now
  }

  private func timeToDeadline(_ status: ObservedDeployment) -> Duration? {
    guard let deadline = deployment.progressDeadline, let condition = status.conditions[type: "Progressing"],
      !isComplete(status), !["ProgressDeadlineExceeded", "NewReplicaSetAvailable"].contains(condition.reason),
      let start = condition.lastUpdateTime.flatMap({ Timestamp($0) })
    else { return nil }
    // Times in the API are whole seconds: a second more makes sure that the deadline has passed.
    return max(.seconds(1), start.date.adding(.seconds(deadline + 1)).since(cluster.now))
  }

  private func noteFailedSets(in status: inout ObservedDeployment) {
    let sets = (newSet.map { [$0] } ?? []) + oldSets
    let failure = sets.lazy.compactMap { set in
      set.json[path: ["status", "conditions"]]?.array?.map(WorkloadCondition.init)
        .first { $0.type == "ReplicaFailure" }
    }.first
    guard let failure else {
      status.conditions.remove(type: "ReplicaFailure")
      return
    }
    var condition = failure
    condition.lastUpdateTime = cluster.now.stamp
    status.conditions.set(condition)
  }
}
