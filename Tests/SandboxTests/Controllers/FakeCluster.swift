import Foundation
import KubernetesAPI
import Synchronization

@testable import Sandbox

/// A cluster in memory with just enough API machinery for controllers: uids, versions, generations, finalizers,
/// graceful deletion of pods, the status subresource. No admission, no defaults, no validation.
final class FakeCluster: ClusterAccess {
  private struct State {
    var now: Date
    var version: UInt64 = 0
    var counter = 0
    var objects: [TypedKey: JSON] = [:]
    var log: [(version: UInt64, change: ObjectChange)] = []
    var refused: Set<String> = []
  }

  private let state: Mutex<State>

  static let start = Date(timeIntervalSince1970: 1_800_000_000)
  static let serviceAccounts = ServiceAccountController.serviceAccounts

  let types: [ResourceType] = [
    .configMaps, .deployments, .endpointSlices, .events, .namespaces, .pods, .replicaSets, serviceAccounts, .services,
    .autoscalers,
    .budgets,
  ]

  init(now: Date = FakeCluster.start) {
    state = Mutex(State(now: now))
  }

  var now: Date { state.withLock { $0.now } }
  func advance(to date: Date) { state.withLock { $0.now = date } }
  func acting(as manager: String) -> any ClusterAccess { self }

  /// From now on creating objects of this kind is refused.
  func refuse(_ kind: String) { state.withLock { _ = $0.refused.insert(kind) } }
  func permit(_ kind: String) { state.withLock { _ = $0.refused.remove(kind) } }

  func get(_ type: ResourceType, _ key: ObjectKey) -> JSON? {
    state.withLock { $0.objects[TypedKey(type: type, key: key)] }
  }

  func list(_ type: ResourceType, namespace: String?) -> [JSON] {
    state.withLock { state in
      state.objects.filter { $0.key.type == type && (namespace == nil || $0.key.key.namespace == namespace) }
        .sorted { $0.key < $1.key }.map(\.value)
    }
  }

  func create(_ type: ResourceType, _ object: JSON) throws(Status) -> JSON {
    try state.withLock { state throws(Status) in
      if state.refused.contains(type.kind) {
        throw Status(code: 403, reason: "Forbidden", message: "\(type.plural) are forbidden: exceeded quota")
      }
      state.counter += 1
      var object = object
      if object.name.isEmpty {
        let prefix = object[path: ["metadata", "generateName"]]?.string ?? ""
        object[path: ["metadata", "name"]] = .string(prefix + String(format: "%05d", state.counter))
      }
      let key = TypedKey(type: type, key: object.objectKey)
      if state.objects[key] != nil {
        throw Status(code: 409, reason: "AlreadyExists", message: "\(type.plural) \"\(object.name)\" already exists")
      }
      object[path: ["metadata", "uid"]] = .string(String(format: "uid-%05d", state.counter))
      object[path: ["metadata", "generation"]] = 1
      object[path: ["metadata", "creationTimestamp"]] = .string(Timestamp(state.now).description)
      if type == .pods { object[path: ["status", "phase"]] = "Pending" }
      return store(object, key, in: &state)
    }
  }

  func update(_ type: ResourceType, _ object: JSON, subresource: String?) throws(Status) -> JSON {
    try state.withLock { state throws(Status) in
      let key = TypedKey(type: type, key: object.objectKey)
      guard let current = state.objects[key] else { throw Self.notFound(key) }
      if !object.resourceVersion.isEmpty, object.resourceVersion != current.resourceVersion {
        throw Status(code: 409, reason: "Conflict", message: "the object has been modified")
      }
      var updated: JSON
      if subresource == "status" {
        updated = current
        updated["status"] = object["status"]
        updated[path: ["metadata", "annotations"]] = object[path: ["metadata", "annotations"]]
      } else {
        updated = object
        updated["status"] = current["status"]
        if updated["spec"] != current["spec"] || updated["endpoints"] != current["endpoints"] {
          updated[path: ["metadata", "generation"]] = JSON(current.generation + 1)
        }
      }
      if updated == current { return current }
      let isHeld = !updated.finalizers.isEmpty || updated[path: ["spec", "finalizers"]]?.array?.isEmpty == false
      if updated.isBeingDeleted, !isHeld, type != .pods {
        remove(key, in: &state)
        return updated
      }
      return store(updated, key, in: &state)
    }
  }

  /// A change as a user makes it: reads, changes, writes.
  func edit(_ type: ResourceType, _ name: String, namespace: String = "shop", _ change: (inout JSON) -> Void) throws {
    guard var object = get(type, ObjectKey(namespace: namespace, name: name)) else { return }
    change(&object)
    _ = try update(type, object, subresource: nil)
  }

  func delete(
    _ type: ResourceType, _ key: ObjectKey, uid: String?, propagation: DeletionPropagation?, gracePeriodSeconds: Int?
  ) throws(Status) {
    try state.withLock { state throws(Status) in
      let key = TypedKey(type: type, key: key)
      guard var object = state.objects[key] else { throw Self.notFound(key) }
      if let uid, uid != object.uid { throw Status(code: 409, reason: "Conflict", message: "another uid") }
      var finalizers = object.finalizers
      let finalizer: String? =
        switch propagation {
        case .foreground: "foregroundDeletion"
        case .orphan: "orphan"
        default: nil
        }
      if let finalizer, !finalizers.contains(finalizer) { finalizers.append(finalizer) }
      let grace = type == .pods && gracePeriodSeconds != 0 && object[path: ["spec", "nodeName"]] != nil ? 30 : 0
      let isHeld = !finalizers.isEmpty || object[path: ["spec", "finalizers"]]?.array?.isEmpty == false
      if grace == 0, !isHeld {
        remove(key, in: &state)
        return
      }
      if !finalizers.isEmpty { object[path: ["metadata", "finalizers"]] = .array(finalizers.map(JSON.string)) }
      if !object.isBeingDeleted {
        object[path: ["metadata", "deletionTimestamp"]] = .string(Timestamp(state.now).description)
      }
      object[path: ["metadata", "deletionGracePeriodSeconds"]] = JSON(grace)
      _ = store(object, key, in: &state)
    }
  }

  func changes(after version: UInt64?) -> ChangeBatch {
    state.withLock { state in
      guard let version else {
        let all = state.objects.sorted { $0.key < $1.key }.map { ObjectChange(type: $0.key.type, new: $0.value) }
        return ChangeBatch(changes: all, version: state.version)
      }
      return ChangeBatch(changes: state.log.filter { $0.version > version }.map(\.change), version: state.version)
    }
  }

  func waitForChange(after version: UInt64) async {}

  private func store(_ object: JSON, _ key: TypedKey, in state: inout State) -> JSON {
    state.version += 1
    var object = object
    object[path: ["metadata", "resourceVersion"]] = .string(String(state.version))
    let change = ObjectChange(type: key.type, old: state.objects[key], new: object)
    state.objects[key] = object
    state.log.append((state.version, change))
    return object
  }

  private func remove(_ key: TypedKey, in state: inout State) {
    state.version += 1
    state.log.append((state.version, ObjectChange(type: key.type, old: state.objects.removeValue(forKey: key))))
  }

  private static func notFound(_ key: TypedKey) -> Status {
    Status(code: 404, reason: "NotFound", message: "\(key.type.plural) \"\(key.key.name)\" not found")
  }
}
