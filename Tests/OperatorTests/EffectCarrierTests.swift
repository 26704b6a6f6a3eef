import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("Carrying effects out")
struct EffectCarrierTests {
  private func carrier(_ cluster: ScriptedCluster, routes: Bool = true) throws -> EffectCarrier {
    let plan = try plan()
    let provider = try IstioProvider(
      plan: plan, services: try RoutedService.resolve(plan, live: [service()]), revision: "abc", gatewayNamespaces: [])
    var json = try JSON(encoding: rollout())
    json[path: ["metadata", "finalizers"]] = ["sluice.dev/finalizer", "team.example/keep"]
    cluster.put(.rollouts, json)
    return EffectCarrier(
      cluster: cluster, snapshot: cluster, rollout: json, plan: plan, provider: routes ? provider : nil, run: run(),
      state: RolloutState(stable: Revision(set: "web-s1", hash: "s1")), place: nil, templates: AnalysisTemplates(),
      announcer: SilentAnnouncer(), aborts: AbortRecord(time: .system), tracing: RunTracing(),
      logger: Logger(label: "test"))
  }

  private func cluster() -> ScriptedCluster {
    ScriptedCluster([
      (.deployments, deployment()), (.services, service()), (.replicaSets, replicaSet("s1", image: "v1")),
    ])
  }

  @Test("effects are carried out in their order, and each a second time without a write")
  func order() async throws {
    let cluster = cluster()
    let effects: [Effect] = [
      .renderServices(stableHash: "s1", canaryHash: "abc"), .createSet(revision: "abc", replicas: 1),
      .setTraffic(TrafficTarget(weight: try #require(Weight(10)))),
    ]
    try await carrier(cluster).carryOut(effects)
    #expect(
      cluster.writes == [
        "create services shop/web-stable", "create services shop/web-canary", "create replicasets shop/web-abc",
        "create virtualservices shop/web",
      ])
    try await carrier(cluster).carryOut(effects)
    #expect(cluster.writes.dropFirst(4) == ["create replicasets shop/web-abc"])
  }

  @Test("a step takes two writes: the canary's size and the route")
  func writesPerStep() async throws {
    let cluster = cluster()
    let carrier = try carrier(cluster)
    try await carrier.carryOut([
      .renderServices(stableHash: "s1", canaryHash: "abc"), .createSet(revision: "abc", replicas: 1),
      .setTraffic(TrafficTarget(weight: try #require(Weight(10)))),
    ])
    let before = cluster.writes.count
    try await carrier.carryOut([
      .scale(set: "web-abc", replicas: 2), .setTraffic(TrafficTarget(weight: try #require(Weight(50)))),
    ])
    #expect(
      Array(cluster.writes.dropFirst(before)) == ["patch replicasets shop/web-abc", "replace virtualservices shop/web"])
  }

  @Test("the first effect that fails ends the turn")
  func failure() async throws {
    let cluster = cluster()
    cluster.fail(
      "patch deployments shop/web", with: Status(code: 403, reason: "Forbidden", message: "not allowed"))
    await #expect(throws: KubernetesError.self) {
      try await carrier(cluster).carryOut([.hold(by: "web-abc"), .scale(set: "web-s1", replicas: 0)])
    }
    #expect(cluster.writes == ["patch deployments shop/web"])
  }

  @Test("a hold and its release name who holds, mark the write as ours, and leave a deadline of the team's alone")
  func hold() async throws {
    let cluster = cluster()
    try await carrier(cluster).carryOut([.hold(by: "web-abc")])
    var held = try #require(cluster.object(.deployments, web))
    #expect(held[path: ["spec", "paused"]] == true)
    #expect(held.annotations == ["sluice.dev/held": "web-abc", "sluice.dev/own-write": "sluice@7"])
    #expect(held[path: ["spec", "progressDeadlineSeconds"]] == nil)
    try await carrier(cluster).carryOut([.hold(by: "rest")])
    held = try #require(cluster.object(.deployments, web))
    #expect(held[path: ["spec", "progressDeadlineSeconds"]]?.int == DeploymentHold.endlessDeadline)
    try await carrier(cluster).carryOut([.releaseHold])
    held = try #require(cluster.object(.deployments, web))
    #expect(held[path: ["spec", "paused"]] == nil && held.annotations["sluice.dev/held"] == nil)
    #expect(held[path: ["spec", "progressDeadlineSeconds"]]?.int == 600)
  }

  @Test("a generated Service whose name a person has taken is not overwritten, and the error says what to do")
  func takenName() async throws {
    let cluster = cluster()
    cluster.put(.services, service("web-stable"))
    let error = await #expect(throws: EffectError.self) {
      try await carrier(cluster).carryOut([.renderServices(stableHash: nil, canaryHash: nil)])
    }
    #expect(error?.description.contains("Service shop/web-stable") == true)
    #expect(error?.description.contains("rename it") == true)
    #expect(cluster.writes.isEmpty)
  }

  @Test("pods are scaled down also when the Deployment is gone, and a hold then is an error that names it")
  func withoutDeployment() async throws {
    let cluster = ScriptedCluster([(.replicaSets, replicaSet("abc", image: "v2"))])
    try await carrier(cluster).carryOut([.scale(set: "web-abc", replicas: 0)])
    let set = cluster.object(.replicaSets, ObjectKey(namespace: "shop", name: "web-abc"))
    #expect(set?[path: ["spec", "replicas"]] == 0)
    let error = await #expect(throws: EffectError.self) { try await carrier(cluster).carryOut([.hold(by: "x")]) }
    #expect(error?.description.contains("Deployment shop/web is gone") == true)
  }

  @Test(
    "a run is created with the plan and the stable revision; one that another leader just made is taken, not doubled")
  func createRun() async throws {
    let cluster = cluster()
    try await carrier(cluster).carryOut([.createRun(name: "abc", revision: "abc")])
    let key = ObjectKey(namespace: "shop", name: "web-abc")
    let created: RolloutRun = try #require(cluster.object(.rolloutRuns, key)).decode()
    #expect(created.spec.stable == RunRevision(hash: "s1", replicaSet: "web-s1"))
    #expect(created.spec.demand == 4 && created.spec.plan == spec())
    #expect(created.metadata.finalizers == ["sluice.dev/finalizer"])
    // A second run for the revision has another name, without a write for each name that is taken.
    try await carrier(cluster).carryOut([.createRun(name: "abc", revision: "abc")])
    #expect(cluster.writes == ["create rolloutruns shop/web-abc", "create rolloutruns shop/web-abc-2"])
  }

  @Test("a Rollout is let go with its runs, and finalizers of others stay")
  func letGo() async throws {
    let cluster = cluster()
    try await carrier(cluster).carryOut([.createRun(name: "abc", revision: "abc"), .dropRolloutFinalizer])
    #expect(cluster.all(.rolloutRuns).allSatisfy { $0.finalizers.isEmpty })
    #expect(cluster.all(.rollouts).map(\.finalizers) == [["team.example/keep"]])
  }

  @Test("routes are deleted by their mark, also when the Services are gone; another's route is not touched")
  func deleteRoutes() async throws {
    let cluster = cluster()
    try await carrier(cluster).carryOut([.setTraffic(.stableOnly)])
    var other = try #require(cluster.all(.virtualServices).first)
    other[path: ["metadata", "name"]] = "theirs"
    other[path: ["metadata", "labels"]] = ["sluice.dev/rollout": "other"]
    cluster.put(.virtualServices, other)
    try await carrier(cluster, routes: false).carryOut([.retireRouting(delete: true)])
    #expect(cluster.writes.last == "delete virtualservices shop/web")
    #expect(cluster.writes.count == 2)
  }
}
