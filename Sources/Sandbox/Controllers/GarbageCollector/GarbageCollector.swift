import KubernetesAPI
import Synchronization

/// The garbage collector of kube-controller-manager 1.36: objects go when all their owners are gone, and the finalizers
/// `foregroundDeletion` and `orphan` are carried out.
final class GarbageCollector: BuiltInController {
  static let foreground = "foregroundDeletion"
  static let orphan = "orphan"

  let name = "garbage-collector-controller"
  private let index = Mutex(OwnerIndex())

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    // Events have no owners and come in crowds.
    guard change.type != .events else { return [] }
    var due: [TypedKey] = []
    index.withLock { index in
      index.note(change)
      if let old = change.old, old.uid != change.new?.uid { due += index.dependents(of: old.uid) }
      if let new = change.new, waitsForDependents(new) { due += index.dependents(of: new.uid) }
    }
    if let new = change.new, new.isBeingDeleted || !new.ownerReferences.isEmpty {
      due.append(change.reference)
    }
    // An owner that waits for its dependents looks again when one of them has changed.
    for object in [change.old, change.new].compactMap({ $0 }) {
      for reference in object.ownerReferences {
        guard case .found(let owner, let key) = owner(reference, of: object, in: cluster), owner.isBeingDeleted else {
          continue
        }
        due.append(key)
      }
    }
    return due
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let found = cluster.get(object.type, object.key) else { return nil }
    if found.isBeingDeleted {
      if found.finalizers.contains(Self.orphan) { try orphanDependents(of: found, object, in: cluster) }
      if found.finalizers.contains(Self.foreground) { try finishForeground(found, object, in: cluster) }
      return nil
    }
    try collect(found, object, in: cluster)
    return nil
  }

  // MARK: - Owners

  private enum Owner {
    case found(JSON, TypedKey)
    case absent
    /// Its kind is not served, or a cluster-wide object refers to one of a namespace: nothing is concluded from that.
    case unknown
  }

  private func owner(_ reference: JSON, of object: JSON, in cluster: any ClusterAccess) -> Owner {
    guard
      let type = cluster.type(
        apiVersion: reference["apiVersion"]?.string ?? "", kind: reference["kind"]?.string ?? ""),
      !type.namespaced || !object.namespace.isEmpty
    else { return .unknown }
    let key = ObjectKey(namespace: type.namespaced ? object.namespace : "", name: reference["name"]?.string ?? "")
    guard let owner = cluster.get(type, key), owner.uid == reference["uid"]?.string else { return .absent }
    return .found(owner, TypedKey(type: type, key: key))
  }

  private func waitsForDependents(_ object: JSON) -> Bool {
    object.isBeingDeleted && object.finalizers.contains(Self.foreground)
  }

  /// Deletes an object whose owners are gone or wait for it; drops those of its references when another owner stays.
  private func collect(_ object: JSON, _ key: TypedKey, in cluster: any ClusterAccess) throws(Status) {
    var remaining = 0
    var gone: Set<String> = []
    var waiting: Set<String> = []
    for reference in object.ownerReferences {
      let uid = reference["uid"]?.string ?? ""
      switch owner(reference, of: object, in: cluster) {
      case .found(let owner, _) where waitsForDependents(owner): waiting.insert(uid)
      case .found, .unknown: remaining += 1
      case .absent: gone.insert(uid)
      }
    }
    if remaining > 0 {
      guard !gone.isEmpty || !waiting.isEmpty else { return }
      _ = try cluster.update(key.type, Ownership.releasing(object, from: gone.union(waiting)), subresource: nil)
      return
    }
    guard !gone.isEmpty || !waiting.isEmpty else { return }
    if !waiting.isEmpty, index.withLock({ !$0.dependents(of: object.uid).isEmpty }) {
      try breakCircle(at: object, key, in: cluster)
      try delete(key, uid: object.uid, .foreground, in: cluster)
    } else if object.finalizers.contains(Self.orphan) {
      try delete(key, uid: object.uid, .orphan, in: cluster)
    } else if object.finalizers.contains(Self.foreground) {
      try delete(key, uid: object.uid, .foreground, in: cluster)
    } else {
      try delete(key, uid: object.uid, .background, in: cluster)
    }
  }

  /// If one of its dependents waits for dependents too there may be a circle, in which each would wait for ever: the
  /// object stops blocking its owners.
  private func breakCircle(at object: JSON, _ key: TypedKey, in cluster: any ClusterAccess) throws(Status) {
    let dependents = index.withLock { $0.dependents(of: object.uid) }
    let isCircle = dependents.contains { cluster.get($0.type, $0.key).map(waitsForDependents) ?? false }
    guard isCircle else { return }
    let references = object.ownerReferences.map { reference in
      var reference = reference
      if reference["blockOwnerDeletion"] != nil { reference["blockOwnerDeletion"] = false }
      return reference
    }
    _ = try cluster.update(key.type, Ownership.setting(references, on: object), subresource: nil)
  }

  private func delete(
    _ key: TypedKey, uid: String, _ propagation: DeletionPropagation, in cluster: any ClusterAccess
  ) throws(Status) {
    do {
      try cluster.delete(key.type, key.key, uid: uid, propagation: propagation)
    } catch let error where error.reason == "NotFound" || error.reason == "Conflict" {
      // Gone, or another object of that name has taken its place.
      return
    }
  }

  // MARK: - Finalizers

  /// The owner goes when no dependent blocks it. The dependents were made due by the same change.
  private func finishForeground(_ owner: JSON, _ key: TypedKey, in cluster: any ClusterAccess) throws(Status) {
    let blocks = index.withLock { $0.dependents(of: owner.uid) }.contains { dependent in
      guard let object = cluster.get(dependent.type, dependent.key) else { return false }
      return object.ownerReferences.contains {
        $0["uid"]?.string == owner.uid && $0["blockOwnerDeletion"]?.bool == true
      }
    }
    if !blocks { try removeFinalizer(Self.foreground, from: key, in: cluster) }
  }

  private func orphanDependents(of owner: JSON, _ key: TypedKey, in cluster: any ClusterAccess) throws(Status) {
    for dependent in index.withLock({ $0.dependents(of: owner.uid) }) {
      guard let object = cluster.get(dependent.type, dependent.key) else { continue }
      _ = try cluster.update(dependent.type, Ownership.releasing(object, from: [owner.uid]), subresource: nil)
    }
    try removeFinalizer(Self.orphan, from: key, in: cluster)
  }

  private func removeFinalizer(_ finalizer: String, from key: TypedKey, in cluster: any ClusterAccess) throws(Status) {
    guard var object = cluster.get(key.type, key.key) else { return }
    let remaining = object.finalizers.filter { $0 != finalizer }
    object[path: ["metadata", "finalizers"]] = remaining.isEmpty ? nil : .array(remaining.map(JSON.string))
    _ = try cluster.update(key.type, object, subresource: nil)
  }
}
