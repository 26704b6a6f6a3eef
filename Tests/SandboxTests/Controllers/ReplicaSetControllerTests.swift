import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct ReplicaSetControllerTests {
  private func pod(_ name: String, _ change: (inout JSON) -> Void = { _ in }) -> PodView {
    var pod: JSON = [
      "metadata": ["name": .string(name), "uid": .string(name), "creationTimestamp": "2026-01-01T00:00:00Z"],
      "spec": ["nodeName": "n1"],
      "status": [
        "phase": "Running",
        "conditions": [["type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"]],
      ],
    ]
    change(&pod)
    return PodView(pod)
  }

  @Test("the pods that do least go first")
  func ranking() {
    let now = Timestamp("2026-01-02T00:00:00Z")?.date ?? .now
    let ready = { (time: String) -> JSON in
      [["type": "Ready", "status": "True", "lastTransitionTime": .string(time)]]
    }
    let pods = [
      pod("old"),
      pod("cheap") { $0[path: ["metadata", "annotations", PodView.deletionCost]] = "-5" },
      pod("unready") { $0[path: ["status", "conditions"]] = [["type": "Ready", "status": "False"]] },
      pod("young") { $0[path: ["status", "conditions"]] = ready("2026-01-01T23:59:00Z") },
      pod("pending") { $0[path: ["status", "phase"]] = "Pending" },
      pod("unassigned") { $0[path: ["spec", "nodeName"]] = nil },
      pod("restarted") { $0[path: ["status", "containerStatuses"]] = [["restartCount": 3]] },
    ]
    #expect(
      PodRanking(now: now).ordered(pods).map(\.name)
        == ["unassigned", "pending", "unready", "cheap", "young", "restarted", "old"])
  }

  @Test("a crowded node is relieved before a free one")
  func crowded() {
    let pods = [pod("a"), pod("b") { $0[path: ["spec", "nodeName"]] = "n2" }]
    #expect(PodRanking(now: .now, podsPerNode: ["n1": 1, "n2": 3]).ordered(pods).map(\.name) == ["b", "a"])
  }

  @Test("a pod whose labels no longer match is let go and replaced; one that matches again is one too many")
  func release() throws {
    let world = World()
    try world.deploy(replicas: 2)
    world.settle()
    let name = world.pods()[0].name
    try world.cluster.edit(.pods, name) { $0[path: ["metadata", "labels", "app"]] = "debug" }
    world.settle()
    #expect(world.pods().count == 3)
    #expect(try world.object(.pods, name).ownerReferences.isEmpty)
    try world.cluster.edit(.pods, name) { $0[path: ["metadata", "labels", "app"]] = "web" }
    world.settle()
    #expect(world.pods().count == 2)
    #expect(try world.status().replicas == 2)
  }

  @Test("pods that are ending count as terminating, not as replicas")
  func terminating() throws {
    struct Slow: PodBehaviours {
      func behaviour(of pod: JSON) -> PodBehaviour { .ready }
      func termination(of pod: JSON) -> Duration { .seconds(20) }
    }
    let world = World(Slow())
    try world.deploy(replicas: 3)
    world.settle()
    try world.scale(to: 1)
    world.pass(.seconds(2))
    #expect(try world.status().replicas == 1 && world.status().terminatingReplicas == 2)
    #expect(world.pods().count == 3)
    world.pass(.seconds(20))
    #expect(try world.status().terminatingReplicas == 0)
    #expect(world.pods().count == 1)
  }

  @Test("what is said again about an object counts up one Event")
  func events() throws {
    let world = World()
    try world.deploy(replicas: 1)
    world.settle()
    for size in [0, 1, 0, 1] {
      try world.scale(to: size)
      world.settle()
    }
    let scaled = world.cluster.list(.events, namespace: "shop").filter { $0["reason"]?.string == "ScalingReplicaSet" }
    let name = try world.set("app:1").name
    let counts = Dictionary(uniqueKeysWithValues: scaled.map { ($0["message"]?.string ?? "", $0["count"]?.int ?? 0) })
    #expect(
      counts == ["Scaled up replica set \(name) from 0 to 1": 3, "Scaled down replica set \(name) from 1 to 0": 2])
  }
}
