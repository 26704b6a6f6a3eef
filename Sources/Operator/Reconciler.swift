import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI

/// Brings one Rollout up to date: observe → decide → carry out → write the status. The one way through: every feature is
/// a new observation, a new decision or a new effect.
struct Reconciler: Sendable {
  let view: ClusterView
  let client: KubernetesClient
  let board: JudgeBoard
  let guards: GuardBoard
  let aborts: AbortRecord
  let announcer: any Announcing
  var tracing = RunTracing()
  let hold: HoldProbe
  let quiet: QuietTimes
  let repeats = Repeats()
  let statuses = StatusWriter()
  let settings: OperatorSettings
  let logger: Logger

  /// Decisions on a state that changed under way are made anew at once, this often.
  private static let maxAttempts = 4

  func reconcile(_ item: WorkItem<ObjectKey>) async throws -> WorkOutcome {
    var logger = logger
    logger[metadataKey: "rollout"] = "\(item.key.name)"
    logger[metadataKey: "namespace"] = "\(item.key.namespace)"
    aborts.begins(item.key)
    let outcome = try await turns(item.key, logger: logger)
    aborts.ends(item.key)
    return outcome
  }

  private func turns(_ key: ObjectKey, logger: Logger) async throws -> WorkOutcome {
    for _ in 1..<Self.maxAttempts {
      do {
        return try await turn(key, logger: logger)
      } catch let error as KubernetesError where error.isConflict || error.isNotFound {
        logger.debug("deciding anew: the object changed", metadata: ["problem": "\(error)"])
      }
    }
    return try await turn(key, logger: logger)
  }

  private func turn(_ key: ObjectKey, logger: Logger) async throws -> WorkOutcome {
    guard let json = view.object(.rollouts, key) else {
      board.forget(key)
      guards.forget(key)
      quiet.forget(key)
      repeats.forget(key)
      statuses.forget(key, .rollouts)
      try await releaseRuns(of: key)
      return .done
    }
    let rollout: Rollout
    do {
      rollout = try statuses.current(json, .rollouts).decode()
    } catch {
      logger.error("the Rollout cannot be read", metadata: ["problem": "\(error)"])
      return .done
    }
    guard json.finalizers.contains(Names.finalizer) || json.isBeingDeleted else {
      let finalizers = json.finalizers + [Names.finalizer]
      try await writer.patch(
        .rollouts, key,
        .merge([
          "metadata": [
            "finalizers": .array(finalizers.map(JSON.string)), "resourceVersion": .string(json.resourceVersion),
          ]
        ]))
      return .again(after: .zero)
    }
    var turn = try Turn(rollout: rollout, json: json, run: run(of: key), reconciler: self, logger: logger)
    return try await turn.take()
  }

  var writer: ViewWriter { ViewWriter(client: client, view: view, urgent: true) }

  /// The run under way, or else the newest; a run that cannot be read is passed over.
  private func run(of key: ObjectKey) -> RolloutRun? {
    let runs = runs(of: key)
    for json in runs.filter({ !Self.isFinished($0) }) + runs {
      if let run: RolloutRun = try? statuses.current(json, .rolloutRuns).decode() { return run }
    }
    return nil
  }

  /// The newest first. Not decoded: there are many that are over.
  private func runs(of key: ObjectKey) -> [JSON] {
    let runs = view.objects(.rolloutRuns, namespace: key.namespace)
      .filter { $0[path: ["spec", "rolloutRef", "name"]]?.string == key.name }
    // Times are written in one format, of which the order of texts is the order of times.
    func age(_ run: JSON) -> (String, Int) {
      (run[path: ["metadata", "creationTimestamp"]]?.string ?? "", Int(run.resourceVersion) ?? 0)
    }
    return runs.sorted { age($0) > age($1) }
  }

  private static func isFinished(_ run: JSON) -> Bool {
    run[path: ["status", "phase"]]?.string.flatMap(RunPhase.init)?.isFinished ?? false
  }

  /// Lets finished runs go that somebody deleted, and deletes those beyond the limit. The newest stays: people command it.
  func tidyRuns(of key: ObjectKey, keeping limit: Int) async throws {
    for (index, run) in runs(of: key).filter(Self.isFinished).enumerated().dropFirst()
    where index >= limit || run.isBeingDeleted {
      try await dropFinalizer(.rolloutRuns, run)
      if !run.isBeingDeleted { try await writer.delete(.rolloutRuns, run.objectKey) }
    }
  }

  /// Runs whose Rollout is gone have nothing left to clean up.
  private func releaseRuns(of key: ObjectKey) async throws {
    for run in view.objects(.rolloutRuns, namespace: key.namespace)
    where run[path: ["spec", "rolloutRef", "name"]]?.string == key.name {
      try await dropFinalizer(.rolloutRuns, run)
    }
  }

  func dropFinalizer(_ type: ResourceType, _ object: JSON) async throws {
    guard object.finalizers.contains(Names.finalizer) else { return }
    let rest = object.finalizers.filter { $0 != Names.finalizer }
    try await writer.patch(
      type, object.objectKey,
      .merge([
        "metadata": ["finalizers": .array(rest.map(JSON.string)), "resourceVersion": .string(object.resourceVersion)]
      ]))
  }
}
