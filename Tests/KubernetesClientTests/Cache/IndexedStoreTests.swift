import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("The indexed store")
struct IndexedStoreTests {
  static let byLetter: IndexName = "letter"

  func store() -> IndexedStore<JSON> {
    IndexedStore(indexes: [Self.byLetter: { $0["data"]?["letters"]?.array?.compactMap(\.string) ?? [] }])
  }

  func put(_ store: inout IndexedStore<JSON>, _ json: JSON) -> CacheChange<JSON>? {
    store.put(.success(json), key: json.objectKey, version: json.resourceVersion)
  }

  @Test("an index follows each change, and its answers are sorted")
  func index() {
    var store = store()
    _ = put(&store, object("b", 1, data: ["letters": ["x", "y"]]))
    _ = put(&store, object("a", 2, data: ["letters": ["x"]]))
    #expect(store.objects(in: Self.byLetter, at: "x").map(\.name) == ["a", "b"])
    _ = put(&store, object("b", 3, data: ["letters": ["y"]]))
    #expect(store.objects(in: Self.byLetter, at: "x").map(\.name) == ["a"])
    #expect(store.objects(in: Self.byLetter, at: "y").map(\.name) == ["b"])
    _ = store.remove(ObjectKey(namespace: "shop", name: "a"))
    #expect(store.objects(in: Self.byLetter, at: "x").isEmpty)
    #expect(store.objects.map(\.name) == ["b"])
  }

  @Test("the same version again is no change")
  func sameVersion() {
    var store = store()
    guard case .added? = put(&store, object("a", 1)) else {
      Issue.record("expected an addition")
      return
    }
    #expect(put(&store, object("a", 1)) == nil)
    guard case .updated(let old, let new)? = put(&store, object("a", 2)) else {
      Issue.record("expected an update")
      return
    }
    #expect(old.resourceVersion == "1")
    #expect(new.resourceVersion == "2")
  }

  @Test("an object that stops decoding is neither present nor absent, and its end is told")
  func unreadable() {
    var store = store()
    _ = put(&store, object("a", 1, data: ["letters": ["x"]]))
    let key = ObjectKey(namespace: "shop", name: "a")
    let problem = UndecodableObject(type: .configMaps, object: object("a", 2), problem: "bad")
    guard case .unreadable(problem)? = store.put(.failure(problem), key: key, version: "2") else {
      Issue.record("expected it to be reported")
      return
    }
    guard case .unreadable = store[key] else {
      Issue.record("expected it to stand aside, found \(store[key])")
      return
    }
    #expect(store.objects(in: Self.byLetter, at: "x").isEmpty)
    #expect(store.put(.failure(problem), key: key, version: "2") == nil)
    guard case .deletedUnreadable(problem)? = store.remove(key) else {
      Issue.record("expected its deletion")
      return
    }
    guard case .absent = store[key] else {
      Issue.record("expected it to be gone")
      return
    }
  }

  @Test("a list removes what it does not have and touches nothing that is the same")
  func replace() {
    var store = store()
    for name in ["a", "b", "c"] { _ = put(&store, object(name, 1)) }
    let listed = [object("b", 1), object("c", 2), object("d", 3)]
    let changes = store.replace(with: listed.map { ($0.objectKey, $0.resourceVersion, .success($0)) })
    let texts = changes.map { change in
      switch change {
      case .added(let object): "added \(object.name)"
      case .updated(_, let object): "updated \(object.name)"
      case .deleted(let object): "deleted \(object.name)"
      case .unreadable, .deletedUnreadable: "unreadable"
      }
    }
    #expect(texts == ["deleted a", "updated c", "added d"])
    #expect(store.objects.map(\.name) == ["b", "c", "d"])
  }
}
