import Foundation
import KubernetesAPI

/// What the proxies know: a compiled snapshot of the routing objects, Services and endpoints at one moment.
struct MeshConfig: Sendable {
  var hosts: [Host] = []
  var services: [ObjectKey: Service] = [:]
  /// By pod, the Service under whose name its own proxy counts requests: the oldest that selects it, as one inbound
  /// listener serves all Services of a port.
  var reportedService: [ObjectKey: ObjectKey] = [:]
  /// Who calls, in the order of the Services: a Service has callers once they can know it.
  var callers: [MeshCallers] = []

  /// The namespaces whose mesh is Linkerd.
  var linkerd: Set<String> = []
  /// The Gateways of Envoy Gateway, as `namespace/name`.
  var envoyGateways: Set<String> = []

  /// A VirtualService, for the hosts and gateways that it names, or the rules of all HTTPRoutes for one of each.
  struct Host: Sendable {
    var key: ObjectKey
    var hosts: [String]
    var gateways: [String]
    var routes: [VirtualServiceRoute]
  }

  struct Service: Sendable {
    var key: ObjectKey
    var ready: [Endpoint]
  }

  struct Endpoint: Sendable, Hashable {
    var pod: ObjectKey
    var address: String
  }

  init() {}

  init(_ objects: MeshObjects) {
    self.init(
      virtualServices: objects.virtualServices, httpRoutes: objects.httpRoutes, linkerd: objects.linkerd,
      services: objects.services, slices: objects.slices)
    envoyGateways = objects.envoyGateways
  }

  init(
    virtualServices: [JSON], httpRoutes: [JSON] = [], linkerd: Set<String> = [], services: [JSON], slices: [JSON]
  ) {
    self.linkerd = linkerd
    // Where two name the same host, proxies take the oldest, as istiod sorts them.
    let obeyed = virtualServices.filter { !linkerd.contains($0.namespace) }
    hosts = VirtualServiceDelegates.resolved(obeyed).sorted { Self.age($0) < Self.age($1) }.map { object in
      let names = object[path: ["spec", "hosts"]]?.array?.compactMap(\.string) ?? []
      let gateways = object[path: ["spec", "gateways"]]?.array?.compactMap(\.string) ?? ["mesh"]
      return Host(
        key: object.objectKey,
        hosts: names.map { Self.qualified($0, namespace: object.namespace) },
        gateways: (gateways.isEmpty ? ["mesh"] : gateways).map { Self.gateway($0, namespace: object.namespace) },
        routes: (object[path: ["spec", "http"]]?.array ?? []).map {
          VirtualServiceRoute(http: $0, namespace: object.namespace)
        })
    }
    hosts += HTTPRouteRules.hosts(httpRoutes, linkerd: linkerd)
    var endpoints: [ObjectKey: [Endpoint]] = [:]
    for slice in slices {
      guard let name = slice.labels["kubernetes.io/service-name"] else { continue }
      for endpoint in slice["endpoints"]?.array ?? [] {
        guard endpoint[path: ["conditions", "ready"]]?.bool != false,
          let address = endpoint["addresses"]?[0]?.string,
          endpoint[path: ["targetRef", "kind"]]?.string == "Pod",
          let pod = endpoint[path: ["targetRef", "name"]]?.string
        else { continue }
        let key = ObjectKey(namespace: slice.namespace, name: name)
        let new = Endpoint(pod: ObjectKey(namespace: slice.namespace, name: pod), address: address)
        // The slices of a Service with several ports name the same pods.
        if endpoints[key]?.contains(new) != true { endpoints[key, default: []].append(new) }
      }
    }
    for service in services.sorted(by: { Self.age($0) < Self.age($1) }) {
      let ready = endpoints[service.objectKey] ?? []
      self.services[service.objectKey] = Service(key: service.objectKey, ready: ready)
      for endpoint in ready where reportedService[endpoint.pod] == nil {
        reportedService[endpoint.pod] = service.objectKey
      }
    }
  }

  /// The rules for a request, and whether any routing object covers its host there. A proxy takes one object per host, a
  /// gateway appends those of several.
  func routes(for request: MeshRequest) -> [VirtualServiceRoute]? {
    let matching = hosts.filter { host in
      host.gateways.contains(request.gateway) && host.hosts.contains { Self.host($0, covers: request.host) }
    }
    guard let first = matching.first else { return nil }
    return request.gateway == "mesh" ? first.routes : matching.flatMap(\.routes)
  }

  static func fullName(_ service: ObjectKey) -> String { "\(service.name).\(service.namespace).svc.cluster.local" }

  /// `shop/public` for a gateway named `public` in a VirtualService of `shop`; `mesh` stays.
  static func gateway(_ name: String, namespace: String) -> String {
    name == "mesh" || name.contains("/") ? name : "\(namespace)/\(name)"
  }

  /// A host without a dot is a Service of the object's own namespace; `name.namespace` and `….svc` are cut forms too.
  private static func qualified(_ host: String, namespace: String) -> String {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    if host.contains("*") { return host }
    if parts.count == 1 { return "\(host).\(namespace).svc.cluster.local" }
    if parts.count == 3, parts[2] == "svc" { return host + ".cluster.local" }
    return host
  }

  private static func host(_ pattern: String, covers host: String) -> Bool {
    if pattern == "*" { return true }
    return pattern.hasPrefix("*.") ? host.hasSuffix(pattern.dropFirst()) : pattern == host
  }

  private static func age(_ object: JSON) -> String {
    let created = object[path: ["metadata", "creationTimestamp"]]?.string ?? ""
    return "\(created) \(object.namespace)/\(object.name)"
  }
}
