import Foundation
import KubernetesAPI

/// What a built-in controller may do: the API in process, as the user `system:kube-controller-manager`. Writes pass the
/// same validation, admission, generation and managed-fields rules as those that come over the wire.
protocol ClusterAccess: Sendable {
  /// The sandbox's time, which may be virtual.
  var now: Date { get }

  /// All kinds that are served and stored, those of custom resources included, each under one version.
  var types: [ResourceType] { get }

  func get(_ type: ResourceType, _ key: ObjectKey) -> JSON?

  /// Sorted by namespace and name; all namespaces where `namespace` is nil.
  func list(_ type: ResourceType, namespace: String?) -> [JSON]

  func create(_ type: ResourceType, _ object: JSON) throws(Status) -> JSON

  /// A PUT; a resourceVersion in the object is a lock, as on the wire. Of the subresources `binding` (of a pod) takes
  /// nothing but `spec.nodeName` and the conditions, `finalize` (of a namespace) nothing but `spec.finalizers`, `scale`
  /// nothing but `spec.replicas`.
  func update(_ type: ResourceType, _ object: JSON, subresource: String?) throws(Status) -> JSON

  /// - Parameter gracePeriodSeconds: for pods; `nil` leaves it to the pod.
  func delete(
    _ type: ResourceType, _ key: ObjectKey, uid: String?, propagation: DeletionPropagation?, gracePeriodSeconds: Int?
  ) throws(Status)

  /// The same API for another component: its writes carry that name in managedFields.
  func acting(as manager: String) -> any ClusterAccess

  /// What has changed after a version, in order. Where that is no longer remembered, or `version` is nil, everything
  /// that exists, as new.
  func changes(after version: UInt64?) -> ChangeBatch

  /// Returns when the store is newer than a version, or when the task is cancelled.
  func waitForChange(after version: UInt64) async
}

extension ClusterAccess {
  func delete(
    _ type: ResourceType, _ key: ObjectKey, uid: String? = nil, propagation: DeletionPropagation? = nil
  ) throws(Status) {
    try delete(type, key, uid: uid, propagation: propagation, gracePeriodSeconds: nil)
  }

  /// The kind that an owner reference or another reference by apiVersion and kind means. The version does not matter:
  /// all versions of a kind are one collection.
  func type(apiVersion: String, kind: String) -> ResourceType? {
    let group = apiVersion.contains("/") ? apiVersion.split(separator: "/").first.map(String.init) ?? "" : ""
    return types.first { $0.kind == kind && $0.group == group }
  }
}

enum DeletionPropagation: String, Sendable {
  case background = "Background"
  case foreground = "Foreground"
  case orphan = "Orphan"
}

/// One object before and after a write. `old` is nil when it is new, `new` is nil when it is gone.
struct ObjectChange: Sendable {
  var type: ResourceType
  var old: JSON?
  var new: JSON?

  var reference: TypedKey {
    TypedKey(type: type, key: (new ?? old)?.objectKey ?? ObjectKey(name: ""))
  }
}

struct ChangeBatch: Sendable {
  var changes: [ObjectChange]
  /// The version of the store that these changes lead to.
  var version: UInt64
}

/// Names one object of any kind.
struct TypedKey: Sendable, Hashable, Comparable {
  var type: ResourceType
  var key: ObjectKey

  static func < (left: Self, right: Self) -> Bool {
    (left.type.group, left.type.plural, left.key) < (right.type.group, right.type.plural, right.key)
  }
}

/// A controller as a function of one object: reads what it needs, writes what differs.
protocol BuiltInController: Sendable {
  /// Names it in events and logs: `deployment-controller`.
  var name: String { get }

  /// The objects that a change makes due.
  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey]

  /// Brings one object up to date.
  /// - Returns: when to look again although nothing changes; `nil` for never.
  /// - Throws: a conflict or another refusal; the caller tries again with a backoff.
  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration?
}
