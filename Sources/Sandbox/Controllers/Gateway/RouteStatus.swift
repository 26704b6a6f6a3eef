import Foundation
import KubernetesAPI

/// What the implementations of an HTTPRoute's parents say of it: Istio's of Gateways whose class is there and of Services,
/// and in namespaces of Linkerd that one's of Services, which leaves the generation out.
struct RouteStatus {
  var find: (ResourceType, ObjectKey) -> JSON?
  var now: Date

  /// The route with its status as it should be; `nil` where it is.
  func update(of route: JSON) -> JSON? {
    let old = route[path: ["status", "parents"]]?.array ?? []
    let refs = route[path: ["spec", "parentRefs"]]?.array ?? []
    let new = refs.compactMap { parent in entry(of: parent, route, old.first { $0["parentRef"] == parent }) }
    guard new != old else { return nil }
    var updated = route
    updated[path: ["status", "parents"]] = .array(new)
    return updated
  }

  private func isLinkerd(_ namespace: String) -> Bool {
    find(.namespaces, ObjectKey(name: namespace)).map { Linkerd.isMesh(of: $0) } ?? false
  }

  /// What the parent's implementation says; nothing where there is none.
  private func entry(of parent: JSON, _ route: JSON, _ old: JSON?) -> JSON? {
    let key = ObjectKey(
      namespace: parent["namespace"]?.string ?? route.namespace, name: parent["name"]?.string ?? "")
    let controller: String
    var accepted = (status: "True", reason: "Accepted", message: "Route was valid")
    if parent["kind"]?.string == "Service" {
      controller =
        isLinkerd(key.namespace) ? "linkerd.io/policy-controller" : "istio.io/gateway-controller"
      if find(.services, key) == nil {
        accepted = ("False", "NoMatchingParent", "Service \(key) is not there")
      }
    } else {
      guard let gateway = find(.gateways, key),
        let type = find(
          .gatewayClasses, ObjectKey(name: gateway[path: ["spec", "gatewayClassName"]]?.string ?? "")),
        let name = type[path: ["spec", "controllerName"]]?.string
      else { return nil }
      controller = name
    }
    let missing = Self.backends(route).first { find(.services, $0) == nil }
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
        ? former?["lastTransitionTime"] : .string(now.stamp)
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
}
