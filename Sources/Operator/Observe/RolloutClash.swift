import KubernetesAPI
import RolloutAPI
import TrafficRouting

/// Two Rollouts that want the same Deployment, Service or rule of a route: the older one has it, and the other one is
/// told.
enum RolloutClash {
  static func problems(of plan: Plan, own: JSON, among rollouts: [JSON]) -> [PlanProblem] {
    let services = Set(plan.services.map(\.name))
    return rollouts.filter { $0.uid != own.uid && isOlder($0, than: own) }.flatMap { other -> [PlanProblem] in
      let wanted = "one that no other Rollout names; change this one, or delete Rollout \(other.objectKey)"
      var problems: [PlanProblem] = []
      if other[path: ["spec", "workloadRef", "name"]]?.string == plan.workload {
        problems.append(
          PlanProblem(
            field: "spec.workloadRef.name", found: "\(plan.workload), which Rollout \(other.objectKey) has already",
            wanted: wanted))
      }
      let taken = (other[path: ["spec", "serviceRefs"]]?.array ?? []).compactMap { $0["name"]?.string }
      for name in taken.uniqued where services.contains(name) {
        problems.append(
          PlanProblem(
            field: "spec.serviceRefs[name=\(name)]", found: "\(name), which Rollout \(other.objectKey) has already",
            wanted: wanted))
      }
      if let problem = routeProblem(of: plan, other, wanted: wanted) { problems.append(problem) }
      return problems
    }
  }

  /// Two that edit the same rule in place would undo each other's weights, and give back each other's.
  private static func routeProblem(of plan: Plan, _ other: JSON, wanted: String) -> PlanProblem? {
    let member = plan.provider.member
    let theirs = other[path: ["spec", "traffic", member]]
    let kind = plan.provider.kinds.routes.first?.kind ?? member
    if let route = plan.editedRoute, let name = theirs?[path: ["route", "name"]]?.string, name == route.name {
      let rule = theirs?[path: ["route", "rule"]]?.string
      // Where an HTTPRoute's rule is found by its Service, another Service's Rollout means another one.
      if case .gatewayAPI = plan.provider, rule == nil || route.rule == nil { return nil }
      guard rule == nil || route.rule == nil || rule == route.rule else { return nil }
      return PlanProblem(
        field: "spec.traffic.\(member).route",
        found: "\((rule ?? route.rule).map { "rule \($0)" } ?? "the rule") of \(kind) \(name), which Rollout "
          + "\(other.objectKey) has already", wanted: wanted)
    }
    return nil
  }

  private static func isOlder(_ left: JSON, than right: JSON) -> Bool {
    let dates = [left, right].map { $0[path: ["metadata", "creationTimestamp"]]?.string ?? "" }
    return (dates[0], left.name) < (dates[1], right.name)
  }
}
