import Foundation
import HTTPTransport
import KubernetesAPI
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("The client")
struct ClientTests {
  let web = ObjectKey(namespace: "shop", name: "web")

  @Test("a read goes by the read lane with its deadline, a write by the write lane with manager and strict fields")
  func lanes() async throws {
    let transport = ScriptedTransport([.json(object("web")), .json(object("web")), .json(["kind": "Status"])])
    let client = makeClient(transport, credentials: FixedCredentials.bearer("t"))
    _ = try await client.get(.configMaps, web)
    _ = try await client.patch(.configMaps, web, .merge(["data": ["a": "1"]]))
    try await client.delete(.configMaps, web, DeleteOptions(propagation: .background))
    let sent = transport.requests
    #expect(
      sent.map(\.line) == [
        "GET /api/v1/namespaces/shop/configmaps/web",
        "PATCH /api/v1/namespaces/shop/configmaps/web?fieldValidation=Strict&fieldManager=sluice",
        "DELETE /api/v1/namespaces/shop/configmaps/web",
      ])
    #expect(sent.map(\.lane) == [.read, .write, .write])
    #expect(sent.map(\.timeout) == [.seconds(10), .seconds(10), .seconds(10)])
    #expect(sent[1].header("Content-Type") == "application/merge-patch+json")
    #expect(sent[1].header("Authorization") == "Bearer t")
    #expect(sent[1].header("User-Agent") == "sluice")
    #expect(sent[1].json == ["data": ["a": "1"]])
    #expect(sent[2].json?["propagationPolicy"] == "Background")
  }

  @Test("a client of a kubeconfig's cluster shows its credentials and acts as whom it names")
  func settings() async throws {
    let transport = ScriptedTransport([.json(object("web"))])
    let settings = ClusterSettings(
      server: "https://api", credentials: FixedCredentials.bearer("t"),
      impersonation: Impersonation(user: "jane", groups: ["dev", "ops"]))
    let client = KubernetesClient(settings, transport: transport, time: ManualClock().time)
    _ = try await client.get(.configMaps, web)
    let sent = try #require(transport.requests.first)
    #expect(sent.line == "GET /api/v1/namespaces/shop/configmaps/web")
    #expect(sent.header("Authorization") == "Bearer t")
    #expect(sent.header("Impersonate-User") == "jane")
    #expect(sent.headers.filter { $0.name == "Impersonate-Group" }.map(\.value) == ["dev", "ops"])
  }

  @Test("an apply names its manager once, and force only where asked")
  func apply() async throws {
    let transport = ScriptedTransport([.json(object("web")), .json(object("web"))])
    let client = makeClient(transport)
    _ = try await client.apply(.configMaps, object("web"))
    _ = try await client.apply(.configMaps, object("web"), force: true, WriteOptions(fieldManager: "other"))
    #expect(
      transport.requests.map(\.line) == [
        "PATCH /api/v1/namespaces/shop/configmaps/web?fieldManager=sluice&fieldValidation=Strict",
        "PATCH /api/v1/namespaces/shop/configmaps/web?fieldManager=other&fieldValidation=Strict&force=true",
      ])
  }

  @Test("a refusal says verb, object and the server's words, and is told apart by its reason")
  func refusals() async throws {
    let transport = ScriptedTransport([
      .status(404, "NotFound", "configmaps \"web\" not found"), .status(409, "AlreadyExists"),
    ])
    let client = makeClient(transport)
    let error = await #expect(throws: KubernetesError.self) { try await client.get(.configMaps, web) }
    #expect(error?.isNotFound == true)
    #expect(error?.description == #"cannot get configmaps shop/web: 404 NotFound: configmaps "web" not found"#)
    let second = await #expect(throws: KubernetesError.self) { try await client.create(.configMaps, object("web")) }
    #expect(second?.isAlreadyExists == true)
    #expect(second?.isConflict == false)
    #expect(second?.isRetriable == false)
  }

  @Test("find is nil for what is not there, and an error for all else")
  func find() async throws {
    let client = makeClient(ScriptedTransport([.status(404, "NotFound"), .status(403, "Forbidden")]))
    #expect(try await client.find(.configMaps, web) == nil)
    await #expect(throws: KubernetesError.self) { try await client.find(.configMaps, web) }
  }

  @Test("what was refused with Retry-After is sent again after that time, writes too")
  func retryAfter() async throws {
    let clock = ManualClock(runsByItself: true)
    let transport = ScriptedTransport([
      .status(429, "TooManyRequests", headers: [("Retry-After", "2")]),
      .status(503, "ServiceUnavailable", retryAfter: 3), .json(object("web")),
    ])
    let client = makeClient(transport, clock: clock)
    _ = try await client.create(.configMaps, object("web"))
    #expect(transport.requests.count == 3)
    #expect(clock.elapsed == .seconds(5))
    #expect(transport.requests.map(\.timeout) == [.seconds(10), .seconds(8), .seconds(5)])
  }

  @Test("no retry is begun that could not end before the deadline")
  func deadline() async throws {
    let clock = ManualClock(runsByItself: true)
    let transport = ScriptedTransport { _, _ in .status(429, "TooManyRequests", headers: [("Retry-After", "60")]) }
    let client = makeClient(transport, clock: clock)
    let error = await #expect(throws: KubernetesError.self) { try await client.get(.configMaps, web) }
    #expect(transport.requests.count == 1)
    #expect(clock.elapsed == .zero)
    #expect(error?.isRetriable == true)
  }

  @Test("retries are bounded")
  func bounded() async throws {
    let transport = ScriptedTransport { _, _ in .status(503, "ServiceUnavailable") }
    let client = makeClient(transport)
    let error = await #expect(throws: KubernetesError.self) { try await client.get(.configMaps, web) }
    #expect(transport.requests.count == 4)
    #expect(error?.attempts == 4)
  }

  @Test("a write that may have been carried out is not repeated by itself; the next request takes a fresh connection")
  func unclearWrites() async throws {
    let transport = ScriptedTransport([
      .failure(TransportError.timedOut("10 s")), .json(object("web")), .json(object("web")),
    ])
    let client = makeClient(transport)
    let error = await #expect(throws: KubernetesError.self) {
      try await client.patch(.configMaps, web, .merge([:]))
    }
    #expect(error?.mayHaveBeenCarriedOut == true)
    #expect(error?.isRetriable == true)
    #expect(error?.description == "cannot patch configmaps shop/web at https://api: timed out: 10 s")
    _ = try await client.patch(.configMaps, web, .merge([:]))
    _ = try await client.patch(.configMaps, web, .merge([:]))
    #expect(transport.requests.map(\.freshConnection) == [false, true, false])
  }

  @Test("a read that timed out is repeated on a fresh connection; other lanes keep theirs")
  func fresh() async throws {
    let transport = ScriptedTransport { request, index in
      index == 0 ? .failure(TransportError.timedOut("10 s")) : .json(object("web"))
    }
    let client = makeClient(transport)
    _ = try await client.get(.configMaps, web)
    _ = try await client.create(.configMaps, object("web"))
    #expect(transport.requests.map(\.freshConnection) == [false, true, false])
  }

  @Test("nothing was sent where no connection came about, so a write is repeated")
  func notConnected() async throws {
    let transport = ScriptedTransport([.failure(TransportError.notConnected("refused")), .json(object("web"))])
    _ = try await makeClient(transport).create(.configMaps, object("web"))
    #expect(transport.requests.count == 2)
  }

  @Test("an apply's 500 without a reason is a fault of the request and stays one; with a reason it is the server's")
  func applyFaults() async throws {
    let transport = ScriptedTransport([
      .json(["kind": "Status", "message": "failed to create typed patch object", "code": 500], status: 500),
      .status(500, "InternalError", "failed calling webhook"),
    ])
    let client = makeClient(transport)
    let first = await #expect(throws: KubernetesError.self) { try await client.apply(.configMaps, object("web")) }
    #expect(first?.isRetriable == false)
    let second = await #expect(throws: KubernetesError.self) { try await client.apply(.configMaps, object("web")) }
    #expect(second?.isRetriable == true)
    #expect(transport.requests.count == 2)
  }

  @Test("a token that the server no longer accepts is read anew, once")
  func unauthorized() async throws {
    let tokens = Mutex(["old", "new", "newer"])
    let file = TokenFile(path: "/token") { _ in
      Data(tokens.withLock { $0.removeFirst() }.utf8)
    }
    let transport = ScriptedTransport { request, _ in
      request.header("Authorization") == "Bearer new" ? .json(object("web")) : .status(401, "Unauthorized")
    }
    _ = try await makeClient(transport, credentials: file).get(.configMaps, web)
    #expect(transport.requests.compactMap { $0.header("Authorization") } == ["Bearer old", "Bearer new"])
    let hopeless = ScriptedTransport { _, _ in .status(401, "Unauthorized") }
    await #expect(throws: KubernetesError.self) { try await makeClient(hopeless).get(.configMaps, web) }
    #expect(hopeless.requests.count == 2)
  }

  @Test("a watch that is refused as unauthorized has the token read anew for the next one")
  func unauthorizedWatch() async throws {
    let tokens = Mutex(["old", "new"])
    let file = TokenFile(path: "/token") { _ in Data(tokens.withLock { $0.removeFirst() }.utf8) }
    let transport = ScriptedTransport([.status(401, "Unauthorized"), .watch([])])
    let client = makeClient(transport, credentials: file)
    await #expect(throws: KubernetesError.self) { try await client.watch(.configMaps) }
    _ = try await client.watch(.configMaps)
    #expect(transport.requests.compactMap { $0.header("Authorization") } == ["Bearer old", "Bearer new"])
  }

  @Test("an answer that is no JSON is an error, not an empty object")
  func unreadable() async throws {
    let transport = ScriptedTransport([.response(HTTPResponse(status: 200, body: Data("<html>".utf8)))])
    let error = await #expect(throws: KubernetesError.self) {
      try await makeClient(transport).get(.configMaps, web)
    }
    #expect(error?.description.hasPrefix("cannot read the answer to get configmaps shop/web") == true)
  }

  @Test("a fence stops writes, bounds their time, and lets reads pass")
  func fence() async throws {
    let left = Mutex(Duration.seconds(3))
    let transport = ScriptedTransport { _, _ in .json(object("web")) }
    let client = makeClient(transport).fenced(by: WriteFence { left.withLock { $0 } })
    _ = try await client.create(.configMaps, object("web"))
    #expect(transport.requests.first?.timeout == .seconds(3))
    left.withLock { $0 = .zero }
    let error = await #expect(throws: KubernetesError.self) {
      try await client.create(.configMaps, object("web"), urgent: true)
    }
    #expect(error?.isRetriable == false)
    #expect(transport.requests.count == 1)
    _ = try await client.get(.configMaps, web)
    #expect(transport.requests.count == 2)
  }

  @Test("beyond the rate a request waits, and an urgent one does not")
  func rateLimit() async throws {
    let clock = ManualClock(runsByItself: true)
    let transport = ScriptedTransport { _, _ in .json(object("web")) }
    let client = makeClient(
      transport, clock: clock, options: ClientOptions(requestsPerSecond: 2, burst: 2))
    for _ in 0..<4 { _ = try await client.get(.configMaps, web) }
    #expect(clock.elapsed == .seconds(1))
    _ = try await client.patch(.configMaps, web, .merge([:]), urgent: true)
    #expect(clock.elapsed == .seconds(1))
    await #expect(throws: KubernetesError.self) {
      try await client.send(.get(.configMaps, web), deadline: .milliseconds(100))
    }
    #expect(transport.requests.count == 5)
  }

  @Test("a list is read page by page")
  func pages() async throws {
    let transport = ScriptedTransport([
      .json(list([object("a")], version: 7, next: "t")), .json(list([object("b")], version: 7)),
    ])
    let found = try await makeClient(transport).list(.configMaps, namespace: "shop")
    #expect(found.items.map(\.name) == ["a", "b"])
    #expect(found.resourceVersion == "7")
    #expect(
      transport.requests.map(\.line) == [
        "GET /api/v1/namespaces/shop/configmaps?limit=500",
        "GET /api/v1/namespaces/shop/configmaps?limit=500&continue=t",
      ])
  }

  @Test("a list that expires between two pages begins anew, and at last in one page")
  func expiredPages() async throws {
    let transport = ScriptedTransport { request, _ in
      if request.url.contains("continue") { return .status(410, "Expired") }
      return .json(list([object("a")], version: 7, next: request.url.contains("limit") ? "t" : nil))
    }
    let found = try await makeClient(transport).list(.configMaps)
    #expect(found.items.map(\.name) == ["a"])
    #expect(
      transport.requests.map(\.line) == [
        "GET /api/v1/configmaps?limit=500", "GET /api/v1/configmaps?limit=500&continue=t",
        "GET /api/v1/configmaps?limit=500", "GET /api/v1/configmaps?limit=500&continue=t", "GET /api/v1/configmaps",
      ])
  }

  @Test("in a typed list an object that does not decode stands aside and the rest is there")
  func typedList() async throws {
    let transport = ScriptedTransport([
      .json(list([object("a"), object("b", data: ["k": 1]), object("c")], version: 7))
    ])
    let found = try await makeClient(transport).list(ConfigMap.self)
    #expect(found.items.map(\.metadata.name) == ["a", "c"])
    #expect(
      found.unreadable.map(\.description)
        == ["ConfigMap shop/b cannot be read: data.k: expected a string, found integer"])
  }

  @Test("a watch has no deadline but a stall bound, and yields its events")
  func watch() async throws {
    let transport = ScriptedTransport([
      .watch([["type": "ADDED", "object": object("a", 5)], ["type": "DELETED", "object": object("a", 6)]])
    ])
    let body = try await makeClient(transport).watch(.configMaps, WatchOptions(resourceVersion: "4"))
    var versions: [String?] = []
    for try await batch in body { versions += batch.map(\.resourceVersion) }
    #expect(versions == ["5", "6"])
    let request = try #require(transport.requests.first)
    #expect(request.timeout == nil)
    #expect(request.stallTimeout == .seconds(90))
    #expect(request.lane == .watch)
  }

  @Test("a watch that the server refuses throws its Status; one that breaks throws after its events")
  func watchErrors() async throws {
    let refused = ScriptedTransport([.status(410, "Expired", "too old resource version")])
    let error = await #expect(throws: KubernetesError.self) { try await makeClient(refused).watch(.configMaps) }
    #expect(error?.isExpired == true)
    let broken = ScriptedTransport([
      .watch([["type": "ADDED", "object": object("a", 5)]], then: .fails(.stalled("90 s")))
    ])
    let client = makeClient(broken)
    var seen = 0
    let late = await #expect(throws: KubernetesError.self) {
      for try await batch in try await client.watch(.configMaps) { seen += batch.count }
    }
    #expect(seen == 1)
    #expect(late?.description == "cannot watch configmaps at https://api: stalled: 90 s")
    _ = try? await client.watch(.configMaps)
    #expect(broken.requests.map(\.freshConnection) == [false, true])
  }
}
