import KubernetesAPI

/// Says in the status of HTTPRoutes what the implementations of their parents say: Istio's of Gateways whose class is
/// there and of Services, and in namespaces of Linkerd that one's of Services, which leaves the generation out.
struct RouteStatusController: BuiltInController {
  let name = "gateway-controller"

  private static let group = "gateway.networking.k8s.io"
  private static let routes = ResourceType(group: group, kind: "HTTPRoute", plural: "httproutes")
  private static let gateways = ResourceType(group: group, kind: "Gateway", plural: "gateways")
  private static let classes = ResourceType(
    group: group, kind: "GatewayClass", plural: "gatewayclasses", namespaced: false)

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    switch change.type {
    case Self.routes: change.new == nil ? [] : [change.reference]
    case Self.gateways, Self.classes: routes(in: nil, cluster)
    // Endpoints and addresses do not matter here; a Service that comes or goes does.
    case .services: change.new == nil || change.old == nil ? routes(in: change.reference.key.namespace, cluster) : []
    default: []
    }
  }

  private func routes(in namespace: String?, _ cluster: any ClusterAccess) -> [TypedKey] {
    cluster.list(Self.routes, namespace: namespace).map { TypedKey(type: Self.routes, key: $0.objectKey) }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let route = cluster.get(Self.routes, object.key), !route.isBeingDeleted else { return nil }
    let old = route[path: ["status", "parents"]]?.array ?? []
    let refs = route[path: ["spec", "parentRefs"]]?.array ?? []
    let new = refs.compactMap { parent in entry(of: parent, route, old.first { $0["parentRef"] == parent }, cluster) }
    guard new != old else { return nil }
    var updated = route
    updated[path: ["status", "parents"]] = .array(new)
    do {
      _ = try cluster.update(Self.routes, updated, subresource: "status")
    } catch let error where error.reason == "Conflict" || error.reason == "NotFound" {
      return .milliseconds(10)
    }
    return nil
  }

  /// What the parent's implementation says; nothing where there is none.
  private func entry(of parent: JSON, _ route: JSON, _ old: JSON?, _ cluster: any ClusterAccess) -> JSON? {
    let key = ObjectKey(
      namespace: parent["namespace"]?.string ?? route.namespace, name: parent["name"]?.string ?? "")
    let controller: String
    var accepted = (status: "True", reason: "Accepted", message: "Route was valid")
    if parent["kind"]?.string == "Service" {
      controller =
        Linkerd.isMesh(of: key.namespace, in: cluster) ? "linkerd.io/policy-controller" : "istio.io/gateway-controller"
      if cluster.get(.services, key) == nil {
        accepted = ("False", "NoMatchingParent", "Service \(key) is not there")
      }
    } else {
      guard let gateway = cluster.get(Self.gateways, key),
        let type = cluster.get(
          Self.classes, ObjectKey(name: gateway[path: ["spec", "gatewayClassName"]]?.string ?? "")),
        let name = type[path: ["spec", "controllerName"]]?.string
      else { return nil }
      controller = name
    }
    let missing = Self.backends(route).first { cluster.get(.services, $0) == nil }
    let resolved =
      missing.map { ("False", "BackendNotFound", "backend \($0) not found") }
      ?? ("True", "ResolvedRefs", "All references resolved")
    func condition(_ type: String, _ found: (status: String, reason: String, message: String)) -> JSON {
      var condition: JSON = [
        "type": .string(type), "status": .string(found.status), "reason": .string(found.reason),
        "message": .string(found.message),
      ]
      if !controller.hasPrefix("linkerd.io/") { condition["observedGeneration"] = JSON(route.generation) }
      let former = old?["conditions"]?.array?.first { $0["type"]?.string == type }
      condition["lastTransitionTime"] =
        former?["status"]?.string == found.status
        ? former?["lastTransitionTime"] : .string(cluster.now.stamp)
      return condition
    }
    return [
      "parentRef": parent, "controllerName": .string(controller),
      "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)],
    ]
  }

  private static func backends(_ route: JSON) -> [ObjectKey] {
    (route[path: ["spec", "rules"]]?.array ?? []).flatMap { $0["backendRefs"]?.array ?? [] }.map { backend in
      ObjectKey(namespace: backend["namespace"]?.string ?? route.namespace, name: backend["name"]?.string ?? "")
    }
  }
}

/// Linkerd, as a namespace asks for it.
enum Linkerd {
  static let annotation = "linkerd.io/inject"

  static func isMesh(of namespace: JSON) -> Bool {
    ["enabled", "ingress"].contains(namespace.annotations[annotation] ?? "")
  }

  static func isMesh(of namespace: String, in cluster: any ClusterAccess) -> Bool {
    cluster.get(.namespaces, ObjectKey(name: namespace)).map { isMesh(of: $0) } ?? false
  }
}
