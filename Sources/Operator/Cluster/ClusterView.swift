import KubernetesAPI
import KubernetesClient
import Synchronization

/// The cluster as this process knows it: the informers' caches, and on top of them the answers to its own writes until
/// the caches have caught up. Without the latter a decision could be made on a state that this process itself changed.
final class ClusterView: ClusterSnapshot {
  private enum Known {
    case object(JSON)
    /// Deleted by this process, by uid.
    case gone(uid: String)
  }

  static let byNamespace: IndexName = "namespace"
  static let byPhase: IndexName = "phase"

  private let caches: [ResourceType: ObjectCache<JSON>]
  private let kinds: ServedKinds
  private let own = Mutex<[ResourceType: [ObjectKey: Known]]>([:])

  init(caches: [ResourceType: ObjectCache<JSON>], kinds: ServedKinds = ServedKinds()) {
    self.caches = caches
    self.kinds = kinds
  }

  func object(_ type: ResourceType, _ key: ObjectKey) -> JSON? {
    let cached = cachedObject(type, key)
    return own.withLock { own in
      guard let known = own[type]?[key] else { return cached }
      let current = newer(known, cached, in: type)
      if current.isCaughtUp { own[type]?[key] = nil }
      return current.object
    }
  }

  func objects(_ type: ResourceType, namespace: String) -> [JSON] {
    let cached = caches[type]?.objects(in: Self.byNamespace, at: namespace) ?? []
    let keys = own.withLock { own in own[type]?.keys.filter { $0.namespace == namespace } ?? [] }
    guard !keys.isEmpty else { return cached }
    var written = Dictionary(uniqueKeysWithValues: keys.map { ($0, object(type, $0)) })
    var objects = cached.compactMap { written.removeValue(forKey: $0.objectKey) ?? $0 }
    let new = written.values.compactMap { $0 }
    if !new.isEmpty { objects = (objects + new).sorted { $0.objectKey < $1.objectKey } }
    return objects
  }

  /// All objects of a kind, of every namespace.
  func all(_ type: ResourceType) -> [JSON] { caches[type]?.objects ?? [] }

  /// Whether the first list of a kind is in; before, nothing that is missing may be taken for gone.
  func isSynced(_ type: ResourceType) -> Bool { caches[type]?.isSynced ?? false }

  /// Whether the server said that it does not serve the kind.
  func isAbsent(_ type: ResourceType) -> Bool { kinds.isAbsent(type) && !isSynced(type) }

  /// Why a kind is not up to date; `nil` while all is well.
  func problem(of type: ResourceType) -> String? { caches[type]?.problem }

  /// As the cache has them, of every namespace.
  func objects(_ type: ResourceType, inPhase phase: String) -> [JSON] {
    caches[type]?.objects(in: Self.byPhase, at: phase) ?? []
  }

  func took(_ object: JSON, _ type: ResourceType) {
    own.withLock { $0[type, default: [:]][object.objectKey] = .object(object) }
  }

  func lost(_ key: ObjectKey, _ type: ResourceType) {
    let uid = object(type, key)?.uid
    own.withLock { $0[type, default: [:]][key] = uid.map(Known.gone) }
  }

  private func cachedObject(_ type: ResourceType, _ key: ObjectKey) -> JSON? {
    if case .present(let object) = caches[type]?[key] { object } else { nil }
  }

  /// Resource versions of one kind are comparable as numbers (KEP-5504; so they always were with etcd).
  private func newer(_ known: Known, _ cached: JSON?, in type: ResourceType) -> (object: JSON?, isCaughtUp: Bool) {
    switch known {
    case .gone(let uid):
      return cached?.uid == uid ? (nil, false) : (cached, true)
    case .object(let written):
      let version = Int(written.resourceVersion) ?? 0
      if let cached { return (Int(cached.resourceVersion) ?? 0) >= version ? (cached, true) : (written, false) }
      let cacheVersion = Int(caches[type]?.resourceVersion ?? "") ?? 0
      return cacheVersion >= version ? (nil, true) : (written, false)
    }
  }
}
