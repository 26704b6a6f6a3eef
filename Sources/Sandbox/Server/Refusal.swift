import KubernetesAPI

/// The failures of the API server, in the words that clients know.
enum Refusal {
  /// `deployments.apps`, or `configmaps` in the core group.
  static func qualified(_ type: ResourceType) -> String {
    type.group.isEmpty ? type.plural : "\(type.plural).\(type.group)"
  }

  private static func details(_ type: ResourceType, name: String?, kind: String? = nil) -> Status.Details {
    Status.Details(
      name: name.flatMap { $0.isEmpty ? nil : $0 }, group: type.group.isEmpty ? nil : type.group,
      kind: kind ?? type.plural)
  }

  static func notFound(_ type: ResourceType, _ name: String) -> Status {
    Status(
      code: 404, reason: "NotFound", message: "\(qualified(type)) \"\(name)\" not found",
      details: details(type, name: name))
  }

  static func alreadyExists(_ type: ResourceType, _ name: String, isBeingDeleted: Bool = false) -> Status {
    let message = "\(qualified(type)) \"\(name)\" already exists"
    return Status(
      code: 409, reason: "AlreadyExists", message: isBeingDeleted ? "object is being deleted: \(message)" : message,
      details: details(type, name: name))
  }

  static func conflict(_ type: ResourceType, _ name: String, _ detail: String) -> Status {
    Status(
      code: 409, reason: "Conflict",
      message: "Operation cannot be fulfilled on \(qualified(type)) \"\(name)\": \(detail)",
      details: details(type, name: name))
  }

  static func modified(_ type: ResourceType, _ name: String) -> Status {
    conflict(
      type, name, "the object has been modified; please apply your changes to the latest version and try again")
  }

  /// A precondition of a deletion that does not hold; it names the kind where others name the resource.
  static func preconditionFailed(_ type: ResourceType, _ name: String, _ detail: String) -> Status {
    let kind = type.group.isEmpty ? type.kind : "\(type.kind).\(type.group)"
    return Status(
      code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on \(kind) \"\(name)\": \(detail)",
      details: details(type, name: name, kind: type.kind))
  }

  static func badRequest(_ message: String) -> Status {
    Status(code: 400, reason: "BadRequest", message: message)
  }

  /// A failure that carries no reason.
  static func internalError(_ message: String) -> Status {
    var status = Status(code: 500, reason: "", message: message)
    status.reason = nil
    return status
  }

  static func forbidden(
    _ type: ResourceType, _ name: String, _ detail: String, causes: [Status.Cause]? = nil
  ) -> Status {
    var details = details(type, name: name)
    details.causes = causes
    let object = name.isEmpty ? qualified(type) : "\(qualified(type)) \"\(name)\""
    return Status(code: 403, reason: "Forbidden", message: "\(object) is forbidden: \(detail)", details: details)
  }

  /// The path names nothing that is served.
  static var unknownResource: Status {
    Status(
      code: 404, reason: "NotFound", message: "the server could not find the requested resource", details: .init())
  }

  static var methodNotAllowed: Status {
    Status(
      code: 405, reason: "MethodNotAllowed",
      message: "the server does not allow this method on the requested resource", details: .init())
  }

  static func methodNotSupported(_ type: ResourceType, _ verb: String) -> Status {
    Status(
      code: 405, reason: "MethodNotAllowed",
      message: "\(verb) is not supported on resources of kind \"\(qualified(type))\"", details: details(type, name: nil)
    )
  }

  static func expired(_ message: String) -> Status {
    Status(code: 410, reason: "Expired", message: message)
  }

  static func tooLargeVersion(_ version: UInt64, current: UInt64) -> Status {
    Status(
      code: 504, reason: "Timeout", message: "Timeout: Too large resource version: \(version), current: \(current)",
      details: .init(
        causes: [.init(reason: "ResourceVersionTooLarge", message: "Too large resource version")],
        retryAfterSeconds: 1))
  }

  /// A 422 with its causes: `Deployment.apps "web" is invalid: …`.
  static func invalid(kind: String, group: String, name: String, _ causes: [Status.Cause]) -> Status {
    // What is found twice is said once.
    var seen: Set<String> = []
    let texts = causes.map { "\($0.field ?? ""): \($0.message ?? "")" }.filter { seen.insert($0).inserted }
    let list = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
    let qualifiedKind = group.isEmpty ? kind : "\(kind).\(group)"
    return Status(
      code: 422, reason: "Invalid", message: "\(qualifiedKind) \"\(name)\" is invalid: \(list)",
      details: .init(
        name: name.isEmpty ? nil : name, group: group.isEmpty ? nil : group, kind: kind.isEmpty ? nil : kind,
        causes: causes))
  }

  static func invalid(_ type: ResourceType, _ name: String, _ causes: [Status.Cause]) -> Status {
    invalid(kind: type.kind, group: type.group, name: name, causes)
  }

  /// A query parameter of a write (`CreateOptions` …) or of a list that is not valid.
  static func invalidOption(_ kind: String, _ causes: [Status.Cause]) -> Status {
    invalid(kind: kind, group: "meta.k8s.io", name: "", causes)
  }

  static func invalidValue(_ field: String, _ found: JSON, _ detail: String) -> Status.Cause {
    .init(reason: "FieldValueInvalid", message: "Invalid value: \(found): \(detail)", field: field)
  }

  static func required(_ field: String, _ detail: String = "") -> Status.Cause {
    .init(
      reason: "FieldValueRequired", message: detail.isEmpty ? "Required value" : "Required value: \(detail)",
      field: field)
  }

  static func forbiddenField(_ field: String, _ detail: String) -> Status.Cause {
    .init(reason: "FieldValueForbidden", message: "Forbidden: \(detail)", field: field)
  }

  static func unsupported(_ field: String, _ found: JSON, supported: [String]) -> Status.Cause {
    let values = supported.map { "\"\($0)\"" }.joined(separator: ", ")
    return .init(
      reason: "FieldValueNotSupported", message: "Unsupported value: \(found): supported values: \(values)",
      field: field)
  }
}
