import Foundation
import KubernetesAPI

/// DELETE: gone at once, or marked and held by finalizers or a grace period.
extension APIServer {
  enum Deletion: Sendable {
    case removed(JSON)
    case marked(JSON)
  }

  func delete(_ call: Call) throws(Status) -> ServerResponse {
    guard call.kind.allows("delete") else { throw Refusal.methodNotAllowed }
    let options = try DeleteOptions(call.request)
    let outcome = try transaction(dryRun: options.isDryRun) { state throws(Status) in
      try self.delete(call, options, in: &state)
    }
    switch outcome {
    case .marked(let object): return respond(200, object, call)
    case .removed(let object):
      if Strategy.returnsDeletedObject(call.type) { return respond(200, object, call) }
      var details: JSON = ["name": .string(object.name), "kind": .string(call.type.plural), "uid": .string(object.uid)]
      if !call.type.group.isEmpty { details["group"] = .string(call.type.group) }
      return .json(
        200, ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details])
    }
  }

  /// - Returns: what became of the object, in the shape of the call's kind.
  func delete(_ call: Call, _ options: DeleteOptions, in state: inout StoreState) throws(Status) -> Deletion {
    guard let live = state.object(call.kind.stored, call.key) else {
      throw Refusal.notFound(call.type, call.target.name)
    }
    if let uid = options.uid, uid != live.uid {
      throw Refusal.preconditionFailed(
        call.type, live.name,
        "the UID in the precondition (\(uid)) does not match the UID in record (\(live.uid)). "
          + "The object might have been deleted and then recreated")
    }
    if let version = options.resourceVersion, version != live.resourceVersion {
      throw Refusal.preconditionFailed(
        call.type, live.name,
        "the ResourceVersion in the precondition (\(version)) does not match the ResourceVersion in record "
          + "(\(live.resourceVersion)). The object might have been modified")
    }
    var admission = Admission(
      call, WriteOptions(fieldManager: ""), operation: .delete, old: call.kind.shown(live), state)
    try admission.validate(nil)

    var object = live
    Strategy.markFinalizers(&object, options.propagation, call.kind)
    let grace = Strategy.gracePeriod(live, options, call.kind)
    let holds = !object.finalizers.isEmpty || Strategy.isHeldWithoutFinalizers(object, call.kind)
    if grace == 0, !holds {
      let last = call.kind.shown(live)
      if options.isDryRun { return .removed(last) }
      state.remove(call.key, in: call.kind.stored)
      afterWrite(old: live, new: nil, call.kind, in: &state)
      var shown = last
      shown[path: ["metadata", "resourceVersion"]] = .string(String(state.resourceVersion))
      return .removed(shown)
    }
    mark(&object, grace: grace, call)
    if object == live || options.isDryRun { return .marked(call.kind.shown(object)) }
    let stored = state.put(object, in: call.kind.stored)
    afterWrite(old: live, new: stored, call.kind, in: &state)
    return .marked(call.kind.shown(stored))
  }

  private func mark(_ object: inout JSON, grace: Int, _ call: Call) {
    var metadata = object["metadata"] ?? .emptyObject
    let period = metadata["deletionGracePeriodSeconds"]?.int
    if metadata["deletionTimestamp"] == nil {
      metadata["deletionTimestamp"] = .string(Timestamp(call.now.addingTimeInterval(TimeInterval(grace))).description)
      if Strategy.countsDeletion(call.kind), let generation = metadata["generation"]?.int {
        metadata["generation"] = JSON(generation + 1)
      }
      if Strategy.hasGracePeriodField(call.kind) { metadata["deletionGracePeriodSeconds"] = JSON(grace) }
    } else if let period, grace < period {
      // A second deletion can only shorten the time.
      metadata["deletionGracePeriodSeconds"] = JSON(grace)
      metadata["deletionTimestamp"] = .string(Timestamp(call.now.addingTimeInterval(TimeInterval(grace))).description)
    }
    object["metadata"] = metadata
    Strategy.markTerminating(&object, call.kind, now: call.now)
  }
}
