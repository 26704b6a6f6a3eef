import Foundation
import KubernetesAPI
import RolloutEngine

/// What limits the pods of a Deployment from outside: its autoscaler, quotas, and the budgets of disruptions.
struct CapacityObserver {
  let snapshot: any ClusterSnapshot
  let deployment: JSON

  private var template: JSON { deployment[path: ["spec", "template"]] ?? .emptyObject }

  var autoscaler: AutoscalerView? {
    let found = snapshot.objects(.horizontalPodAutoscalers, namespace: deployment.namespace).first { autoscaler in
      let target = autoscaler[path: ["spec", "scaleTargetRef"]]
      return target?["kind"]?.string == "Deployment" && target?["name"]?.string == deployment.name
    }
    guard let found, let most = found[path: ["spec", "maxReplicas"]]?.int else { return nil }
    return AutoscalerView(name: found.name, maxReplicas: most)
  }

  /// The newest entry that owns the replicas. Autoscalers write the subresource `scale`, as `kubectl scale` does too; all
  /// other writers bring the size with the whole manifest.
  var replicasWriter: ReplicasWriter? {
    let entries = deployment[path: ["metadata", "managedFields"]]?.array ?? []
    let owners = entries.filter { $0[path: ["fieldsV1", "f:spec", "f:replicas"]] != nil }
    guard let newest = owners.max(by: { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }),
      let name = newest["manager"]?.string
    else { return nil }
    return ReplicasWriter(
      name: name, isAutoscaler: newest["subresource"]?.string == "scale" && !name.hasPrefix("kubectl"))
  }

  /// Budgets that select the pods and allow no disruption now.
  var exhaustedBudgets: [String] {
    let labels = template.labels
    return snapshot.objects(.podDisruptionBudgets, namespace: deployment.namespace).filter { budget in
      guard let selector: LabelSelector = try? budget[path: ["spec", "selector"]]?.decode(), selector.matches(labels),
        (budget[path: ["status", "observedGeneration"]]?.int ?? 0) >= budget.generation
      else { return false }
      return budget[path: ["status", "disruptionsAllowed"]]?.int == 0
    }.map(\.name)
  }

  // MARK: - Quotas

  var rooms: [QuotaRoom] {
    let quotas = snapshot.objects(.resourceQuotas, namespace: deployment.namespace)
    guard !quotas.isEmpty else { return [] }
    let needs = PodNeeds(of: template, ranges: snapshot.objects(.limitRanges, namespace: deployment.namespace))
    return quotas.filter { covers($0, needs) }.compactMap { room(in: $0, needs) }
  }

  /// The scarcest of a quota's resources; `nil` where it counts nothing of such pods.
  private func room(in quota: JSON, _ needs: PodNeeds) -> QuotaRoom? {
    let used = quota[path: ["status", "used"]]?.strings ?? [:]
    let rooms = (quota[path: ["status", "hard"]]?.strings ?? [:]).sorted { $0.key < $1.key }.compactMap {
      resource, hard -> QuotaRoom? in
      guard let charge = needs.charge(resource), let all = Quantity(hard) else { return nil }
      guard case .amount(let amount) = charge else {
        return QuotaRoom(quota: quota.name, pods: 0, detail: "\(resource) is counted, and a pod names no amount of it")
      }
      let left = max(0, all.value - (Quantity(used[resource] ?? "0")?.value ?? 0))
      var quotient = left / amount
      var pods = Decimal()
      NSDecimalRound(&pods, &quotient, 0, .down)
      let unit = Self.unit(of: resource)
      return QuotaRoom(
        quota: quota.name, pods: min(1_000_000, NSDecimalNumber(decimal: pods).intValue),
        detail: "\(resource): \(unit(left)) of \(hard) left, a pod counts for \(unit(amount))")
    }
    return rooms.min { ($0.pods, $0.detail) < ($1.pods, $1.detail) }
  }

  /// Cores in thousandths, bytes in binary units, everything else as it is.
  private static func unit(of resource: String) -> (Decimal) -> String {
    if resource.hasSuffix("cpu") { return { value in value.isWhole ? "\(value)" : "\(value * 1000)m" } }
    guard resource.hasSuffix("memory") || resource.hasSuffix("storage") else { return { "\($0)" } }
    return { value in
      for (suffix, power) in [("Gi", 3), ("Mi", 2), ("Ki", 1)] {
        let scaled = value / pow(Decimal(1024), power)
        if scaled >= 1, scaled.isWhole { return "\(scaled)\(suffix)" }
      }
      return "\(value)"
    }
  }

  /// Whether a quota counts pods like these: one with scopes counts only those that fit all of them.
  private func covers(_ quota: JSON, _ needs: PodNeeds) -> Bool {
    let scopes = (quota[path: ["spec", "scopes"]]?.array ?? []).compactMap(\.string).map { (scope: $0, JSON?.none) }
    let expressions = (quota[path: ["spec", "scopeSelector", "matchExpressions"]]?.array ?? []).map {
      (scope: $0["scopeName"]?.string ?? "", Optional($0))
    }
    return (scopes + expressions).allSatisfy { scope, expression in
      switch scope {
      // A Deployment's pods run without an end.
      case "Terminating": false
      case "NotTerminating": true
      case "BestEffort": needs.isBestEffort
      case "NotBestEffort": !needs.isBestEffort
      case "PriorityClass": isOfPriority(expression)
      case "CrossNamespacePodAffinity": false
      default: false
      }
    }
  }

  private func isOfPriority(_ expression: JSON?) -> Bool {
    let own = template[path: ["spec", "priorityClassName"]]?.string
    let values = (expression?["values"]?.array ?? []).compactMap(\.string)
    switch expression?["operator"]?.string {
    case "In": return own.map(values.contains) ?? false
    case "NotIn": return own.map { !values.contains($0) } ?? true
    case "DoesNotExist": return own == nil
    default: return own != nil
    }
  }
}

extension Decimal {
  fileprivate var isWhole: Bool {
    var copy = self
    var rounded = Decimal()
    NSDecimalRound(&rounded, &copy, 0, .plain)
    return rounded == self
  }
}

extension ResourceType {
  static let horizontalPodAutoscalers = ResourceType(
    group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers")
  static let resourceQuotas = ResourceType(kind: "ResourceQuota", plural: "resourcequotas")
  static let limitRanges = ResourceType(kind: "LimitRange", plural: "limitranges")
  static let podDisruptionBudgets = ResourceType(
    group: "policy", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets")
}
