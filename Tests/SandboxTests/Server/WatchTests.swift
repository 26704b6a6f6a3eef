import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("watches of the sandbox")
struct WatchTests {
  private let time = VirtualTime()
  private let path = "/api/v1/namespaces/default/configmaps"

  private func create(_ name: String, _ server: APIServer) {
    let body: JSON = ["metadata": ["name": .string(name)]]
    _ = server.handle(
      ServerRequest("POST", path, headers: [("Content-Type", "application/json")], body: body.bytes))
  }

  private func watch(_ server: APIServer, _ query: [(name: String, value: String)]) throws -> WatchStream {
    let response = server.handle(ServerRequest("GET", path, query: [("watch", "true")] + query))
    guard case .watch(let stream) = response.body else { throw response.json.decodeStatus }
    return stream
  }

  @Test("a list as a stream ends with a bookmark that says so")
  func initialEvents() throws {
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    create("one", server)
    let stream = try watch(
      server,
      [("sendInitialEvents", "true"), ("allowWatchBookmarks", "true"), ("resourceVersionMatch", "NotOlderThan")])
    let events = stream.poll(at: time.now).events
    #expect(events.map { $0["type"] } == ["ADDED", "BOOKMARK"])
    #expect(events.last?[path: ["object", "metadata", "annotations", "k8s.io/initial-events-end"]] == "true")
    create("two", server)
    #expect(stream.poll(at: time.now).events.map { $0[path: ["object", "metadata", "name"]] } == ["two"])
  }

  @Test("a reader that is too slow is cut off, and what it had missed is not kept")
  func slowReader() throws {
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    let stream = try watch(server, [])
    for number in 0..<1001 { create("c\(number)", server) }
    let progress = stream.poll(at: time.now)
    #expect(progress.isAtEnd)
    #expect(progress.events.isEmpty)
  }

  @Test("a version that is no longer remembered is an error event and the end")
  func expired() throws {
    let server = APIServer(clock: time.clock, historyLimit: 5, random: MeshRandom(seed: 1))
    let version = server.store.state.resourceVersion
    for number in 0..<6 { create("c\(number)", server) }
    let progress = try watch(server, [("resourceVersion", String(version))]).poll(at: time.now)
    #expect(progress.isAtEnd)
    #expect(progress.events.map { $0[path: ["object", "code"]] } == [410])
  }

  @Test("a watch that is dropped leaves no subscription behind")
  func dropped() throws {
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    do {
      let stream = try watch(server, [])
      #expect(server.store.subscriptionCount == 1)
      stream.cancel()
    }
    #expect(server.store.subscriptionCount == 0)
  }

  @Test("bookmarks come once a minute and shortly before the end, which comes when the time is up")
  func bookmarks() throws {
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    let stream = try watch(server, [("allowWatchBookmarks", "true"), ("timeoutSeconds", "90")])
    let start = time.now
    #expect(stream.poll(at: start + 59).events.isEmpty)
    #expect(stream.poll(at: start + 60).events.map { $0["type"] } == ["BOOKMARK"])
    #expect(stream.poll(at: start + 88).events.map { $0["type"] } == ["BOOKMARK"])
    #expect(!stream.poll(at: start + 89).isAtEnd)
    #expect(stream.poll(at: start + 90).isAtEnd)
  }
}

extension JSON {
  /// A failure as an error of a test.
  fileprivate var decodeStatus: Status { Status(code: self["code"]?.int ?? 0, reason: "", message: description) }
}
