import Foundation
import KubernetesAPI

/// Where the server asks what a kind is like: one place for all calls into the schemas, the patches, field ownership
/// and custom resources.
enum KindRules {
  /// Groups that have kinds which are asked and never stored.
  static let reviewGroups: Set<String> = ["authentication.k8s.io", "authorization.k8s.io"]

  static let builtInKinds = BuiltInKinds.all { type in
    Schema.anyObject
  }

  static func kinds(of definition: JSON) -> [ServedKind] { [] }

  // MARK: Reading

  /// A whole object from a request: of the right kind, every field of the right type, with defaults.
  /// - Throws: 400, as all faults of decoding.
  static func decode(_ body: RequestBody, _ call: inout Call, _ options: WriteOptions) throws(Status) -> JSON {
    var object = body.value
    try checkKind(&object, call.type)
    let unknown = body.duplicates.map { "duplicate field \"\($0)\"" } + unknownFields(object, call.kind)
    if !unknown.isEmpty, options.fieldValidation == .strict {
      throw Refusal.badRequest(
        "\(call.type.kind) in version \"\(call.type.version)\" cannot be handled as a \(call.type.kind): strict decoding "
          + "error: \(unknown.joined(separator: ", "))")
    }
    if options.fieldValidation == .warn { call.warnings += unknown }
    if let fault = typeFault(object, call.kind) {
      throw Refusal.badRequest(
        "\(call.type.kind) in version \"\(call.type.version)\" cannot be handled as a \(call.type.kind): \(fault)")
    }
    normalize(&object, call.kind)
    return object
  }

  /// A patched object: what does not fit is a fault of the patch, 422.
  static func decode(patched: JSON, _ call: inout Call, _ options: WriteOptions) throws(Status) -> JSON {
    var object = patched
    let unknown = unknownFields(object, call.kind)
    if !unknown.isEmpty, options.fieldValidation == .strict {
      throw invalidPatch("strict decoding error: \(unknown.joined(separator: ", "))")
    }
    if options.fieldValidation == .warn { call.warnings += unknown }
    if let fault = typeFault(object, call.kind) { throw invalidPatch(fault) }
    normalize(&object, call.kind)
    return object
  }

  private static func invalidPatch(_ detail: String) -> Status {
    Refusal.invalid(
      kind: "", group: "", name: "",
      [.init(reason: "FieldValueInvalid", message: "Invalid value: \"patch\": \(detail)", field: "patch")])
  }

  private static func checkKind(_ object: inout JSON, _ type: ResourceType) throws(Status) {
    if object.kind.isEmpty { object["kind"] = .string(type.kind) }
    if object.apiVersion.isEmpty { object["apiVersion"] = .string(type.apiVersion) }
    guard object.kind != type.kind || object.apiVersion != type.apiVersion else { return }
    let version = object.apiVersion.split(separator: "/").last.map(String.init) ?? ""
    let detail =
      object.kind != type.kind
      ? "unknown conversion" : "no kind \"\(object.kind)\" is registered for version \"\(object.apiVersion)\""
    throw Refusal.badRequest(
      "\(object.kind) in version \"\(version)\" cannot be handled as a \(type.kind): \(detail)")
  }

  /// The fields that the kind does not have, as `unknown field "spec.replica"`.
  static func unknownFields(_ object: JSON, _ kind: ServedKind) -> [String] { [] }

  /// What is wrong with the type of a value, or `nil`.
  static func typeFault(_ object: JSON, _ kind: ServedKind) -> String? { nil }

  /// Drops what is not stored (nulls, unknown fields, zero values that Go leaves out) and fills in defaults.
  static func normalize(_ object: inout JSON, _ kind: ServedKind) {}

  // MARK: Changing

  static func jsonPatch(_ patch: JSON, _ object: JSON) throws(Status) -> JSON { object }
  static func mergePatch(_ patch: JSON, _ object: JSON) -> JSON { object }
  static func strategicMergePatch(_ patch: JSON, _ object: JSON, _ kind: ServedKind) throws(Status) -> JSON { object }

  /// A server-side apply: the object with the applied fields and their new owner.
  static func apply(
    _ applied: JSON, live: JSON?, _ call: inout Call, _ options: WriteOptions
  ) throws(Status) -> JSON { applied }

  /// The object with managedFields after a write that is no apply.
  static func manage(_ object: JSON, old: JSON?, _ call: Call, _ options: WriteOptions) -> JSON { object }

  // MARK: Checking

  /// - Throws: 422 with a cause for each field that is not valid.
  static func validate(_ object: JSON, old: JSON?, _ call: Call) throws(Status) {}
}
