import Foundation
import KubernetesAPI

/// Where the server asks what a kind is like: one place for all calls into the schemas, the patches, field ownership
/// and custom resources.
enum KindRules {
  /// Groups that have kinds which are asked and never stored.
  static let reviewGroups: Set<String> = ["authentication.k8s.io", "authorization.k8s.io"]

  static let builtInKinds = BuiltInKinds.all { type in
    BuiltIns.schema(for: type) ?? .anyObject
  }

  /// What an established definition serves.
  static func kinds(of definition: JSON) -> [ServedKind] {
    // A definition that cannot be read was refused when it was written.
    guard let parsed = try? CustomResourceDefinition(definition), parsed.isEstablished else { return [] }
    let storage = parsed.storage?.type.apiVersion ?? ""
    return parsed.versions.filter(\.isServed).map { version in
      var parts: [ServedKind.Subresource] = []
      let verbs = ["get", "patch", "update"]
      if version.hasStatus { parts.append(.init(name: "status", kind: version.type.kind, verbs: verbs)) }
      if version.scale != nil {
        parts.append(.init(name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: verbs))
      }
      return ServedKind(
        type: version.type, singular: version.names.singular, shortNames: version.names.shortNames,
        categories: version.names.categories, verbs: customVerbs, subresources: parts, schema: whole(version.schema),
        custom: CustomKind(resource: version, storageVersion: storage, isTerminating: parsed.isBeingDeleted))
    }.sorted { VersionOrder($0.type.version) > VersionOrder($1.type.version) }
  }

  /// In the order in which the real server lists them.
  private static let customVerbs = [
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
  ]

  /// The schema of a definition says nothing of metadata, which all objects share.
  private static func whole(_ schema: Schema) -> Schema {
    var whole = schema
    whole.type = .object
    whole.properties["apiVersion"] = .string
    whole.properties["kind"] = .string
    whole.properties["metadata"] = MetaSchemas.objectMeta
    return whole
  }

  // MARK: Reading

  /// A whole object from a request: of the right kind, every field of the right type, with defaults.
  /// - Throws: 400, as all faults of decoding.
  static func decode(_ body: RequestBody, _ call: inout Call, _ options: WriteOptions) throws(Status) -> JSON {
    var object = body.value
    let type = call.type
    // A custom resource of another kind is refused by its validation.
    if !call.kind.isCustom || object.kind.isEmpty || object.apiVersion.isEmpty || object.apiVersion != type.apiVersion {
      try checkKind(&object, type)
    }
    return try decode(object, duplicates: body.duplicates, &call, options) { strict, detail in
      Refusal.badRequest(
        "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): "
          + (strict ? "strict decoding error: " : "") + detail)
    }
  }

  /// A patched object: what does not fit is a fault of the patch, 422.
  static func decode(patched: JSON, _ call: inout Call, _ options: WriteOptions) throws(Status) -> JSON {
    try decode(patched, duplicates: [], &call, options) { strict, detail in
      Refusal.invalid(
        kind: "", group: "", name: "",
        [
          .init(
            reason: "FieldValueInvalid",
            message: "Invalid value: \"patch\": " + (strict ? "strict decoding error: " : "") + detail, field: "patch")
        ])
    }
  }

  private static func decode(
    _ object: JSON, duplicates: [String], _ call: inout Call, _ options: WriteOptions,
    fault: (_ strict: Bool, _ detail: String) -> Status
  ) throws(Status) -> JSON {
    let (decoded, unknownFields) = try normalized(object, call.kind, fault: fault)
    let unknown = duplicates.map { "duplicate field \"\($0)\"" } + unknownFields
    if !unknown.isEmpty, options.fieldValidation == .strict { throw fault(true, unknown.joined(separator: ", ")) }
    if options.fieldValidation == .warn { call.warnings += unknown }
    return decoded
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

  /// Drops what is not stored (nulls, unknown fields, zero values that Go leaves out) and fills in defaults.
  /// - Returns: also a sentence for each unknown field.
  /// - Throws: `fault` where a value has another type than its field.
  static func normalized(
    _ object: JSON, _ kind: ServedKind, fault: (_ strict: Bool, _ detail: String) -> Status
  ) throws(Status) -> (object: JSON, unknown: [String]) {
    if let custom = kind.custom {
      let metadata = object["metadata"] ?? .emptyObject
      if let detail = FieldValidation.typeFault(metadata, schema: MetaSchemas.objectMeta) {
        throw fault(false, "metadata: \(detail)")
      }
      var (prepared, paths) = custom.resource.prepared(object)
      prepared["metadata"] = Normalization.normalized(metadata, MetaSchemas.objectMeta)
      return (prepared, paths.map { "unknown field \"\($0)\"" })
    }
    if let detail = FieldValidation.typeFault(object, schema: kind.schema) { throw fault(false, detail) }
    let unknown = FieldValidation.check(object, schema: kind.schema)
    var normal = Normalization.normalized(object, kind.schema)
    BuiltIns.applyDefaults(&normal, kind.type)
    applyObjectDefaults(&normal, kind.type)
    return (normal, unknown)
  }

  /// Defaults that objects have and templates of them have not.
  private static func applyObjectDefaults(_ object: inout JSON, _ type: ResourceType) {
    if type == .pods, object["spec"] != nil, object[path: ["spec", "enableServiceLinks"]] == nil {
      object[path: ["spec", "enableServiceLinks"]] = true
    }
    if type == .namespaces, !object.name.isEmpty {
      object[path: ["metadata", "labels", "kubernetes.io/metadata.name"]] = .string(object.name)
    }
  }

  // MARK: Changing

  static func jsonPatch(_ patch: JSON, _ object: JSON) throws(Status) -> JSON {
    try JSONPatch.apply(patch, to: object)
  }

  static func mergePatch(_ patch: JSON, _ object: JSON) -> JSON { MergePatch.apply(patch, to: object) }

  static func strategicMergePatch(_ patch: JSON, _ object: JSON, _ kind: ServedKind) throws(Status) -> JSON {
    try StrategicMergePatch.apply(patch, to: object, schema: kind.schema)
  }

  /// A server-side apply: the object with the applied fields and their new owner.
  static func apply(
    _ applied: JSON, live: JSON?, _ call: inout Call, _ options: WriteOptions
  ) throws(Status) -> JSON {
    let merged = try ServerSideApply.apply(
      applied, to: live, by: writer(call, options), force: options.force, schema: call.kind.schema,
      skeleton: skeleton(call.kind))
    return try decode(patched: merged, &call, options)
  }

  /// The object with managedFields after a write that is no apply.
  static func manage(_ object: JSON, old: JSON?, _ call: Call, _ options: WriteOptions) -> JSON {
    var managed = ManagedFields.update(
      object, old: old, by: writer(call, options), schema: call.kind.schema, skeleton: skeleton(call.kind))
    guard call.target.subresource == "scale", let entries = managed.managedFields?.array else { return managed }
    // The real server loses the time on the way through Scale.
    managed.managedFields = .array(
      entries.map { entry in
        guard entry["subresource"]?.string == "scale" else { return entry }
        var entry = entry
        entry["time"] = nil
        return entry
      })
    return managed
  }

  private static func writer(_ call: Call, _ options: WriteOptions) -> ManagedFields.Writer {
    ManagedFields.Writer(
      manager: options.fieldManager, apiVersion: call.type.apiVersion, subresource: call.target.subresource,
      owned: .of(
        call.type, isCustom: call.kind.isCustom, hasStatus: call.kind.hasStatusSubresource,
        subresource: call.target.subresource), now: call.now)
  }

  private static func skeleton(_ kind: ServedKind) -> JSON {
    kind.isCustom ? .emptyObject : BuiltIns.skeleton(of: kind.schema)
  }

  // MARK: Checking

  /// - Throws: 422 with a cause for each field that is not valid.
  static func validate(_ object: JSON, old: JSON?, _ call: Call) throws(Status) {
    if let custom = call.kind.custom {
      try custom.resource.validate(object, old: old)
      return
    }
    do throws(Status) {
      try BuiltIns.validate(object, old: old, type: call.type, subresource: call.target.subresource)
    } catch {
      guard call.type.group == "events.k8s.io" else { throw error }
      // Faults of Events are reported as those of the core group, whichever way they came.
      var status = error
      status.details?.group = nil
      status.message = status.message?.replacing("Event.events.k8s.io", with: "Event", maxReplacements: 1)
      throw status
    }
    if call.type.group == "apiextensions.k8s.io", call.target.subresource.isEmpty {
      try DefinitionValidation.validate(object, old: old)
    }
    if call.type.group == "admissionregistration.k8s.io", call.target.subresource.isEmpty {
      try PolicyObjects.validate(object)
    }
  }
}
