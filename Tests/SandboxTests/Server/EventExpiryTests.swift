import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("the end of Events")
struct EventExpiryTests {
  private let time = VirtualTime()
  private let server: APIServer
  private let path = "/api/v1/namespaces/default/events"
  private let newPath = "/apis/events.k8s.io/v1/namespaces/default/events"

  init() { server = APIServer(clock: time.clock, random: MeshRandom(seed: 1)) }

  private func send(_ method: String, _ path: String, _ body: JSON? = nil, type: String = "application/json") -> Int {
    server.handle(ServerRequest(method, path, headers: [("Content-Type", type)], body: body?.bytes ?? [])).status
  }

  private func createBoth() {
    let core: JSON = [
      "metadata": ["name": "core"], "involvedObject": ["kind": "Pod", "name": "p", "namespace": "default"],
      "reason": "Tried", "message": "it was tried", "type": "Normal",
    ]
    #expect(send("POST", path, core) == 201)
    let new: JSON = [
      "metadata": ["name": "new"], "regarding": ["kind": "Pod", "name": "p", "namespace": "default"],
      "reason": "Tried", "note": "it was tried", "type": "Normal", "action": "Try",
      "eventTime": "2027-01-15T08:00:00.000000Z", "reportingController": "example.com/tester",
      "reportingInstance": "tester-1",
    ]
    #expect(send("POST", newPath, new) == 201)
  }

  @Test("an Event of either group is gone an hour after it was written, in both groups; other objects stay")
  func expire() {
    createBoth()
    #expect(send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "stays"]]) == 201)
    time.advance(by: 3599)
    for path in [path, newPath] { #expect(["core", "new"].map { send("GET", "\(path)/\($0)") } == [200, 200]) }
    time.advance(by: 1)
    for path in [path, newPath] { #expect(["core", "new"].map { send("GET", "\(path)/\($0)") } == [404, 404]) }
    #expect(send("GET", "/api/v1/namespaces/default/configmaps/stays") == 200)
  }

  @Test("an Event that is written again lives an hour from then")
  func renew() {
    createBoth()
    time.advance(by: 1800)
    #expect(send("PATCH", "\(path)/core", ["count": 2], type: "application/merge-patch+json") == 200)
    time.advance(by: 1800)
    #expect(["core", "new"].map { send("GET", "\(path)/\($0)") } == [200, 404])
    time.advance(by: 1800)
    #expect(send("GET", "\(path)/core") == 404)
  }

  @Test("a watch looks again when the next Event goes, and shows that it went")
  func watch() throws {
    createBoth()
    let response = server.handle(
      ServerRequest("GET", path, query: [("watch", "true"), ("timeoutSeconds", "9000")]))
    guard case .watch(let stream) = response.body else {
      Issue.record("no watch but \(response.json)")
      return
    }
    let start = stream.poll(at: time.now)
    #expect(start.events.map { $0["type"] } == ["ADDED", "ADDED"])
    #expect(start.nextLook == time.now + 3600)
    time.advance(by: 3600)
    #expect(stream.poll(at: time.now).events.map { $0["type"] } == ["DELETED", "DELETED"])
  }

  @Test("an Event that was deleted and written again under its name is not taken for the old one")
  func recreated() {
    createBoth()
    time.advance(by: 1800)
    for name in ["core", "new"] { #expect(send("DELETE", "\(path)/\(name)") == 200) }
    createBoth()
    time.advance(by: 1800)
    #expect(["core", "new"].map { send("GET", "\(path)/\($0)") } == [200, 200])
  }
}
