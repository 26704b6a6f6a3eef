import Foundation
import KubernetesAPI
import RolloutEngine

/// What the Deployment, its ReplicaSets and their pods look like to the engine.
struct WorkloadObserver {
  let snapshot: any ClusterSnapshot
  let rollout: ObjectKey
  let deployment: JSON

  var view: DeploymentView {
    let status = deployment["status"]
    let spec = deployment["spec"]
    return DeploymentView(
      replicas: spec?["replicas"]?.int ?? 1, paused: spec?["paused"]?.bool ?? false,
      heldBy: deployment.annotation(Names.held), managed: deployment.label(Names.managed) == rollout.name,
      revision: PodTemplate(of: deployment).name,
      observed: (status?["observedGeneration"]?.int ?? 0) >= deployment.generation,
      progressDeadline: .seconds(progressDeadline), isBeingDeleted: deployment.isBeingDeleted, lastWriter: lastWriter)
  }

  /// Why a Deployment like this cannot have two revisions side by side.
  var refusal: String? {
    guard deployment[path: ["spec", "strategy", "type"]]?.string == "Recreate" else { return nil }
    return
      "spec.strategy.type of Deployment \(deployment.name) is Recreate, so that two revisions must not run side by "
      + "side; make it RollingUpdate, or delete the Rollout"
  }

  /// What is left of a Rollout's sets when the Deployment is gone: those that nothing controls any more.
  static func strays(of rollout: ObjectKey, in snapshot: any ClusterSnapshot) -> [SetView] {
    snapshot.objects(.replicaSets, namespace: rollout.namespace).compactMap { set in
      guard !set.isBeingDeleted, set.label(Names.rollout) == rollout.name, set.controllerReference == nil else {
        return nil
      }
      return SetView(set, owner: .sluice, matchesTemplate: false, trouble: nil)
    }
  }

  /// In `Always` mode the field holds an endless number while paused at rest; a canary is judged by the default then.
  private var progressDeadline: Int {
    let seconds = DeploymentHold.deadline(of: deployment)
    return seconds == DeploymentHold.endlessDeadline ? DeploymentHold.defaultDeadline : seconds
  }

  /// The manager of the newest write of the spec that was not ours. Who only removes a field, as `kubectl rollout resume`
  /// does, leaves no trace.
  private var lastWriter: String? { FieldWriter.ofSpec(in: [deployment]) }

  /// The sets that the Deployment controls and those that Sluice holds for this Rollout.
  var sets: [SetView] {
    let template = PodTemplate(of: deployment)
    return snapshot.objects(.replicaSets, namespace: deployment.namespace).compactMap { set in
      guard !set.isBeingDeleted, let owner = owner(of: set) else { return nil }
      let pods = isShort(set) ? self.pods(of: set) : []
      var view = SetView(
        set, owner: owner, matchesTemplate: PodTemplate(of: set) == template,
        trouble: isShort(set) ? PodTrouble.summary(of: pods) ?? creationTrouble(of: set) : nil)
      view.isUnschedulable = pods.contains(where: PodTrouble.isUnschedulable)
      return view
    }
  }

  /// Whether a set lacks pods; only then are they looked at, since a namespace may have thousands.
  private func isShort(_ set: JSON) -> Bool {
    (set[path: ["status", "availableReplicas"]]?.int ?? 0) < set[path: ["spec", "replicas"]]?.int ?? 1
  }

  private func pods(of set: JSON) -> [JSON] {
    snapshot.objects(.pods, namespace: deployment.namespace).filter { isOwned($0, by: set) }
  }

  private func owner(of set: JSON) -> SetView.Owner? {
    if let controller = set.controllerReference {
      return controller["uid"]?.string == deployment.uid ? .deployment : nil
    }
    // Also one that lost its reference, or has one to a Deployment that was made anew: its pods still are there.
    return set.label(Names.rollout) == rollout.name ? .sluice : nil
  }

  private func isOwned(_ pod: JSON, by set: JSON) -> Bool {
    pod.ownerReferences.contains { $0["uid"]?.string == set.uid }
  }

  /// Quota and admission refusals show as a condition of the set, since no pod exists.
  private func creationTrouble(of set: JSON) -> String? {
    let conditions = set[path: ["status", "conditions"]]?.array ?? []
    let failure = conditions.first { $0["type"]?.string == "ReplicaFailure" && $0["status"]?.string == "True" }
    return failure?["message"]?.string
  }
}

extension SetView {
  fileprivate init(_ set: JSON, owner: Owner, matchesTemplate: Bool, trouble: String?) {
    let annotations = set.annotations
    // Until its controller has seen the newest spec, the status may speak of the one before, and pods may be left.
    let isObserved = (set[path: ["status", "observedGeneration"]]?.int ?? 0) >= set.generation
    let pods = set[path: ["status", "replicas"]]?.int ?? 0
    self.init(
      name: set.name, hash: set[path: ["spec", "selector", "matchLabels", Names.templateHash]]?.string ?? "",
      owner: owner, matchesTemplate: matchesTemplate, replicas: set[path: ["spec", "replicas"]]?.int ?? 1,
      pods: isObserved ? pods : max(pods, 1), available: set[path: ["status", "availableReplicas"]]?.int ?? 0,
      number: annotations[Names.revisionNumber].flatMap(Int.init), rejected: annotations[Names.rejected] != nil,
      trouble: trouble,
      createdAt: set[path: ["metadata", "creationTimestamp"]]?.string.flatMap(Timestamp.init)?.date ?? .distantPast)
  }
}

/// Why pods do not become ready, in the words that the cluster uses.
enum PodTrouble {
  /// The commonest trouble among the pods: `CrashLoopBackOff (3 restarts) in container app: back-off restarting`.
  static func summary(of pods: [JSON]) -> String? {
    let troubles = pods.compactMap(trouble(of:))
    guard let first = troubles.first else { return nil }
    return troubles.count > 1 ? "\(first) (\(troubles.count) of \(pods.count) pods)" : first
  }

  static func isUnschedulable(_ pod: JSON) -> Bool {
    pod[path: ["status", "conditions"]]?.array?.contains {
      $0["type"]?.string == "PodScheduled" && $0["status"]?.string == "False"
    } ?? false
  }

  private static func trouble(of pod: JSON) -> String? {
    let status = pod["status"]
    let containers =
      (status?["initContainerStatuses"]?.array ?? []) + (status?["containerStatuses"]?.array ?? [])
    for container in containers where container["ready"]?.bool != true {
      let name = container["name"]?.string ?? "?"
      if let waiting = container[path: ["state", "waiting"]], let reason = waiting["reason"]?.string,
        reason != "ContainerCreating", reason != "PodInitializing"
      {
        let restarts = container["restartCount"]?.int ?? 0
        let count = restarts > 0 ? " after \(restarts) restart\(restarts == 1 ? "" : "s")" : ""
        let detail = waiting["message"]?.string.map { ": \($0)" } ?? ""
        return "\(reason)\(count) in container \(name)\(detail)"
      }
      if let ended = container[path: ["state", "terminated"]], let code = ended["exitCode"]?.int, code != 0 {
        return "container \(name) ended with code \(code)"
      }
    }
    let conditions = status?["conditions"]?.array ?? []
    if let scheduled = conditions.first(where: { $0["type"]?.string == "PodScheduled" }),
      scheduled["status"]?.string == "False"
    {
      return "\(scheduled["reason"]?.string ?? "Unschedulable"): \(scheduled["message"]?.string ?? "")"
    }
    if conditions.contains(where: { $0["type"]?.string == "Ready" && $0["status"]?.string == "False" }),
      status?["phase"]?.string == "Running"
    {
      return "running, but not ready (readiness probe)"
    }
    return nil
  }
}
