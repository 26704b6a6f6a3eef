import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Testing

@testable import Dashboard

@Suite("What the page is told")
struct RolloutViewTests {
  private static func rollout(_ name: String, namespace: String = "shop") -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "spec": ["workloadRef": ["name": "web"]],
      "status": ["phase": "Running", "weight": 10, "hold": ["mode": "Admission"]],
    ]
  }

  private static func run(_ name: String, of rollout: String, created: String) -> JSON {
    [
      "metadata": [
        "name": .string(name), "namespace": "shop", "uid": "u", "resourceVersion": "1",
        "creationTimestamp": .string(created),
      ],
      "spec": ["rolloutRef": ["name": .string(rollout)], "revision": "abc"],
      "status": ["phase": "Promoted", "message": "done", "timeline": [["kind": "Start"]]],
    ]
  }

  @Test("the list is sorted, and has of each Rollout what a line shows")
  func list() {
    let view = RolloutView(
      rollouts: [Self.rollout("b"), Self.rollout("a"), Self.rollout("z", namespace: "a")], runs: [])
    let items = view.list["items"]?.array ?? []
    #expect(
      items.map { "\($0["namespace"]?.string ?? "")/\($0["name"]?.string ?? "")" } == ["a/z", "shop/a", "shop/b"])
    #expect(items.first?["status"] == ["phase": "Running", "weight": 10])
  }

  @Test("a Rollout comes with its own runs, the newest first and with its whole story")
  func detail() throws {
    let view = RolloutView(
      rollouts: [Self.rollout("a"), Self.rollout("b")],
      runs: [
        Self.run("a-1", of: "a", created: "2026-01-01T00:00:00Z"),
        Self.run("a-2", of: "a", created: "2026-01-02T00:00:00Z"),
        Self.run("b-1", of: "b", created: "2026-01-03T00:00:00Z"),
      ])
    let found = try #require(view.detail(ObjectKey(namespace: "shop", name: "a")))
    #expect(found[path: ["rollout", "status", "hold", "mode"]] == "Admission")
    let runs = try #require(found["runs"]?.array)
    #expect(runs.map { $0["name"] } == ["a-2", "a-1"])
    #expect(runs[0][path: ["status", "timeline"]]?.array?.count == 1)
    #expect(runs[1][path: ["status", "timeline"]] == nil && runs[1][path: ["status", "message"]] == "done")
    #expect(view.detail(ObjectKey(namespace: "shop", name: "c")) == nil)
  }
}

@Suite("Telling of changes")
struct ChangeFeedTests {
  private let key = ObjectKey(namespace: "shop", name: "web")

  @Test("each reader hears of each change, and streams end with the feed")
  func readers() async throws {
    let feed = ChangeFeed()
    let streams = [try #require(feed.read()), try #require(feed.read())]
    feed.changed(key)
    feed.end()
    for stream in streams {
      var heard: [ObjectKey] = []
      for await change in stream { heard.append(change) }
      #expect(heard == [key])
    }
    #expect(feed.read() == nil)
  }

  @Test("there is a bound on readers, and one that leaves makes room")
  func bound() throws {
    let feed = ChangeFeed()
    var streams = (0..<ChangeFeed.maxReaders).map { _ in feed.read() }
    #expect(streams.allSatisfy { $0 != nil } && feed.read() == nil)
    streams.removeAll()
    #expect(feed.readers == 0)
    #expect(feed.read() != nil)
  }
}

@Suite("The name in a Host header")
struct HostNameTests {
  @Test(
    "ports and brackets are no part of it",
    arguments: [
      ("localhost:8090", "localhost"), ("Shop.Example.com", "shop.example.com"), ("127.0.0.1:1", "127.0.0.1"),
      ("[::1]:8090", "::1"), ("", ""),
    ])
  func names(authority: String, name: String) { #expect(HostName(authority).name == name) }

  @Test(
    "an address is one that no name server is asked for",
    arguments: [
      ("127.0.0.1", true), ("10.0.0.300", false), ("::1", true), ("fe80::1", true), ("evil.example", false),
      ("1.2.3", false), ("a:b:g", false), ("", false),
    ])
  func addresses(name: String, isAddress: Bool) { #expect(HostName.isAddress(name) == isAddress) }
}

@Suite("The dashboard's server")
struct DashboardServerTests {
  /// Serves objects that are given, until the body is done.
  private func serve(
    _ view: RolloutView, problem: String? = nil, isSynced: Bool = true, feed: ChangeFeed = ChangeFeed(),
    _ body: (CurlTransport, _ url: String) async throws -> Void
  ) async throws {
    let routes = DashboardRoutes(
      view: { view }, problem: { problem }, isSynced: { isSynced }, feed: feed, hosts: ["sluice.example"],
      time: .system)
    try await withServer(routes, feed: feed, body)
  }

  @Test("the page, its script and its style are there, load nothing from elsewhere, and may not be framed")
  func page() async throws {
    try await serve(RolloutView(rollouts: [], runs: [])) { transport, url in
      for (path, type, text) in [
        ("/", "text/html", "<!doctype html>"), ("/app.js", "text/javascript", "EventSource"),
        ("/style.css", "text/css", "--canary"),
      ] {
        let response = try await transport.send(HTTPRequest(.get, url + path))
        #expect(response.status == 200)
        #expect(response.header("content-type")?.hasPrefix(type) == true)
        #expect(response.header("content-security-policy")?.hasPrefix("default-src 'none'") == true)
        let body = String(decoding: response.body, as: UTF8.self)
        #expect(body.contains(text))
        #expect(!body.contains("http://") && !body.contains("https://"))
      }
    }
  }

  @Test("a name that is not ours is refused, one that was allowed is served")
  func names() async throws {
    try await serve(RolloutView(rollouts: [], runs: [])) { transport, url in
      for (name, status) in [("evil.example", 421), ("sluice.example", 200), ("localhost:1", 200)] {
        let response = try await transport.send(HTTPRequest(.get, url + "/api/rollouts", headers: [("Host", name)]))
        #expect(response.status == status, "\(name)")
      }
    }
  }

  @Test("what is not there is said to be so, and what may be old as well")
  func problems() async throws {
    let empty = RolloutView(rollouts: [], runs: [])
    try await serve(empty, problem: "the watch is down") { transport, url in
      let list = try await transport.send(HTTPRequest(.get, url + "/api/rollouts"))
      #expect(try JSON(parsing: list.body) == ["items": [], "problem": "old: the watch is down"])
      let missing = try await transport.send(HTTPRequest(.get, url + "/api/rollouts/shop/web"))
      #expect(missing.status == 404)
      #expect(try JSON(parsing: missing.body)["message"] == "There is no Rollout shop/web.")
    }
    try await serve(empty, isSynced: false) { transport, url in
      let early = try await transport.send(HTTPRequest(.get, url + "/api/rollouts/shop/web"))
      #expect(early.status == 503)
    }
  }

  @Test("a stream tells of each change, and ends with the server")
  func events() async throws {
    let feed = ChangeFeed()
    try await serve(RolloutView(rollouts: [], runs: []), feed: feed) { transport, url in
      let stream = try await transport.stream(HTTPRequest(.get, url + "/api/events", timeout: nil))
      #expect(stream.headers.contains { $0.value == "text/event-stream" })
      var text = ""
      for try await piece in stream.body {
        text += String(decoding: piece, as: UTF8.self)
        if text.hasPrefix("retry: 2000\n\n"), !text.contains("event:") {
          feed.changed(ObjectKey(namespace: "shop", name: "web"))
        }
        if text.contains("event: change\n") { feed.end() }
      }
      #expect(text.contains(#"data: {"name":"web","namespace":"shop"}"#) || text.contains(#""namespace":"shop""#))
    }
  }
}
