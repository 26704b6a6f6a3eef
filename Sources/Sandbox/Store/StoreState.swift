import Collections
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

/// Everything the API server knows, as one value: a copy of it is a dry run.
struct StoreState: Sendable {
  /// The version of the last change. Like a store with a past, a new one begins above zero, so that versions which a
  /// client made up are too old.
  private(set) var resourceVersion: UInt64 = 1000
  /// Changes up to this version are no longer remembered.
  private(set) var forgottenVersion: UInt64 = 1000
  private(set) var history: Deque<StoreChange> = []
  /// How many changes are remembered.
  let historyLimit: Int

  private var collections: [StoredResource: [ObjectKey: JSON]] = [:]
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
    for change in history.reversed() {
      if change.resourceVersion <= version { break }
      guard change.resource == resource else { continue }
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
    var first = history.endIndex
    while first > history.startIndex, history[first - 1].resourceVersion > version { first -= 1 }
    return history[first...].filter { resource == nil || $0.resource == resource }
  }

  /// Stores an object under a new version.
  /// - Returns: the object with its resourceVersion.
  mutating func put(_ object: JSON, in resource: StoredResource) -> JSON {
    resourceVersion += 1
    var object = object
    object[path: ["metadata", "resourceVersion"]] = .string(String(resourceVersion))
    let key = object.objectKey
    let previous = collections[resource, default: [:]].updateValue(object, forKey: key)
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
    resourceVersion += 1
    var object = last ?? previous
    object[path: ["metadata", "resourceVersion"]] = .string(String(resourceVersion))
    remember(
      StoreChange(
        kind: .deleted, resourceVersion: resourceVersion, resource: resource, key: key, object: object,
        previous: previous))
  }

  /// The collection's history begins now: older versions are too old for it.
  mutating func begin(_ resource: StoredResource) {
    beginnings[resource] = resourceVersion
  }

  private mutating func remember(_ change: StoreChange) {
    history.append(change)
    while history.count > historyLimit, let oldest = history.popFirst() {
      forgottenVersion = oldest.resourceVersion
    }
  }

  private func sorted(_ collection: [ObjectKey: JSON], namespace: String?) -> [JSON] {
    collection.filter { namespace == nil || $0.key.namespace == namespace }.sorted { $0.key < $1.key }.map(\.value)
  }
}
