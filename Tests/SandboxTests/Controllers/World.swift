import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// A fake cluster with all built-in controllers and a clock that only tests move.
struct World {
  let cluster: FakeCluster
  let manager: ControllerManager

  init(_ behaviour: any PodBehaviours = ImageBehaviours()) {
    let cluster = FakeCluster()
    self.init(cluster: cluster, manager: .builtIn(cluster: cluster, behaviour: behaviour))
  }

  init(cluster: FakeCluster, manager: ControllerManager) {
    self.cluster = cluster
    self.manager = manager
  }

  init(images: [String: PodBehaviour]) {
    self.init(ImageBehaviours { images[$0] ?? .ready })
  }

  /// Lets time pass until nothing happens for two seconds, and a second more, so that creation times differ.
  func settle() {
    manager.runUntilQuiet(for: .seconds(2), advance: cluster.advance)
    pass(.seconds(1))
  }

  func pass(_ duration: Duration) {
    manager.run(until: cluster.now.adding(duration), advance: cluster.advance)
  }

  @discardableResult
  func create(_ type: ResourceType, _ name: String, _ fields: JSON = [:], metadata: JSON = [:]) throws -> JSON {
    var object = fields
    object["apiVersion"] = .string(type.apiVersion)
    object["kind"] = .string(type.kind)
    object["metadata"] = metadata
    object[path: ["metadata", "name"]] = .string(name)
    if type.namespaced { object[path: ["metadata", "namespace"]] = "shop" }
    return try cluster.create(type, object)
  }

  @discardableResult
  func deploy(_ image: String = "app:1", replicas: Int = 4, _ spec: JSON = [:]) throws -> JSON {
    var spec = spec
    spec["progressDeadlineSeconds"] = spec["progressDeadlineSeconds"] ?? 600
    spec["replicas"] = JSON(replicas)
    spec["selector"] = ["matchLabels": ["app": "web"]]
    spec["template"] = Self.template(image)
    return try create(.deployments, "web", ["spec": spec])
  }

  static func template(_ image: String, hash: String? = nil) -> JSON {
    var template: JSON = [
      "metadata": ["labels": ["app": "web"]],
      "spec": ["containers": [["name": "c", "image": .string(image)]]],
    ]
    template[path: ["metadata", "labels", "pod-template-hash"]] = hash.map(JSON.string)
    return template
  }

  func setImage(_ image: String) throws {
    try cluster.edit(.deployments, "web") { $0[path: ["spec", "template"]] = Self.template(image) }
  }

  func setPaused(_ paused: Bool) throws {
    try cluster.edit(.deployments, "web") { $0[path: ["spec", "paused"]] = paused ? true : nil }
  }

  func scale(_ type: ResourceType = .deployments, _ name: String = "web", to replicas: Int) throws {
    try cluster.edit(type, name) { $0[path: ["spec", "replicas"]] = JSON(replicas) }
  }

  /// A ReplicaSet as Sluice makes it: labels that the Deployment does not select, no controller.
  func createCanary(_ image: String, replicas: Int) throws {
    let deployment = try object(.deployments, "web")
    try create(
      .replicaSets, "web-canary",
      [
        "spec": [
          "replicas": JSON(replicas),
          "selector": ["matchLabels": ["app": "web", "pod-template-hash": "canary"]],
          "template": Self.template(image, hash: "canary"),
        ]
      ],
      metadata: [
        "ownerReferences": [
          ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": .string(deployment.uid)]
        ]
      ])
  }

  func object(_ type: ResourceType, _ name: String) throws -> JSON {
    try #require(cluster.get(type, ObjectKey(namespace: type.namespaced ? "shop" : "", name: name)))
  }

  func exists(_ type: ResourceType, _ name: String) -> Bool {
    cluster.get(type, ObjectKey(namespace: type.namespaced ? "shop" : "", name: name)) != nil
  }

  func status() throws -> ObservedDeployment { try DeploymentView(object(.deployments, "web")).status }

  func progress() throws -> String { try status().conditions[type: "Progressing"]?.reason ?? "none" }

  func sets() -> [ReplicaSetView] {
    cluster.list(.replicaSets, namespace: "shop").map(ReplicaSetView.init).sorted(by: ReplicaSetView.isOlder)
  }

  /// The set of an image; the oldest of several.
  func set(_ image: String) throws -> ReplicaSetView {
    try #require(sets().first { $0.template[path: ["spec", "containers"]]?[0]?["image"]?.string == image })
  }

  func pods() -> [PodView] { cluster.list(.pods, namespace: "shop").map(PodView.init) }

  /// How many pods there are of each image.
  func images() -> [String: Int] {
    pods().reduce(into: [:]) { $0[$1.json[path: ["spec", "containers"]]?[0]?["image"]?.string ?? "", default: 0] += 1 }
  }

  func delete(_ type: ResourceType, _ name: String, _ propagation: DeletionPropagation? = nil) throws {
    let key = ObjectKey(namespace: type.namespaced ? "shop" : "", name: name)
    try cluster.delete(type, key, uid: nil, propagation: propagation)
  }
}
