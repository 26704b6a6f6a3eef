import Foundation
import KubernetesAPI
import Synchronization
import Testing

@testable import Sandbox

@Suite("The data plane")
struct DataPlaneTests {
  private static let service: JSON = [
    "metadata": ["name": "checkout", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"],
    "spec": ["ports": [["name": "http", "port": 80]]],
  ]

  private static func slice(_ pods: [String]) -> JSON {
    [
      "metadata": ["name": "s", "namespace": "shop", "labels": ["kubernetes.io/service-name": "checkout"]],
      "ports": [["name": "http", "port": 8080]],
      "endpoints": .array(
        pods.map { ["addresses": ["10.244.0.2"], "conditions": ["ready": true], "targetRef": ["uid": .string($0)]] }),
    ]
  }

  @Test("a proxy is told of clusters and their endpoints before the routes to them, and only of what changed")
  func order() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let ports = EnvoyBootstrap.Ports(mesh: 1, gateway: 2, admin: 3)
    var files = DataPlaneFiles(EnvoyBootstrap(ports: ports, folder: folder.path))
    let endpoints = EnvoyBootstrap.File.endpoints(cluster: "outbound|80||checkout.shop.svc.cluster.local")
    func push(_ pods: [String], services: [JSON] = [Self.service]) throws -> [EnvoyBootstrap.File] {
      let slices = [Self.slice(pods)]
      let clusters = EnvoyClusters(services: services, slices: slices, listeners: ["a": 40001, "b": 40002])
      return try files.push(
        MeshConfig(virtualServices: [], services: services, slices: slices), clusters)
    }
    #expect(try push(["a"]) == [endpoints, .clusters, .routes(.mesh), .routes(.gateway)])
    #expect(try push(["a"]) == [])
    #expect(try push(["a", "b"]) == [endpoints])
    let text = try Data(contentsOf: folder.appending(path: endpoints.name))
    #expect(try JSON(parsing: text)["version_info"] == "2")
    #expect(String(decoding: text, as: UTF8.self).contains("40002"))
    // A cluster goes with its Service.
    #expect(try push([], services: []) == [.clusters, .routes(.mesh)])
    #expect(!FileManager.default.fileExists(atPath: folder.appending(path: endpoints.name).path))
    try FileManager.default.removeItem(at: folder)
    #expect(throws: (any Error).self) { try push(["a"]) }
  }

  @Test("changes are told after 100 ms without another, and after 10 s in any case")
  func timer() {
    let start = Date(timeIntervalSince1970: 1_800_000_000)
    var timer = PushTimer()
    var told: [Bool] = []
    told.append(timer.takeDue(at: start))
    timer.change(at: start)
    timer.change(at: start + 0.08)
    for moment in [0.15, 0.19, 60] { told.append(timer.takeDue(at: start + moment)) }
    // Again and again, without a pause that is long enough.
    for hundredth in 0...1000 { timer.change(at: start + 100 + Double(hundredth) * 0.01) }
    told.append(timer.takeDue(at: start + 110.005))
    #expect(told == [false, false, true, false, true])
  }

  @Test("lines of the access log are counted whole, however they arrive, and others are passed over")
  func accessLog() throws {
    let line = """
      {"cluster":"outbound|80||checkout-canary.shop.svc.cluster.local","duration":23,"entrance":"mesh","flags":"-",\
      "status":200,"upstream":"127.0.0.1:40001"}
      """
    let nowhere = """
      {"cluster":null,"duration":0,"entrance":"gateway","flags":"NR","status":404,"upstream":null}
      """
    var lines = AccessLogLines()
    let text = Array("\(line)\nnot json\n\(nowhere)\n\(line)".utf8)
    let entries = lines.take(text[..<50]) + lines.take(text[50...])
    #expect(entries.count == 2)
    let first = try #require(entries.first)
    #expect(first.service == ObjectKey(namespace: "shop", name: "checkout-canary"))
    #expect(first.listener == 40001 && first.status == 200 && first.flags == "-" && first.milliseconds == 23)
    #expect(entries.last?.service == nil && entries.last?.status == 404 && entries.last?.flags == "NR")
    let ended = lines.take(Array("\n".utf8))
    #expect(ended == [first])
    // What never ends is not kept.
    let endless = lines.take(Array(repeating: UInt8(ascii: "x"), count: 1 << 17))
    #expect(endless.isEmpty)
    let next = lines.take(Array("\(line)\n".utf8))
    #expect(next == [first])
  }

  @Test("a pod is ready once it listens, and no sooner")
  func readiness() throws {
    let listening = Shared<Set<String>>([])
    let world = World(ListeningPods { uid in listening.value.withLock { $0.contains(uid) } })
    try world.deploy(replicas: 2)
    world.pass(.seconds(30))
    #expect(world.pods().map(\.phase) == ["Running", "Running"])
    #expect(world.pods().allSatisfy { !$0.isReady })
    let first = world.pods()[0].uid
    listening.value.withLock { _ = $0.insert(first) }
    world.pass(.milliseconds(100))
    #expect(world.pods().filter(\.isReady).map(\.uid) == [first])
  }

  private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
  }
}
