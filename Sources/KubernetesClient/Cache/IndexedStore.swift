import KubernetesAPI

/// Names an index of a cache.
public struct IndexName: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public var description: String
  public init(_ name: String) { description = name }
  public init(stringLiteral value: String) { description = value }
}

/// What a cache knows of an object.
public enum Cached<Object: Sendable>: Sendable {
  case absent
  case present(Object)
  /// It is there, but does not decode: nobody may take it for gone.
  case unreadable(UndecodableObject)
}

/// A change of a cache, as its handlers see it.
public enum CacheChange<Object: Sendable>: Sendable {
  case added(Object)
  case updated(old: Object, new: Object)
  /// With its last known state; that may be older than the deletion, where it was found missing in a list.
  case deleted(Object)
  /// It is there, or came to be, but does not decode any more.
  case unreadable(UndecodableObject)
  /// One that did not decode is gone.
  case deletedUnreadable(UndecodableObject)
}

extension CacheChange where Object: KubernetesResource {
  /// The object that changed.
  public var key: ObjectKey {
    switch self {
    case .added(let object), .updated(_, let object), .deleted(let object): object.metadata.key
    case .unreadable(let problem), .deletedUnreadable(let problem): problem.key
    }
  }
}

extension CacheChange where Object == JSON {
  /// The object that changed.
  public var key: ObjectKey {
    switch self {
    case .added(let object), .updated(_, let object), .deleted(let object): object.objectKey
    case .unreadable(let problem), .deletedUnreadable(let problem): problem.key
    }
  }
}

/// Objects by key and by any number of indexes, as a function of the events that came in. Answers are sorted by key, so
/// that no order of a hash table reaches a decision.
struct IndexedStore<Object: Sendable>: Sendable {
  typealias Index = @Sendable (Object) -> [String]

  private struct Entry {
    var object: Object
    var version: String
    /// What each index made of it, so that it can be taken out again.
    var indexed: [IndexName: [String]]
  }

  private let indexes: [IndexName: Index]
  private var entries: [ObjectKey: Entry] = [:]
  private(set) var unreadable: [ObjectKey: UndecodableObject] = [:]
  private var byIndex: [IndexName: [String: [ObjectKey]]] = [:]

  init(indexes: [IndexName: Index] = [:]) { self.indexes = indexes }

  var count: Int { entries.count }
  var objects: [Object] { entries.sorted { $0.key < $1.key }.map(\.value.object) }

  /// O(1).
  subscript(key: ObjectKey) -> Cached<Object> {
    if let entry = entries[key] { return .present(entry.object) }
    return unreadable[key].map(Cached.unreadable) ?? .absent
  }

  /// O(n) in the number of matches.
  func objects(in index: IndexName, at value: String) -> [Object] {
    (byIndex[index]?[value] ?? []).compactMap { entries[$0]?.object }
  }

  /// - Returns: the change; `nil` if the version is the one that is there.
  mutating func put(_ object: Result<Object, UndecodableObject>, key: ObjectKey, version: String) -> CacheChange<
    Object
  >? {
    switch object {
    case .failure(let problem):
      guard unreadable[key] != problem else { return nil }
      _ = take(key)
      unreadable[key] = problem
      return .unreadable(problem)
    case .success(let new):
      let known = entries[key]
      if let known, !version.isEmpty, known.version == version { return nil }
      let indexed = indexes.mapValues { $0(new) }
      if known?.indexed != indexed {
        _ = take(key)
        for (name, values) in indexed {
          for value in values { byIndex[name, default: [:]][value, default: []].insertSorted(key) }
        }
      }
      unreadable[key] = nil
      entries[key] = Entry(object: new, version: version, indexed: indexed)
      return known.map { .updated(old: $0.object, new: new) } ?? .added(new)
    }
  }

  /// - Returns: the change; `nil` if there was nothing.
  mutating func remove(_ key: ObjectKey) -> CacheChange<Object>? {
    let problem = unreadable[key]
    return take(key).map(CacheChange.deleted) ?? problem.map(CacheChange.deletedUnreadable)
  }

  /// Makes the store what a list says.
  mutating func replace(
    with objects: [(key: ObjectKey, version: String, object: Result<Object, UndecodableObject>)]
  ) -> [CacheChange<Object>] {
    let listed = Set(objects.map(\.key))
    var changes: [CacheChange<Object>] = []
    for key in Set(entries.keys).union(unreadable.keys).subtracting(listed).sorted() {
      if let change = remove(key) { changes.append(change) }
    }
    for (key, version, object) in objects {
      if let change = put(object, key: key, version: version) { changes.append(change) }
    }
    return changes
  }

  private mutating func take(_ key: ObjectKey) -> Object? {
    unreadable[key] = nil
    guard let entry = entries.removeValue(forKey: key) else { return nil }
    for (name, values) in entry.indexed {
      for value in values {
        byIndex[name]?[value]?.removeSorted(key)
        if byIndex[name]?[value]?.isEmpty == true { byIndex[name]?[value] = nil }
      }
    }
    return entry.object
  }
}

extension [ObjectKey] {
  /// Where the key is or belongs, in a sorted array. O(log n).
  private func place(of key: ObjectKey) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Once; O(n).
  fileprivate mutating func insertSorted(_ key: ObjectKey) {
    let place = place(of: key)
    if place == count || self[place] != key { insert(key, at: place) }
  }

  fileprivate mutating func removeSorted(_ key: ObjectKey) {
    let place = place(of: key)
    if place < count, self[place] == key { remove(at: place) }
  }
}
