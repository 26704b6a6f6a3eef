import KubernetesAPI
import Synchronization

/// What an informer knows, to be read from anywhere.
public final class ObjectCache<Object: Sendable>: Sendable {
  private struct State {
    var store: IndexedStore<Object>
    var isSynced = false
    var resourceVersion = ""
    var problem: String?
  }

  private let state: Mutex<State>
  private let synced = Signal()

  init(indexes: [IndexName: @Sendable (Object) -> [String]] = [:]) {
    state = Mutex(State(store: IndexedStore(indexes: indexes)))
  }

  /// The first list is in. Before, nothing that is missing here may be taken for gone.
  public var isSynced: Bool { state.withLock { $0.isSynced } }

  /// The version up to which changes are known.
  public var resourceVersion: String { state.withLock { $0.resourceVersion } }

  /// Why it is not up to date right now, for a person; `nil` while all is well.
  public var problem: String? { state.withLock { $0.problem } }

  public var count: Int { state.withLock { $0.store.count } }

  /// All readable objects, sorted by key.
  public var objects: [Object] { state.withLock { $0.store.objects } }

  /// The objects that are there but do not decode, sorted by key.
  public var unreadable: [UndecodableObject] {
    state.withLock { $0.store.unreadable.sorted { $0.key < $1.key }.map(\.value) }
  }

  public subscript(key: ObjectKey) -> Cached<Object> { state.withLock { $0.store[key] } }

  /// `nil` if there is no such object.
  /// - Throws: ``UndecodableObject`` if it is there and does not decode.
  public func find(_ key: ObjectKey) throws(UndecodableObject) -> Object? {
    switch self[key] {
    case .absent: return nil
    case .present(let object): return object
    case .unreadable(let problem): throw problem
    }
  }

  /// The readable objects for which the index gives that value, sorted by key.
  public func objects(in index: IndexName, at value: String) -> [Object] {
    state.withLock { $0.store.objects(in: index, at: value) }
  }

  /// Returns when the first list is in.
  /// - Throws: `CancellationError`
  public func waitUntilSynced() async throws {
    while true {
      let seen = synced.version
      if isSynced { return }
      try await synced.wait(beyond: seen)
    }
  }

  // MARK: - For the informer

  func change<Answer>(
    resourceVersion: String?, _ body: (inout IndexedStore<Object>) -> Answer
  ) -> Answer {
    state.withLock { state in
      if let resourceVersion { state.resourceVersion = resourceVersion }
      return body(&state.store)
    }
  }

  func setProblem(_ problem: String?) { state.withLock { $0.problem = problem } }

  /// Forgets everything, as before the first list.
  func clear() -> [CacheChange<Object>] {
    state.withLock { state in
      (state.isSynced, state.resourceVersion, state.problem) = (false, "", nil)
      return state.store.replace(with: [])
    }
  }

  func markSynced() {
    state.withLock { $0.isSynced = true }
    synced.raise()
  }
}
