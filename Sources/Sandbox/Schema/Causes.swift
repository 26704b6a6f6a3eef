import KubernetesAPI

/// One fault of one field, as `metav1.StatusCause` reports it (apimachinery's field errors).
extension Status.Cause {
  /// The field of faults that belong to no field; the real server prints it so.
  static let noField = "<nil>"

  static func invalid(_ field: String, _ value: JSON?, _ detail: String) -> Status.Cause {
    let shown = value.map { "\(Self.shown($0)): " } ?? ""
    return .init(reason: "FieldValueInvalid", message: "Invalid value: \(shown)\(detail)", field: field)
  }

  static func required(_ field: String, _ detail: String = "") -> Status.Cause {
    .init(
      reason: "FieldValueRequired", message: detail.isEmpty ? "Required value" : "Required value: \(detail)",
      field: field)
  }

  static func forbidden(_ field: String, _ detail: String) -> Status.Cause {
    .init(reason: "FieldValueForbidden", message: "Forbidden: \(detail)", field: field)
  }

  static func duplicate(_ field: String, _ value: JSON) -> Status.Cause {
    .init(reason: "FieldValueDuplicate", message: "Duplicate value: \(value)", field: field)
  }

  static func notSupported(_ field: String, _ value: JSON, among values: [JSON]) -> Status.Cause {
    let list = values.map { "\($0)" }.joined(separator: ", ")
    return .init(
      reason: "FieldValueNotSupported", message: "Unsupported value: \(value): supported values: \(list)", field: field)
  }

  static func wrongType(_ field: String, _ value: JSON, _ detail: String) -> Status.Cause {
    .init(reason: "FieldValueTypeInvalid", message: "Invalid value: \(value): \(detail)", field: field)
  }

  static func tooLong(_ field: String, most: Int) -> Status.Cause {
    .init(reason: "FieldValueTooLong", message: "Too long: may not be more than \(most) bytes", field: field)
  }

  static func tooMany(_ field: String, _ count: Int, most: Int) -> Status.Cause {
    .init(
      reason: "FieldValueTooMany", message: "Too many: \(count): must have at most \(most) items", field: field)
  }

  /// Objects and lists are named by their type only, since they can be long.
  private static func shown(_ value: JSON) -> String {
    switch value {
    case .object, .array: "\"\(value.typeName)\""
    default: "\(value)"
    }
  }
}

extension Status {
  /// A 422 with its causes: `Widget.example.com "w" is invalid: …`.
  static func invalid(kind: String, group: String, name: String, _ causes: [Status.Cause]) -> Status {
    let texts = causes.map { "\($0.field ?? ""): \($0.message ?? "")" }
    let list = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
    return Status(
      code: 422, reason: "Invalid",
      message: "\(group.isEmpty ? kind : "\(kind).\(group)") \"\(name)\" is invalid: \(list)",
      details: .init(
        name: name.isEmpty ? nil : name, group: group.isEmpty ? nil : group, kind: kind.isEmpty ? nil : kind,
        causes: causes))
  }
}
