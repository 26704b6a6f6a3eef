import Foundation
import HTTPTransport
import KubernetesAPI
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("The informer")
struct InformerTests {
  /// Runs an informer until its watches reach one that stays open, then gives the changes that its handler saw.
  func changes<Object: Sendable>(
    _ transport: ScriptedTransport, _ make: (KubernetesClient, @escaping Informer<Object>.Handler) -> Informer<Object>,
    until done: @escaping @Sendable (ObjectCache<Object>, Int) -> Bool
  ) async throws -> (ObjectCache<Object>, [CacheChange<Object>]) {
    let seen = Mutex<[CacheChange<Object>]>([])
    let signal = Signal()
    let informer = make(makeClient(transport)) { change in
      seen.withLock { $0.append(change) }
      signal.raise()
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      try await informer.cache.waitUntilSynced()
      while true {
        let version = signal.version
        if done(informer.cache, seen.withLock { $0.count }) { break }
        try await signal.wait(beyond: version)
      }
      group.cancelAll()
    }
    return (informer.cache, seen.withLock { $0 })
  }

  func text(_ change: CacheChange<JSON>) -> String {
    switch change {
    case .added(let object): "added \(object.name)@\(object.resourceVersion)"
    case .updated(_, let object): "updated \(object.name)@\(object.resourceVersion)"
    case .deleted(let object): "deleted \(object.name)@\(object.resourceVersion)"
    case .unreadable(let problem): "unreadable \(problem.key)"
    case .deletedUnreadable(let problem): "gone \(problem.key)"
    }
  }

  @Test("a list, then the changes; the watch goes on from the last version, and after a 410 comes a new list")
  func life() async throws {
    let transport = ScriptedTransport([
      .json(list([object("a", 1)], version: 10)),
      .watch([
        ["type": "ADDED", "object": object("b", 11)],
        ["type": "BOOKMARK", "object": ["metadata": ["resourceVersion": "15"]]],
      ]),
      .watch([
        ["type": "MODIFIED", "object": object("a", 16)],
        ["type": "ERROR", "object": ["kind": "Status", "code": 410, "reason": "Expired", "message": "too old"]],
        ["type": "ADDED", "object": object("never", 17)],
      ]),
      .json(list([object("b", 11), object("c", 20)], version: 21)),
      .watch([["type": "DELETED", "object": object("c", 22)]], then: .staysOpen),
    ])
    let (cache, changes) = try await changes(transport) { client, handler in
      Informer(.configMaps, client: client, options: InformerOptions(namespace: "shop"), handlers: [handler])
    } until: { _, count in
      count >= 6
    }
    #expect(
      changes.map(text) == ["added a@1", "added b@11", "updated a@16", "deleted a@16", "added c@20", "deleted c@20"])
    #expect(cache.objects.map(\.name) == ["b"])
    #expect(cache.resourceVersion == "22")
    #expect(
      transport.requests.map(\.line) == [
        "GET /api/v1/namespaces/shop/configmaps?limit=500",
        "GET /api/v1/namespaces/shop/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=300",
        "GET /api/v1/namespaces/shop/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion=15&timeoutSeconds=300",
        "GET /api/v1/namespaces/shop/configmaps?limit=500",
        "GET /api/v1/namespaces/shop/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion=21&timeoutSeconds=300",
      ])
  }

  @Test("an object that does not decode stands aside in a list and in a watch, and stops no other")
  func unreadable() async throws {
    let transport = ScriptedTransport([
      .json(list([object("a", 1, data: ["k": 1]), object("b", 2)], version: 10)),
      .watch(
        [
          ["type": "MODIFIED", "object": object("b", 11, data: "no object")], ["type": "NONSENSE"],
          ["type": "ADDED", "object": object("c", 12)], ["type": "MODIFIED", "object": object("a", 13)],
        ], then: .staysOpen),
    ])
    let (cache, changes) = try await changes(transport) { client, handler in
      Informer(ConfigMap.self, client: client, handlers: [handler])
    } until: { _, count in
      count >= 5
    }
    #expect(changes.map(\.key.name) == ["a", "b", "b", "c", "a"])
    #expect(cache.objects.compactMap(\.metadata.name) == ["a", "c"])
    #expect(cache.unreadable.map(\.problem) == ["data: expected an object, found string"])
    #expect(throws: UndecodableObject.self) { try cache.find(ObjectKey(namespace: "shop", name: "b")) }
    #expect(try cache.find(ObjectKey(namespace: "shop", name: "x")) == nil)
    #expect(cache.problem == nil)
  }

  @Test("a server that is away is asked again, and the cache says meanwhile what is the matter")
  func away() async throws {
    let problem = Mutex<String?>(nil)
    let box = Mutex<ObjectCache<JSON>?>(nil)
    let transport = ScriptedTransport { _, index in
      switch index {
      case 0: return .status(403, "Forbidden", "configmaps is forbidden")
      case 1:
        problem.withLock { $0 = box.withLock { $0?.problem } }
        return .json(list([object("a", 1)], version: 10))
      default: return .watch([], then: .staysOpen)
      }
    }
    let (cache, _) = try await changes(transport) { client, handler in
      let informer = Informer(.configMaps, client: client, handlers: [handler])
      box.withLock { $0 = informer.cache }
      return informer
    } until: { _, count in
      count >= 1
    }
    #expect(problem.withLock { $0 } == "cannot list configmaps: 403 Forbidden: configmaps is forbidden")
    #expect(cache.isSynced)
  }

  @Test("a token that is rotated while a watch is on is shown by the next one, which goes on where the last one was")
  func rotatedToken() async throws {
    let token = Mutex("old")
    let credentials = TokenFile(path: "/token") { _ in Data(token.withLock { $0 }.utf8) }
    let transport = ScriptedTransport { request, index in
      switch index {
      case 0: return .json(list([object("a", 1)], version: 10))
      case 1:
        // The kubelet writes a new token, and the old one ends, while this watch goes on.
        token.withLock { $0 = "new" }
        return .watch([["type": "ADDED", "object": object("b", 11)]])
      case 2: return .status(401, "Unauthorized")
      default: return .watch([["type": "ADDED", "object": object("c", 12)]], then: .staysOpen)
      }
    }
    let seen = Mutex(0)
    let signal = Signal()
    let informer = Informer(
      .configMaps, client: makeClient(transport, credentials: credentials),
      handlers: [
        { _ in
          seen.withLock { $0 += 1 }
          signal.raise()
        }
      ])
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      while true {
        let version = signal.version
        if seen.withLock({ $0 }) == 3 { break }
        try await signal.wait(beyond: version)
      }
      group.cancelAll()
    }
    #expect(
      transport.requests.map { $0.header("Authorization") } == ["Bearer old", "Bearer old", "Bearer old", "Bearer new"])
    #expect(transport.requests.count { $0.url.contains("resourceVersion=11") } == 2)
    #expect(transport.requests.count { !$0.url.contains("watch=true") } == 1, "listed once")
    #expect(informer.cache.objects.map(\.name) == ["a", "b", "c"])
  }

  @Test("managed fields, and members that nobody looks at, are dropped unless asked for", arguments: [true, false])
  func managedFields(keeps: Bool) async throws {
    var json = object("a", 1)
    json[path: ["metadata", "managedFields"]] = [["manager": "m"]]
    json["data"] = ["large": "and not asked for"]
    let item = json
    let transport = ScriptedTransport { _, index in
      index == 0 ? .json(list([item], version: 1)) : .watch([], then: .staysOpen)
    }
    let (cache, _) = try await changes(transport) { client, handler in
      Informer(
        .configMaps, client: client,
        options: InformerOptions(keepsManagedFields: keeps, drops: keeps ? [] : ["data"]), handlers: [handler])
    } until: { _, count in
      count >= 1
    }
    let cached = try #require(cache.objects.first)
    #expect((cached[path: ["metadata", "managedFields"]] != nil) == keeps)
    #expect((cached["data"] != nil) == keeps)
    #expect(cached.resourceVersion == item.resourceVersion)
  }

  @Test("where it is asked to, it ends when the kind is not served any more, and knows nothing then")
  func notServed() async throws {
    let transport = ScriptedTransport { _, index in
      switch index {
      case 0: return .json(list([object("a", 1)], version: 10))
      case 1:
        let gone: JSON = ["kind": "Status", "code": 410, "reason": "Expired", "message": "too old"]
        return .watch([["type": "ERROR", "object": gone]])
      default: return .status(404, "NotFound", "the server could not find the requested resource")
      }
    }
    let seen = Mutex<[String]>([])
    let informer = Informer<JSON>(
      .configMaps, client: makeClient(transport), options: InformerOptions(endsWhereNotServed: true),
      handlers: [{ change in seen.withLock { $0.append(text(change)) } }])
    try await informer.run()
    #expect(seen.withLock { $0 } == ["added a@1", "deleted a@1"])
    #expect(!informer.cache.isSynced && informer.cache.objects.isEmpty)
  }

  @Test("who waits for the first list can be cancelled")
  func cancelledWait() async throws {
    let cache = ObjectCache<JSON>()
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { (try? await cache.waitUntilSynced()) == nil }
      group.cancelAll()
      for await wasCancelled in group { #expect(wasCancelled) }
    }
    cache.markSynced()
    try await cache.waitUntilSynced()
  }
}
