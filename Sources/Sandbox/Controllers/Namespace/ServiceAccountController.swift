import KubernetesAPI

/// Gives each namespace its service account `default`.
struct ServiceAccountController: BuiltInController {
  static let serviceAccounts = ResourceType(kind: "ServiceAccount", plural: "serviceaccounts")

  let name = "serviceaccount-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    if change.type == .namespaces { return change.new == nil ? [] : [change.reference] }
    guard change.type == Self.serviceAccounts, change.new == nil, change.reference.key.name == "default" else {
      return []
    }
    return [TypedKey(type: .namespaces, key: ObjectKey(name: change.reference.key.namespace))]
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    let key = ObjectKey(namespace: object.key.name, name: "default")
    guard let namespace = cluster.get(.namespaces, object.key), !namespace.isBeingDeleted,
      cluster.get(Self.serviceAccounts, key) == nil
    else { return nil }
    do {
      _ = try cluster.create(
        Self.serviceAccounts,
        [
          "apiVersion": "v1", "kind": "ServiceAccount",
          "metadata": ["name": "default", "namespace": .string(object.key.name)],
        ])
    } catch let error where error.reason == "AlreadyExists" {
      return nil
    }
    return nil
  }
}
