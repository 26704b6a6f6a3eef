import KubernetesAPI

/// VirtualServices as istiod hands them on: a rule that delegates gives way to the rules of the object that it names, as
/// far as these fit into it, and objects without hosts stand for nothing by themselves.
enum VirtualServiceDelegates {
  static func resolved(_ objects: [JSON]) -> [JSON] {
    func isDelegate(_ object: JSON) -> Bool { (object[path: ["spec", "hosts"]]?.array ?? []).isEmpty }
    let delegates = objects.filter(isDelegate)
    return objects.filter { !isDelegate($0) }.map { root in
      let http = root[path: ["spec", "http"]]?.array ?? []
      guard http.contains(where: { $0["delegate"] != nil }) else { return root }
      var resolved = root
      resolved[path: ["spec", "http"]] = .array(
        http.flatMap { rule -> [JSON] in
          guard let reference = rule["delegate"] else { return [rule] }
          let key = ObjectKey(
            namespace: reference["namespace"]?.string ?? root.namespace, name: reference["name"]?.string ?? "")
          guard let delegate = delegates.first(where: { $0.objectKey == key }) else { return [] }
          return (delegate[path: ["spec", "http"]]?.array ?? []).compactMap { merged($0, into: rule, of: delegate) }
        })
      return resolved
    }
  }

  /// What a root's rule says where the delegate's does not.
  private static let inherited = [
    "rewrite", "directResponse", "timeout", "retries", "fault", "mirror", "mirrorPercent", "mirrorPercentage",
    "corsPolicy", "mirrors", "headers",
  ]

  /// - Returns: `nil` for a rule that istiod passes over, since the root takes other requests.
  private static func merged(_ rule: JSON, into root: JSON, of delegate: JSON) -> JSON? {
    guard let matches = matches(rule["match"]?.array ?? [], in: root["match"]?.array ?? []) else { return nil }
    var merged = qualified(rule, namespace: delegate.namespace)
    merged["match"] = matches.isEmpty ? nil : .array(matches)
    let names = [root["name"]?.string, rule["name"]?.string].compactMap { $0 }
    merged["name"] = names.isEmpty ? nil : .string(names.joined(separator: "-"))
    for member in inherited where merged[member] == nil { merged[member] = root[member] }
    return merged
  }

  /// Short hosts are those of the delegate's own namespace.
  private static func qualified(_ rule: JSON, namespace: String) -> JSON {
    func destination(_ entry: JSON) -> JSON {
      var entry = entry
      if let host = entry[path: ["destination", "host"]]?.string, !host.contains(".") {
        entry[path: ["destination", "host"]] = .string("\(host).\(namespace).svc.cluster.local")
      }
      return entry
    }
    var rule = rule
    for member in ["route", "mirrors"] {
      rule[member] = rule[member]?.array.map { .array($0.map(destination)) }
    }
    return rule
  }

  private static func matches(_ leaves: [JSON], in roots: [JSON]) -> [JSON]? {
    if roots.isEmpty { return leaves }
    if leaves.isEmpty { return roots }
    var merged: [JSON] = []
    for leaf in leaves {
      let fitting = roots.filter { fits(leaf, into: $0) }
      if fitting.isEmpty { return nil }
      merged += fitting.map { join(leaf, $0) }
    }
    return merged
  }

  private static let texts = ["uri", "scheme", "method", "authority"]
  private static let maps = ["headers", "withoutHeaders", "queryParams"]

  private static func fits(_ leaf: JSON, into root: JSON) -> Bool {
    let areTexts = texts.allSatisfy { fits(text: leaf[$0], into: root[$0]) }
    let areMaps = maps.allSatisfy { map in
      (leaf[map]?.object ?? [:]).allSatisfy { fits(text: $0.value, into: root[path: [map, $0.key]]) }
    }
    guard areTexts, areMaps, leaf["ignoreUriCase"]?.bool ?? false == root["ignoreUriCase"]?.bool ?? false else {
      return false
    }
    if let port = root["port"]?.int, let own = leaf["port"]?.int, port != own { return false }
    if let namespace = root["sourceNamespace"]?.string, leaf["sourceNamespace"]?.string != namespace { return false }
    let labels = root["sourceLabels"]?.strings ?? [:]
    let own = leaf["sourceLabels"]?.strings ?? [:]
    guard own.allSatisfy({ labels[$0.key] == nil || labels[$0.key] == $0.value }) else { return false }
    let gateways = Set((root["gateways"]?.array ?? []).compactMap(\.string))
    let ownGateways = Set((leaf["gateways"]?.array ?? []).compactMap(\.string))
    return gateways.isEmpty || ownGateways.isSubset(of: gateways)
  }

  private static func fits(text leaf: JSON?, into root: JSON?) -> Bool {
    guard let root, let leaf else { return true }
    if root["regex"] != nil || leaf["regex"] != nil { return false }
    if let exact = root["exact"]?.string { return leaf["exact"]?.string == exact }
    guard let prefix = root["prefix"]?.string, let text = (leaf["prefix"] ?? leaf["exact"])?.string else {
      return false
    }
    return text.hasPrefix(prefix)
  }

  private static func join(_ leaf: JSON, _ root: JSON) -> JSON {
    var joined = leaf
    for member in texts + ["port", "sourceNamespace", "gateways"] where joined[member] == nil {
      joined[member] = root[member]
    }
    for map in maps + ["sourceLabels"] {
      let both = (root[map]?.object ?? [:]).merging(leaf[map]?.object ?? [:]) { $1 }
      joined[map] = both.isEmpty ? nil : .object(both)
    }
    return joined
  }
}
