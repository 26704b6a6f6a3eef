import KubernetesAPI
import RolloutAPI

extension IstioProvider {
  /// For callers in the mesh one object for a host hides all others; a gateway joins several, so there only the same
  /// requests clash, and one that takes all that is left does not, since istiod sorts it last.
  public func conflicts(existing: [JSON]) -> [RoutingConflict] {
    var conflicts: [RoutingConflict] = []
    for other in existing.sorted(by: { $0.objectKey < $1.objectKey }) where !isOwn(other) && isVisible(other) {
      let hosts = (other[path: ["spec", "hosts"]]?.array ?? []).compactMap(\.string)
        .map { fullHost($0, namespace: other.namespace) }
      let named = (other[path: ["spec", "gateways"]]?.array ?? []).compactMap(\.string)
        .map { fullGateway($0, namespace: other.namespace) }
      let gateways = named.isEmpty ? ["mesh"] : named
      func add(_ host: String, _ gateway: String) {
        conflicts.append(
          RoutingConflict(
            object: other.objectKey, kind: "VirtualService", rollout: other.labels[RoutingNames.rollout], host: host,
            gateway: gateway))
      }
      for (index, service) in services.enumerated() where istio.mesh || index > 0 {
        if hosts.contains(host(service.name)), gateways.contains("mesh") { add(host(service.name), "mesh") }
      }
      let clashes = clash(with: other)
      for host in istio.hosts where clashes && hosts.contains(host) {
        for gateway in istio.gateways.map({ fullGateway($0, namespace: plan.namespace) })
        where gateways.contains(gateway) {
          add(host, gateway)
        }
      }
    }
    return conflicts
  }

  private func isOwn(_ other: JSON) -> Bool {
    other.namespace == plan.namespace && owned.contains { $0.name == other.name }
      && (other.labels[RoutingNames.rollout] == plan.name || other.name == istio.adopt)
  }

  func isVisible(_ other: JSON) -> Bool {
    guard other.namespace != plan.namespace else { return true }
    let exported = (other[path: ["spec", "exportTo"]]?.array ?? []).compactMap(\.string)
    return exported.isEmpty || exported.contains("*") || exported.contains(plan.namespace)
  }

  /// The hosts, in full, that an object routes for callers in the mesh.
  func meshHosts(of object: JSON) -> [String] {
    let gateways = (object[path: ["spec", "gateways"]]?.array ?? []).compactMap(\.string)
    guard gateways.isEmpty || gateways.contains("mesh") else { return [] }
    let hosts = (object[path: ["spec", "hosts"]]?.array ?? []).compactMap(\.string)
    return hosts.map { fullHost($0, namespace: object.namespace) }
  }

  func fullGateway(_ gateway: String, namespace: String) -> String {
    gateway == "mesh" || gateway.contains("/") ? gateway : "\(namespace)/\(gateway)"
  }

  /// Whether a rule of the other one takes requests on the plan's paths.
  private func clash(with other: JSON) -> Bool {
    let ours = istio.matches.isEmpty ? [JSON.emptyObject] : istio.matches.flatMap(IstioMatch.entries)
    return (other[path: ["spec", "http"]]?.array ?? []).contains { rule in
      let theirs = rule["match"]?.array ?? [.emptyObject]
      return ours.contains { our in theirs.contains { Self.overlap(our, $0) } }
    }
  }

  /// Whether two entries of the same specificity meet. One that takes every path and one that does not live together.
  private static func overlap(_ left: JSON, _ right: JSON) -> Bool {
    func conditions(_ match: JSON) -> JSON {
      var match = match
      for field in ["uri", "gateways", "name", "statPrefix"] { match[field] = nil }
      return match
    }
    // Another header, method or parameter makes another rule, which its order among them decides.
    guard conditions(left) == conditions(right) else { return false }
    let (mine, other) = (Path(left["uri"]), Path(right["uri"]))
    switch (mine, other) {
    case (.all, .all): return true
    case (.all, _), (_, .all): return false
    case (.exact(let path), .exact(let second)): return path == second
    case (.prefix(let prefix), .exact(let path)), (.exact(let path), .prefix(let prefix)): return path.hasPrefix(prefix)
    case (.prefix(let first), .prefix(let second)): return first.hasPrefix(second) || second.hasPrefix(first)
    case (.regex(let first), .regex(let second)): return first == second
    case (.regex, _), (_, .regex): return false
    }
  }

  private enum Path {
    case all, exact(String), prefix(String), regex(String)

    init(_ uri: JSON?) {
      if let text = uri?["exact"]?.string {
        self = .exact(text)
      } else if let text = uri?["prefix"]?.string {
        self = text == "/" ? .all : .prefix(text)
      } else if let text = uri?["regex"]?.string {
        self = .regex(text)
      } else {
        self = .all
      }
    }
  }
}
