import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator
@testable import Sandbox

@Suite("Capacity")
struct CapacityTests {
  private func autoscaler(max most: Int, target: String = "100m") -> String {
    """
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: checkout, namespace: shop}
    spec:
      minReplicas: 2
      maxReplicas: \(most)
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: \(target)}}}]
    """
  }

  private static let long = Manifests(steps: ["{weight: 20, analyze: {for: 60s}}", "{weight: 50, analyze: {for: 90s}}"])

  private func replicas(_ world: OperatorWorld) -> Int { world.deployment?[path: ["spec", "replicas"]]?.int ?? 0 }

  /// Plays a run to its promotion, and looks at it every second.
  private func promote(_ world: OperatorWorld, look: (OperatorWorld) -> Void) async throws {
    try world.setImage("v2")
    for _ in 0..<600 {
      await world.pass(1)
      look(world)
      if world.phase == "Idle", !world.runs.isEmpty { return }
    }
    Issue.record("not promoted: \(world.stage), \(world.status.pretty)")
  }

  // MARK: - Autoscalers, in the sandbox, with the sandbox's own

  @Test("with an autoscaler on shared load a run needs the demand and the canary's share, and leaves the demand behind")
  func shared() async throws {
    let world = try await OperatorWorld.resting(Self.long)
    world.use = { world in
      let weight = Double(world.canaryWeight ?? 0) / 100
      let old = Double(max(1, world.pods("v1").count))
      let new = Double(max(1, world.pods("v2").count))
      // The stable Service takes both revisions between runs.
      if weight == 0, world.phase == "Idle", world.replicas("v2") ?? 0 > 0 { return ["v2": 0.4 / new] }
      return ["v1": 0.4 * (1 - weight) / old, "v2": 0.4 * weight / new]
    }
    try world.create(autoscaler(max: 30))
    await world.pass(40)
    #expect(replicas(world) == 4)
    var most = 0
    try await promote(world) { world in
      most = max(most, world.pods("v1").count + world.pods("v2").count)
      if world.stage.hasPrefix("Progressing/Analyzing/1") { #expect(world.pods("v2").count == 1) }
      if world.stage.hasPrefix("Progressing/Analyzing/2") { #expect(world.pods("v2").count == 2) }
    }
    #expect(most == 8)
    #expect(replicas(world) == 4)
    #expect(world.breaches == [])
    #expect(world.condition("CapacityLimited") == nil)
  }

  @Test("memory that is used without work grows the Deployment, never the canary, and that is said")
  func constant() async throws {
    let world = try await OperatorWorld.resting(Self.long)
    world.use = { _ in ["v1": 0.085, "v2": 0.085] }
    try world.create(autoscaler(max: 30))
    await world.pass(20)
    #expect(replicas(world) == 4)
    var told: JSON?
    var canary = 0
    try await promote(world) { world in
      if world.set("v2")?.labels["app"] == nil { canary = max(canary, world.replicas("v2") ?? 0) }
      told = told ?? world.condition("CapacityLimited")
    }
    #expect(canary == 4)
    #expect(told?["reason"] == "AutoscalerNotFollowed")
    #expect(told?["status"] == "True")
    #expect(
      told?["message"]?.string?.hasSuffix(
        "replicas; the canary's share stays one of 4, since requests have not become more, and the autoscaler counts the "
          + "canary's own pods") == true, "\(told?.pretty ?? "")")
    #expect(world.announcer.news.contains { $0.kind == .limited })
    #expect(world.condition("CapacityLimited") == nil)
    // Alone it comes down again, by a pod in five minutes.
    await world.pass(3000, step: 15)
    #expect(replicas(world) <= 6)
    #expect(world.breaches == [])
  }

  @Test("requests that double grow the canary with the Deployment, also when another process takes over in between")
  func grows() async throws {
    let world = try await OperatorWorld.resting(Self.long)
    world.use = { world in
      let total = Double(world.pods("v1").count + world.pods("v2").count)
      return ["v1": world.rate * 0.0004 / total, "v2": world.rate * 0.0004 / total]
    }
    try world.create(autoscaler(max: 30))
    await world.pass(20)
    try world.setImage("v2")
    try await world.settle("the second step") { $0.stage.hasPrefix("Progressing/Analyzing/2") }
    #expect(world.replicas("v2") == 2)
    world.restartController()
    world.rate = 2500
    await world.pass(75)
    #expect((10...11).contains(replicas(world)))
    #expect(world.replicas("v2") == 5)
    #expect(world.runs.last?[path: ["status", "demand", "replicas"]]?.int == 10)
  }

  @Test("who wrote the replicas is known by the subresource")
  func writers() throws {
    func writer(_ entries: [JSON]) -> ReplicasWriter? {
      var object = deployment()
      object[path: ["metadata", "managedFields"]] = .array(entries)
      return CapacityObserver(snapshot: ScriptedCluster(), deployment: object).replicasWriter
    }
    func entry(_ manager: String, _ time: String, scale: Bool = false) -> JSON {
      var entry: JSON = [
        "manager": .string(manager), "time": .string(time), "fieldsV1": ["f:spec": ["f:replicas": [:]]],
      ]
      if scale { entry["subresource"] = "scale" }
      return entry
    }
    let git = entry("argocd-controller", "2026-01-01T00:00:00Z")
    #expect(writer([git]) == ReplicasWriter(name: "argocd-controller", isAutoscaler: false))
    #expect(
      writer([entry("kube-controller-manager", "2026-01-02T00:00:00Z", scale: true), git])
        == ReplicasWriter(name: "kube-controller-manager", isAutoscaler: true))
    #expect(
      writer([entry("kubectl", "2026-01-02T00:00:00Z", scale: true)])
        == ReplicasWriter(name: "kubectl", isAutoscaler: false))
    #expect(writer([]) == nil)
  }

  // MARK: - Quotas

  @Test("a run waits for a quota before it asks for pods, names the numbers, and goes on when the quota is raised")
  func quota() async throws {
    let world = try await OperatorWorld.resting()
    try world.create(
      "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: compute, namespace: shop}\nspec: {hard: {pods: \"4\"}}")
    try world.setImage("v2")
    try await world.settle("the limit") { $0.condition("CapacityLimited") != nil }
    await world.pass(5)
    #expect(world.set("v2") == nil)
    let condition = try #require(world.condition("CapacityLimited"))
    #expect(condition["reason"] == "QuotaExceeded")
    #expect(
      condition["message"]
        == "step 1 needs 1 more canary pod, and ResourceQuota compute admits 0 (pods: 0 of 4 left, a pod counts for 1): raise it, or make room in the namespace"
    )
    #expect(world.status["message"]?.string?.hasPrefix("waiting for room: ") == true)
    #expect(world.phase == "Running")
    try world.patch(.resourceQuotas, named: "compute", ["spec": ["hard": ["pods": "20"]]])
    try await world.settle("the promotion") { $0.phase == "Idle" && !$0.runs.isEmpty }
    #expect(world.condition("CapacityLimited") == nil)
    #expect(world.breaches == [])
  }

  private static let template: JSON = [
    "metadata": ["labels": ["app": "web"]],
    "spec": [
      "containers": [
        ["name": "app", "resources": ["requests": ["cpu": "250m"], "limits": ["cpu": "1", "memory": "256Mi"]]]
      ],
      "initContainers": [
        ["name": "migrate", "resources": ["requests": ["cpu": "500m", "memory": "64Mi"]]],
        ["name": "log", "restartPolicy": "Always", "resources": ["requests": ["cpu": "100m", "memory": "32Mi"]]],
      ],
    ],
  ]

  @Test("a pod is charged for its containers and sidecars, or for its largest init container, as the scheduler counts")
  func needs() {
    let needs = PodNeeds(of: Self.template, ranges: [])
    // Limits stand for requests that are not named.
    #expect(needs.charge("requests.cpu") == .amount(0.5))
    #expect(needs.charge("memory") == .amount(Decimal(288 << 20)))
    #expect(needs.charge("limits.memory") == .amount(Decimal(256 << 20)))
    #expect(needs.charge("pods") == .amount(1))
    #expect(needs.charge("requests.nvidia.com/gpu") == nil)
    #expect(needs.charge("services") == nil)
  }

  @Test("defaults of a LimitRange are charged too, and what must be named and is not is told")
  func defaults() {
    let bare: JSON = ["spec": ["containers": [["name": "app"]]]]
    #expect(PodNeeds(of: bare, ranges: []).charge("requests.cpu") == .unnamed)
    let range: JSON = [
      "spec": ["limits": [["type": "Container", "default": ["cpu": "1"], "defaultRequest": ["cpu": "200m"]]]]
    ]
    #expect(PodNeeds(of: bare, ranges: [range]).charge("requests.cpu") == .amount(0.2))
    #expect(PodNeeds(of: bare, ranges: [range]).charge("limits.cpu") == .amount(1))
  }

  @Test("the scarcest resource of a quota decides; scopes say whether a quota counts such pods")
  func rooms() {
    func quota(_ name: String, _ hard: JSON, _ used: JSON, _ spec: JSON = [:]) -> JSON {
      [
        "metadata": ["name": .string(name), "namespace": "shop"], "spec": spec, "status": ["hard": hard, "used": used],
      ]
    }
    var object = deployment()
    object[path: ["spec", "template"]] = Self.template
    let quotas = [
      quota(
        "compute", ["requests.cpu": "4", "limits.memory": "2Gi"], ["requests.cpu": "3700m", "limits.memory": "1Gi"]),
      quota("idle", ["pods": "0"], [:], ["scopes": ["BestEffort"]]),
      quota("jobs", ["pods": "0"], [:], ["scopes": ["Terminating"]]),
      quota("services", ["services": "1"], ["services": "1"]),
      quota(
        "urgent", ["pods": "0"], [:],
        ["scopeSelector": ["matchExpressions": [["scopeName": "PriorityClass", "operator": "In", "values": ["high"]]]]]),
    ]
    let cluster = ScriptedCluster(quotas.map { (.resourceQuotas, $0) })
    let rooms = CapacityObserver(snapshot: cluster, deployment: object).rooms
    #expect(
      rooms == [
        QuotaRoom(quota: "compute", pods: 0, detail: "requests.cpu: 300m of 4 left, a pod counts for 500m")
      ])
  }

  // MARK: - Budgets

  @Test("a crash-looping canary uses a budget up, which is said; after the abort nodes can be drained again")
  func budget() async throws {
    let world = try await OperatorWorld.resting(Manifests(deploymentMore: ["progressDeadlineSeconds: 30"]))
    try world.create(
      """
      apiVersion: policy/v1
      kind: PodDisruptionBudget
      metadata: {name: checkout, namespace: shop}
      spec: {maxUnavailable: 1, selector: {matchLabels: {app: checkout}}}
      """)
    func allowed() -> Int? { world.object(.podDisruptionBudgets)?[path: ["status", "disruptionsAllowed"]]?.int }
    await world.pass(1)
    #expect(allowed() == 1)
    world.breakDown("v2")
    try world.setImage("v2")
    try await world.settle("the limit") { $0.condition("CapacityLimited")?["reason"] == "DisruptionsBlocked" }
    #expect(allowed() == 0)
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    #expect(world.pods("v2") == [])
    #expect(allowed() == 1)
    #expect(world.condition("CapacityLimited") == nil)
  }
}
