import Foundation
import KubernetesAPI

/// What ResourceQuotas count (pkg/quota/v1 of Kubernetes 1.36): pods by what they ask for, and objects by number.
enum Quotas {
  static let type = ResourceType(kind: "ResourceQuota", plural: "resourcequotas")

  /// Kinds of the core group that are counted under their plain plurals too.
  private static let plain: Set<String> = [
    "pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers",
  ]

  static func spec(_ quota: JSON) -> Amounts { Amounts(quota[path: ["spec", "hard"]]) }

  // MARK: - What one object counts for

  static func charge(_ object: JSON, _ type: ResourceType) -> Amounts {
    var charge = Amounts()
    charge["count/\(Refusal.qualified(type))"] = .count(1)
    if type.group.isEmpty, plain.contains(type.plural) { charge[type.plural] = .count(1) }
    guard type == .pods else { return charge }
    for (prefix, amounts) in [
      ("requests.", ContainerNeeds.total(of: object, \.requests)),
      ("limits.", ContainerNeeds.total(of: object, \.limits)),
    ] {
      for (name, amount) in amounts.byName {
        charge[prefix + name] = amount
        if prefix == "requests.", ["cpu", "memory", "ephemeral-storage"].contains(name) { charge[name] = amount }
      }
    }
    return charge
  }

  /// Whether an object still counts: a pod that has ended does not, nor one whose time to end is over.
  static func counts(_ object: JSON, _ type: ResourceType, now: Date) -> Bool {
    guard type == .pods else { return true }
    if ["Succeeded", "Failed"].contains(object[path: ["status", "phase"]]?.string) { return false }
    guard let end = object[path: ["metadata", "deletionTimestamp"]]?.string.flatMap({ Timestamp($0) }) else {
      return true
    }
    return end.date > now
  }

  /// Whether a quota's scopes fit an object; only pods have any.
  static func covers(_ quota: JSON, _ object: JSON, _ type: ResourceType) -> Bool {
    let plain = (quota[path: ["spec", "scopes"]]?.array ?? []).compactMap(\.string).map { ($0, JSON?.none) }
    let selected = (quota[path: ["spec", "scopeSelector", "matchExpressions"]]?.array ?? []).map {
      ($0["scopeName"]?.string ?? "", JSON?.some($0))
    }
    let scopes = plain + selected
    guard !scopes.isEmpty else { return true }
    return type == .pods && scopes.allSatisfy { isIn($0.0, $0.1, object) }
  }

  private static func isIn(_ scope: String, _ expression: JSON?, _ pod: JSON) -> Bool {
    let isBestEffort = ContainerNeeds.all(of: pod).allSatisfy { container in
      ["cpu", "memory"].allSatisfy { container.requests[$0] == nil && container.limits[$0] == nil }
    }
    let ends = pod[path: ["spec", "activeDeadlineSeconds"]]?.int != nil
    switch scope {
    case "Terminating": return ends
    case "NotTerminating": return !ends
    case "BestEffort": return isBestEffort
    case "NotBestEffort": return !isBestEffort
    case "PriorityClass":
      let own = pod[path: ["spec", "priorityClassName"]]?.string
      let values = (expression?["values"]?.array ?? []).compactMap(\.string)
      switch expression?["operator"]?.string {
      case "In": return own.map(values.contains) ?? false
      case "NotIn": return own.map { !values.contains($0) } ?? true
      case "DoesNotExist": return own == nil
      default: return own != nil
      }
    default: return false
    }
  }

  // MARK: - Admission

  /// Charges all quotas that cover a new object, or refuses it.
  /// - Parameter isDryRun: looks only.
  static func admit(_ object: JSON, _ call: Call, isDryRun: Bool, in state: inout StoreState) throws(Status) {
    guard call.type.namespaced, call.target.subresource.isEmpty else { return }
    let resource = StoredResource(type)
    let charge = charge(object, call.type)
    var charged: [JSON] = []
    for quota in state.objects(resource, namespace: call.target.namespace) {
      // What nobody has counted yet limits nothing.
      let hard = Amounts(quota[path: ["status", "hard"]])
      let part = charge.only(hard.names)
      guard covers(quota, object, call.type) else { continue }
      if call.type == .pods { try checkNamed(object, hard, quota) }
      guard !part.names.isEmpty else { continue }
      let used = Amounts(quota[path: ["status", "used"]])
      var sum = used
      sum.add(part)
      let beyond = part.names.filter { (part[$0]?.value ?? 0) > 0 && sum[$0]?.value ?? 0 > hard[$0]?.value ?? 0 }
      guard beyond.isEmpty else {
        throw Refusal.forbidden(
          call.type, object.name,
          "exceeded quota: \(quota.name), requested: \(part.only(beyond).text), used: \(used.only(beyond).text), "
            + "limited: \(hard.only(beyond).text)")
      }
      var updated = quota
      updated[path: ["status", "used"]] = sum.json
      charged.append(updated)
    }
    guard !isDryRun else { return }
    for quota in charged { _ = state.put(quota, in: resource) }
  }

  /// Of cpu and memory every container must say how much, where a quota counts them.
  private static func checkNamed(_ pod: JSON, _ hard: Amounts, _ quota: JSON) throws(Status) {
    var missing: [String: [String]] = [:]
    for name in ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]
    where hard[name] != nil {
      let resource = name.split(separator: ".").last.map(String.init) ?? name
      for container in ContainerNeeds.all(of: pod)
      where (name.hasPrefix("limits.") ? container.limits : container.requests)[resource] == nil {
        missing[name, default: []].append(container.name)
      }
    }
    guard !missing.isEmpty else { return }
    let texts = missing.sorted { $0.key < $1.key }.map { name, containers in
      "\(name) for: \(Set(containers).sorted().joined(separator: ","))"
    }
    throw Refusal.forbidden(
      .pods, pod.name, "failed quota: \(quota.name): must specify \(texts.joined(separator: "; "))")
  }

  static func causes(_ spec: JSON) -> [Status.Cause] {
    (spec["hard"]?.object ?? [:]).sorted { $0.key < $1.key }.compactMap { name, amount in
      guard let quantity = amount.string.flatMap({ Quantity($0) }), quantity.value < 0 else { return nil }
      return .invalid("spec.hard[\(name)]", amount, "must be greater than or equal to 0")
    }
  }
}
