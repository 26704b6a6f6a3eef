import KubernetesAPI

/// The resource quota controller of kube-controller-manager 1.36: counts anew what admission has charged, so that what is
/// gone comes back.
struct QuotaController: BuiltInController {
  let name = "resourcequota-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    if change.type == Quotas.type { return change.new == nil ? [] : [change.reference] }
    guard change.type.namespaced else { return [] }
    // New objects are charged when they come; a pod that ends on its node gives back as one that is deleted.
    guard change.new == nil || change.type == .pods else { return [] }
    return cluster.list(Quotas.type, namespace: change.reference.key.namespace).map {
      TypedKey(type: Quotas.type, key: $0.objectKey)
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard var quota = cluster.get(Quotas.type, object.key), !quota.isBeingDeleted else { return nil }
    let hard = Quotas.spec(quota)
    var used = Amounts()
    for name in hard.names { used[name] = .count(0) }
    for type in cluster.types where type.namespaced && concerns(type, hard) {
      for counted in cluster.list(type, namespace: quota.namespace)
      where Quotas.counts(counted, type, now: cluster.now) && Quotas.covers(quota, counted, type) {
        used.add(Quotas.charge(counted, type).only(hard.names))
      }
    }
    let status: JSON = ["hard": hard.json, "used": used.json]
    guard quota["status"] != status else { return nil }
    quota["status"] = status
    quota[path: ["metadata", "resourceVersion"]] = nil
    _ = try cluster.update(Quotas.type, quota, subresource: "status")
    return nil
  }

  private func concerns(_ type: ResourceType, _ hard: Amounts) -> Bool {
    type == .pods || !Quotas.charge(.emptyObject, type).only(hard.names).names.isEmpty
  }
}
