import Collections
import Foundation
import KubernetesAPI

/// Names a collection of stored objects. Kinds that are served under two names (Events) share one.
struct StoredResource: Sendable, Hashable, Comparable {
  var group: String
  var plural: String

  init(group: String, plural: String) {
    self.group = group
    self.plural = plural
  }

  init(_ type: ResourceType) {
    self =
      type.group == "events.k8s.io" ? Self(group: "", plural: "events") : Self(group: type.group, plural: type.plural)
  }

  static func < (left: Self, right: Self) -> Bool { (left.group, left.plural) < (right.group, right.plural) }
}

/// One entry of the store's history.
struct StoreChange: Sendable {
  enum Kind: Sendable { case added, modified, deleted }

  var kind: Kind
  var resourceVersion: UInt64
  var resource: StoredResource
  var key: ObjectKey
  /// The new state; of a deleted object the last one, with the resourceVersion of the deletion.
  var object: JSON
  /// The state before; `nil` where the object is new.
  var previous: JSON?
}

/// When an object is to go, as it was written last.
private struct Expiry: Sendable {
  var time: Date
  var resource: StoredResource
  var key: ObjectKey
  var resourceVersion: String
}

/// Everything the API server knows, as one value: a copy of it is a dry run.
///
/// Its collections are persistent ones, which share with their copies what did not change: a write costs O(log n) of the
/// size of its collection even while readers, transactions and policies hold older states.
struct StoreState: Sendable {
  /// The version of the last change. Like a store with a past, a new one begins above zero, so that versions which a
  /// client made up are too old.
  private(set) var resourceVersion: UInt64 = 1000
  /// Changes up to this version are no longer remembered.
  private(set) var forgottenVersion: UInt64 = 1000
  private var history = PersistentQueue<StoreChange>()
  /// How many changes are remembered.
  let historyLimit: Int

  private var collections: [StoredResource: TreeDictionary<ObjectKey, JSON>] = [:]
  /// The cluster IPs of all Services: looking through the Services for a free one would make each cost more than the
  /// one before.
  private var serviceAddresses: TreeSet<String> = []
  /// What is to go by itself, the soonest first.
  private var expiries = PersistentQueue<Expiry>()
  /// The version at which a collection that came later, that of a custom resource, began.
  private var beginnings: [StoredResource: UInt64] = [:]

  init(historyLimit: Int = 10_000) {
    self.historyLimit = max(1, historyLimit)
  }

  func object(_ resource: StoredResource, _ key: ObjectKey) -> JSON? { collections[resource]?[key] }

  /// Sorted by namespace and name.
  func objects(_ resource: StoredResource, namespace: String? = nil) -> [JSON] {
    sorted(collections[resource] ?? [:], namespace: namespace)
  }

  /// The collections that hold anything, sorted.
  var resources: [StoredResource] { collections.filter { !$0.value.isEmpty }.keys.sorted() }

  /// The collection as it was at a version; `nil` where that is no longer remembered.
  func objects(_ resource: StoredResource, namespace: String? = nil, at version: UInt64) -> [JSON]? {
    guard version >= oldestVersion(of: resource) else { return nil }
    var collection = collections[resource] ?? [:]
    for change in history.suffix(while: { $0.resourceVersion > version }).reversed()
    where change.resource == resource {
      collection[change.key] = change.previous
    }
    return sorted(collection, namespace: namespace)
  }

  /// The oldest version from which a watch of this collection can go on.
  func oldestVersion(of resource: StoredResource) -> UInt64 {
    max(forgottenVersion, beginnings[resource] ?? 0)
  }

  /// What happened after a version, in order; `nil` where that is no longer remembered.
  func changes(after version: UInt64, of resource: StoredResource? = nil) -> [StoreChange]? {
    guard version >= (resource.map(oldestVersion) ?? forgottenVersion) else { return nil }
    return history.suffix { $0.resourceVersion > version }.filter { resource == nil || $0.resource == resource }
  }

  /// Stores an object under a new version.
  /// - Returns: the object with its resourceVersion.
  mutating func put(_ object: JSON, in resource: StoredResource) -> JSON {
    resourceVersion += 1
    var object = object
    object[path: ["metadata", "resourceVersion"]] = .string(String(resourceVersion))
    let key = object.objectKey
    let previous = collections[resource, default: [:]].updateValue(object, forKey: key)
    if resource == Self.services { moveService(from: previous, to: object) }
    remember(
      StoreChange(
        kind: previous == nil ? .added : .modified, resourceVersion: resourceVersion, resource: resource, key: key,
        object: object, previous: previous))
    return object
  }

  /// Removes an object.
  /// - Parameter last: the last state to show to watches, where it differs from what is stored.
  mutating func remove(_ key: ObjectKey, in resource: StoredResource, last: JSON? = nil) {
    guard let previous = collections[resource]?.removeValue(forKey: key) else { return }
    if resource == Self.services { moveService(from: previous, to: nil) }
    resourceVersion += 1
    var object = last ?? previous
    object[path: ["metadata", "resourceVersion"]] = .string(String(resourceVersion))
    remember(
      StoreChange(
        kind: .deleted, resourceVersion: resourceVersion, resource: resource, key: key, object: object,
        previous: previous))
  }

  /// Lets an object go at a time unless it is written again before then.
  /// - Parameter time: not before those of earlier calls.
  mutating func expire(_ object: JSON, in resource: StoredResource, at time: Date) {
    expiries.append(
      Expiry(time: time, resource: resource, key: object.objectKey, resourceVersion: object.resourceVersion))
  }

  /// When ``removeExpired(at:)`` next has anything to do; `nil` for never.
  var nextExpiry: Date? { expiries.first?.time }

  /// Removes what was to go by a time.
  mutating func removeExpired(at time: Date) {
    while let next = nextExpiry, next <= time, let due = expiries.popFirst() {
      guard object(due.resource, due.key)?.resourceVersion == due.resourceVersion else { continue }
      remove(due.key, in: due.resource)
    }
  }

  /// The collection's history begins now: older versions are too old for it.
  mutating func begin(_ resource: StoredResource) {
    beginnings[resource] = resourceVersion
  }

  private static let services = StoredResource(.services)

  /// Whether a Service has this cluster IP.
  func hasService(at address: String) -> Bool { serviceAddresses.contains(address) }

  private mutating func moveService(from old: JSON?, to new: JSON?) {
    let path = ["spec", "clusterIP"]
    if let address = old?[path: path]?.string { serviceAddresses.remove(address) }
    if let address = new?[path: path]?.string { serviceAddresses.insert(address) }
  }

  private mutating func remember(_ change: StoreChange) {
    history.append(change)
    while history.count > historyLimit, let oldest = history.popFirst() {
      forgottenVersion = oldest.resourceVersion
    }
  }

  private func sorted(_ collection: TreeDictionary<ObjectKey, JSON>, namespace: String?) -> [JSON] {
    collection.filter { namespace == nil || $0.key.namespace == namespace }.sorted { $0.key < $1.key }.map(\.value)
  }
}
