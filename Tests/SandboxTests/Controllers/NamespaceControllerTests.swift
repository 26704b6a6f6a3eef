import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct NamespaceControllerTests {
  private func world() throws -> World {
    let world = World()
    try world.create(.namespaces, "shop", ["spec": ["finalizers": ["kubernetes"]]])
    world.settle()
    return world
  }

  @Test("a namespace has a service account, also after it was deleted")
  func serviceAccount() throws {
    let world = try world()
    #expect(world.exists(FakeCluster.serviceAccounts, "default"))
    try world.delete(FakeCluster.serviceAccounts, "default")
    world.settle()
    #expect(world.exists(FakeCluster.serviceAccounts, "default"))
  }

  @Test("a namespace empties itself and goes, with everything a Deployment made")
  func empties() throws {
    let world = try world()
    try world.deploy(replicas: 2)
    try world.create(.configMaps, "c")
    world.settle()
    try world.delete(.namespaces, "shop")
    world.settle()
    #expect(!world.exists(.namespaces, "shop"))
    for type in world.cluster.types { #expect(world.cluster.list(type, namespace: nil).isEmpty) }
  }

  @Test("what a finalizer holds is named in the conditions, and the namespace waits for it")
  func held() throws {
    let world = try world()
    try world.create(.configMaps, "kept", metadata: ["finalizers": ["x/keep"]])
    world.settle()
    try world.delete(.namespaces, "shop")
    world.settle()
    let conditions = try world.object(.namespaces, "shop")[path: ["status", "conditions"]]?.array ?? []
    let messages = conditions.filter { $0["status"]?.string == "True" }.compactMap { $0["message"]?.string }
    #expect(
      messages == [
        "Some resources are remaining: configmaps. has 1 resource instances",
        "Some content in the namespace has finalizers remaining: x/keep in 1 resource instances",
      ])
    try world.cluster.edit(.configMaps, "kept") { $0[path: ["metadata", "finalizers"]] = nil }
    world.settle()
    #expect(!world.exists(.namespaces, "shop"))
  }
}
