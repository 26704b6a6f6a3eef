import KubernetesAPI

/// What the API server does to an object before it validates it: fields that no schema names go, missing ones with a
/// default come.
extension Schema {
  /// The value without unknown fields, and the paths of those that went, sorted.
  /// - Parameter isRoot: `apiVersion`, `kind` and `metadata` are not looked at.
  func pruned(_ value: JSON, isRoot: Bool = true) -> (value: JSON, unknown: [String]) {
    var unknown: [String] = []
    let result = prune(value, isRoot: isRoot, at: "", &unknown)
    return (result, unknown.sorted())
  }

  private func prune(_ value: JSON, isRoot: Bool, at path: String, _ unknown: inout [String]) -> JSON {
    switch value {
    case .array(let elements):
      guard let items else { return value }
      return .array(
        elements.enumerated().map { index, element in
          items.prune(element, isRoot: items.embeddedResource, at: "\(path)[\(index)]", &unknown)
        })
    case .object(let members):
      var kept: [String: JSON] = [:]
      for (name, member) in members {
        let place = SchemaValidator.child(path, name)
        if isRoot, ["apiVersion", "kind", "metadata"].contains(name) {
          kept[name] = member
        } else if let part = self.member(name) {
          kept[name] = part.prune(member, isRoot: part.embeddedResource, at: place, &unknown)
        } else if preserveUnknownFields || type == nil && !intOrString && properties.isEmpty {
          kept[name] = member
        } else {
          unknown.append(place)
        }
      }
      return .object(kept)
    default: return value
    }
  }

  /// The value with the defaults of missing fields. A `null` where none may be counts as missing.
  func defaulted(_ value: JSON, isRoot: Bool = true) -> JSON {
    switch value {
    case .array(let elements):
      guard let items else { return value }
      return .array(elements.map { items.defaulted($0, isRoot: items.embeddedResource) })
    case .object(var members):
      for (name, property) in properties {
        if isRoot, name == "metadata" { continue }
        switch members[name] {
        case .null? where !property.nullable: members[name] = property.defaultValue
        case nil: members[name] = property.defaultValue
        default: break
        }
      }
      for (name, member) in members {
        if isRoot, name == "metadata" { continue }
        guard let part = self.member(name) else { continue }
        if member == .null, !part.nullable, properties[name] == nil, let value = part.defaultValue {
          members[name] = value
        } else {
          members[name] = part.defaulted(member, isRoot: part.embeddedResource)
        }
      }
      return .object(members)
    default: return value
    }
  }
}
