import KubernetesAPI
import RolloutAPI

/// A VirtualService that a person's delegates to. istiod joins each of its rules with the rule that delegates, and drops,
/// with a line in its own log and no more, what does not fit into that one (`MergeHTTPRoutes` in
/// pilot/pkg/model/virtualservice.go). So it is found out here, before a run.
extension IstioProvider {
  public func unreached(existing: [JSON]) -> String? {
    guard istio.delegate, let first = services.first else { return nil }
    let key = ObjectKey(namespace: plan.namespace, name: objectName(first))
    let roots = existing.sorted { $0.objectKey < $1.objectKey }.flatMap { root in
      (root[path: ["spec", "http"]]?.array ?? []).filter { Self.delegates($0, of: root, to: key) }.map { (root, $0) }
    }
    guard !roots.isEmpty else {
      return "no VirtualService delegates to \(key), so that no request reaches it: give a rule of yours delegate: "
        + "{name: \(key.name), namespace: \(key.namespace)}, or name hosts and gateways in traffic.istio and leave delegate out"
    }
    for (root, rule) in roots {
      let title = LentRule.title(of: rule, in: root, .virtualServices)
      if (root[path: ["spec", "hosts"]]?.array ?? []).isEmpty {
        return
          "\(title) delegates to \(key) and is itself one that is delegated to, which Istio passes over: delegate from "
          + "a VirtualService with hosts"
      }
      for target in [TrafficTarget.stableOnly] + plan.steps.filter(\.setsTraffic).map(\.traffic) {
        if let problem = misfit(target, key, rule) { return "\(title), which delegates to \(key), \(problem)" }
      }
    }
    return nil
  }

  private static func delegates(_ rule: JSON, of root: JSON, to key: ObjectKey) -> Bool {
    guard let reference = rule["delegate"] else { return false }
    return reference["name"]?.string == key.name && reference["namespace"]?.string ?? root.namespace == key.namespace
  }

  /// What of a target Istio would drop under a root's rule.
  private func misfit(_ target: TrafficTarget, _ key: ObjectKey, _ root: JSON) -> String? {
    guard let object = objects(for: .split(target)).first(where: { $0.key == key })?.object else { return nil }
    let roots = root["match"]?.array ?? []
    for rule in object[path: ["spec", "http"]]?.array ?? [] {
      if rule["mirrors"] != nil, root["mirror"] != nil {
        return "has a mirror of its own, which Istio joins with no other: make it mirrors, or mirror in no step"
      }
      for leaf in rule["match"]?.array ?? [] where !roots.isEmpty {
        let conflicts = roots.map { IstioDelegation.conflict(leaf: leaf, root: $0) }
        guard conflicts.allSatisfy({ $0 != nil }), let property = conflicts.compactMap(\.self).first else { continue }
        let name = rule["name"]?.string ?? ""
        return
          "takes other requests than the rule \(name) that a step needs (\(property)), so that Istio would drop that one: "
          + "let the root take at least what traffic.istio.matches and the steps' route.matches do, without a regular "
          + "expression of the same property"
      }
    }
    return nil
  }
}

/// When istiod takes a delegate's match for one that is not within the root's.
enum IstioDelegation {
  /// The property by which it is not; `nil` where the match fits.
  static func conflict(leaf: JSON, root: JSON) -> String? {
    for property in ["uri", "scheme", "method", "authority"] where !fits(leaf[property], into: root[property]) {
      return property
    }
    for map in ["headers", "withoutHeaders", "queryParams"] {
      for (name, text) in (leaf[map]?.object ?? [:]).sorted(by: { $0.key < $1.key })
      where !fits(text, into: root[path: [map, name]]) {
        return "\(map).\(name)"
      }
    }
    if leaf["ignoreUriCase"]?.bool ?? false != root["ignoreUriCase"]?.bool ?? false { return "ignoreUriCase" }
    if let port = root["port"]?.int, let own = leaf["port"]?.int, own != port { return "port" }
    if let namespace = root["sourceNamespace"]?.string, leaf["sourceNamespace"]?.string != namespace {
      return "sourceNamespace"
    }
    return nil
  }

  private static func fits(_ leaf: JSON?, into root: JSON?) -> Bool {
    guard let leaf, let root else { return true }
    guard leaf["regex"] == nil, root["regex"] == nil else { return false }
    if let exact = root["exact"] { return leaf["exact"] == exact }
    guard let prefix = root["prefix"]?.string, let text = (leaf["prefix"] ?? leaf["exact"])?.string else {
      return false
    }
    return text.hasPrefix(prefix)
  }
}
