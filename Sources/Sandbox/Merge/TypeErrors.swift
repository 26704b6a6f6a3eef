import KubernetesAPI

/// What server-side apply refuses because it does not fit the schema; to the server that is an internal error.
enum TypeErrors {
  /// - Throws: 500, naming all fields that do not fit.
  static func check(_ applied: JSON, _ schema: Schema, apiVersion: String, isLive: Bool = false) throws(Status) {
    var faults: [String] = []
    collect(applied, schema, "", &faults)
    guard !faults.isEmpty else { return }
    let list = faults.count == 1 ? faults[0] : "errors:\n" + faults.map { "  \($0)" }.joined(separator: "\n")
    let version = apiVersion.contains("/") ? apiVersion : "/\(apiVersion)"
    var status = Status(
      code: 500, reason: "",
      message:
        "failed to create typed \(isLive ? "live" : "patch") object (\(applied.namespace)/\(applied.name); \(version), "
        + "Kind=\(applied.kind)): \(list)")
    status.reason = nil
    throw status
  }

  private static func collect(_ value: JSON, _ schema: Schema, _ path: String, _ faults: inout [String]) {
    if value.isNull { return }
    if schema.intOrString {
      if value.object != nil || value.array != nil { faults.append("\(path): expected a scalar, got \(value)") }
      return
    }
    switch (schema.type, value) {
    case (.object?, .object(let members)), (nil, .object(let members)):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        if let part = schema.member(name) {
          collect(member, part, "\(path).\(name)", &faults)
        } else if schema.type != nil, !schema.preserveUnknownFields {
          faults.append("\(path).\(name): field not declared in schema")
        }
      }
    case (.array?, .array(let elements)), (nil, .array(let elements)):
      var seen: Set<PathElement> = []
      for (index, element) in elements.enumerated() {
        var place = PathElement.index(index)
        if schema.listType == .map || schema.listType == .set {
          place = schema.identity(of: element)
          if schema.listType == .map, element.object == nil {
            faults.append("\(path): expected an object, got \(element)")
            continue
          }
          if !seen.insert(place).inserted { faults.append("\(path): duplicate entries for key \(place.shown)") }
        }
        collect(element, schema.items ?? .any, path + place.shown, &faults)
      }
    case (.string?, .string), (.boolean?, .bool), (.integer?, .int), (.integer?, .double), (.number?, .int),
      (.number?, .double), (nil, _):
      break
    case (let type?, _): faults.append("\(path): expected \(type.rawValue), got \(value)")
    }
  }
}
