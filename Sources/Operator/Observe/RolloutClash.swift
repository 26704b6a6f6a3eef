import KubernetesAPI
import RolloutAPI

/// Two Rollouts that want the same Deployment or Service: the older one has it, and the other one is told.
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
      return problems
    }
  }

  private static func isOlder(_ left: JSON, than right: JSON) -> Bool {
    let dates = [left, right].map { $0[path: ["metadata", "creationTimestamp"]]?.string ?? "" }
    return (dates[0], left.name) < (dates[1], right.name)
  }
}
