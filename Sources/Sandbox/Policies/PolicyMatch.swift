import KubernetesAPI

/// Which requests a policy or a binding is about: `matchConstraints` and `matchResources`.
struct PolicyMatch: Sendable {
  private let json: JSON

  init(_ json: JSON?) { self.json = json ?? .emptyObject }

  func matches(_ request: AdmissionRequest) -> Bool {
    let rules = json["resourceRules"]?.array ?? []
    // A binding without rules takes what its policy takes.
    guard rules.isEmpty || rules.contains(where: { Self.covers($0, request) }) else { return false }
    guard !(json["excludeResourceRules"]?.array ?? []).contains(where: { Self.covers($0, request) }) else {
      return false
    }
    return matchesNamespace(request) && matchesObject(request)
  }

  private static func covers(_ rule: JSON, _ request: AdmissionRequest) -> Bool {
    func list(_ key: String) -> [String] { rule[key]?.array?.compactMap(\.string) ?? [] }
    func has(_ key: String, _ value: String) -> Bool { list(key).contains { $0 == "*" || $0 == value } }
    guard has("operations", request.operation.rawValue), has("apiGroups", request.type.group),
      has("apiVersions", request.type.version)
    else { return false }
    switch rule["scope"]?.string {
    case "Namespaced": guard request.type.namespaced else { return false }
    case "Cluster": guard !request.type.namespaced else { return false }
    default: break
    }
    let names = list("resourceNames")
    guard names.isEmpty || names.contains(request.name) else { return false }
    return list("resources").contains { resource in
      let parts = resource.split(separator: "/", maxSplits: 1).map(String.init)
      let subresource = parts.count > 1 ? parts[1] : ""
      return (parts.first == "*" || parts.first == request.type.plural)
        && (subresource == "*" || subresource == request.subresource)
    }
  }

  private func matchesNamespace(_ request: AdmissionRequest) -> Bool {
    guard let selector = json["namespaceSelector"], let labels = LabelSelector(selector), !labels.isEmpty else {
      return true
    }
    if request.type == .namespaces {
      return [request.object, request.oldObject].contains { $0.map { labels.matches($0.labels) } ?? false }
    }
    // Objects outside of namespaces are never left out by this selector.
    guard request.type.namespaced else { return true }
    return labels.matches(request.namespaceObject?.labels ?? [:])
  }

  /// The old or the new object has to match, so that nobody escapes by dropping the label.
  private func matchesObject(_ request: AdmissionRequest) -> Bool {
    guard let selector = json["objectSelector"], let labels = LabelSelector(selector), !labels.isEmpty else {
      return true
    }
    return [request.object, request.oldObject].contains { $0.map { labels.matches($0.labels) } ?? false }
  }
}

/// `metav1.LabelSelector`.
struct LabelSelector: Sendable {
  private struct Requirement: Sendable {
    var key: String
    var comparison: String
    var values: [String]
  }

  private var requirements: [Requirement] = []

  /// `nil` for an operator that does not exist, or one with values where there may be none, or the reverse.
  init?(_ json: JSON) {
    for (key, value) in (json["matchLabels"]?.strings ?? [:]).sorted(by: { $0.key < $1.key }) {
      requirements.append(Requirement(key: key, comparison: "In", values: [value]))
    }
    for expression in json["matchExpressions"]?.array ?? [] {
      let values = expression["values"]?.array?.compactMap(\.string) ?? []
      let comparison = expression["operator"]?.string ?? ""
      switch comparison {
      case "In", "NotIn": guard !values.isEmpty else { return nil }
      case "Exists", "DoesNotExist": guard values.isEmpty else { return nil }
      default: return nil
      }
      guard let key = expression["key"]?.string, !key.isEmpty else { return nil }
      requirements.append(Requirement(key: key, comparison: comparison, values: values))
    }
  }

  var isEmpty: Bool { requirements.isEmpty }

  func matches(_ labels: [String: String]) -> Bool {
    requirements.allSatisfy { requirement in
      let value = labels[requirement.key]
      return switch requirement.comparison {
      case "In": value.map(requirement.values.contains) ?? false
      case "NotIn": !(value.map(requirement.values.contains) ?? false)
      case "Exists": value != nil
      default: value == nil
      }
    }
  }
}
