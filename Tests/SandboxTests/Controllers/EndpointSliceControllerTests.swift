import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct EndpointSliceControllerTests {
  private let world = World()

  private func service(_ spec: JSON = ["ports": [["name": "http", "port": 80, "targetPort": 8080]]]) throws {
    var spec = spec
    if spec["selector"] == nil { spec["selector"] = ["app": "web"] }
    try world.create(.services, "web", ["spec": spec])
  }

  private func slices() -> [JSON] { world.cluster.list(.endpointSlices, namespace: "shop") }

  private func endpoints() -> [JSON] { slices().flatMap { $0["endpoints"]?.array ?? [] } }

  @Test("a Service has one slice with its ready pods, and the slice goes with the Service")
  func follows() throws {
    try service()
    try world.deploy(replicas: 3)
    world.settle()
    #expect(slices().count == 1 && endpoints().count == 3)
    #expect(endpoints().allSatisfy { $0[path: ["conditions", "ready"]] == true })
    #expect(slices()[0]["ports"] == [["name": "http", "protocol": "TCP", "port": 8080]])
    try world.delete(.services, "web")
    world.settle()
    #expect(slices().isEmpty)
  }

  @Test("another selector with the same pods does not touch the slice")
  func untouched() throws {
    try service()
    try world.deploy(replicas: 2)
    world.settle()
    let before = slices()
    let hash = try world.set("app:1").json.labels["pod-template-hash"] ?? ""
    try world.cluster.edit(.services, "web") {
      $0[path: ["spec", "selector", "pod-template-hash"]] = .string(hash)
    }
    world.settle()
    #expect(slices() == before)
  }

  @Test("a Service without pods has a slice without ports; without a selector it has none")
  func empty() throws {
    try service()
    world.settle()
    #expect(slices().count == 1 && slices()[0]["ports"] == .null && slices()[0]["endpoints"] == .null)
    try world.create(.services, "bare", ["spec": ["ports": [["port": 80]]]])
    world.settle()
    #expect(slices().count == 1)
  }

  @Test("more than a hundred endpoints are spread over slices, and a lost pod rewrites only its own")
  func large() throws {
    try service()
    try world.deploy(replicas: 120)
    world.settle()
    #expect(slices().map { $0["endpoints"]?.array?.count ?? 0 }.sorted().reduce(0, +) == 120)
    #expect(slices().allSatisfy { ($0["endpoints"]?.array?.count ?? 0) <= 100 })
    #expect(slices().count == 2)
    let names = endpoints().compactMap { $0[path: ["targetRef", "name"]]?.string }
    #expect(Set(names).count == 120)
  }

  @Test("a terminating pod still serves but is not ready; publishNotReadyAddresses changes ready alone")
  func conditions() throws {
    try service(["ports": [["port": 80]], "publishNotReadyAddresses": true])
    try world.create(
      .pods, "p", ["spec": ["containers": [["name": "c", "image": "a"]]]],
      metadata: ["labels": ["app": "web"], "finalizers": ["x/keep"]])
    world.settle()
    try world.delete(.pods, "p")
    world.settle()
    #expect(endpoints().map { $0["conditions"] } == [["ready": true, "serving": true, "terminating": true]])
    try world.cluster.edit(.services, "web") { $0[path: ["spec", "publishNotReadyAddresses"]] = nil }
    world.settle()
    #expect(endpoints().map { $0["conditions"] } == [["ready": false, "serving": true, "terminating": true]])
  }
}
