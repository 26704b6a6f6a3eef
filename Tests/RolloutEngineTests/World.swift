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
  /// Requests per second, and the rate by which the canary really fails more often than stable.
  var rate = 200.0
  var excess = 0.0
  /// No check has seen enough to pass.
  var isOpen = false
  /// Prometheus answers nothing any more, and the judge still says what it saw before.
  var isBlind = false
  /// What stands beside the objectives.
  var burnRates: [BurnReport] = []
  var guards: [GuardReport] = []
  var differences = Measurements.Differences.notAsked
  private var ledger = HarmLedger()
  private var harm: Harm?
  var broken: [String] = []
  var autoscaler: AutoscalerView?
  /// Pods that a quota admits besides those that there are; nil without a quota.
  var quota: Int?
  /// Pods that a budget lets be unavailable; nil without a budget.
  var budget: Int?

  init(plan: Plan = .example()) {
    self.plan = plan
    cluster.isInPlace = plan.editedRoute != nil
  }

  var run: RunState? { runs.last }
  var stage: Stage? { run?.stage }

  /// One reconcile. With `crashAfter` the process dies after so many effects and stores nothing.
  mutating func turn(crashAfter limit: Int? = nil, seen stale: Observation? = nil) {
    now += 5
    serve(for: 5)
    let seen = stale ?? observe()
    let decision = RolloutEngine(plan: plan).decide(rollout: rollout, run: run, runPlan: plan, seen: seen, now: now)
    effects = decision.effects
    for (index, effect) in decision.effects.enumerated() {
      if let limit, index >= limit { return }
      let place = decision.run.flatMap { RoutedBy($0, steps: plan.stepLimit) }
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
    ledger = HarmLedger()
    runs.append(
      RunState(
        name: "\(name)-\(runs.count)", revision: revision, stable: stable, demand: replicas,
        isFastUndo: rollout.former.contains { $0.revision.hash == revision }, since: now))
  }

  func observe() -> Observation {
    cluster.observation { seen in
      seen.quietSince = .distantPast
      // Between runs a person's route is right when nothing of it is Sluice's.
      if cluster.isInPlace, cluster.target == nil, run?.stage.isFinished ?? true {
        seen.routing = .present(target: .stableOnly, intact: true)
      }
      seen.rolloutIsBeingDeleted = deletingRollout
      seen.runIsBeingDeleted = deletingRun
      seen.command = command
      seen.hold = HoldView(mode: mode, ready: true)
      seen.measured = measured
      seen.autoscaler = autoscaler
      if let quota {
        seen.rooms = [
          QuotaRoom(
            quota: "compute", pods: quota, detail: "requests.cpu: \(quota / 2) of 2 left, a pod counts for 500m")
        ]
      }
      if !isDrainable { seen.exhaustedBudgets = ["web"] }
    }
  }

  private var share: Double { Double(cluster.target?.weight.value ?? 0) / 100 }

  private mutating func serve(for seconds: Double) {
    func counts(_ share: Double, _ errors: Double) -> Counts {
      Counts(requests: rate * seconds * share, bad: rate * seconds * share * errors) ?? .zero
    }
    ledger.record(canary: counts(share, 0.001 + excess), stable: counts(1 - share, 0.001))
    guard !isBlind else { return }
    let known = ledger.excess(risk: 0.01)
    harm = Harm(
      harmed: ledger.harmed, excess: ledger.canary.requests > 0 ? max(0, known.upper) : 1, rate: rate,
      isWorse: ledger.excess(risk: 0.0001).lower > 0, isSuspect: ledger.excess(risk: 0.05).lower > 0, at: now)
  }

  /// What the canary has cost in truth.
  var harmed: Double { ledger.harmed }

  /// Whether the disruption controller would let a pod go: `maxUnavailable` of all that the sets should have.
  var isDrainable: Bool {
    guard let budget else { return true }
    let expected = cluster.sets.values.map(\.replicas).reduce(0, +)
    return cluster.sets.values.map(\.available).reduce(0, +) > expected - budget
  }

  private var measured: Measurements? {
    guard answers, let run else { return nil }
    let fails = failing.contains(run.revision) && run.trafficWrittenAt != nil
    let weight = Double(cluster.target?.weight.value ?? 0)
    let verdict: Verdict = fails ? .fail : isBlind ? .unknown : isOpen ? .insufficient : .pass
    var measured = Measurements(
      checks: plan.analysis.slos.map {
        CheckReport(name: $0.name, verdict: verdict, message: fails ? "worse than stable" : "kept")
      },
      share: ObservedShare(canaryRequests: weight * 10, totalRequests: 1000, since: run.trafficWrittenAt ?? now),
      bypass: BypassShare(requests: bypassed * 10_000, total: 10_000, noise: 50),
      volume: RequestVolume(requests: rate * 60, seconds: 60),
      requests: run.verifiedAt.map { now.timeIntervalSince($0) * rate * share } ?? 0, harm: harm)
    measured.burnRates = burnRates
    measured.guards = guards
    measured.differences = differences
    return measured
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
    ], istio: IstioSpec = IstioSpec(), autopilot: AutopilotSpec? = nil, bake: String? = nil,
    onUndecided: UndecidedAction? = nil, guards: GuardMode? = nil
  ) -> Plan {
    let spec = RolloutSpec(
      workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
      traffic: TrafficSpec(istio: istio), steps: autopilot == nil ? steps : nil, autopilot: autopilot,
      bake: bake.map { BakeSpec(for: $0) },
      analysis: AnalysisSpec(
        slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))], deadline: "10m",
        onUndecided: onUndecided, guards: guards), scaleDownDelay: "10s")
    do {
      return try Plan(Rollout(metadata: ObjectMeta(name: "web", namespace: "shop"), spec: spec))
    } catch {
      preconditionFailure("the example plan is wrong: \(error)")
    }
  }
}
