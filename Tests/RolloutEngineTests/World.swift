import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import Testing

@testable import RolloutEngine

/// A model cluster with the engine at work in it, one turn at a time, on a clock of its own. Every change, also each
/// single effect, is checked against the invariants.
struct World {
  var cluster = ModelCluster()
  var rollout = RolloutState()
  var runs: [RunState] = []
  var now = Date(timeIntervalSince1970: 1_000_000)
  let plan: Plan
  var effects: [Effect] = []
  /// Revisions that a check fails, and whether Prometheus answers.
  var failing: Set<String> = []
  var answers = true
  var command: PersonsCommand?
  var deletingRollout = false
  var deletingRun = false
  var escaped = false
  var podsWereLost = false
  var mode = HoldView.Mode.admission
  /// The share of requests that reach the canary beside the route.
  var bypassed = 0.0
  var broken: [String] = []

  init(plan: Plan = .example()) {
    self.plan = plan
  }

  var run: RunState? { runs.last }
  var stage: Stage? { run?.stage }

  /// One reconcile. With `crashAfter` the process dies after so many effects and stores nothing.
  mutating func turn(crashAfter limit: Int? = nil, seen stale: Observation? = nil) {
    now += 5
    let seen = stale ?? observe()
    let decision = RolloutEngine(plan: plan).decide(rollout: rollout, run: run, runPlan: plan, seen: seen, now: now)
    effects = decision.effects
    for (index, effect) in decision.effects.enumerated() {
      if let limit, index >= limit { return }
      let place = decision.run.flatMap { RoutedBy($0, steps: plan.steps.count) }
      change {
        $0.place = place
        $0.carryOut(effect)
      }
      if case .createRun(let name, let revision) = effect { create(name, revision) }
    }
    if let limit, decision.effects.count >= limit { return }
    let before = facts
    rollout = decision.rollout
    if let updated = decision.run, let index = runs.firstIndex(where: { $0.name == updated.name }) {
      runs[index] = updated
    }
    check(from: before, "after storing the state")
  }

  private mutating func create(_ name: String, _ revision: String) {
    guard run?.stage.isFinished ?? true, let stable = rollout.stable, let replicas = cluster.deployment?.replicas else {
      return
    }
    runs.append(
      RunState(
        name: "\(name)-\(runs.count)", revision: revision, stable: stable, demand: replicas,
        isFastUndo: rollout.former.contains { $0.revision.hash == revision }, since: now))
  }

  func observe() -> Observation {
    cluster.observation { seen in
      seen.quietSince = .distantPast
      seen.rolloutIsBeingDeleted = deletingRollout
      seen.runIsBeingDeleted = deletingRun
      seen.command = command
      seen.hold = HoldView(mode: mode, ready: true)
      seen.measured = measured
    }
  }

  private var measured: Measurements? {
    guard answers, let run else { return nil }
    let fails = failing.contains(run.revision) && run.trafficWrittenAt != nil
    let weight = Double(cluster.target?.weight.value ?? 0)
    return Measurements(
      checks: plan.analysis.slos.map {
        CheckReport(name: $0.name, verdict: fails ? .fail : .pass, message: fails ? "worse than stable" : "kept")
      },
      share: ObservedShare(canaryRequests: weight * 10, totalRequests: 1000, since: run.trafficWrittenAt ?? now),
      bypass: BypassShare(requests: bypassed * 10_000, total: 10_000, noise: 50))
  }

  /// A change of the cluster by anyone, checked.
  mutating func change(_ body: (inout ModelCluster) -> Void) {
    let before = facts
    body(&cluster)
    check(from: before, "during the turn at \(now.timeIntervalSince1970)")
  }

  mutating func settle(turns: Int = 60, until condition: (World) -> Bool = { _ in false }) {
    for _ in 0..<turns {
      change { $0.controllers() }
      turn()
      if condition(self) { return }
    }
  }

  private var facts: ClusterFacts {
    cluster.facts(rollout: rollout, run: run, escaped: escaped, podsWereLost: podsWereLost)
  }

  private mutating func check(from before: ClusterFacts, _ place: String) {
    for invariant in Invariant.broken(from: before, to: facts) {
      broken.append("\(invariant) \(place), stage \(String(describing: stage)), effects \(effects.map(\.description))")
    }
  }
}

extension Plan {
  static func example(
    steps: [StepSpec] = [
      StepSpec(weight: 10, analyze: AnalyzeSpec(for: "20s")), StepSpec(weight: 50, analyze: AnalyzeSpec(for: "20s")),
    ], onUndecided: UndecidedAction? = nil
  ) -> Plan {
    let spec = RolloutSpec(
      workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
      traffic: TrafficSpec(istio: IstioSpec()), steps: steps,
      analysis: AnalysisSpec(
        slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))], deadline: "10m",
        onUndecided: onUndecided), scaleDownDelay: "10s")
    do {
      return try Plan(Rollout(metadata: ObjectMeta(name: "web", namespace: "shop"), spec: spec))
    } catch {
      preconditionFailure("the example plan is wrong: \(error)")
    }
  }
}
