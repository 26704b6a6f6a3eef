import KubernetesAPI
import RolloutAPI
import Testing
import TrafficRouting

@testable import Operator

/// What people, autoscalers and other tools do to a Deployment around and during a run.
@Suite("A workload that others touch")
struct WorkloadTests {
  static let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]

  @Test("Service, Deployment and Rollout may come in any order, with the operator looking or not", arguments: orders)
  func anyOrder(order: [Int]) async throws {
    for looks in [true, false] {
      let world = try OperatorWorld()
      let all = [Manifests().service, Manifests().deployment, Manifests().rollout]
      for index in order {
        try world.create(all[index])
        if looks { await world.pass(3) }
      }
      try await world.settle("rest") { $0.phase == "Idle" }
      #expect(world.canaryWeight == 0)
      #expect(world.deployment?.labels["sluice.dev/managed"] == "checkout")
      #expect(world.deployment?[path: ["spec", "paused"]] == nil)
      #expect(world.problems == [] && world.breaches == [])
    }
  }

  @Test("a first image that never becomes ready is not held, so that its fix rolls, and becomes stable untested")
  func brokenFirstImage() async throws {
    let world = try OperatorWorld()
    for manifest in [Manifests().service, Manifests(tag: "v1-crash").deployment, Manifests().rollout] {
      try world.create(manifest)
    }
    await world.pass(30)
    #expect(world.phase == "Waiting")
    #expect(world.condition("Ready")?["reason"] == "WaitingForFirstRevision")
    #expect(world.condition("Ready")?["message"]?.string?.contains("CrashLoopBackOff") == true)
    #expect(world.deployment?.labels["sluice.dev/managed"] == nil)
    try world.setImage("v2")
    try await world.settle("rest") { $0.phase == "Idle" }
    #expect(world.replicas("v2") == 4 && world.runs.isEmpty)
  }

  @Test(
    "replicas that change in mid-run reach the revision that serves, and no set beyond its share",
    arguments: ["Progressing/Analyzing/1", "Progressing/Analyzing/2", "Promoting/Waiting", "Promoting/HandingOver"])
  func scaled(stage: String) async throws {
    let world = try await OperatorWorld.running(until: stage)
    try world.patch(.deployments, ["spec": ["replicas": 7]], by: "horizontal-pod-autoscaler")
    await world.pass(1)
    if stage.hasPrefix("Progressing") {
      #expect(world.replicas("v1") == 7)
      // Shares are of the demand at the start: an autoscaler also counts the canary's pods.
      #expect((world.replicas("v2") ?? 9) <= 2)
    }
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.replicas("v2") == 7 && world.replicas("v1") == 0)
    #expect(world.breaches == [])
  }

  @Test("kubectl replace in mid-run neither resumes the Deployment nor ends the run")
  func replaced() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/1")
    var manifest = try #require(try JSON.documents(yaml: Manifests(tag: "v2").deployment).first?.json)
    manifest[path: ["metadata", "resourceVersion"]] = .string(world.deployment?.resourceVersion ?? "")
    try world.replace(.deployments, manifest)
    #expect(world.deployment?[path: ["spec", "paused"]] == true)
    #expect(world.deployment?.labels["sluice.dev/managed"] == "checkout")
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.runs.count == 1)
    #expect(world.breaches == [])
  }

  @Test("kubectl rollout restart in mid-run supersedes the run, and the restarted template is rolled out by the plan")
  func restarted() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/2")
    try world.patch(
      .deployments,
      [
        "spec": [
          "template": ["metadata": ["annotations": ["kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"]]]
        ]
      ])
    await world.turn()
    #expect(world.canaryWeight == 0)
    try await world.settle("the promotion") { $0.runs.count == 2 && $0.stage == "Promoted" && $0.phase == "Idle" }
    #expect(world.runs.map { $0[path: ["status", "phase"]] } == ["Superseded", "Promoted"])
    #expect(world.breaches == [])
  }

  @Test("a Deployment that is deleted and made again in mid-run ends the run; what it rolls then is adopted")
  func recreated() async throws {
    let world = try await OperatorWorld.running(until: "Progressing/Analyzing/1")
    try world.delete(.deployments)
    try world.create(Manifests(tag: "v3").deployment)
    try await world.settle("rest") { $0.phase == "Idle" }
    #expect(world.replicas("v3") == 4 && world.canaryWeight == 0)
    #expect(
      world.objects(.replicaSets).allSatisfy {
        ($0[path: ["spec", "replicas"]]?.int ?? 0) == 0 || $0.name == world.set("v3")?.name
      })
    // The callers' Service is not left pinned to pods that are gone.
    #expect(world.object(.services)?[path: ["spec", "selector"]] == ["app": "checkout"])
    #expect(world.breach == nil)
  }

  @Test("an undo uses the set that the Deployment still has, and its run bears that set's name")
  func undone() async throws {
    let world = try await OperatorWorld.running(until: "Promoted")
    try await world.settle("rest") { $0.phase == "Idle" }
    let old = try #require(world.set("v1"))
    try world.setImage("v1")
    try await world.settle("the promotion") { $0.runs.count == 2 && $0.stage == "Promoted" && $0.phase == "Idle" }
    let run = try #require(world.runs.last)
    #expect(run[path: ["spec", "revision"]]?.string == old.labels["pod-template-hash"])
    #expect(run.name == "checkout-\(old.labels["pod-template-hash"] ?? "")")
    #expect(run[path: ["spec", "fastUndo"]] == true)
    #expect(world.set("v1")?.uid == old.uid && world.replicas("v1") == 4)
    #expect(world.breaches == [])
  }

  @Test(
    "a set of another template under the canary's name is passed over, and routes and measurements find the right one")
  func nameTaken() async throws {
    let world = try await OperatorWorld.resting()
    // The name that the canary would get: learned from a run that a person ends at once.
    try world.setImage("v2")
    try await world.settle("a run") { !$0.runs.isEmpty }
    let revision = try #require(world.runs.last?[path: ["spec", "revision"]]?.string)
    var taken = try #require(world.set("v1"))
    taken[path: ["metadata"]] = [
      "name": .string("checkout-\(revision)"), "namespace": "shop", "labels": ["team": "other"],
    ]
    taken["status"] = nil
    taken[path: ["spec", "replicas"]] = 0
    taken[path: ["spec", "selector"]] = ["matchLabels": ["app": "other"]]
    taken[path: ["spec", "template", "metadata", "labels"]] = ["app": "other"]
    let isEarly = world.set("v2") == nil
    #expect(isEarly, "the canary's set must not be there yet")
    try world.send("POST", ResourceType.replicaSets.path(namespace: "shop"), taken)
    try await world.settle("traffic for the canary") { $0.canaryWeight == 20 }
    #expect(world.set("v2")?.name == "checkout-\(revision)-2")
    #expect(
      world.object(.services, "checkout-canary")?[path: ["spec", "selector", "pod-template-hash"]]?.string
        == "\(revision)-2")
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.breaches == [] && world.problems == [])
  }

  @Test("a stable revision that loses all its pods does not block its fix: the canary is judged alone, and it says so")
  func stableDown() async throws {
    let world = try await OperatorWorld.resting(Manifests(steps: ["{weight: 50, analyze: {for: 5s}}"]))
    try world.breakStable("v1")
    await world.pass(5)
    #expect(world.set("v1")?[path: ["status", "readyReplicas"]]?.int ?? 0 == 0)
    try world.setImage("v2")
    try await world.settle("the promotion") { $0.phase == "Idle" && $0.stage == "Promoted" }
    #expect(world.announcer.news.contains { $0.kind == .stableDown })
    #expect(world.sawAlone, "the checks said that the canary was judged alone")
  }
}
