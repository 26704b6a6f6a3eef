import Foundation
import KubernetesAPI
import Synchronization

/// Stands in for the scheduler and the kubelets of ``SimulatedNodes``: binds pods, reports what ``PodBehaviours`` says of them,
/// removes those that are marked for deletion.
final class NodeAgent: BuiltInController {
  let name = "kubelet"

  /// What the agent knows of a pod on one of its nodes.
  private struct Run {
    var start: Date
    var address: String?
    /// What was reported last.
    var reported: ContainerState?
    /// Someone else moved this pod before the agent did: it is left alone.
    var isForeign = false
    var terminatingSince: Date?
  }

  private struct State {
    /// By uid.
    var runs: [String: Run] = [:]
    var addresses = PodAddresses()
  }

  private let behaviours: any PodBehaviours
  private let state = Mutex(State())

  init(behaviours: any PodBehaviours = ImageBehaviours()) {
    self.behaviours = behaviours
  }

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    guard change.type == .pods else { return [] }
    if let old = change.old, old.uid != change.new?.uid { forget(old.uid) }
    return change.new == nil ? [] : [change.reference]
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let found = cluster.get(.pods, object.key) else { return nil }
    if found.isBeingDeleted { return try terminate(found, in: cluster) }
    let behaviour = behaviours.behaviour(of: found)
    var pod = found
    if PodView(pod).nodeName.isEmpty {
      if case .unschedulable(let message) = behaviour {
        try reportUnschedulable(pod, message, in: cluster)
        return nil
      }
      pod = try bind(pod, in: cluster)
    }
    guard SimulatedNodes.named(PodView(pod).nodeName) != nil, !PodView(pod).isFinished else { return nil }
    let next = try report(pod, behaviour, in: cluster)
    return [next, behaviours.lookAgain(at: pod)].compactMap { $0 }.min()
  }

  private func bind(_ pod: JSON, in cluster: any ClusterAccess) throws(Status) -> JSON {
    var bound = pod
    let node = SimulatedNodes.node(for: pod, among: cluster.list(.pods, namespace: pod.namespace))
    bound[path: ["spec", "nodeName"]] = .string(node.name)
    return try cluster.acting(as: "kube-scheduler").update(.pods, bound, subresource: "binding")
  }

  private func reportUnschedulable(_ pod: JSON, _ message: String, in cluster: any ClusterAccess) throws(Status) {
    guard PodView(pod).condition("PodScheduled")?["message"]?.string != message else { return }
    var conditions = (pod[path: ["status", "conditions"]]?.array ?? []).filter { $0["type"]?.string != "PodScheduled" }
    conditions.append([
      "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": .string(message),
      "lastTransitionTime": .string(cluster.now.stamp),
    ])
    var updated = pod
    updated[path: ["status", "conditions"]] = .array(conditions)
    _ = try cluster.acting(as: "kube-scheduler").update(.pods, updated, subresource: "status")
  }

  private func report(_ pod: JSON, _ behaviour: PodBehaviour, in cluster: any ClusterAccess) throws(Status) -> Duration?
  {
    let now = cluster.now
    var run = run(of: pod, now: now)
    guard !run.isForeign, let (current, next) = behaviour.state(after: now.since(run.start)) else { return nil }
    let pause = next.map { max(run.start.adding($0).since(now), .milliseconds(1)) }
    if case .waiting("ContainerCreating", _) = current { return pause }
    let hasGates = pod[path: ["spec", "readinessGates"]] != nil
    if run.reported == current, !hasGates { return pause }
    if run.address == nil, case .running = current {
      run.address = state.withLock { $0.addresses.take() }
    }
    let builder = PodStatusBuilder(pod: pod, state: current, address: run.address, start: run.start, now: now)
    var updated = pod
    updated["status"] = builder.status
    run.reported = current
    state.withLock { $0.runs[pod.uid] = run }
    if updated != pod {
      do {
        _ = try cluster.acting(as: name).update(.pods, updated, subresource: "status")
      } catch {
        // Not reported after all: the next attempt must not take it for done.
        state.withLock { $0.runs[pod.uid]?.reported = nil }
        throw error
      }
    }
    return pause
  }

  private func run(of pod: JSON, now: Date) -> Run {
    state.withLock { state in
      if let run = state.runs[pod.uid] { return run }
      let run = Run(start: now, isForeign: PodView(pod).phase == "Running")
      state.runs[pod.uid] = run
      return run
    }
  }

  private func terminate(_ pod: JSON, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    // Without grace nothing is left to do: a finalizer holds the object.
    if pod[path: ["metadata", "deletionGracePeriodSeconds"]]?.int == 0 { return nil }
    let now = cluster.now
    let since = state.withLock { state in
      var run = state.runs[pod.uid] ?? Run(start: now)
      let since = run.terminatingSince ?? now
      run.terminatingSince = since
      state.runs[pod.uid] = run
      return since
    }
    let end = since.adding(behaviours.termination(of: pod))
    if now < end { return end.since(now) }
    do {
      try cluster.acting(as: name)
        .delete(.pods, pod.objectKey, uid: pod.uid, propagation: nil, gracePeriodSeconds: 0)
    } catch let error where error.reason == "NotFound" {
      return nil
    }
    return nil
  }

  private func forget(_ uid: String) {
    state.withLock { state in
      guard let run = state.runs.removeValue(forKey: uid), let address = run.address else { return }
      state.addresses.give(back: address)
    }
  }
}
