import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// One turn of one Rollout.
struct Turn {
  let rollout: Rollout
  let json: JSON
  let run: RolloutRun?
  let reconciler: Reconciler
  var logger: Logger
  private let time: TimeSource
  private let runState: RunState?

  init(rollout: Rollout, json: JSON, run: RolloutRun?, reconciler: Reconciler, logger: Logger) throws {
    self.rollout = rollout
    self.json = json
    self.run = run
    self.reconciler = reconciler
    self.logger = logger
    time = reconciler.client.time
    runState = run.flatMap(RunRecord.state)
    if let runState {
      self.logger[metadataKey: "run"] = "\(runState.name)"
      self.logger[metadataKey: "revision"] = "\(runState.revision)"
      if let step = runState.stage.stepIndex { self.logger[metadataKey: "step"] = "\(step + 1)" }
    }
  }

  private var view: ClusterView { reconciler.view }
  private var key: ObjectKey { json.objectKey }

  mutating func take() async throws -> WorkOutcome {
    let isUnderWay = runState.map { !$0.stage.isFinished } ?? false
    let present = Result { () throws(PlanErrors) in try Plan(rollout, templates: templates) }
    let runPlan = isUnderWay ? run.flatMap(snapshotPlan) : nil
    let plan: Plan
    switch (present, runPlan) {
    case (.success(let valid), _): plan = valid
    // A run in flight keeps its own plan, whatever the Rollout says meanwhile.
    case (.failure, let inForce?): plan = inForce
    case (.failure(let errors), nil): return try await refuse(errors.problems)
    }
    let inForce = runPlan ?? plan
    let problems =
      rollout.metadata.isBeingDeleted
      ? []
      : RolloutClash.problems(of: inForce, own: json, among: view.objects(.rollouts, namespace: key.namespace))
    guard problems.isEmpty || isUnderWay else { return try await refuse(problems) }

    guard knowsRoutes(inForce, isUnderWay: isUnderWay) else { return .again(after: .milliseconds(300)) }
    let provider: (any TrafficProvider)?
    do {
      provider = inForce.division == nil ? try self.provider(inForce) : nil
    } catch {
      if !isUnderWay, !rollout.metadata.isBeingDeleted, !isMissingService(inForce) {
        return try await refuse(
          error.problems.map { PlanProblem(field: "spec", found: $0, wanted: "a route that can be made") },
          again: unknownRoute(inForce) != nil)
      }
      provider = nil
    }
    return try await go(plan: plan, inForce: inForce, provider: provider)
  }

  private mutating func go(plan: Plan, inForce: Plan, provider: (any TrafficProvider)?) async throws -> WorkOutcome {
    let hold = reconciler.hold.view(
      for: inForce, deployment: view.object(.deployments, inForce.workloadKey), recorded: rollout.status?.hold,
      isUnderWay: runState.map { !$0.stage.isFinished } ?? false)
    let observer = Observer(
      snapshot: view, rollout: json, plan: inForce, provider: provider, hold: hold,
      measured: runState.flatMap { run in
        reconciler.guards.complete(reconciler.board.latest(key, run: run.name), key, run: run.name)
      })
    let quietSince = reconciler.quiet.since(key, specs: specs(inForce), now: time.now)
    let seen = observer.observe(run: run, quietSince: quietSince)
    let before = RolloutRecord.state(of: rollout)
    let decision = RolloutEngine(plan: plan)
      .decide(rollout: before, run: runState, runPlan: inForce, seen: seen, now: time.now)

    let target: TrafficTarget?
    do {
      try await EffectCarrier(
        cluster: reconciler.writer, snapshot: view, rollout: json, plan: inForce, provider: provider, run: run,
        state: decision.rollout, place: decision.run.flatMap { RoutedBy($0, steps: inForce.stepLimit) },
        templates: templates, announcer: reconciler.announcer, aborts: reconciler.aborts,
        tracing: reconciler.tracing, logger: logger
      ).carryOut(decision.effects)
      target = provider.flatMap(routedTarget) ?? podTarget(inForce, decision.run)
    } catch {
      await tell(error, seen, inForce)
      throw error
    }
    follow(decision.run, inForce, provider, target, seen)
    let waiting = try await writeStatuses(decision, seen, inForce, target)
    // Effects that wrote something are to be seen, confirmed and followed by the next ones.
    let didWork = decision.effects.contains { if case .announce = $0 { false } else { true } }
    try await reconciler.tidyRuns(of: key, keeping: plan.runHistoryLimit)
    let delay = reconciler.repeats.delay(key, after: decision.effects)
    if didWork { return .again(after: delay) }
    if decision.run?.stage != runState?.stage { return .again(after: .zero) }
    let next = [decision.lookAgain, waiting].compactMap { $0 }.min()
    return next.map { .again(after: max($0, .milliseconds(50))) } ?? .done
  }

  // MARK: - What goes in

  private var templates: AnalysisTemplates {
    func specs(_ objects: [JSON]) -> [String: AnalysisTemplateSpec] {
      Dictionary(
        objects.compactMap { object in
          guard let spec: AnalysisTemplateSpec = try? object["spec"]?.decode() else { return nil }
          return (object.name, spec)
        }, uniquingKeysWith: { first, _ in first })
    }
    return AnalysisTemplates(
      namespaced: specs(view.objects(.analysisTemplates, namespace: key.namespace)),
      cluster: specs(view.all(.clusterAnalysisTemplates)))
  }

  private func snapshotPlan(_ run: RolloutRun) -> Plan? {
    try? Plan(Rollout(metadata: rollout.metadata, spec: run.spec.plan), templates: templates)
  }

  /// Before the first list, a route that is there would be taken for one that is missing. Kinds that the cluster does not
  /// serve are known; and what may not be read beside the routes is done without.
  private func knowsRoutes(_ plan: Plan, isUnderWay: Bool) -> Bool {
    let kinds = plan.provider.kinds
    let former = RoutingKinds.routes(of: rollout.status?.provider)
    return (kinds.all + former).uniqued.allSatisfy { type in
      let mayDoWithout = !(isUnderWay && kinds.routes.contains(type)) && view.problem(of: type) != nil
      return view.isSynced(type) || view.isAbsent(type) || mayDoWithout
    }
  }

  /// A kind of object that carries the plan's routing and that is not known.
  private func unknownRoute(_ plan: Plan) -> ResourceType? {
    plan.provider.kinds.routes.first { !view.isSynced($0) }
  }

  private func provider(_ plan: Plan) throws(RoutingRefusal) -> any TrafficProvider {
    if let kind = unknownRoute(plan) {
      let reason = "which this cluster does not serve: install its definition, or name another provider"
      let problem = view.isAbsent(kind) ? nil : view.problem(of: kind)
      throw RoutingRefusal([
        "traffic.\(plan.provider.member) needs \(kind.kind) (\(kind.apiVersion)), "
          + (problem.map { "which cannot be read: \($0)" } ?? reason)
      ])
    }
    var live = view.objects(.services, namespace: key.namespace)
    for name in plan.services.map(\.name).uniqued where !live.contains(where: { $0.name == name }) {
      let gone = ObjectKey(namespace: key.namespace, name: name)
      live += [GeneratedService.standIn(for: gone, in: view, rollout: key.name)].compactMap { $0 }
    }
    let services = try RoutedService.resolve(plan, live: live)
    return try plan.trafficProvider(
      ProviderSetting(
        services: services, revision: runState?.revision ?? "stable",
        gatewayNamespaces: reconciler.settings.gatewayNamespaces,
        surroundings: plan.provider.kinds.surroundings.flatMap { type in view.all(type).map { $0.typed(type) } },
        routes: view.objects(plan.provider.kinds.routes, namespace: key.namespace),
        workload: view.object(.deployments, plan.workloadKey)))
  }

  private func isMissingService(_ plan: Plan) -> Bool {
    plan.services.contains { view.object(.services, ObjectKey(namespace: key.namespace, name: $0.name)) == nil }
  }

  /// Without a mesh.
  private func podTarget(_ plan: Plan, _ run: RunState?) -> TrafficTarget? {
    guard plan.division != nil else { return nil }
    let services = ServiceObserver(snapshot: view, rollout: key)
    let canary = run?.set.flatMap { view.object(.replicaSets, ObjectKey(namespace: key.namespace, name: $0)) }
    return PodRouting.routing(
      of: plan, plan.services.map(services.view(of:)),
      canary: canary?[path: ["spec", "selector", "matchLabels", Names.templateHash]]?.string
    ).target
  }

  private func routedTarget(_ provider: any TrafficProvider) -> TrafficTarget? {
    let live = view.objects(provider.kinds.routes, namespace: key.namespace)
    return switch provider.observe(live, owned: run?.isUnderWay ?? false) {
    case .routing(.split(let target)), .changed(.split(let target), _, _): target
    case .routing(.released) where provider.plan.editedRoute != nil: .stableOnly
    default: nil
    }
  }

  /// What must be quiet before a run starts: a commit changes several of these.
  private func specs(_ plan: Plan) -> [JSON] {
    let deployment = view.object(.deployments, plan.workloadKey)
    let services = plan.services.map { view.object(.services, ObjectKey(namespace: key.namespace, name: $0.name)) }
    return [json["spec"] ?? .null, deployment.map { PodTemplate(of: $0).json } ?? .null]
      + services.map { $0?[path: ["spec", "ports"]] ?? .null }
  }

  // MARK: - What comes out

  private func follow(
    _ run: RunState?, _ plan: Plan, _ provider: (any TrafficProvider)?, _ target: TrafficTarget?, _ seen: Observation
  ) {
    guard let run, !run.stage.isFinished else {
      reconciler.guards.forget(key)
      return reconciler.board.forget(key)
    }
    let scope = MetricsScope(
      namespace: key.namespace, services: plan.services, routes: [plan.countedRoute], stableReplicaSet: run.stable.set,
      canaryReplicaSet: run.set ?? "\(plan.workload)-\(run.revision)")
    let judged = JudgedRun(
      name: run.name, plan: plan, scope: scope,
      metrics: provider?.metrics ?? reconciler.board.metrics(key),
      queries: QuerySetting(
        plan: plan, scope: scope,
        hashes: [.stable: run.stable.hash, .canary: seen.set(named: run.set)?.hash ?? run.revision],
        step: run.stage.stepIndex, namespaceLabel: reconciler.settings.queryNamespaceLabel),
      traffic: target ?? .stableOnly, writtenAt: run.trafficWrittenAt, verifiedAt: run.verifiedAt,
      past: Timeline.verified(self.run?.status?.timeline ?? [], run: run, plan: plan, now: time.now),
      pastFindings: CheckRecord.guardFindings(self.run?.status),
      stableIsDown: (seen.set(named: run.stable.set)?.available ?? 0) == 0,
      pods: PodFacts.of(stable: run.stable.set, canary: run.set, in: key.namespace, view))
    reconciler.board.follow(key, judged, uptime: time.uptime)
    let isAborting = if case .aborting = run.stage { true } else { false }
    reconciler.guards.follow(key, judged, isAborting: isAborting, now: time.now, uptime: time.uptime)
  }

  /// - Returns: the time after which statuses that wait are due.
  private func writeStatuses(
    _ decision: Decision, _ seen: Observation, _ plan: Plan, _ target: TrafficTarget?
  ) async throws -> Duration? {
    var waits: [Duration?] = []
    // What a run found ends with its last step; afterwards only its abort or promotion goes on.
    let isOver = if case .aborting = runState?.stage { true } else { runState?.stage.isFinished ?? false }
    let found = isOver ? nil : seen.measured
    let checks =
      (found?.checks ?? []).map { CheckRecord($0, now: time.now) }
      + (found.map { CheckRecord.surroundings($0, now: time.now) } ?? [])
    if let run, let state = decision.run, state != runState || !state.stage.isFinished,
      let live = view.object(.rolloutRuns, run.metadata.key)
    {
      let status = RunRecord.status(
        state, of: run, before: runState, plan: plan, canaryHash: seen.set(named: state.set)?.hash, traffic: target,
        checks: checks, situation: decision.rollout.situation, now: time.now)
      waits.append(try await write(status, over: live, .rolloutRuns))
      reconciler.tracing.ended(run, by: status)
    }
    guard let live = view.object(.rollouts, key) else { return nil }
    let status = RolloutRecord.status(
      decision.rollout, of: rollout,
      RolloutRecord.Surroundings(
        run: run, runState: decision.run, plan: plan, seen: seen, target: target, images: images(decision)),
      now: time.now)
    waits.append(try await write(status, over: live, .rollouts))
    return waits.compactMap { $0 }.min()
  }

  /// What keeps effects from being carried out is shown where people look, and not in a log alone.
  private func tell(_ error: any Error, _ seen: Observation, _ plan: Plan) async {
    var state = RolloutRecord.state(of: rollout)
    switch error {
    case let error as EffectError: state.situation = .stalled(.blocked, "\(error)")
    case let error as KubernetesError where error.status != nil && !error.isConflict && !error.isNotFound:
      state.situation = .waiting(.blocked, "\(error)")
    default: return
    }
    guard let live = view.object(.rollouts, key) else { return }
    let status = RolloutRecord.status(
      state, of: rollout, RolloutRecord.Surroundings(run: run, runState: runState, plan: plan, seen: seen),
      now: time.now)
    do {
      try await write(status, over: live, .rollouts)
    } catch {
      logger.debug("the status cannot be written either", metadata: ["problem": "\(error)"])
    }
  }

  private func images(_ decision: Decision) -> [String: [String]] {
    let names = [decision.rollout.stable?.set, decision.run?.set].compactMap { $0 }
    return Dictionary(
      names.map { name in
        let set = view.object(.replicaSets, ObjectKey(namespace: key.namespace, name: name))
        let containers = set?[path: ["spec", "template", "spec", "containers"]]?.array ?? []
        return (name, containers.compactMap { $0["image"]?.string })
      }, uniquingKeysWith: { first, _ in first })
  }

  @discardableResult
  private func write(_ status: some Encodable, over live: JSON, _ type: ResourceType) async throws -> Duration? {
    try await reconciler.statuses.write(status, over: live, type, by: reconciler.writer, uptime: time.uptime)
  }

  /// Without the mark the policies leave the Deployment to its owner; one that is held stays paused.
  private func unmanage() async throws {
    let key = ObjectKey(namespace: key.namespace, name: rollout.spec.workloadRef.name)
    guard let deployment = view.object(.deployments, key), deployment.labels[Names.managed] == rollout.metadata.name
    else { return }
    try await WorkloadWriter(cluster: reconciler.writer, rollout: json.objectKey, deployment: deployment).manage(false)
  }

  /// A plan that cannot be carried out is said to be so, and nothing is touched.
  /// - Parameter again: the reason lies in the cluster, and nothing tells of its end.
  private func refuse(_ problems: [PlanProblem], again: Bool = false) async throws -> WorkOutcome {
    if rollout.metadata.isBeingDeleted {
      // Without a plan it is not known what to take down: all that carries traffic stays.
      logger.warning("a Rollout without a valid plan is deleted; its Services and routes stay")
      try await unmanage()
      try await reconciler.dropFinalizer(.rollouts, json)
      return .done
    }
    var state = RolloutRecord.state(of: rollout)
    state.situation = .stalled(.invalidPlan, problems.map(\.description).joined(separator: "; "))
    let status = RolloutRecord.status(state, of: rollout, RolloutRecord.Surroundings(), now: time.now)
    try await write(status, over: json, .rollouts)
    return again ? .again(after: .seconds(10)) : .done
  }
}
