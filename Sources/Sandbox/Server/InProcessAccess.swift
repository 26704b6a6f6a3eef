import Foundation
import KubernetesAPI

/// The API for components that run inside: no HTTP, but the same pipeline as for everyone else.
struct InProcessAccess: ClusterAccess {
  let server: APIServer
  let manager: String

  init(_ server: APIServer, manager: String = "kube-controller-manager") {
    self.server = server
    self.manager = manager
  }

  var now: Date { server.now }

  var types: [ResourceType] {
    var seen: Set<StoredResource> = []
    return server.kinds.all(server.store.state).map(\.type).filter { seen.insert(StoredResource($0)).inserted }
  }

  func get(_ type: ResourceType, _ key: ObjectKey) -> JSON? {
    let state = server.store.state
    guard let stored = state.object(StoredResource(type), key) else { return nil }
    return server.kinds.kind(type, state: state)?.shown(stored) ?? stored
  }

  func list(_ type: ResourceType, namespace: String?) -> [JSON] {
    let state = server.store.state
    let objects = state.objects(StoredResource(type), namespace: namespace)
    guard let kind = server.kinds.kind(type, state: state) else { return objects }
    return objects.map(kind.shown)
  }

  func create(_ type: ResourceType, _ object: JSON) throws(Status) -> JSON {
    var call = try call(type, "POST", ObjectKey(namespace: object.namespace, name: ""), subresource: nil)
    let options = WriteOptions(fieldManager: manager)
    let decoded = try KindRules.decode(RequestBody(object), &call, options)
    var copy = call
    return try server.transaction(dryRun: false) { state throws(Status) in
      try server.create(decoded, &copy, options, in: &state)
    }
  }

  func update(_ type: ResourceType, _ object: JSON, subresource: String?) throws(Status) -> JSON {
    var call = try call(type, "PUT", object.objectKey, subresource: subresource)
    let options = WriteOptions(fieldManager: manager)
    if subresource == "binding" {
      var copy = call
      let node = object[path: ["spec", "nodeName"]]?.string ?? ""
      return try server.transaction(dryRun: false) { state throws(Status) in
        try server.bind(&copy, options, node: node, in: &state)
      }
    }
    if subresource == "scale" {
      var copy = call
      let replicas = object[path: ["spec", "replicas"]] ?? 1
      return try server.transaction(dryRun: false) { state throws(Status) in
        try server.update(&copy, options, in: &state) { old, _ throws(Status) in
          var scaled = old
          scaled[path: ["spec", "replicas"]] = replicas
          return scaled
        }
      }
    }
    let decoded = try KindRules.decode(RequestBody(object), &call, options)
    var copy = call
    return try server.transaction(dryRun: false) { state throws(Status) in
      try server.update(&copy, options, isReplacement: true, in: &state) { _, _ throws(Status) in decoded }
    }
  }

  func delete(
    _ type: ResourceType, _ key: ObjectKey, uid: String?, propagation: DeletionPropagation?, gracePeriodSeconds: Int?
  ) throws(Status) {
    let call = try call(type, "DELETE", key, subresource: nil)
    var options = DeleteOptions()
    options.uid = uid
    options.propagation = propagation
    options.gracePeriodSeconds = gracePeriodSeconds
    let final = options
    _ = try server.transaction(dryRun: false) { state throws(Status) in
      try server.delete(call, final, in: &state)
    }
  }

  func acting(as manager: String) -> any ClusterAccess { InProcessAccess(server, manager: manager) }

  func changes(after version: UInt64?) -> ChangeBatch {
    server.removeExpired()
    let state = server.store.state
    let kinds = server.kinds.all(state)
    var types: [StoredResource: ServedKind] = [:]
    for kind in kinds where types[kind.stored] == nil { types[kind.stored] = kind }
    guard let version, let changes = state.changes(after: version) else {
      let existing = types.sorted { $0.key < $1.key }.flatMap { resource, kind in
        state.objects(resource).map { ObjectChange(type: kind.type, old: nil, new: kind.shown($0)) }
      }
      return ChangeBatch(changes: existing, version: state.resourceVersion)
    }
    let batch = changes.compactMap { change -> ObjectChange? in
      guard let kind = types[change.resource] else { return nil }
      return ObjectChange(
        type: kind.type, old: change.previous.map(kind.shown),
        new: change.kind == .deleted ? nil : kind.shown(change.object))
    }
    return ChangeBatch(changes: batch, version: state.resourceVersion)
  }

  func waitForChange(after version: UInt64) async {
    // A subscription that buffers nothing but the sign that something came.
    let started = try? server.store.subscribe(to: nil, bufferLimit: 1) { state throws(Status) in
      state.resourceVersion > version
    }
    guard let started else { return }
    if !started.start { await started.subscription.wait() }
    started.subscription.cancel()
  }

  private func call(
    _ type: ResourceType, _ method: String, _ key: ObjectKey, subresource: String?
  ) throws(Status) -> Call {
    guard let kind = server.kinds.kind(type, state: server.store.state) else { throw Refusal.unknownResource }
    let target = ResourceTarget(
      group: type.group, version: type.version, plural: type.plural, namespace: key.namespace, name: key.name,
      subresource: subresource ?? "")
    return Call(
      request: ServerRequest(method, type.path()), target: target, kind: kind, user: .controllerManager,
      media: NegotiatedType(), now: server.now)
  }
}
