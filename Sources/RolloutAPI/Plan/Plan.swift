import KubernetesAPI

/// A Rollout that was read and found to make sense: behind this door every weight, percentage, duration and name is
/// valid. It can only be made from a Rollout.
public struct Plan: Sendable, Hashable {
  /// Of the Rollout; everything else that the plan names lies in its namespace.
  public let namespace: String
  public let name: String
  /// The name of the Deployment.
  public let workload: String
  /// At least one.
  public let services: [PlanService]
  public let provider: Provider
  public let policy: TrafficPolicy
  /// The largest share of requests that may reach the canary beside the routing object.
  public let maxBypass: Percent
  /// None with an ``autopilot``.
  public let steps: [PlanStep]
  /// Makes the steps one at a time, from what was measured.
  public let autopilot: Autopilot?
  /// How long a canary that has all traffic is watched before the old pods may go.
  public let bake: Duration?
  public let analysis: PlanAnalysis
  public let hold: HoldMode
  public let settle: Duration
  public let scaleDownDelay: Duration
  public let fastUndo: FastUndo
  public let runHistoryLimit: Int
  public let deletionPolicy: DeletionPolicy
  public let notify: [PlanNotification]

  /// What carries out the traffic target.
  public enum Provider: Sendable, Hashable {
    case istio(IstioTraffic)
    case gatewayAPI(GatewayTraffic)
    case replicas
  }

  /// A rule of a person's object that is edited in place; `nil` where Sluice owns the object.
  public var editedRoute: RouteReference? {
    switch provider {
    case .istio(let istio): istio.route
    case .gatewayAPI(let gateway): gateway.route
    case .replicas: nil
    }
  }

  /// Whether requests are known to come to the workload beside the route, by another of a person's or to the Services of
  /// the callers.
  public var routesPart: Bool {
    switch provider {
    case .istio(let istio): !istio.mesh || !istio.matches.isEmpty || istio.delegate
    case .gatewayAPI(let gateway): !gateway.mesh || !gateway.matches.isEmpty
    case .replicas: false
    }
  }

  /// Which revisions go straight to all traffic when they return.
  public struct FastUndo: Sendable, Hashable {
    /// 0 for none.
    public let revisions: Int
    public let within: Duration
  }

  /// How far evidence may raise the weight.
  public struct Autopilot: Sendable, Hashable {
    /// Requests that may fail on the canary and would not have failed on stable; at least 1.
    public let riskBudget: Int
    public let maxDuration: Duration
    /// Above 0.
    public let startWeight: Weight
  }

  public var workloadKey: ObjectKey { ObjectKey(namespace: namespace, name: workload) }
  public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
}

/// A Service that callers use.
public struct PlanService: Sendable, Hashable {
  public let name: String
  public let port: IntOrString
  public let selector: SelectorMode

  /// The generated Services beside it.
  public var stableName: String { name + "-stable" }
  public var canaryName: String { name + "-canary" }
}

/// Whom to tell.
public struct PlanNotification: Sendable, Hashable {
  public let channel: String
  /// Never empty.
  public let events: Set<NotificationEvent>
}

/// One step, its traffic target complete.
public struct PlanStep: Sendable, Hashable {
  public let name: String?
  /// Where requests go from this step on.
  public let traffic: TrafficTarget
  /// Whether the step itself names a traffic target; otherwise it keeps the one before.
  public let setsTraffic: Bool
  /// Pods of the canary, of the demand; `nil` for as many as the traffic needs.
  public let scale: Percent?
  public let analyze: Analyze?
  public let pause: Pause?

  /// For how long a step is judged.
  public struct Analyze: Sendable, Hashable {
    public let duration: Duration
    /// Never longer than `duration`.
    public let atLeast: Duration?
  }

  /// What ends a step after its analysis.
  public enum Pause: Sendable, Hashable {
    /// Waits for a person.
    case indefinite
    case duration(Duration)
  }

  /// A step of the autopilot: this weight, for as long as the evidence says.
  public static func autopilot(_ weight: Weight) -> PlanStep {
    PlanStep(
      name: nil, traffic: TrafficTarget(weight: weight), setsTraffic: true, scale: nil, analyze: nil, pause: nil)
  }

  /// The name in parentheses after a space, to follow the number of a step; empty where it has none.
  public var title: String { name.map { " (\($0))" } ?? "" }
}

extension PlanStep: CustomStringConvertible {
  /// `scale 100%, weight 10%, analyze 5m, pause`.
  public var description: String {
    var parts: [String] = []
    if let scale { parts.append("scale \(scale)") }
    if setsTraffic { parts.append("\(traffic)") }
    if let analyze { parts.append("analyze \(analyze.duration.text)") }
    switch pause {
    case .indefinite: parts.append("pause")
    case .duration(let duration): parts.append("pause \(duration.text)")
    case nil: break
    }
    return parts.joined(separator: ", ")
  }
}

/// What the canary is judged by.
public struct PlanAnalysis: Sendable, Hashable {
  /// Names differ.
  public let slos: [SLO]
  /// How long a step may stay undecided.
  public let deadline: Duration
  /// How often is measured.
  public let interval: Duration
  public let onUndecided: UndecidedAction
  /// No check passes with fewer requests of the canary.
  public let minRequests: Int
  /// The probability that a run aborts a canary that is no worse than stable, all checks together.
  public let falseAbortRisk: Percent
  /// How long what a slow canary does is not held against it, each time more traffic reaches it; 0 for never.
  public let warmUp: Duration
  public let guards: GuardMode
  /// The pairs of windows in which a burning error budget holds the run; empty where it does not.
  public let burnWindows: [BurnWindows]

  /// Each check's equal part of the risk, as a probability (by the union bound the parts add up to no more than the
  /// whole). Guards that abort have one part together.
  public var riskPerCheck: Double {
    falseAbortRisk.fraction / Double(max(1, binding.count + (guards == .abort ? 1 : 0)))
  }

  /// The probability that guards ever speak of a canary that does nothing unusual. Where they only hold, a false alarm
  /// costs a person's look and no release, so that more is risked for sooner warnings: one in a hundred runs.
  public var guardRisk: Double { guards == .abort ? riskPerCheck : 0.01 }

  /// The limits of the objectives on the mesh's latency, in milliseconds.
  public var latencyLimits: [Double] {
    slos.compactMap { if case .latency(_, let max, _) = $0.objective { max / .milliseconds(1) } else { nil } }
  }

  /// The objectives that decide; the others only report.
  public var binding: [SLO] { slos.filter { $0.mode == .enforce } }
}

/// Two windows, and how many times as fast as the SLO allows the error budget must burn in both.
public struct BurnWindows: Sendable, Hashable {
  /// Longer than ``short``.
  public let long: Duration
  public let short: Duration
  /// Above 0.
  public let rate: DecimalString
}

/// One objective.
public struct SLO: Sendable, Hashable {
  public let name: String
  /// Whether it decides, or only reports.
  public let mode: CheckMode
  public let objective: Objective

  /// What is measured, and what is too much of it.
  public enum Objective: Sendable, Hashable {
    case errorRate(max: Percent, comparison: Comparison?)
    /// By the mesh's histogram.
    case latency(quantile: Quantile, max: Duration, comparison: Comparison?)
    case ownLatency(OwnLatency)
    case query(Query)
  }

  /// A quantile of what a histogram of the team's own measures, judged as the mesh's is.
  public struct OwnLatency: Sendable, Hashable {
    public let metric: HistogramMetric
    public let unit: LatencyUnit
    public let quantile: Quantile
    public let max: Duration
    public let comparison: Comparison?
  }

  /// How much worse than stable a canary may be that keeps its limit: it fails where it is shown to exceed the multiple,
  /// and exceeds the addition by what was counted.
  public struct Comparison: Sendable, Hashable {
    /// A multiple of stable's rate of bad requests, at least 1.
    public let ratio: DecimalString
    /// An addition to stable's rate; `nil` for the usual quarter of what the limit allows.
    public let margin: Percent?
    /// How much larger the canary's share of answers slower than any one boundary may be; `nil` where the answers are not
    /// compared as a whole. Of latency only.
    public let distribution: Percent?
  }

  /// PromQL of a plan's own, asked for each track.
  public struct Query: Sendable, Hashable {
    /// With `$(…)` variables.
    public let expression: PromQLQuery
    /// The canary's value.
    public let value: Bounds?
    /// Canary divided by stable, and canary less stable.
    public let ratio: Bounds?
    public let difference: Bounds?
    /// `nil` of a value, of which nothing is known.
    public let counted: Counted?

    /// Whether only the mesh's requests make it comparable.
    public var needsRequests: Bool {
      if let counted { return counted.per == nil }
      return (ratio != nil || difference != nil) && expression.growsWithTraffic
    }
  }

  /// Events, or a sum of values, that are tested per request, or per what other counters say.
  public struct Counted: Sendable, Hashable {
    public let amount: CounterSum
    /// `nil` for the requests that the mesh counts.
    public let per: CounterSum?
    /// Of a mean: the smallest value, at least 0, and the largest; `nil` of events.
    public let bounds: Range?

    /// Both ends belong to it.
    public struct Range: Sendable, Hashable {
      public let min: DecimalString
      public let max: DecimalString
    }
  }

  /// At least one of the two; `min` never above `max`.
  public struct Bounds: Sendable, Hashable {
    public let min: DecimalString?
    public let max: DecimalString?
  }
}
