import Foundation
import KubernetesAPI

/// POST and PUT.
extension APIServer {
  func create(_ call: inout Call) throws(Status) -> ServerResponse {
    let options = try WriteOptions(call.request, kind: "CreateOptions")
    let body = try RequestBody(call.request, expecting: call.type.kind)
    let object = try KindRules.decode(body, &call, options)
    try checkNamespaceField(object, call)
    var copy = call
    let created = try transaction(dryRun: options.isDryRun) { state throws(Status) in
      try self.create(object, &copy, options, in: &state)
    }
    call.warnings = copy.warnings
    return respond(201, created, call)
  }

  func replace(_ call: inout Call) throws(Status) -> ServerResponse {
    guard call.kind.allows("update") else { throw Refusal.methodNotAllowed }
    let options = try WriteOptions(call.request, kind: "UpdateOptions")
    let body = try RequestBody(call.request, expecting: call.type.kind)
    let object = try KindRules.decode(body, &call, options)
    try checkIdentity(object, call)
    var copy = call
    let updated = try transaction(dryRun: options.isDryRun) { state throws(Status) in
      try self.update(&copy, options, isReplacement: true, in: &state) { old, _ throws(Status) in object }
    }
    call.warnings = copy.warnings
    return respond(200, updated, call)
  }

  /// `deletecollection`: the answer lists what was removed or marked.
  func deleteCollection(_ call: Call) throws(Status) -> ServerResponse {
    let options = try DeleteOptions(call.request)
    _ = try ListOptions(call.request)
    let filter = try filter(call)
    let copy = call
    let (items, version) = try transaction(dryRun: options.isDryRun) { state throws(Status) -> ([JSON], UInt64) in
      let items = state.objects(copy.kind.stored, namespace: copy.namespace).map(copy.kind.shown).filter(filter.matches)
      for item in items {
        var single = copy
        single.target.namespace = item.namespace
        single.target.name = item.name
        _ = try self.delete(single, options, in: &state)
      }
      return (items, state.resourceVersion)
    }
    return respond(listing: items, metadata: ["resourceVersion": .string(String(version))], call)
  }
}
