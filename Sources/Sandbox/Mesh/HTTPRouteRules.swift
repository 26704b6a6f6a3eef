import Foundation
import KubernetesAPI

/// HTTPRoutes of the Gateway API, compiled into the rules that proxies go by. All routes of a parent and a host share one
/// list, the most particular match first.
struct HTTPRouteRules {
  /// - Parameter linkerd: the namespaces whose mesh is Linkerd, which passes over routes with fields that it does not know.
  static func hosts(_ routes: [JSON], linkerd: Set<String>) -> [MeshConfig.Host] {
    var lists: [Place: [Entry]] = [:]
    for route in routes.sorted(by: isOlder) {
      let isLinkerds = linkerd.contains(route.namespace)
      if isLinkerds, hasForeignFields(route) { continue }
      let entries = entries(route, retries: isLinkerds ? 0 : 2)
      for parent in route[path: ["spec", "parentRefs"]]?.array ?? [] {
        for place in places(of: parent, route) {
          lists[place.place, default: []] += entries.map { entry in
            var entry = entry
            entry.rule.matches = entry.rule.matches.map { match in
              var match = match
              match.port = place.port
              return match
            }
            return entry
          }
        }
      }
    }
    // A host is more particular than a wildcard, and a longer one than a shorter.
    return lists.keys.sorted { ($1.host.count, $0.host, $0.gateway) < ($0.host.count, $1.host, $1.gateway) }.map {
      place in
      // The sort is stable: of equal ones the older route's, and in it the one that stands first.
      let entries = (lists[place] ?? []).enumerated().sorted { left, right in
        (right.element.rank, left.offset) < (left.element.rank, right.offset)
      }
      return MeshConfig.Host(
        key: ObjectKey(name: place.host), hosts: [place.host], gateways: [place.gateway],
        routes: entries.map(\.element.rule))
    }
  }

  private struct Place: Hashable {
    var gateway: String
    var host: String
  }

  private struct Entry {
    var rule: VirtualServiceRoute
    var rank: Rank
  }

  /// Which match comes first, by the order of the Gateway API's specification.
  private struct Rank: Comparable {
    var isExact: Bool
    var pathLength: Int
    var hasMethod: Bool
    var headers: Int
    var parameters: Int

    private var order: [Int] { [isExact ? 1 : 0, pathLength, hasMethod ? 1 : 0, headers, parameters] }
    static func < (left: Rank, right: Rank) -> Bool { left.order.lexicographicallyPrecedes(right.order) }
  }

  private static func places(of parent: JSON, _ route: JSON) -> [(place: Place, port: Int?)] {
    let namespace = parent["namespace"]?.string ?? route.namespace
    let name = parent["name"]?.string ?? ""
    if parent["kind"]?.string == "Service" {
      let host = MeshConfig.fullName(ObjectKey(namespace: namespace, name: name))
      return [(Place(gateway: "mesh", host: host), parent["port"]?.int)]
    }
    let hosts = (route[path: ["spec", "hostnames"]]?.array ?? []).compactMap(\.string)
    return (hosts.isEmpty ? ["*"] : hosts).map { (Place(gateway: "\(namespace)/\(name)", host: $0), nil) }
  }

  private static func entries(_ route: JSON, retries: Int) -> [Entry] {
    (route[path: ["spec", "rules"]]?.array ?? []).enumerated().flatMap { index, rule -> [Entry] in
      var compiled = VirtualServiceRoute(
        matches: [], destinations: destinations(rule, index, route),
        retries: VirtualServiceRoute.Retries(attempts: retries))
      compiled.mirrors = mirrors(rule, route)
      compiled.timeout = rule[path: ["timeouts", "request"]]?.string.flatMap(MeshApplication.milliseconds)
      return (rule["matches"]?.array ?? [.emptyObject]).map { match in
        var one = compiled
        one.matches = matches(match)
        return Entry(rule: one, rank: rank(match))
      }
    }
  }

  private static func destinations(
    _ rule: JSON, _ index: Int, _ route: JSON
  ) -> [VirtualServiceRoute.Destination] {
    let backends = rule["backendRefs"]?.array ?? []
    let all = backends.enumerated().map { place, backend in
      VirtualServiceRoute.Destination(
        service: service(backend, route), port: backend["port"]?.int, weight: backend["weight"]?.int ?? 1,
        cluster: EnvoyGatewayProxies.name(route: route.objectKey, rule: index, backend: place))
    }
    // One alone gets everything, but for a weight of 0, by which nobody gets anything.
    return all.count == 1 && all[0].weight == 0 ? [] : all
  }

  private static func mirrors(_ rule: JSON, _ route: JSON) -> [VirtualServiceRoute.Mirror] {
    (rule["filters"]?.array ?? []).compactMap { filter in
      guard let mirror = filter["requestMirror"] else { return nil }
      var share = (mirror["percent"]?.double ?? 100) / 100
      if let fraction = mirror["fraction"] {
        share = (fraction["numerator"]?.double ?? 0) / max(1, fraction["denominator"]?.double ?? 100)
      }
      return VirtualServiceRoute.Mirror(service: service(mirror["backendRef"] ?? .null, route), share: share)
    }
  }

  private static func service(_ reference: JSON, _ route: JSON) -> ObjectKey {
    ObjectKey(
      namespace: reference["namespace"]?.string ?? route.namespace, name: reference["name"]?.string ?? "")
  }

  /// A prefix becomes two matches: it takes whole elements of the path.
  private static func matches(_ json: JSON) -> [VirtualServiceRoute.Match] {
    var match = VirtualServiceRoute.Match()
    match.method = json["method"]?.string.map(VirtualServiceRoute.Text.exact)
    for header in json["headers"]?.array ?? [] {
      let isPattern = header["type"]?.string == "RegularExpression"
      match.headers[header["name"]?.string?.lowercased() ?? ""] =
        .some(VirtualServiceRoute.Text([isPattern ? "regex" : "exact": header["value"] ?? ""]))
    }
    // Simulated requests have no query.
    if !(json["queryParams"]?.array ?? []).isEmpty { match.path = .never }
    let value = json[path: ["path", "value"]]?.string ?? "/"
    func with(_ path: VirtualServiceRoute.Text?) -> VirtualServiceRoute.Match {
      var one = match
      one.path = match.path ?? path
      return one
    }
    switch json[path: ["path", "type"]]?.string {
    case "Exact": return [with(.exact(value))]
    case "RegularExpression": return [with(VirtualServiceRoute.Text(["regex": .string(value)]))]
    default:
      let prefix = value.hasSuffix("/") ? String(value.dropLast()) : value
      return prefix.isEmpty ? [with(nil)] : [with(.exact(prefix)), with(.prefix(prefix + "/"))]
    }
  }

  private static func rank(_ match: JSON) -> Rank {
    Rank(
      isExact: match[path: ["path", "type"]]?.string == "Exact",
      pathLength: match[path: ["path", "value"]]?.string?.count ?? 1, hasMethod: match["method"] != nil,
      headers: match["headers"]?.array?.count ?? 0, parameters: match["queryParams"]?.array?.count ?? 0)
  }

  /// What Linkerd does not convert: it keeps what it had before, which here is nothing.
  private static func hasForeignFields(_ route: JSON) -> Bool {
    (route[path: ["spec", "rules"]]?.array ?? []).contains { rule in
      let filters = (rule["filters"]?.array ?? []).compactMap { $0["type"]?.string }
      return rule["retry"] != nil || rule["sessionPersistence"] != nil
        || filters.contains { ["RequestMirror", "URLRewrite", "ExtensionRef", "CORS"].contains($0) }
    }
  }

  private static func isOlder(_ left: JSON, _ right: JSON) -> Bool {
    func age(_ route: JSON) -> (String, String, String) {
      (route[path: ["metadata", "creationTimestamp"]]?.string ?? "", route.namespace, route.name)
    }
    return age(left) < age(right)
  }
}
