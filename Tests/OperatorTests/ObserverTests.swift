import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("Observing")
struct ObserverTests {
  private let held: JSON = ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1"]
  private let created = Date(timeIntervalSince1970: 1_767_323_045)

  private func sets(_ objects: [JSON], _ deployment: JSON = deployment()) -> [SetView] {
    WorkloadObserver(
      snapshot: ScriptedCluster(objects.map { (.replicaSets, $0) }), rollout: web, deployment: deployment
    )
    .sets
  }

  @Test("the Deployment's own set and the one that Sluice holds are told apart; another Deployment's is not seen")
  func owners() {
    let foreign = replicaSet("x", image: "v2", owner: ["kind": "Deployment", "uid": "d9", "controller": true])
    let canary = replicaSet(
      "abc", image: "v2", replicas: 1, labels: ["sluice.dev/rollout": "web"], owner: held,
      annotations: ["sluice.dev/rejected": "web-abc"])
    let stable = replicaSet("s1", image: "v1", annotations: ["deployment.kubernetes.io/revision": "2"])
    #expect(
      sets([foreign, canary, stable]) == [
        SetView(
          name: "web-abc", hash: "abc", owner: .sluice, matchesTemplate: true, replicas: 1, rejected: true,
          createdAt: created),
        SetView(name: "web-s1", hash: "s1", owner: .deployment, replicas: 4, number: 2, createdAt: created),
      ])
  }

  @Test("a held set outlives its Deployment in the eyes of Sluice, made anew or gone")
  func strays() {
    let orphan = replicaSet("abc", image: "v2", labels: ["sluice.dev/rollout": "web"], owner: nil)
    #expect(sets([orphan], deployment(uid: "d2")).map(\.owner) == [.sluice])
    let cluster = ScriptedCluster([(.replicaSets, orphan), (.replicaSets, replicaSet("s1", image: "v1", owner: nil))])
    #expect(WorkloadObserver.strays(of: web, in: cluster).map(\.name) == ["web-abc"])
  }

  @Test("a status that speaks of an earlier spec does not say that no pods are left")
  func unobserved() {
    var set = replicaSet("s1", image: "v1", replicas: 0)
    set[path: ["metadata", "generation"]] = 2
    #expect(sets([set]).map(\.pods) == [1])
  }

  @Test("a crash loop and a refusal by quota are named in the cluster's words")
  func trouble() {
    var set = replicaSet("abc", image: "v2")
    set[path: ["status", "availableReplicas"]] = 3
    let pod: JSON = [
      "metadata": [
        "name": "web-abc-1", "namespace": "shop", "ownerReferences": [["uid": "rs-abc"]],
      ],
      "status": [
        "containerStatuses": [
          [
            "name": "app", "ready": false, "restartCount": 3,
            "state": ["waiting": ["reason": "CrashLoopBackOff", "message": "back-off 40s"]],
          ]
        ]
      ],
    ]
    let cluster = ScriptedCluster([(.replicaSets, set), (.pods, pod)])
    let view = WorkloadObserver(snapshot: cluster, rollout: web, deployment: deployment())
    #expect(view.sets.first?.trouble == "CrashLoopBackOff after 3 restarts in container app: back-off 40s")
    var refused = set
    refused[path: ["status", "conditions"]] = [
      ["type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"]
    ]
    #expect(sets([refused]).first?.trouble == "exceeded quota: pods")
  }

  @Test("strategy Recreate is refused by name, the default is not")
  func recreate() throws {
    let cluster = ScriptedCluster()
    let refused = WorkloadObserver(
      snapshot: cluster, rollout: web, deployment: deployment(strategy: ["type": "Recreate"]))
    #expect(try #require(refused.refusal).contains("spec.strategy.type of Deployment web is Recreate"))
    #expect(WorkloadObserver(snapshot: cluster, rollout: web, deployment: deployment()).refusal == nil)
  }

  @Test("endpoints behind a generated Service are counted by the hash of their pods, only where ready")
  func services() {
    func pod(_ name: String, _ hash: String) -> (ResourceType, JSON) {
      (
        .pods,
        ["metadata": ["name": .string(name), "namespace": "shop", "labels": ["pod-template-hash": .string(hash)]]]
      )
    }
    func endpoint(_ pod: String, ready: Bool) -> JSON {
      ["conditions": ["ready": .bool(ready)], "targetRef": ["kind": "Pod", "name": .string(pod)]]
    }
    let slice: JSON = [
      "metadata": [
        "name": "web-stable-1", "namespace": "shop", "labels": ["kubernetes.io/service-name": "web-stable"],
      ],
      "endpoints": [endpoint("a", ready: true), endpoint("b", ready: true), endpoint("c", ready: false)],
    ]
    let stable = GeneratedService.render(callers: service(), track: .stable, hash: "s1", rollout: "web")
    var pinned = service(hash: "s1")
    pinned[path: ["metadata", "annotations", "sluice.dev/pin"]] = "s1"
    let cluster = ScriptedCluster([
      (.services, pinned), (.services, stable), (.endpointSlices, slice), pod("a", "s1"), pod("b", "s0"),
      pod("c", "s1"),
    ])
    #expect(
      ServiceObserver(snapshot: cluster, rollout: web).view(of: "web")
        == ServiceView(
          name: "web", pin: "s1", stable: ServiceView.Generated(hash: "s1", current: true, ready: ["s1": 1, "s0": 1])))
  }

  @Test("a route of another namespace that claims the same host is a conflict, named")
  func conflictElsewhere() throws {
    let plan = try Plan(
      Rollout(
        metadata: rollout().metadata,
        spec: RolloutSpec(
          workloadRef: WorkloadReference(name: "web"),
          serviceRefs: [ServiceReference(name: "web", port: .string("http"))],
          traffic: TrafficSpec(istio: IstioSpec(hosts: ["shop.example.com"], gateways: ["edge/public"])),
          steps: [StepSpec(weight: 10)])))
    let other: JSON = [
      "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
      "metadata": ["name": "theirs", "namespace": "other", "uid": "v9"],
      "spec": [
        "hosts": ["shop.example.com"], "gateways": ["edge/public"],
        "http": [["route": [["destination": ["host": "x"]]]]],
      ],
    ]
    let cluster = ScriptedCluster([
      (.deployments, deployment()), (.services, service()), (.virtualServices, other),
    ])
    let provider = try IstioProvider(
      plan: plan, services: try RoutedService.resolve(plan, live: [service()]), revision: "abc",
      gatewayNamespaces: ["edge"])
    let seen = Observer(
      snapshot: cluster, rollout: try JSON(encoding: rollout()), plan: plan, provider: provider,
      hold: HoldView(mode: .admission, ready: true), measured: nil
    ).observe(run: nil, quietSince: .distantPast)
    guard case .conflict(let text) = seen.routing else {
      Issue.record("found \(seen.routing)")
      return
    }
    #expect(text.contains("other/theirs"))
  }

  @Test("the younger of two Rollouts for one Deployment is refused and told of the older one, not the other way round")
  func clash() throws {
    func stored(_ name: String, _ time: String) throws -> JSON {
      var json = try JSON(encoding: rollout())
      json[path: ["metadata", "name"]] = .string(name)
      json[path: ["metadata", "uid"]] = .string("uid-\(name)")
      json[path: ["metadata", "creationTimestamp"]] = .string(time)
      return json
    }
    let older = try stored("zoo", "2026-01-01T00:00:00Z")
    let younger = try stored("web", "2026-01-02T00:00:00Z")
    let plan = try plan()
    let problems = RolloutClash.problems(of: plan, own: younger, among: [older, younger])
    #expect(problems.map(\.field) == ["spec.workloadRef.name", "spec.serviceRefs[name=web]"])
    #expect(problems.allSatisfy { $0.found.contains("shop/zoo") })
    #expect(RolloutClash.problems(of: plan, own: older, among: [older, younger]).isEmpty)
  }
}
