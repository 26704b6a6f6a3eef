import KubernetesAPI

/// What the server refuses in a CustomResourceDefinition.
enum DefinitionValidation {
  /// - Throws: 422 with all causes.
  static func validate(_ crd: JSON, old: JSON?) throws(Status) {
    let causes = causes(crd, old: old)
    guard !causes.isEmpty else { return }
    throw .invalid(
      kind: "CustomResourceDefinition", group: "apiextensions.k8s.io", name: crd.name, causes)
  }

  static func causes(_ crd: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let spec = crd["spec"] ?? .emptyObject
    let group = spec["group"]?.string ?? ""
    let plural = spec[path: ["names", "plural"]]?.string ?? ""
    // Later the plural itself may not change.
    if old == nil, crd.name != "\(plural).\(group)" {
      causes.append(.invalid("metadata.name", .string(crd.name), "must be spec.names.plural+\".\"+spec.group"))
    }
    if group.isEmpty {
      causes.append(.required("spec.group"))
    } else if !ObjectNames.isSubdomain(group) {
      causes.append(.invalid("spec.group", .string(group), ObjectNames.subdomainRule))
    } else if !group.contains(".") {
      causes.append(.invalid("spec.group", .string(group), "should be a domain with at least one dot"))
    }
    let scopes: [JSON] = ["Cluster", "Namespaced"]
    switch spec["scope"] {
    case nil, .null, .string(""): causes.append(.required("spec.scope"))
    case let scope? where !scopes.contains(scope): causes.append(.notSupported("spec.scope", scope, among: scopes))
    default: break
    }
    checkNames(spec["names"] ?? .emptyObject, &causes)
    checkVersions(spec, crd, &causes)
    if let old { checkChanges(crd, old, &causes) }
    return causes
  }

  private static func checkNames(_ names: JSON, _ causes: inout [Status.Cause]) {
    for key in ["plural", "singular", "kind", "listKind"] {
      let name = names[key]?.string ?? ""
      let field = "spec.names.\(key)"
      // Kinds are labels too, but for the case of their letters.
      if name.isEmpty {
        causes.append(.required(field))
      } else if !ObjectNames.isLabel(name.lowercased())
        || (name != name.lowercased() && (key == "plural" || key == "singular"))
      {
        causes.append(.invalid(field, .string(name), ObjectNames.labelRule))
      }
    }
    for (index, name) in (names["shortNames"]?.array ?? []).enumerated()
    where !ObjectNames.isLabel(name.string ?? "") {
      causes.append(.invalid("spec.names.shortNames[\(index)]", name, ObjectNames.labelRule))
    }
    if names["kind"] != nil, names["kind"] == names["listKind"] {
      causes.append(.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    }
  }

  private static func checkVersions(_ spec: JSON, _ crd: JSON, _ causes: inout [Status.Cause]) {
    let versions = spec["versions"]?.array ?? []
    if versions.count(where: { $0["storage"]?.bool == true }) != 1 {
      causes.append(
        .invalid("spec.versions", .array(versions), "must have exactly one version marked as storage version"))
    }
    var seen: Set<String> = []
    let schemas = versions.map { $0[path: ["schema", "openAPIV3Schema"]] }
    // A schema that all versions share is reported where the server keeps it.
    let isShared = Set(schemas).count == 1
    for (index, version) in versions.enumerated() {
      let field = "spec.versions[\(index)]"
      let name = version["name"]?.string ?? ""
      if !ObjectNames.isLabel(name) {
        causes.append(.invalid("\(field).name", .string(name), ObjectNames.labelRule))
      }
      if !seen.insert(name).inserted {
        causes.append(.invalid("spec.versions", .array(versions), "must contain unique version names"))
      }
      for key in ["served", "storage"] where version[key]?.bool == nil { causes.append(.required("\(field).\(key)")) }
      guard let schema = schemas[index], schema.object != nil else {
        causes.append(.required("\(field).schema.openAPIV3Schema", "schemas are required"))
        continue
      }
      if !isShared || index == 0 {
        let place = isShared ? "spec.validation.openAPIV3Schema" : "\(field).schema.openAPIV3Schema"
        causes += DefinitionSchemaCheck.causes(schema, at: place)
      }
      checkColumns(version, field, &causes)
      checkScale(version, field, &causes)
    }
    if versions.isEmpty { causes.append(.required("spec.versions")) }
    let names = Set(versions.compactMap { $0["name"]?.string })
    for (index, stored) in (crd[path: ["status", "storedVersions"]]?.array ?? []).enumerated()
    where !names.contains(stored.string ?? "") {
      causes.append(.invalid("status.storedVersions[\(index)]", stored, "must appear in spec.versions"))
    }
  }

  private static func checkColumns(_ version: JSON, _ field: String, _ causes: inout [Status.Cause]) {
    let types: [JSON] = ["boolean", "date", "integer", "number", "string"]
    for (index, column) in (version["additionalPrinterColumns"]?.array ?? []).enumerated() {
      let place = "\(field).additionalPrinterColumns[\(index)]"
      if (column["name"]?.string ?? "").isEmpty { causes.append(.required("\(place).name")) }
      if let type = column["type"], type != "" {
        if !types.contains(type) {
          causes.append(
            .invalid("\(place).type", type, "must be one of \(types.compactMap(\.string).joined(separator: ","))"))
        }
      } else {
        causes.append(.required("\(place).type"))
      }
      let path = column["jsonPath"]?.string ?? ""
      if path.isEmpty {
        causes.append(.required("\(place).jsonPath"))
      } else if !path.hasPrefix(".") || path.count(where: { $0 == "[" }) != path.count(where: { $0 == "]" }) {
        causes.append(.invalid("\(place).jsonPath", .string(path), "must be a simple json path starting with ."))
      }
    }
  }

  private static func checkScale(_ version: JSON, _ field: String, _ causes: inout [Status.Cause]) {
    guard let scale = version[path: ["subresources", "scale"]] else { return }
    let paths = [("specReplicasPath", ".spec.", true), ("statusReplicasPath", ".status.", true)]
    for (key, prefix, _) in paths {
      let place = "\(field).subresources.scale.\(key)"
      let path = scale[key]?.string ?? ""
      if path.isEmpty {
        causes.append(.required(place))
      } else if !path.hasPrefix(prefix) || path.contains("[") {
        causes.append(.invalid(place, .string(path), "should be a json path under \(prefix.dropLast())"))
      }
    }
    if let path = scale["labelSelectorPath"]?.string, !path.isEmpty, !path.hasPrefix(".status."),
      !path.hasPrefix(".spec.")
    {
      causes.append(
        .invalid(
          "\(field).subresources.scale.labelSelectorPath", .string(path),
          "should be a json path under either .spec or .status"))
    }
  }

  private static func checkChanges(_ crd: JSON, _ old: JSON, _ causes: inout [Status.Cause]) {
    var fixed = [["spec", "group"], ["spec", "names", "plural"]]
    let isEstablished =
      old[path: ["status", "conditions"]]?.array?.contains {
        $0["type"]?.string == "Established" && $0["status"]?.string == "True"
      } ?? false
    if isEstablished { fixed += [["spec", "scope"], ["spec", "names", "kind"]] }
    for path in fixed where crd[path: path] != old[path: path] {
      causes.append(.invalid(path.joined(separator: "."), crd[path: path], "field is immutable"))
    }
  }
}
