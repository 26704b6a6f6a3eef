import Foundation
import KubernetesAPI

/// The one way by which objects get into the store.
extension APIServer {
  /// Runs a write: in the store, or for a dry run on a copy of its state that is thrown away.
  func transaction<Result: Sendable>(
    dryRun: Bool, _ body: (inout StoreState) throws(Status) -> Result
  ) throws(Status) -> Result {
    if dryRun {
      var copy = store.state
      return try body(&copy)
    }
    return try store.write(body)
  }

  /// Creates an object.
  /// - Parameters:
  ///   - object: decoded and with defaults, in the shape of the call's kind.
  ///   - isApply: its managedFields are there already.
  /// - Returns: the object as stored; of a dry run as it would be, without a resourceVersion.
  func create(
    _ object: JSON, _ call: inout Call, _ options: WriteOptions, isApply: Bool = false, in state: inout StoreState
  ) throws(Status) -> JSON {
    var object = object
    try checkNamespace(call, in: state, name: object.name)
    if !isApply { object = KindRules.manage(object, old: nil, call, options) }
    object = OwnerReferences.withoutDuplicates(object)
    let ranges = call.type == .pods ? LimitRanger.ranges(in: call.target.namespace, state) : []
    object = LimitRanger.fill(object, from: ranges)
    var admission = Admission(call, options, operation: .create, old: nil, state)
    object = try admission.mutate(object)

    guard object.resourceVersion.isEmpty || isApply else {
      throw Refusal.internalError("resourceVersion should not be set on objects to be created")
    }
    var metadata = object["metadata"] ?? .emptyObject
    if call.type.namespaced {
      metadata["namespace"] = .string(call.target.namespace)
    } else {
      metadata["namespace"] = nil
    }
    if (metadata["name"]?.string ?? "").isEmpty, let prefix = metadata["generateName"]?.string, !prefix.isEmpty {
      metadata["name"] = .string(String(prefix.prefix(58)) + nameSuffix())
    }
    for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
      metadata[field] = nil
    }
    metadata["uid"] = .string(newUID())
    metadata["creationTimestamp"] = .string(Timestamp(call.now).description)
    if GenerationRule.of(call.kind) != .none { metadata["generation"] = 1 }
    object["metadata"] = metadata

    try Strategy.prepareForCreate(&object, call, in: state, allocate: { self.clusterIP(in: state) })
    try KindRules.validate(object, old: nil, call)
    if call.type == .pods { try LimitRanger.validate(object, ranges) }
    try admission.validate(object)
    call.warnings += admission.warnings
    try Quotas.admit(object, call, isDryRun: options.isDryRun, in: &state)

    let key = object.objectKey
    if let existing = state.object(call.kind.stored, key) {
      throw Refusal.alreadyExists(call.type, object.name, isBeingDeleted: existing.isBeingDeleted)
    }
    let stored = call.kind.storable(object)
    if options.isDryRun { return call.kind.shown(stored) }
    let result = state.put(stored, in: call.kind.stored)
    afterWrite(old: nil, new: result, call.kind, in: &state)
    return call.kind.shown(result)
  }

  /// Changes an object.
  /// - Parameters:
  ///   - isReplacement: the new object is a whole one (PUT), whose uid is a precondition.
  ///   - isApply: its managedFields are there already.
  ///   - change: makes the new object out of the old one, both in the shape of the call's kind.
  /// - Returns: the object as stored; unchanged when nothing changed.
  func update(
    _ call: inout Call, _ options: WriteOptions, isReplacement: Bool = false, isApply: Bool = false,
    in state: inout StoreState, _ change: (JSON, inout Call) throws(Status) -> JSON
  ) throws(Status) -> JSON {
    guard let live = state.object(call.kind.stored, call.key) else {
      throw Refusal.notFound(call.type, call.target.name)
    }
    let old = call.kind.shown(live)
    var object = try change(old, &call)
    try checkIdentity(object, call)
    if isReplacement, !object.uid.isEmpty, object.uid != old.uid {
      let path = "/registry/\(call.type.plural)/\(call.key)"
      throw Refusal.conflict(
        call.type, call.target.name,
        "StorageError: invalid object, Code: 4, Key: \(path), ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
          + "UID in precondition: \(object.uid), UID in object meta: \(old.uid)")
    }
    if !isApply { object = KindRules.manage(object, old: old, call, options) }
    object = OwnerReferences.withoutDuplicates(object)
    var admission = Admission(call, options, operation: .update, old: old, state)
    object = try admission.mutate(object)
    object = try checkVersion(object, old, call, isReplacement: isReplacement)

    try Strategy.prepareForUpdate(&object, old: old, call)
    object = Metadata.preservingSystemFields(object, old: old)
    if GenerationRule.of(call.kind).isBumped(
      from: old, to: object, call.kind, subresource: call.target.subresource)
    {
      object[path: ["metadata", "generation"]] = JSON(old.generation + 1)
    }
    try Metadata.validateUpdate(object, old: old, call.type)
    try KindRules.validate(object, old: old, call)
    try admission.validate(object)
    call.warnings += admission.warnings

    if ManagedTimes.areEqual(object, old) { return old }
    if isFinished(object, call.kind) {
      // The last finalizer is gone: the answer shows the object as it was, and it is no more.
      if !options.isDryRun {
        let stored = call.kind.storable(object)
        state.remove(call.key, in: call.kind.stored, last: stored)
        afterWrite(old: live, new: nil, call.kind, in: &state)
      }
      return object
    }
    if options.isDryRun { return object }
    let result = state.put(call.kind.storable(object), in: call.kind.stored)
    afterWrite(old: live, new: result, call.kind, in: &state)
    return call.kind.shown(result)
  }

  /// An object that is marked for deletion goes when nothing holds it any more.
  func isFinished(_ object: JSON, _ kind: ServedKind) -> Bool {
    guard object.isBeingDeleted, object.finalizers.isEmpty else { return false }
    if kind.type == .namespaces {
      return (object[path: ["spec", "finalizers"]]?.array ?? []).isEmpty
    }
    return (object[path: ["metadata", "deletionGracePeriodSeconds"]]?.int ?? 0) == 0
  }

  private func checkNamespace(_ call: Call, in state: StoreState, name: String) throws(Status) {
    guard call.type.namespaced else { return }
    let namespace = call.target.namespace
    guard let found = state.object(StoredResource(.namespaces), ObjectKey(name: namespace)) else {
      throw Refusal.notFound(.namespaces, namespace)
    }
    guard found.isBeingDeleted || found[path: ["status", "phase"]]?.string == "Terminating" else { return }
    throw Refusal.forbidden(
      call.type, name, "unable to create new content in namespace \(namespace) because it is being terminated",
      causes: [
        .init(
          reason: "NamespaceTerminating", message: "namespace \(namespace) is being terminated",
          field: "metadata.namespace")
      ])
  }

  func checkIdentity(_ object: JSON, _ call: Call) throws(Status) {
    if !object.name.isEmpty, object.name != call.target.name {
      throw Refusal.badRequest(
        "the name of the object (\(object.name)) does not match the name on the URL (\(call.target.name))")
    }
    try checkNamespaceField(object, call)
  }

  func checkNamespaceField(_ object: JSON, _ call: Call) throws(Status) {
    if call.type.namespaced, !object.namespace.isEmpty, object.namespace != call.target.namespace {
      throw Refusal.badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
  }

  private func checkVersion(
    _ object: JSON, _ old: JSON, _ call: Call, isReplacement: Bool
  ) throws(Status) -> JSON {
    var object = object
    let text = object.resourceVersion
    if text.isEmpty || text == "0" {
      // Built-in kinds can be replaced whatever their version is.
      if call.kind.isCustom, isReplacement {
        throw Refusal.invalid(
          kind: call.type.plural, group: call.type.group, name: call.target.name,
          [Refusal.invalidValue("metadata.resourceVersion", 0, "must be specified for an update")])
      }
      object[path: ["metadata", "resourceVersion"]] = .string(old.resourceVersion)
      return object
    }
    guard let version = UInt64(text) else {
      throw Refusal.internalError("strconv.ParseUint: parsing \"\(text)\": invalid syntax")
    }
    guard String(version) == old.resourceVersion else { throw Refusal.modified(call.type, call.target.name) }
    return object
  }
}
