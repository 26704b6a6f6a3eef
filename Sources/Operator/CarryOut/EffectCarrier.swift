import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Carries effects out, in order, each as the writes it takes. The first that fails ends the turn; what was done before it
/// is seen by the next decision.
struct EffectCarrier {
  let cluster: any ClusterWriter
  let snapshot: any ClusterSnapshot
  let rollout: JSON
  let plan: Plan
  let provider: (any TrafficProvider)?
  let run: RolloutRun?
  let state: RolloutState
  /// Where the run is that sets traffic.
  let place: RoutedBy?
  let templates: AnalysisTemplates
  let announcer: any Announcing
  let aborts: AbortRecord
  let tracing: RunTracing
  let logger: Logger

  private var key: ObjectKey { plan.key }

  func carryOut(_ effects: [Effect]) async throws {
    for effect in effects {
      if case .announce = effect {
        try await carryOut(effect)
      } else {
        logger.info("\(effect)")
        try await tracing.span("\(effect)", of: run) { try await carryOut(effect) }
      }
    }
  }

  private func carryOut(_ effect: Effect) async throws {
    switch effect {
    case .setTraffic(let target):
      aborts.writes(key)
      if plan.division == nil { try await route(.split(target)) } else { try await move(to: target) }
      if !target.reachesCanary, let stages = aborts.wrote(key) {
        let times = stages.map { ($0.rawValue.lowercased(), Logger.MetadataValue.stringConvertible($1)) }
        logger.info("the canary is out of the route", metadata: Dictionary(uniqueKeysWithValues: times))
      }
    case .retireRouting(let delete): try await retireRouting(delete: delete)
    case .renderPolicies: try await renderPolicies()
    case .renderServices(let stable, let canary):
      try await services.render(stableHash: stable, canaryHash: canary)
    case .deleteServices: try await services.delete()
    case .pin(let hash): try await services.pin(to: hash)
    case .unpin: try await services.unpin()
    case .selectPods: try await services.selectPods()
    case .createRun(let name, let revision): try await createRun(name, revision)
    case .dropRunFinalizer:
      if let run { try await dropFinalizer(.rolloutRuns, run.metadata.key) }
    case .dropRolloutFinalizer: try await letGo()
    case .scale(let set, let replicas):
      try await cluster.patch(.replicaSets, sibling(set), .merge(["spec": ["replicas": JSON(replicas)]]))
    case .markRejected(let set, let isRejected):
      let reason = isRejected ? JSON.string(run?.metadata.name ?? key.name) : .null
      try await cluster.patch(
        .replicaSets, sibling(set), .merge(["metadata": ["annotations": [Names.rejected: reason]]]))
    case .deleteSet(let name): try await cluster.delete(.replicaSets, sibling(name))
    case .announce(let news): announcer.announce(news, rollout: rollout, plan: plan, run: run)
    default: try await carryOutOnWorkload(effect)
    }
  }

  private func carryOutOnWorkload(_ effect: Effect) async throws {
    guard let deployment = snapshot.object(.deployments, plan.workloadKey) else {
      throw EffectError("\(effect)", "Deployment \(plan.workloadKey) is gone")
    }
    let workload = WorkloadWriter(cluster: cluster, rollout: key, deployment: deployment)
    switch effect {
    case .manage: try await workload.manage(true)
    case .unmanage: try await workload.manage(false)
    case .hold(let name): try await workload.hold(by: name, isAtRest: run?.metadata.name != name)
    case .releaseHold: try await workload.releaseHold()
    case .createSet(let revision, let replicas):
      try await workload.createSet(revision: revision, run: run?.metadata.name ?? "", replicas: replicas)
    case .releaseSets(let names): try await workload.release(sets(names))
    case .adopt(let set, let number):
      for set in sets([set]) { try await workload.adopt(set, number: number) }
    case .giveBack(let names):
      for set in sets(names) { try await workload.adopt(set, number: nil) }
    default: break
    }
  }

  private func sets(_ names: [String]) -> [JSON] {
    names.compactMap { snapshot.object(.replicaSets, sibling($0)) }
  }

  private func sibling(_ name: String) -> ObjectKey { ObjectKey(namespace: key.namespace, name: name) }

  private var services: ServiceWriter {
    ServiceWriter(
      cluster: cluster, snapshot: snapshot, rollout: key, services: plan.services.map(\.name).uniqued,
      managed: managedSelectors)
  }

  private var managedSelectors: [String: [String: String]] {
    guard let labels = snapshot.object(.deployments, plan.workloadKey).flatMap(ManagedSelector.init)?.labels else {
      return [:]
    }
    let names = plan.services.filter { $0.selector == .managed }.map(\.name)
    return Dictionary(names.map { ($0, labels) }) { first, _ in first }
  }

  /// Blue/green: the callers' Services select one revision or the other.
  private func move(to target: TrafficTarget) async throws {
    guard target == .allToCanary else {
      return try await services.returnToStable(otherwise: run?.spec.stable.hash)
    }
    guard let canary = snapshot.object(.replicaSets, sibling(run?.status?.canary?.replicaSet ?? "")) else {
      throw EffectError("\(Effect.setTraffic(target))", "the canary's ReplicaSet is gone")
    }
    try await services.pin(to: canary[path: ["spec", "selector", "matchLabels", Names.templateHash]]?.string ?? "")
  }

  // MARK: - Routing

  private func route(_ routing: Routing) async throws {
    guard let provider else { throw EffectError("write the routing object", "the plan's provider is not known") }
    let live = snapshot.objects(provider.kinds.routes, namespace: key.namespace)
    let place = place.map { RoutingPlace(run: $0.run, step: $0.step) }
    for write in try provider.writes(for: routing, live: live, owned: run?.isUnderWay ?? false, place: place) {
      try await carryOut(write)
    }
  }

  private func carryOut(_ write: RoutingWrite) async throws {
    switch write {
    case .create(let object): try await cluster.create(object.type, object.object)
    case .replace(let object): try await cluster.replace(object.type, object.object)
    case .patch(let type, let key, let operations): try await cluster.patch(type, key, .json(operations))
    }
  }

  private func retireRouting(delete: Bool) async throws {
    // A person's route stays whatever the plan says.
    guard delete, plan.editedRoute == nil else { return try await route(.released) }
    for type in plan.provider.kinds.routes {
      for route in snapshot.objects(type, namespace: key.namespace) where route.labels[Names.rollout] == key.name {
        try await cluster.delete(type, route.objectKey)
      }
    }
  }

  private func renderPolicies() async throws {
    guard let provider else { return }
    let live = snapshot.objects(provider.kinds.policies, namespace: key.namespace)
    let all = try provider.policies(existing: live)
    for type in provider.kinds.policies {
      let own = live.filter { $0.kind == type.kind }
      for stale in StalePolicies.find(among: own, wanted: all, rollout: key.name) {
        try await cluster.delete(type, stale.objectKey)
      }
    }
    for wanted in all {
      if let write = try wanted.write(over: live.first(where: { $0.isSame(as: wanted) })) { try await carryOut(write) }
    }
  }

  // MARK: - Runs

  /// Creates the run with the plan as it is now. The name grows where an earlier run has it.
  private func createRun(_ name: String, _ revision: String) async throws {
    guard let stable = state.stable, let deployment = snapshot.object(.deployments, plan.workloadKey) else { return }
    let typed: Rollout = try rollout.decode()
    let template = PodTemplate(of: deployment)
    let isFormer = state.former.contains { former in
      let set = snapshot.object(.replicaSets, ObjectKey(namespace: key.namespace, name: former.revision.set))
      return set.map { PodTemplate(of: $0) == template } ?? false
        && former.until.addingTimeInterval(plan.fastUndo.within / .seconds(1)) > announcer.now
    }
    let spec = RolloutRunSpec(
      rolloutRef: RolloutReference(name: key.name, uid: rollout.uid), revision: revision,
      stable: RunRevision(hash: stable.hash, replicaSet: stable.set),
      demand: deployment[path: ["spec", "replicas"]]?.int ?? 1, fastUndo: isFormer ? true : nil,
      plan: try typed.spec.snapshot(templates))
    for number in 1...1000 {
      let suffix = number == 1 ? "" : "-\(number)"
      var run = try JSON(
        encoding: RolloutRun(
          metadata: ObjectMeta(
            name: "\(key.name)-\(name)\(suffix)", namespace: key.namespace,
            labels: [Names.rollout: key.name, Names.revision: revision],
            ownerReferences: [
              OwnerReference(
                apiVersion: ResourceType.rollouts.apiVersion, kind: "Rollout", name: key.name, uid: rollout.uid,
                controller: true, blockOwnerDeletion: false)
            ], finalizers: [Names.finalizer]),
          spec: spec))
      run = run.typed(.rolloutRuns)
      // Taken by an earlier run; only one that the cache does not show yet is found out by trying.
      if snapshot.object(.rolloutRuns, run.objectKey) != nil { continue }
      do {
        try await cluster.create(.rolloutRuns, run)
        return
      } catch let error as KubernetesError where error.isAlreadyExists {
        // Made by a leader before this one, a moment ago: that is the run.
        let live: RolloutRun = try await cluster.get(.rolloutRuns, run.objectKey).decode()
        if live.isUnderWay, live.spec.rolloutRef.uid == rollout.uid { return }
      }
    }
  }

  /// The runs first: nothing would take their finalizers away afterwards.
  private func letGo() async throws {
    for run in snapshot.objects(.rolloutRuns, namespace: key.namespace)
    where run[path: ["spec", "rolloutRef", "name"]]?.string == key.name {
      try await dropFinalizer(.rolloutRuns, run.objectKey)
    }
    try await dropFinalizer(.rollouts, key)
  }

  private func dropFinalizer(_ type: ResourceType, _ key: ObjectKey) async throws {
    guard let object = snapshot.object(type, key), object.finalizers.contains(Names.finalizer) else { return }
    let rest = object.finalizers.filter { $0 != Names.finalizer }
    do {
      try await cluster.patch(
        type, key,
        .merge([
          "metadata": [
            "finalizers": .array(rest.map(JSON.string)), "resourceVersion": .string(object.resourceVersion),
          ]
        ]))
    } catch let error as KubernetesError where error.isNotFound {}
  }
}

extension RoutedBy {
  init(_ place: RoutingPlace) { self.init(run: place.run, step: place.step) }
}
