import Foundation
import KubernetesAPI

/// What a built-in controller may do: the API in process, as the user `system:kube-controller-manager`. Writes pass the
/// same validation, admission, generation and managed-fields rules as those that come over the wire.
protocol ClusterAccess: Sendable {
  /// The sandbox's time, which may be virtual.
  var now: Date { get }

  func get(_ type: ResourceType, _ key: ObjectKey) -> JSON?

  /// Sorted by namespace and name; all namespaces where `namespace` is nil.
  func list(_ type: ResourceType, namespace: String?) -> [JSON]

  func create(_ type: ResourceType, _ object: JSON) throws(Status) -> JSON

  /// A PUT; a resourceVersion in the object is a lock, as on the wire.
  func update(_ type: ResourceType, _ object: JSON, subresource: String?) throws(Status) -> JSON

  func delete(_ type: ResourceType, _ key: ObjectKey, uid: String?, propagation: DeletionPropagation?) throws(Status)
}

enum DeletionPropagation: String, Sendable {
  case background = "Background"
  case foreground = "Foreground"
  case orphan = "Orphan"
}

/// A controller as a function of one key: reads what it needs, writes what differs.
protocol BuiltInController: Sendable {
  /// The kinds whose changes concern this controller, and the keys that a changed object (its last state, when it is
  /// gone) makes due.
  var watched: [ResourceType] { get }
  func keys(for object: JSON, of type: ResourceType, in cluster: any ClusterAccess) -> [ObjectKey]

  /// Brings one key up to date.
  /// - Returns: when to look again although nothing changes; `nil` for never.
  /// - Throws: a conflict or another refusal; the caller tries again with a backoff.
  func sync(_ key: ObjectKey, in cluster: any ClusterAccess) throws(Status) -> Duration?
}
