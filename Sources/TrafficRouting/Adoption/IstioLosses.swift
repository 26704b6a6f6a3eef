import KubernetesAPI
import RolloutAPI

extension IstioProvider {
  /// What a person's VirtualService says and this plan does not: requests that it takes would have no route afterwards.
  public func losses(adopting object: JSON) -> [String] {
    guard let first = services.first else { return [] }
    let read = IstioImport.read(object, service: first.name, clusterDomain: clusterDomain)
    let title = "VirtualService \(object.objectKey)"
    var losses = read.losses
    func lose(_ field: String, _ what: String) {
      losses.append(
        "\(title) \(what), and spec.traffic.istio.\(field) does not: add it, or take it out of the object first")
    }
    let theirs = read.traffic.istio ?? IstioSpec()
    for host in theirs.hosts ?? [] where !istio.hosts.contains(host) { lose("hosts", "serves host \(host)") }
    let gateways = Set(istio.gateways.map { fullGateway($0, namespace: plan.namespace) })
    for gateway in theirs.gateways ?? [] where !gateways.contains(fullGateway(gateway, namespace: object.namespace)) {
      lose("gateways", "serves gateway \(gateway)")
    }
    if theirs.mesh == true, !istio.mesh { lose("mesh", "serves callers in the mesh") }
    if theirs.delegate ?? false, !istio.delegate { lose("delegate", "is one that is delegated to") }
    if istio.delegate, theirs.delegate == nil { lose("hosts", "has hosts of its own") }
    for rule in object[path: ["spec", "http"]]?.array ?? [] {
      let port = rule["route"]?[0]?[path: ["destination", "port", "number"]]?.int
      if let port, !first.ports.contains(port) {
        losses.append("\(title) routes to port \(port) of Service \(first.name), and spec.serviceRefs does not")
      }
    }
    guard !istio.matches.isEmpty else { return losses }
    let ours = istio.matches.flatMap(IstioMatch.entries)
    for rule in object[path: ["spec", "http"]]?.array ?? [] {
      let entries = rule["match"]?.array ?? []
      for entry in entries.isEmpty ? [.emptyObject] : entries
      where !ours.contains(where: { IstioMatch.covers($0, entry) }) {
        lose("matches", "takes requests with \(entry == .emptyObject ? "any path" : "\(entry)")")
      }
    }
    return losses
  }
}

extension IstioMatch {
  /// Whether an entry takes all requests that another one takes, as far as that can be told.
  static func covers(_ entry: JSON, _ other: JSON) -> Bool {
    for (member, condition) in entry.object ?? [:] where member != "uri" {
      guard let theirs = other[member] else { return false }
      guard ["headers", "queryParams"].contains(member) else {
        if theirs != condition { return false }
        continue
      }
      for (name, text) in condition.object ?? [:] {
        guard let other = theirs[name], text == other || isRead(text, from: other) else { return false }
      }
    }
    guard let ours = entry["uri"] else { return true }
    guard let theirs = other["uri"] else { return false }
    if ours == theirs { return true }
    if let prefix = ours["prefix"]?.string {
      return (theirs["exact"] ?? theirs["prefix"])?.string?.hasPrefix(prefix) ?? false
    }
    return isRead(ours, from: theirs)
  }

  /// Whether a text is what a prefix, or the mere presence of something, is read as.
  private static func isRead(_ text: JSON, from other: JSON) -> Bool {
    guard let regex = text["regex"]?.string, other["exact"] == nil, other["regex"] == nil else { return false }
    return regex == PromQL.literal(other["prefix"]?.string ?? "") + ".*"
  }
}
