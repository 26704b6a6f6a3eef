import KubernetesAPI

/// Keeps the status of HTTPRoutes as the implementations of their parents would.
struct RouteStatusController: BuiltInController {
  let name = "gateway-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    switch change.type {
    case .gatewayRoutes: change.new == nil ? [] : [change.reference]
    case .gateways, .gatewayClasses: routes(in: nil, cluster)
    // Endpoints and addresses do not matter here; a Service that comes or goes does.
    case .services: change.new == nil || change.old == nil ? routes(in: change.reference.key.namespace, cluster) : []
    default: []
    }
  }

  private func routes(in namespace: String?, _ cluster: any ClusterAccess) -> [TypedKey] {
    cluster.list(.gatewayRoutes, namespace: namespace).map {
      TypedKey(type: .gatewayRoutes, key: $0.objectKey)
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let route = cluster.get(.gatewayRoutes, object.key), !route.isBeingDeleted,
      let updated = RouteStatus(find: cluster.get, now: cluster.now).update(of: route)
    else { return nil }
    do {
      _ = try cluster.update(.gatewayRoutes, updated, subresource: "status")
    } catch let error where error.reason == "Conflict" || error.reason == "NotFound" {
      return .milliseconds(10)
    }
    return nil
  }
}
