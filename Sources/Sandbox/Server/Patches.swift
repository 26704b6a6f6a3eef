import Foundation
import KubernetesAPI

/// PATCH in its four forms.
extension APIServer {
  enum PatchForm: String, Sendable {
    case json = "application/json-patch+json"
    case merge = "application/merge-patch+json"
    case strategic = "application/strategic-merge-patch+json"
    case apply = "application/apply-patch+yaml"
  }

  func patch(_ call: inout Call) throws(Status) -> ServerResponse {
    guard call.kind.allows("patch") else { throw Refusal.methodNotAllowed }
    let form = try patchForm(call)
    let options = try WriteOptions(call.request, kind: "PatchOptions", isApply: form == .apply)
    var copy = call
    let result: (object: JSON, isNew: Bool)
    switch form {
    case .apply:
      let applied = try appliedObject(call)
      result = try transaction(dryRun: options.isDryRun) { state throws(Status) in
        try self.apply(applied, &copy, options, in: &state)
      }
    case .json, .merge, .strategic:
      let document = try patchDocument(call.request, form)
      result = try transaction(dryRun: options.isDryRun) { state throws(Status) in
        let object = try self.update(&copy, options, in: &state) { old, inner throws(Status) in
          try self.patched(old, document, form, &inner, options)
        }
        return (object, false)
      }
    }
    call.warnings = copy.warnings
    return respond(result.isNew ? 201 : 200, result.object, call)
  }

  func patchForm(_ call: Call) throws(Status) -> PatchForm {
    let type = MediaTypes.parse(call.request.header("Content-Type") ?? "").type
    guard let form = PatchForm(rawValue: type) else {
      throw Status(
        code: 415, reason: "UnsupportedMediaType", message: "415: Unsupported Media Type", details: .init())
    }
    guard form != .strategic || !call.kind.isCustom else {
      throw Status(
        code: 415, reason: "UnsupportedMediaType",
        message: "the body of the request was in an unknown format - accepted media types include: "
          + [PatchForm.json, .merge, .apply].map(\.rawValue).joined(separator: ", "))
    }
    return form
  }

  func patchDocument(_ request: ServerRequest, _ form: PatchForm) throws(Status) -> JSON {
    let document: JSON
    do {
      document = try JSON(parsing: request.body)
    } catch {
      throw Refusal.badRequest("error decoding patch: \(error)")
    }
    let isRight = form == .json ? document.array != nil : document.object != nil
    guard isRight else {
      let expected = form == .json ? "an array of operations" : "an object"
      throw Refusal.badRequest("error decoding patch: expected \(expected), found \(document.typeName)")
    }
    return document
  }

  /// The object after the patch, decoded: what does not fit the kind's types is a fault of the patch.
  func patched(
    _ old: JSON, _ document: JSON, _ form: PatchForm, _ call: inout Call, _ options: WriteOptions
  ) throws(Status) -> JSON {
    let raw: JSON =
      switch form {
      case .json: try KindRules.jsonPatch(document, old)
      case .merge: KindRules.mergePatch(document, old)
      case .strategic: try KindRules.strategicMergePatch(document, old, call.kind)
      case .apply: old
      }
    return try KindRules.decode(patched: raw, &call, options)
  }

  /// What a server-side apply brings, checked as far as that needs no live object.
  func appliedObject(_ call: Call) throws(Status) -> JSON {
    var applied = try RequestBody(yaml: call.request.body, expecting: call.type.kind).value
    guard applied.kind == call.type.kind, applied.apiVersion == call.type.apiVersion else {
      let version = applied.apiVersion.contains("/") ? applied.apiVersion : "/\(applied.apiVersion)"
      throw Refusal.badRequest("invalid object type: \(version), Kind=\(applied.kind)")
    }
    if let managed = applied[path: ["metadata", "managedFields"]], !managed.isNull, managed != [] {
      throw Refusal.badRequest("metadata.managedFields must be nil")
    }
    try checkIdentity(applied, call)
    applied[path: ["metadata", "name"]] = .string(call.target.name)
    return applied
  }

  private func apply(
    _ applied: JSON, _ call: inout Call, _ options: WriteOptions, in state: inout StoreState
  ) throws(Status) -> (object: JSON, isNew: Bool) {
    if state.object(call.kind.stored, call.key) == nil {
      guard call.target.subresource.isEmpty, call.kind.allows("create") else {
        throw Refusal.notFound(call.type, call.target.name)
      }
      try authorizeCreationByApply(call, state)
      let object = try KindRules.apply(applied, live: nil, &call, options)
      return (try create(object, &call, options, isApply: true, in: &state), true)
    }
    let object = try update(&call, options, isApply: true, in: &state) { old, inner throws(Status) in
      // A resourceVersion in an apply is a lock, before anything else is looked at.
      let version = applied.resourceVersion
      if !version.isEmpty, version != old.resourceVersion { throw Refusal.modified(inner.type, old.name) }
      return try KindRules.apply(applied, live: old, &inner, options)
    }
    return (object, false)
  }
}
