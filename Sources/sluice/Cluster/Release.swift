import Foundation
import KubernetesAPI
import KubernetesClient
import Operator
import RolloutAPI
import TrafficRouting

/// Takes a Rollout down without the controller, in the order that keeps every caller served: all requests to the stable
/// Service; the canary's pods away; pins off; all requests to the callers' Services; the generated Services away; the
/// hold off; the finalizers off. Each part looks first and can be repeated.
struct Release {
  var session: Session
  var rollout: Rollout
  var deletesRoute: Bool
  var say: (String) -> Void

  private var name: String { rollout.metadata.name ?? "" }
  private var client: KubernetesClient { session.client }

  /// - Throws: ``CommandFailure`` where a part cannot be done safely; what was done until then stays.
  func run() async throws {
    let plan = try Plan(namespace: session.namespace, name: name, spec: Self.withoutTemplates(rollout.spec))
    let deployment = try await client.find(.deployments, session.key(plan.workload))
    let sets = try await client.list(.replicaSets, namespace: session.namespace).items
    let canaries = sets.filter { Self.isHeldCanary($0, rollout: name, stable: rollout.status?.stable?.replicaSet) }
    try await route(plan, .split(.stableOnly), unless: deployment == nil || isHandedOver(sets))
    if !canaries.isEmpty { try await drain(plan) }
    try await scaleDown(canaries)
    try await unpin(plan)
    try await route(plan, .released, unless: false)
    if deletesRoute { try await deleteRoute(plan) }
    try await drain(plan)
    try await deleteServices()
    try await letGo(plan.workload)
    try await dropFinalizers()
  }

  // MARK: - What is decided

  /// The SLOs do not matter here, and their templates may be gone.
  static func withoutTemplates(_ spec: RolloutSpec) -> RolloutSpec {
    var copy = spec
    copy.analysis = nil
    copy.steps = [StepSpec(pause: PauseSpec())]
    copy.autopilot = nil
    copy.bake = nil
    copy.notify = nil
    return copy
  }

  /// A set of this Rollout that the Deployment does not control, is not the stable one, and has pods.
  static func isHeldCanary(_ set: JSON, rollout: String, stable: String?) -> Bool {
    let pods = max(set[path: ["spec", "replicas"]]?.int ?? 1, set[path: ["status", "replicas"]]?.int ?? 0)
    return set.labels[Names.rollout] == rollout && set.controllerReference == nil && set.name != stable && pods > 0
  }

  /// The stable set is no longer the Deployment's: a promotion was cut off after the hand-over began.
  private func isHandedOver(_ sets: [JSON]) -> Bool {
    guard let stable = sets.first(where: { $0.name == rollout.status?.stable?.replicaSet }) else { return false }
    return stable.controllerReference == nil
  }

  /// Whether ending the hold starts nothing: the template is that of a set with pods that the Deployment controls.
  static func startsNothing(_ deployment: JSON, _ sets: [JSON]) -> Bool {
    sets.contains { set in
      set.controllerUID == deployment.uid && (set[path: ["spec", "replicas"]]?.int ?? 1) > 0
        && Revisions.template(of: set) == Revisions.template(of: deployment)
    }
  }

  static func releasePatch(_ deployment: JSON, endsHold: Bool) -> JSON {
    var annotations: JSON = [Names.ownWrite: OwnWrite.mark(deployment: deployment)]
    // A template that changed meanwhile would roll untested, so that the patch is for what was read alone.
    var patch: JSON = [
      "metadata": ["labels": [Names.managed: .null], "resourceVersion": .string(deployment.resourceVersion)]
    ]
    if endsHold {
      annotations[Names.held] = .null
      patch["spec"] = DeploymentHold.ended(for: deployment)
    }
    patch[path: ["metadata", "annotations"]] = annotations
    return patch
  }

  // MARK: - What is done

  private func provider(_ plan: Plan) async throws -> (any TrafficProvider)? {
    guard !plan.provider.kinds.routes.isEmpty else { return nil }
    let services = try await client.list(.services, namespace: session.namespace).items
    var surroundings: [JSON] = []
    for type in plan.provider.kinds.surroundings {
      do {
        surroundings += try await client.list(type).items.map { $0.typed(type) }
      } catch let error as KubernetesError where error.isNotFound {}
    }
    var routes: [JSON] = []
    for type in plan.editedRoute == nil ? [] : plan.provider.kinds.routes {
      routes += try await client.list(type, namespace: session.namespace).items.map { $0.typed(type) }
    }
    // The person who runs this has rights of their own; the operator's allow list guards its rights.
    return try plan.trafficProvider(
      ProviderSetting(
        services: RoutedService.resolve(plan, live: services), revision: "stable",
        gatewayNamespaces: Set(plan.provider.gatewayNamespaces), surroundings: surroundings,
        routes: routes))
  }

  private func route(_ plan: Plan, _ routing: Routing, unless isSkipped: Bool) async throws {
    if plan.provider == .replicas, routing != .released, !isSkipped { return try await returnPins(plan) }
    guard !isSkipped, let provider = try await provider(plan) else { return }
    var live: [JSON] = []
    for object in provider.keys {
      if let found = try await client.find(object.type, object.key) { live.append(found.typed(object.type)) }
    }
    // What was never routed needs no route now.
    guard !live.isEmpty else { return }
    if plan.editedRoute != nil {
      switch provider.observe(live, owned: false) {
      case .routing(.released): return
      case .unusable(let problem):
        say("the route is left as it is: \(problem)")
        guard routing == .released else { return }
      default: break
      }
    }
    for write in try provider.writes(for: routing, live: live) {
      switch write {
      case .create(let object): _ = try await client.create(object.type, object.object)
      case .replace(let object): _ = try await client.replace(object.type, object.object)
      case .patch(let type, let key, let operations): _ = try await client.patch(type, key, .json(operations))
      }
    }
    if plan.editedRoute != nil, routing == .released { return say("the route says again what it said before") }
    say(routing == .released ? "all requests go to the callers' Services" : "all requests go to the stable revision")
  }

  /// Without a mesh a pin is the route: before the canary's pods go it leads back to the stable ones.
  private func returnPins(_ plan: Plan) async throws {
    for service in plan.services {
      guard let live = try await client.find(.services, session.key(service.name)), live.annotations[Names.pin] != nil,
        let stable = try await client.find(.services, session.key(service.stableName)),
        let hash = stable[path: ["spec", "selector", Names.templateHash]]?.string
      else { continue }
      let annotations: JSON = [
        Names.pin: .string(hash), Names.ownWrite: OwnWrite.mark(service: live),
      ]
      _ = try await client.patch(
        .services, live.objectKey,
        .merge(["metadata": ["annotations": annotations], "spec": ["selector": [Names.templateHash: .string(hash)]]]))
      say("Service \(service.name) selects the stable revision")
    }
  }

  private func deleteRoute(_ plan: Plan) async throws {
    guard let provider = try await provider(plan) else { return }
    for object in provider.objects(for: .released) {
      if try await client.deleteIfPresent(object.type, object.key) {
        say("deleted \(object.type.kind) \(object.key.name)")
      }
    }
  }

  /// Proxies need a moment to learn of a changed route, and requests under way to end.
  private func drain(_ plan: Plan) async throws {
    let pause = min(plan.scaleDownDelay, .seconds(60))
    say("waiting \(Int(pause / .seconds(1)))s for the proxies to follow")
    try await client.time.sleep(for: pause)
  }

  private func scaleDown(_ sets: [JSON]) async throws {
    for set in sets {
      _ = try await client.patch(.replicaSets, set.objectKey, .merge(["spec": ["replicas": 0]]))
      say("scaled \(set.name) down")
    }
    let end = client.time.uptime + .seconds(120)
    for set in sets {
      while let live = try await client.find(.replicaSets, set.objectKey),
        (live[path: ["status", "replicas"]]?.int ?? 0) > 0
      {
        guard client.time.uptime < end else {
          throw CommandFailure(
            "\(set.name) still has pods after 2m; the rest was not done, repeat it when they are gone")
        }
        try await client.time.sleep(for: .milliseconds(500))
      }
    }
  }

  private func unpin(_ plan: Plan) async throws {
    for service in plan.services {
      let key = session.key(service.name)
      guard let live = try await client.find(.services, key),
        live.annotations[Names.pin] != nil || live[path: ["spec", "selector", Names.templateHash]] != nil
      else { continue }
      let patch: JSON = [
        "metadata": ["annotations": [Names.pin: .null, Names.ownWrite: OwnWrite.mark(service: live)]],
        "spec": ["selector": [Names.templateHash: .null]],
      ]
      _ = try await client.patch(.services, key, .merge(patch))
      say("unpinned Service \(service.name)")
    }
  }

  private func deleteServices() async throws {
    let services = try await client.list(.services, namespace: session.namespace).items
    for service in services where service.labels[Names.rollout] == name {
      try await client.deleteIfPresent(.services, service.objectKey)
      say("deleted Service \(service.name)")
    }
  }

  /// Reads it anew, since minutes have passed, and decides on what it holds now.
  private func letGo(_ workload: String) async throws {
    try await session.untilNoConflict(
      over: "Deployment \(workload)", outcome: "it is managed still, and held if it was; repeat the command"
    ) {
      guard let deployment = try await client.find(.deployments, session.key(workload)) else { return }
      let sets = try await client.list(.replicaSets, namespace: session.namespace).items
      let isHeld = deployment.annotations[Names.held] != nil
      let endsHold = isHeld && Self.startsNothing(deployment, sets)
      _ = try await client.patch(
        .deployments, deployment.objectKey, .merge(Self.releasePatch(deployment, endsHold: endsHold)))
      if endsHold {
        say("released Deployment \(workload)")
      } else if isHeld {
        say(
          "Deployment \(workload) stays paused: its template holds a revision that was rejected or never tested; "
            + "change the template, or resume it with kubectl")
      }
    }
  }

  private func dropFinalizers() async throws {
    let runs = try await client.list(.rolloutRuns, namespace: session.namespace).items
      .filter { $0[path: ["spec", "rolloutRef", "name"]]?.string == name }
    for run in runs { try await dropFinalizer(.rolloutRuns, run) }
    guard let live = try await client.find(.rollouts, session.key(name)) else { return }
    // First the deletion, so that a controller that comes back does not begin anew.
    try await client.deleteIfPresent(.rollouts, live.objectKey)
    if let live = try await client.find(.rollouts, session.key(name)) { try await dropFinalizer(.rollouts, live) }
    say("deleted Rollout \(name)")
  }

  private func dropFinalizer(_ type: ResourceType, _ object: JSON) async throws {
    let rest = object.finalizers.filter { $0 != Names.finalizer }
    guard rest.count < object.finalizers.count else { return }
    let finalizers: JSON = .array(rest.map(JSON.string))
    _ = try await client.patch(
      type, object.objectKey,
      .merge(["metadata": ["finalizers": finalizers, "resourceVersion": .string(object.resourceVersion)]]))
  }
}
