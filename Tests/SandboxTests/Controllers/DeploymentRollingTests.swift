import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct DeploymentRollingTests {
  @Test("a new Deployment gets a set, the set its pods, and the status says so")
  func starts() throws {
    let world = World()
    try world.deploy()
    world.settle()
    let status = try world.status()
    #expect(world.images() == ["app:1": 4])
    #expect(status.updatedReplicas == 4 && status.availableReplicas == 4 && status.terminatingReplicas == 0)
    let set = try world.set("app:1")
    #expect(status.conditions[type: "Available"]?.message == "Deployment has minimum availability.")
    #expect(
      status.conditions[type: "Progressing"]?.message == "ReplicaSet \"\(set.name)\" has successfully progressed.")
    #expect(set.annotation(DeploymentAnnotation.maxReplicas) == "5" && set.revision == 1)
    #expect(try world.object(.deployments, "web").annotations[DeploymentAnnotation.revision] == "1")
  }

  @Test(
    "a roll never leaves the bounds of surge and unavailability",
    arguments: [(1, 0), (2, 0), (0, 1), (3, 2), (0, 0)] as [(Int, Int)])
  func bounds(surge: Int, unavailable: Int) throws {
    let world = World()
    try world.deploy(
      replicas: 6, ["strategy": ["rollingUpdate": ["maxSurge": JSON(surge), "maxUnavailable": JSON(unavailable)]]])
    world.settle()
    try world.setImage("app:2")
    // With neither surge nor shortfall allowed one pod may be missing, else nothing could move.
    let allowed = surge == 0 && unavailable == 0 ? 1 : unavailable
    for _ in 0..<200 where world.images() != ["app:2": 6] {
      world.pass(.milliseconds(100))
      #expect(world.pods().count <= 6 + surge)
      #expect(world.pods().count(where: \.isReady) >= 6 - allowed)
    }
    #expect(world.images() == ["app:2": 6])
    world.settle()
    #expect(try world.progress() == "NewReplicaSetAvailable")
  }

  @Test("a template that comes back uses its old set under the next revision and remembers the former ones")
  func returns() throws {
    let world = World()
    try world.deploy()
    world.settle()
    for image in ["app:2", "app:1", "app:2", "app:1"] {
      try world.setImage(image)
      world.settle()
    }
    let set = try world.set("app:1")
    #expect(world.sets().count == 2 && set.revision == 5)
    #expect(set.annotation(DeploymentAnnotation.revisionHistory) == "1,3")
    #expect(world.images() == ["app:1": 4])
  }

  @Test("annotations of the Deployment reach its set, kubectl's copy of the manifest does not")
  func annotations() throws {
    let world = World()
    try world.deploy()
    world.settle()
    try world.cluster.edit(.deployments, "web") {
      $0[path: ["metadata", "annotations", "kubernetes.io/change-cause"]] = "a fix"
      $0[path: ["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]] = "{}"
    }
    world.settle()
    let annotations = try world.set("app:1").json.annotations
    #expect(annotations["kubernetes.io/change-cause"] == "a fix")
    #expect(annotations["kubectl.kubernetes.io/last-applied-configuration"] == nil)
  }

  @Test("pods that are not ready when the deadline passes make Progressing False, and a good template heals it")
  func deadline() throws {
    let world = World()
    try world.deploy("app:1", replicas: 4, ["progressDeadlineSeconds": 30])
    world.settle()
    try world.setImage("bad:2")
    world.pass(.seconds(29))
    #expect(try world.progress() == "ReplicaSetUpdated")
    world.pass(.seconds(4))
    #expect(try world.progress() == "ProgressDeadlineExceeded")
    #expect(world.images() == ["app:1": 3, "bad:2": 2])
    try world.setImage("app:3")
    world.settle()
    #expect(try world.progress() == "NewReplicaSetAvailable")
    #expect(world.images() == ["app:3": 4])
  }

  @Test("a Deployment without a deadline has no condition Progressing")
  func noDeadline() throws {
    let world = World()
    try world.deploy("app:1", replicas: 4, ["progressDeadlineSeconds": JSON(Int(Int32.max))])
    world.settle()
    #expect(try world.progress() == "none")
    #expect(try world.status().availableReplicas == 4)
  }

  @Test("a ready pod counts as available only after minReadySeconds")
  func minReady() throws {
    let world = World()
    try world.deploy("app:1", replicas: 4, ["minReadySeconds": 6])
    world.pass(.seconds(4))
    #expect(try world.status().readyReplicas == 4)
    #expect(try world.status().availableReplicas == 0)
    world.pass(.seconds(4))
    #expect(try world.status().availableReplicas == 4)
  }

  @Test("Recreate starts no new pod before the last old one is gone")
  func recreate() throws {
    struct Slow: PodBehaviours {
      func behaviour(of pod: JSON) -> PodBehaviour { .ready }
      func termination(of pod: JSON) -> Duration { .seconds(5) }
    }
    let world = World(Slow())
    try world.deploy("app:1", replicas: 4, ["strategy": ["type": "Recreate"]])
    world.settle()
    try world.setImage("app:2")
    world.pass(.seconds(4))
    #expect(world.images() == ["app:1": 4])
    world.pass(.seconds(4))
    #expect(world.images() == ["app:2": 4])
  }

  @Test("sets beyond revisionHistoryLimit go, the oldest revision first, also while paused")
  func history() throws {
    let world = World()
    try world.deploy("app:1", replicas: 4, ["revisionHistoryLimit": 2])
    world.settle()
    for number in 2...5 {
      try world.setImage("app:\(number)")
      world.settle()
    }
    #expect(world.sets().map(\.revision) == [3, 4, 5])
    try world.cluster.edit(.deployments, "web") {
      $0[path: ["spec", "paused"]] = true
      $0[path: ["spec", "revisionHistoryLimit"]] = 0
    }
    world.settle()
    #expect(world.sets().map(\.revision) == [5])
  }

  @Test("a set of another template that has the name already makes the controller take another name")
  func collision() throws {
    let world = World()
    let hash = PodTemplate.hash(of: World.template("app:1"), collisionCount: nil)
    try world.create(
      .replicaSets, "web-\(hash)",
      ["spec": ["replicas": 0, "selector": ["matchLabels": ["app": "x"]], "template": World.template("x:1")]])
    try world.deploy()
    world.settle()
    #expect(try world.status().collisionCount == 1)
    #expect(world.images() == ["app:1": 4])
    #expect(try world.set("app:1").name != "web-\(hash)")
  }

  @Test("a set that may not make pods shows ReplicaFailure in the Deployment until it may")
  func quota() throws {
    let world = World()
    world.cluster.refuse("Pod")
    try world.deploy()
    world.pass(.seconds(3))
    let failure = try #require(try world.status().conditions[type: "ReplicaFailure"])
    #expect(failure.reason == "FailedCreate" && failure.message.contains("exceeded quota"))
    world.cluster.permit("Pod")
    world.pass(.seconds(40))
    #expect(try world.status().conditions[type: "ReplicaFailure"] == nil)
    #expect(world.images() == ["app:1": 4])
  }
}
