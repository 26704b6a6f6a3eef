import KubernetesAPI

/// What is admitted: one write, after authorization and before it is stored.
struct AdmissionRequest: Sendable {
  enum Operation: String, Sendable {
    case create = "CREATE"
    case update = "UPDATE"
    case delete = "DELETE"
    case connect = "CONNECT"
  }

  var operation: Operation
  var type: ResourceType
  /// Empty for the resource itself.
  var subresource = ""
  /// Empty for objects without a namespace.
  var namespace = ""
  var name: String
  /// `nil` in a deletion.
  var object: JSON?
  /// `nil` in a creation.
  var oldObject: JSON?
  var username: String
  var groups: [String] = []
  var dryRun = false
  /// The namespace that the object is in.
  var namespaceObject: JSON?

  /// The variable `request` of expressions.
  var variable: JSON {
    var user: JSON = ["username": .string(username)]
    if !groups.isEmpty { user["groups"] = .array(groups.map(JSON.string)) }
    let kind: JSON = ["group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind)]
    let resource: JSON = [
      "group": .string(type.group), "version": .string(type.version), "resource": .string(type.plural),
    ]
    return [
      "operation": .string(operation.rawValue), "name": .string(name), "namespace": .string(namespace),
      "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource,
      "subResource": .string(subresource), "requestSubResource": .string(subresource), "userInfo": user,
      "dryRun": .bool(dryRun),
    ]
  }

  /// The failure of a write that a policy denies. Its text says "forbidden" whatever the reason is.
  func denied(_ messages: [String], reason: String) -> Status {
    let codes = ["Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422]
    let resource = type.group.isEmpty ? type.plural : "\(type.plural).\(type.group)"
    return Status(
      code: codes[reason] ?? 422, reason: reason,
      message: "\(resource) \"\(name)\" is forbidden: \(messages.first ?? "denied")",
      details: .init(
        name: name.isEmpty ? nil : name, group: type.group.isEmpty ? nil : type.group, kind: type.plural,
        causes: messages.map { .init(message: $0) }))
  }
}
