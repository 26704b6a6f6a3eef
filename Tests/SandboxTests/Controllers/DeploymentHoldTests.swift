import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// What the borrowing of a Deployment relies on.
struct DeploymentHoldTests {
  private func held(_ image: String = "app:2", replicas: Int = 4) throws -> World {
    let world = World()
    try world.deploy("app:1", replicas: replicas)
    world.settle()
    try world.setPaused(true)
    world.settle()
    try world.setImage(image)
    world.settle()
    return world
  }

  @Test("a paused Deployment does not roll, but scales and replaces lost pods")
  func paused() throws {
    let world = try held()
    #expect(world.images() == ["app:1": 4])
    #expect(try world.progress() == "DeploymentPaused" && world.status().updatedReplicas == 0)
    try world.scale(to: 6)
    world.settle()
    #expect(world.images() == ["app:1": 6])
    try world.delete(.pods, world.pods()[0].name)
    world.settle()
    #expect(world.images() == ["app:1": 6] && world.pods().allSatisfy { $0.isReady })
    try world.setPaused(false)
    world.settle()
    #expect(world.images() == ["app:2": 6])
  }

  @Test("a Deployment created paused gets neither set nor pod")
  func createdPaused() throws {
    let world = World()
    try world.deploy("app:1", replicas: 2, ["paused": true])
    world.settle()
    #expect(world.sets().isEmpty && world.pods().isEmpty)
    #expect(try world.progress() == "DeploymentPaused")
  }

  @Test("the deadline does not strike while paused")
  func noDeadlineWhilePaused() throws {
    let world = try held()
    world.pass(.seconds(2000))
    #expect(try world.progress() == "DeploymentPaused")
  }

  @Test("released first, the old set is untouched while the canary is adopted, and no pod is replaced")
  func handOver() throws {
    let world = try held()
    try world.createCanary("app:2", replicas: 4)
    world.settle()
    let pods = world.pods().map(\.uid)
    let old = try world.set("app:1")
    try world.cluster.edit(.replicaSets, old.name) { $0[path: ["metadata", "labels", "app"]] = nil }
    world.settle()
    #expect(try world.object(.replicaSets, old.name).controllerReference == nil)
    #expect(try world.status().replicas == 0)
    #expect(try world.status().conditions[type: "Available"]?.status == "False")
    try world.cluster.edit(.replicaSets, "web-canary") {
      $0[path: ["metadata", "labels"]] = ["app": "web", "pod-template-hash": "canary"]
      $0[path: ["metadata", "annotations"]] = JSON([
        DeploymentAnnotation.desiredReplicas: "4", DeploymentAnnotation.maxReplicas: "5",
        DeploymentAnnotation.revision: "2",
      ])
    }
    world.settle()
    let canary = try world.object(.replicaSets, "web-canary")
    #expect(canary.ownerReferences.count == 1 && canary.controllerReference != nil)
    #expect(try world.status().updatedReplicas == 4)
    #expect(world.pods().map(\.uid) == pods)
    try world.setPaused(false)
    world.settle()
    #expect(world.pods().map(\.uid) == pods)
    #expect(try world.progress() == "NewReplicaSetAvailable")
  }

  @Test("an active set released while history is owned brings the newest history set back")
  func historyComesBack() throws {
    let world = World()
    try world.deploy()
    world.settle()
    try world.setImage("app:2")
    world.settle()
    try world.setPaused(true)
    try world.setImage("app:3")
    world.settle()
    try world.cluster.edit(.replicaSets, world.set("app:2").name) { $0[path: ["metadata", "labels", "app"]] = nil }
    world.settle()
    #expect(world.images() == ["app:1": 4, "app:2": 4])
  }

  @Test(
    "a change of size is shared in proportion by two active sets, and what rounding leaves goes to the larger",
    arguments: [(16, 14, 4), (4, 5, 1), (9, 9, 2), (0, 0, 0)] as [(Int, Int, Int)])
  func proportional(size: Int, old: Int, new: Int) throws {
    let world = World()
    try world.deploy(
      "app:1", replicas: 8, ["strategy": ["rollingUpdate": ["maxSurge": 2, "maxUnavailable": 0]]])
    world.settle()
    try world.setImage("bad:2")
    world.settle()
    #expect(world.images() == ["app:1": 8, "bad:2": 2])
    try world.setPaused(true)
    try world.scale(to: size)
    world.settle()
    #expect(try world.set("app:1").replicas == old)
    #expect(try world.set("bad:2").replicas == new)
  }

  @Test("of two equal templates the oldest set is the new one")
  func oldestEqualWins() throws {
    let world = try held("app:1")
    try world.createCanary("app:1", replicas: 4)
    world.settle()
    try world.cluster.edit(.replicaSets, "web-canary") {
      $0[path: ["metadata", "labels"]] = ["app": "web"]
      $0[path: ["metadata", "annotations"]] = JSON([DeploymentAnnotation.desiredReplicas: "4"])
    }
    world.settle()
    try world.setPaused(false)
    world.settle()
    #expect(try world.set("app:1").name != "web-canary")
    #expect(try world.object(.replicaSets, "web-canary")[path: ["spec", "replicas"]] == 0)
  }

  @Test("a set that another controller owns is never taken, whatever its labels")
  func othersAreLeftAlone() throws {
    let world = World()
    try world.create(
      .replicaSets, "foreign",
      [
        "spec": [
          "replicas": 1, "selector": ["matchLabels": ["app": "web", "pod-template-hash": "x"]],
          "template": World.template("app:1", hash: "x"),
        ]
      ],
      metadata: [
        "labels": ["app": "web"],
        "ownerReferences": [
          ["apiVersion": "example.test/v1", "kind": "Other", "name": "o", "uid": "u", "controller": true]
        ],
      ])
    try world.deploy()
    world.settle()
    #expect(try world.object(.replicaSets, "foreign").controllerUID == "u")
    #expect(world.sets().count == 2)
  }
}
