import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct GarbageCollectorTests {
  private let world = World()

  private func reference(_ owner: JSON, blocks: Bool? = nil) -> JSON {
    var reference: JSON = [
      "apiVersion": "v1", "kind": .string(owner.kind), "name": .string(owner.name), "uid": .string(owner.uid),
    ]
    reference["blockOwnerDeletion"] = blocks.map { .bool($0) }
    return reference
  }

  @discardableResult
  private func owned(_ name: String, by owners: [JSON], finalizers: [String] = []) throws -> JSON {
    var metadata: JSON = ["ownerReferences": .array(owners)]
    if !finalizers.isEmpty { metadata["finalizers"] = .array(finalizers.map(JSON.string)) }
    return try world.create(.configMaps, name, metadata: metadata)
  }

  @Test("background deletion takes dependents of dependents too, whatever their kind")
  func chain() throws {
    let owner = try world.create(.services, "a")
    let middle = try owned("b", by: [reference(owner)])
    try owned("c", by: [reference(middle)])
    world.settle()
    try world.delete(.services, "a", .background)
    world.settle()
    #expect(!world.exists(.configMaps, "b") && !world.exists(.configMaps, "c"))
  }

  @Test("an object with another living owner stays and loses only the reference that dangles")
  func twoOwners() throws {
    let first = try world.create(.configMaps, "a")
    let second = try world.create(.configMaps, "b")
    try owned("c", by: [reference(first), reference(second)])
    world.settle()
    try world.delete(.configMaps, "a")
    world.settle()
    #expect(try world.object(.configMaps, "c").ownerReferences == [reference(second)])
  }

  @Test("an owner of the same name with another uid does not count")
  func uid() throws {
    var owner = try world.create(.configMaps, "a")
    owner[path: ["metadata", "uid"]] = "someone-else"
    try owned("b", by: [reference(owner)])
    world.settle()
    #expect(world.exists(.configMaps, "a") && !world.exists(.configMaps, "b"))
  }

  @Test("an owner of a kind that is not served proves nothing")
  func unknownKind() throws {
    try owned("b", by: [["apiVersion": "x.test/v1", "kind": "Thing", "name": "t", "uid": "u"]])
    world.settle()
    #expect(world.exists(.configMaps, "b"))
  }

  @Test("a foreground owner waits for a dependent that blocks, not for another", arguments: [true, false])
  func foreground(blocks: Bool) throws {
    let owner = try world.create(.configMaps, "a")
    try owned("b", by: [reference(owner, blocks: blocks)], finalizers: ["x/keep"])
    world.settle()
    try world.delete(.configMaps, "a", .foreground)
    world.settle()
    #expect(try world.object(.configMaps, "b").isBeingDeleted)
    #expect(world.exists(.configMaps, "a") == blocks)
    try world.cluster.edit(.configMaps, "b") { $0[path: ["metadata", "finalizers"]] = nil }
    world.settle()
    #expect(!world.exists(.configMaps, "a") && !world.exists(.configMaps, "b"))
  }

  @Test("orphans lose the reference and stay")
  func orphan() throws {
    let owner = try world.create(.configMaps, "a")
    try owned("b", by: [reference(owner, blocks: true)])
    world.settle()
    try world.delete(.configMaps, "a", .orphan)
    world.settle()
    #expect(!world.exists(.configMaps, "a"))
    #expect(try world.object(.configMaps, "b").ownerReferences.isEmpty)
  }

  @Test("a circle of blocking owners goes all the same")
  func circle() throws {
    let owner = try world.create(.configMaps, "a")
    let other = try owned("b", by: [reference(owner, blocks: true)])
    world.settle()
    try world.cluster.edit(.configMaps, "a") {
      $0[path: ["metadata", "ownerReferences"]] = [reference(other, blocks: true)]
    }
    world.settle()
    try world.delete(.configMaps, "a", .foreground)
    world.settle()
    #expect(!world.exists(.configMaps, "a") && !world.exists(.configMaps, "b"))
  }

  @Test("a set with a finalizer stays when its Deployment is deleted in the foreground, its pods do not")
  func setWithFinalizer() throws {
    try world.deploy(replicas: 2)
    world.settle()
    let set = try world.set("app:1")
    try world.cluster.edit(.replicaSets, set.name) { $0[path: ["metadata", "finalizers"]] = ["x/keep"] }
    try world.delete(.deployments, "web", .foreground)
    world.settle()
    #expect(world.exists(.replicaSets, set.name) && world.pods().isEmpty && world.exists(.deployments, "web"))
  }
}
