import Foundation
import KubernetesAPI

/// Evictions, which PodDisruptionBudgets may refuse (pkg/registry/core/pod/storage/eviction.go of Kubernetes 1.36).
extension APIServer {
  func evict(_ call: Call) throws(Status) -> ServerResponse {
    let eviction = try RequestBody(call.request, expecting: "Eviction").value
    guard eviction.name.isEmpty || eviction.name == call.target.name else {
      throw Refusal.badRequest("name in URL does not match name in Eviction object")
    }
    var options = DeleteOptions()
    options.gracePeriodSeconds = eviction[path: ["deleteOptions", "gracePeriodSeconds"]]?.int
    let asked = eviction[path: ["deleteOptions", "dryRun"]]?.array ?? []
    options.isDryRun = call.request.parameter("dryRun") == "All" || asked.contains("All")
    let final = options
    _ = try transaction(dryRun: final.isDryRun) { state throws(Status) in
      guard let pod = state.object(call.kind.stored, call.key) else {
        throw Refusal.notFound(call.type, call.target.name)
      }
      try Budgets.take(pod, now: call.now, in: &state)
      return try self.delete(call, final, in: &state)
    }
    return .json(201, ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201])
  }
}

/// What PodDisruptionBudgets leave.
enum Budgets {
  /// Takes one disruption from the budget of a pod, if it has one.
  /// - Throws: 429 where none is left.
  static func take(_ pod: JSON, now: Date, in state: inout StoreState) throws(Status) {
    // What does not run, or goes anyway, disturbs nobody.
    if pod.isBeingDeleted || ["Succeeded", "Failed", "Pending"].contains(pod[path: ["status", "phase"]]?.string) {
      return
    }
    let resource = StoredResource(.budgets)
    let budgets = state.objects(resource, namespace: pod.namespace).filter { selects($0, pod) }
    guard var budget = budgets.first else { return }
    guard budgets.count == 1 else {
      throw Refusal.internalError(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    }
    func number(_ field: String) -> Int { budget[path: ["status", field]]?.int ?? 0 }
    if !isReady(pod) {
      if budget[path: ["spec", "unhealthyPodEvictionPolicy"]] == "AlwaysAllow" { return }
      if number("currentHealthy") >= number("desiredHealthy"), number("desiredHealthy") > 0 { return }
    }
    if number("observedGeneration") < budget.generation {
      throw refusal("The disruption budget \(budget.name) is still being processed by the server.", retryAfter: 10)
    }
    guard number("disruptionsAllowed") > 0 else {
      throw refusal(
        "The disruption budget \(budget.name) needs \(number("desiredHealthy")) healthy pods and has "
          + "\(number("currentHealthy")) currently", retryAfter: nil)
    }
    let left = number("disruptionsAllowed") - 1
    budget[path: ["status", "disruptionsAllowed"]] = JSON(left)
    budget[path: ["status", "disruptedPods", pod.name]] = .string(Timestamp(now).description)
    if left == 0 { budget = withCondition(budget, now: now) }
    _ = state.put(budget, in: resource)
  }

  static func selects(_ budget: JSON, _ pod: JSON) -> Bool {
    // Unlike elsewhere, an empty selector of a budget selects every pod of the namespace.
    let selector = try? budget[path: ["spec", "selector"]]?.decode(KubernetesAPI.LabelSelector.self)
    return selector?.matches(pod.labels) ?? false
  }

  static func isReady(_ pod: JSON) -> Bool {
    pod[path: ["status", "conditions"]]?.array?.contains { $0["type"] == "Ready" && $0["status"] == "True" } ?? false
  }

  /// The budget with the condition `DisruptionAllowed` that its numbers ask for.
  static func withCondition(_ budget: JSON, now: Date) -> JSON {
    var budget = budget
    let isAllowed = (budget[path: ["status", "disruptionsAllowed"]]?.int ?? 0) > 0
    let status = isAllowed ? "True" : "False"
    let former = budget[path: ["status", "conditions"]]?[0]
    let since = former?["status"]?.string == status ? former?["lastTransitionTime"] : nil
    budget[path: ["status", "conditions"]] = [
      [
        "type": "DisruptionAllowed", "status": .string(status),
        "observedGeneration": budget[path: ["metadata", "generation"]] ?? 1,
        "lastTransitionTime": since ?? .string(Timestamp(now).description),
        "reason": isAllowed ? "SufficientPods" : "InsufficientPods", "message": "",
      ]
    ]
    return budget
  }

  private static func refusal(_ cause: String, retryAfter: Int?) -> Status {
    Status(
      code: 429, reason: "TooManyRequests",
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: .init(causes: [.init(reason: "DisruptionBudget", message: cause)], retryAfterSeconds: retryAfter))
  }
}
