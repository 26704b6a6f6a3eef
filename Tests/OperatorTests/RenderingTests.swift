import KubernetesAPI
import Testing

@testable import Operator

@Suite("Rendering")
struct RenderingTests {
  @Test("a canary's set is the Deployment's template under a hash of ours, with no label that the Deployment selects")
  func canarySet() {
    let set = CanarySet.render(
      deployment: deployment(), rollout: "web", run: "web-abc", revision: "abc", name: "web-abc", replicas: 2)
    #expect(
      set == [
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": [
          "name": "web-abc", "namespace": "shop",
          "labels": [
            "sluice.dev/rollout": "web", "sluice.dev/run": "web-abc", "sluice.dev/revision": "abc",
            "pod-template-hash": "abc",
          ],
          "ownerReferences": [["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1"]],
        ],
        "spec": [
          "replicas": 2, "minReadySeconds": 3,
          "selector": ["matchLabels": ["app": "web", "pod-template-hash": "abc"]],
          "template": [
            "metadata": ["labels": ["app": "web", "pod-template-hash": "abc"]],
            "spec": ["containers": [["name": "app", "image": "v2"]]],
          ],
        ],
      ])
  }

  @Test("a released set loses the labels that the Deployment selects and the reference that controls, and no more")
  func release() {
    let patch = CanarySet.releasePatch(
      set: replicaSet("s1", image: "v1"), deployment: deployment(), rollout: "web")
    #expect(
      patch == [
        "metadata": [
          "labels": ["sluice.dev/rollout": "web", "app": .null],
          "ownerReferences": [["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1"]],
          "resourceVersion": "80",
        ]
      ])
  }

  @Test("a set is handed over with the size that the Deployment expects, so that it scales nothing")
  func adopt() {
    let rolling: JSON = ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": "30%"]]
    let set = replicaSet("abc", image: "v2", labels: ["sluice.dev/rollout": "web"], owner: nil)
    let patch = CanarySet.adoptPatch(set: set, deployment: deployment(strategy: rolling), number: 3)
    #expect(
      patch == [
        "metadata": [
          "labels": ["app": "web", "pod-template-hash": "abc"], "resourceVersion": "80",
          "annotations": [
            "deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/desired-replicas": "4",
            "deployment.kubernetes.io/max-replicas": "6",
          ],
        ]
      ])
    #expect(!CanarySet.isOffered(set, deployment: deployment(strategy: rolling), number: 3))
    let offered = replicaSet(
      "abc", image: "v2", owner: nil,
      annotations: [
        "deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/desired-replicas": "4",
        "deployment.kubernetes.io/max-replicas": "6",
      ])
    #expect(CanarySet.isOffered(offered, deployment: deployment(strategy: rolling), number: 3))
    #expect(!CanarySet.isOffered(offered, deployment: deployment(strategy: rolling), number: 4))
  }

  @Test("a generated Service copies ports and mesh annotations, and neither labels, node ports nor addresses")
  func generated() {
    let rendered = GeneratedService.render(
      callers: service(hash: "pinned"), track: .canary, hash: "abc", rollout: "web")
    #expect(
      rendered == [
        "apiVersion": "v1", "kind": "Service",
        "metadata": [
          "name": "web-canary", "namespace": "shop",
          "labels": ["sluice.dev/rollout": "web", "sluice.dev/track": "canary"],
          "annotations": ["networking.istio.io/exportTo": "*"],
        ],
        "spec": [
          "selector": ["app": "web", "pod-template-hash": "abc"], "sessionAffinity": "None",
          "ports": [["name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"]],
        ],
      ])
    let wide = GeneratedService.render(callers: service(hash: "pinned"), track: .stable, hash: nil, rollout: "web")
    #expect(wide[path: ["spec", "selector"]] == ["app": "web"])
  }

  @Test("a generated Service is current whatever it selects by hash, and not after the callers' ports changed")
  func isCurrent() {
    let live = GeneratedService.render(callers: service(), track: .stable, hash: "s1", rollout: "web")
    #expect(GeneratedService.isCurrent(live, callers: service(), track: .stable, rollout: "web"))
    var edited = service()
    edited[path: ["spec", "ports"]] = [["name": "http", "port": 81]]
    #expect(!GeneratedService.isCurrent(live, callers: edited, track: .stable, rollout: "web"))
  }

  @Test("a callers' Service that was deleted is remembered by its generated ones")
  func standIn() throws {
    let stable = GeneratedService.render(callers: service(), track: .stable, hash: "s1", rollout: "web")
    let cluster = ScriptedCluster([(.services, stable)])
    let found = try #require(GeneratedService.standIn(for: web, in: cluster, rollout: "web"))
    #expect(found.objectKey == web)
    #expect(found[path: ["spec", "selector"]] == ["app": "web"])
    #expect(found[path: ["spec", "ports"]] == stable[path: ["spec", "ports"]])
    #expect(GeneratedService.standIn(for: web, in: cluster, rollout: "other") == nil)
  }
}
