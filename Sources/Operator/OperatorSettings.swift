import KubernetesAPI
import RolloutAPI

/// What the operator is told when it starts.
public struct OperatorSettings: Sendable {
  /// Where Prometheus answers: `http://prometheus.monitoring:9090`.
  public var prometheusURL: String
  /// Only Rollouts of this namespace; all where `nil`.
  public var namespace: String?
  /// Where the lease lies.
  public var lease: ObjectKey
  /// Of this process alone.
  public var identity: String
  /// Namespaces, other than a Rollout's own, whose gateways its plan may name.
  public var gatewayNamespaces: Set<String>
  /// Rollouts that are reconciled at the same time.
  public var workers: Int

  public init(
    prometheusURL: String, namespace: String? = nil, lease: ObjectKey, identity: String,
    gatewayNamespaces: Set<String> = [], workers: Int = 8
  ) {
    self.prometheusURL = prometheusURL
    self.namespace = namespace
    self.lease = lease
    self.identity = identity
    self.gatewayNamespaces = gatewayNamespaces
    self.workers = workers
  }
}

/// What a plan may say and this version does not carry out. Named here, so that nothing is silently left undone.
enum Unserved {
  static func problems(_ plan: Plan) -> [PlanProblem] {
    var problems: [PlanProblem] = []
    switch plan.provider {
    case .istio: break
    case .gatewayAPI:
      problems.append(
        PlanProblem(field: "spec.traffic", found: "gatewayAPI", wanted: "istio, the provider that this version serves"))
    case .replicas:
      problems.append(
        PlanProblem(field: "spec.traffic", found: "replicas", wanted: "istio, the provider that this version serves"))
    }
    for service in plan.services where service.selector == .managed {
      problems.append(
        PlanProblem(
          field: "spec.serviceRefs[name=\(service.name)].selector", found: "Managed",
          wanted: "Declared, which is what this version serves"))
    }
    for slo in plan.analysis.slos {
      guard case .query = slo.objective else { continue }
      problems.append(
        PlanProblem(
          field: "spec.analysis.slos[name=\(slo.name)].query", found: "a query of your own",
          wanted: "errorRate or latency, which this version judges"))
    }
    return problems
  }
}
