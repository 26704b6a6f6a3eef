import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// Puts one observation together. It reads the view of the cluster and the judge's board, and asks nobody.
struct Observer {
  let snapshot: any ClusterSnapshot
  let rollout: JSON
  /// The plan in force: of the run under way, or the present one.
  let plan: Plan
  let provider: (any TrafficProvider)?
  let hold: HoldView
  let measured: Measurements?

  func observe(run: RolloutRun?, quietSince: Date) -> Observation {
    var seen = Observation(hold: hold, measured: measured, quietSince: quietSince)
    seen.rolloutIsBeingDeleted = rollout.isBeingDeleted
    seen.runIsBeingDeleted = run?.metadata.isBeingDeleted ?? false
    let services = ServiceObserver(
      snapshot: snapshot, rollout: plan.key,
      selector: snapshot.object(.deployments, plan.workloadKey).flatMap(ManagedSelector.init)?.labels)
    if let deployment = snapshot.object(.deployments, plan.workloadKey) {
      let workload = WorkloadObserver(snapshot: snapshot, rollout: plan.key, deployment: deployment)
      seen.deployment = workload.view
      seen.sets = workload.sets
      seen.refusal = workload.refusal
      observeCapacity(&seen, deployment, run)
      seen.otherServices = services.others(
        than: Set(plan.services.map(\.name)), selecting: PodTemplate(of: deployment).json.labels)
    } else {
      seen.sets = WorkloadObserver.strays(of: plan.key, in: snapshot)
    }
    seen.services = plan.services.map(services.view(of:))
    if plan.division == nil { observeRouting(&seen, run) } else { observePods(&seen, run) }
    refuseSelectors(&seen)
    seen.command = command(of: run)
    return seen
  }

  private func observeCapacity(_ seen: inout Observation, _ deployment: JSON, _ run: RolloutRun?) {
    // Between runs no pod is added.
    guard let run, run.isUnderWay else { return }
    let capacity = CapacityObserver(snapshot: snapshot, deployment: deployment)
    seen.deployment?.replicasWriter = capacity.replicasWriter
    seen.autoscaler = capacity.autoscaler
    seen.rooms = capacity.rooms
    seen.exhaustedBudgets = capacity.exhaustedBudgets
  }

  /// Without a mesh the pins of the callers' Services, or their endpoints, are the route.
  private func observePods(_ seen: inout Observation, _ run: RolloutRun?) {
    // Pins are taken off on the way, and pods with the run.
    seen.routingIsRetired = true
    seen.canRoute = seen.services.contains(where: \.exists)
    let canary = seen.set(named: run?.status?.canary?.replicaSet)?.hash
    seen.routing = PodRouting.routing(of: plan, seen.services, canary: canary)
    if run?.isUnderWay != true, !seen.rolloutIsBeingDeleted { refuseLeftover(&seen) }
  }

  private func refuseSelectors(_ seen: inout Observation) {
    guard seen.refusal == nil else { return }
    let isManaged = plan.services.contains { $0.selector == .managed }
    if isManaged, let deployment = snapshot.object(.deployments, plan.workloadKey), ManagedSelector(deployment) == nil {
      seen.refusal =
        "spec.selector of Deployment \(deployment.name) has matchExpressions, which a Service's selector cannot have; use "
        + "matchLabels alone, or selector: Declared in spec.serviceRefs"
    } else if plan.division == .bySelector, !isManaged, seen.hold.mode == .always {
      seen.refusal =
        "without a mesh, and without the admission policies that keep a selector, nothing can hold requests on one "
        + "revision; set selector: Managed in spec.serviceRefs and leave the selector out of the manifest, install the "
        + "policies, or weigh by pods (weights from 1 to 50)"
    }
  }

  private func observeRouting(_ seen: inout Observation, _ run: RolloutRun?) {
    guard let provider else {
      seen.canRoute = false
      let own = snapshot.objects(plan.provider.kinds.routes, namespace: plan.namespace)
      seen.routingIsRetired =
        plan.deletionPolicy != .delete || !own.contains { $0.label(Names.rollout) == rollout.name }
      return
    }
    let routes = snapshot.objects(provider.kinds.routes, namespace: plan.namespace)
    let isUnderWay = run?.isUnderWay ?? false
    // Between runs a person's own route is right when nothing of it is Sluice's.
    let isLentOnly = plan.editedRoute != nil && !isUnderWay
    seen.routeWriter = FieldWriter.ofSpec(in: routes.filter { isRoute($0, of: provider) })
    seen.routedBy = provider.place(in: routes).map(RoutedBy.init)
    switch provider.observe(routes, owned: isUnderWay) {
    case .routing(.split(let target)): seen.routing = .present(target: target, intact: true)
    case .routing(.released):
      seen.routingIsRetired = true
      if isLentOnly { seen.routing = .present(target: .stableOnly, intact: true) }
    case .unusable(let text):
      seen.routingIsRetired = true
      seen.routing = .unusable(text)
    case .missing: seen.routingIsRetired = true
    case .foreign(let key):
      seen.routingIsRetired = true
      let kind = provider.kinds.routes.first?.kind ?? "object"
      seen.routing = .conflict(
        "\(kind) \(key) exists and is not this Rollout's; rename or delete it, since Sluice needs the name")
    case .changed(.split(let target), _, _): seen.routing = .present(target: target, intact: false)
    case .changed(.released, _, _): seen.routing = .present(target: .stableOnly, intact: isLentOnly)
    }
    // A conflict matters before the routing object is made; later the team would have caused it, and traffic comes first.
    if seen.routing == .absent || isLentOnly, !seen.rolloutIsBeingDeleted, plan.editedRoute == nil || !isUnderWay,
      let conflict = provider.conflicts(existing: provider.kinds.routes.flatMap(snapshot.all)).first
    {
      seen.routing = .conflict("\(conflict)")
    }
    if seen.routing == .absent, !seen.rolloutIsBeingDeleted { refuseLeftover(&seen) }
    seen.routePending = provider.pending(routes).first
    seen.measuresShare = provider.measuresShare
    let problems = provider.problems
    if !problems.isEmpty { seen.refusal = seen.refusal ?? problems.joined(separator: "; ") }
    seen.unreached = provider.unreached(existing: provider.kinds.routes.flatMap(snapshot.all))
    let policies = snapshot.objects(provider.kinds.policies, namespace: plan.namespace)
    do throws(RoutingRefusal) {
      let wanted = try provider.policies(existing: policies)
      seen.policiesAreRendered =
        StalePolicies.find(among: policies, wanted: wanted, rollout: rollout.name).isEmpty
        && wanted.allSatisfy { wanted in
          (try? wanted.write(over: policies.first { $0.isSame(as: wanted) })) == .some(nil)
        }
    } catch {
      seen.refusal = seen.refusal ?? error.problems.joined(separator: "; ")
    }
  }

  /// A routing object of this Rollout that another provider than the plan's wrote stands in the way of the plan's.
  private func refuseLeftover(_ seen: inout Observation) {
    let others = RoutingKinds.every.routes.filter { !plan.provider.kinds.routes.contains($0) }
    let objects = snapshot.objects(others, namespace: plan.namespace)
    guard let left = objects.first(where: { $0.labels[Names.rollout] == rollout.name }) else { return }
    let then = plan.division == nil ? " until the new route is there" : ""
    seen.routing = .conflict(
      "\(left.kind) \(left.objectKey) of this Rollout's provider before this one still routes: delete it, and requests go to "
        + "the callers' Service\(then)")
  }

  /// Whether an object is one of those in which the routing lies.
  private func isRoute(_ object: JSON, of provider: any TrafficProvider) -> Bool {
    if plan.editedRoute == nil { return object.labels[Names.rollout] == rollout.name }
    return provider.keys.contains { $0.key == object.objectKey && $0.type.kind == object.kind }
  }

  /// The command that the run has not answered yet. Steps are counted from 1 on the wire.
  private func command(of run: RolloutRun?) -> PersonsCommand? {
    guard let command = run?.spec.command, command.sequence > run?.status?.commandSequence ?? 0 else { return nil }
    return PersonsCommand(
      action: command.action, step: command.step.map { $0 - 1 }, reason: command.reason,
      requestedBy: command.requestedBy, sequence: command.sequence)
  }
}

extension Sequence where Element: Hashable {
  /// Each element once, where it first stands.
  var uniqued: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
