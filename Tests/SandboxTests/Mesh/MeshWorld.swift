import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// A cluster of four Services in the namespace shop, and the metrics that a mesh exports of it.
struct MeshWorld: MeshSource {
  var now = Date(timeIntervalSince1970: 1_800_000_000)
  var objects: [ResourceType: [JSON]] = [:]
  let mesh: SimulatedMesh

  init(settings: MeshSettings = MeshSettings()) { mesh = SimulatedMesh(settings: settings) }

  func list(_ type: ResourceType) -> [JSON] { objects[type] ?? [] }

  mutating func put(_ type: ResourceType, _ object: JSON) {
    var object = object
    let version = (Int(list(type).first { $0.objectKey == object.objectKey }?.resourceVersion ?? "0") ?? 0) + 1
    object[path: ["metadata", "resourceVersion"]] = .string(String(version))
    object[path: ["metadata", "uid"]] = .string("\(type.kind) \(object.objectKey)")
    objects[type, default: []].removeAll { $0.objectKey == object.objectKey }
    objects[type, default: []].append(object)
  }

  mutating func remove(_ type: ResourceType, _ name: String) { objects[type]?.removeAll { $0.name == name } }

  mutating func service(_ name: String, rate: Int? = nil, annotations: [String: String] = [:], pods: [String]) {
    var annotations = annotations
    if let rate { annotations["sandbox.sluice.dev/requests-per-second"] = String(rate) }
    put(
      .services,
      [
        "kind": "Service",
        "metadata": [
          "name": .string(name), "namespace": "shop", "annotations": JSON(annotations),
          "creationTimestamp": .string(name == "checkout" ? "2026-01-01T00:00:00Z" : "2026-02-01T00:00:00Z"),
        ],
        "spec": ["selector": ["app": "checkout"], "ports": [["port": 80]]],
      ])
    put(
      .endpointSlices,
      [
        "kind": "EndpointSlice",
        "metadata": [
          "name": .string("\(name)-x"), "namespace": "shop", "labels": ["kubernetes.io/service-name": .string(name)],
        ],
        "endpoints": .array(
          pods.map { pod in
            [
              "addresses": [.string("10.244.0.\(pod.count)")], "conditions": ["ready": true],
              "targetRef": ["kind": "Pod", "name": .string(pod)],
            ]
          }),
      ])
  }

  mutating func pod(
    _ name: String, image: String = "shop/checkout:v1", annotations: [String: String] = [:],
    labels: [String: String] = [:]
  ) {
    let labels = ["app": "checkout", "pod-template-hash": "5d4c"].merging(labels) { $1 }
    put(
      .pods,
      [
        "kind": "Pod",
        "metadata": [
          "name": .string(name), "namespace": "shop", "annotations": JSON(annotations),
          "labels": JSON(labels),
          "ownerReferences": [["kind": "ReplicaSet", "name": "checkout-5d4c", "controller": true]],
          "creationTimestamp": "2027-01-15T08:00:00Z",
        ],
        "spec": ["containers": [["image": .string(image)]]],
        "status": ["phase": "Running"],
      ])
  }

  mutating func virtualService(_ http: JSON, hosts: JSON = ["checkout"], gateways: JSON = ["mesh"]) {
    put(
      .istioVirtualServices,
      [
        "kind": "VirtualService",
        "metadata": ["name": "checkout", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"],
        "spec": ["hosts": hosts, "gateways": gateways, "http": http],
      ])
  }

  static func split(_ stable: Int, _ canary: Int) -> JSON {
    [
      "name": "primary",
      "route": [
        ["destination": ["host": "checkout-stable"], "weight": JSON(stable)],
        ["destination": ["host": "checkout-canary.shop.svc.cluster.local"], "weight": JSON(canary)],
      ],
    ]
  }

  /// Two tracks of one pod each, behind three Services.
  static func twoTracks(
    rate: Int = 100, annotations: [String: String] = [:], canaryImage: String = "shop/checkout:v2",
    settings: MeshSettings = MeshSettings()
  ) -> MeshWorld {
    var world = MeshWorld(settings: settings)
    world.pod("stable-1")
    world.pod("canary-1", image: canaryImage)
    world.service("checkout", rate: rate, annotations: annotations, pods: ["stable-1", "canary-1"])
    world.service("checkout-stable", pods: ["stable-1"])
    world.service("checkout-canary", pods: ["canary-1"])
    return world
  }

  /// Lets the changes reach the proxies, then time pass with ten ticks a second.
  mutating func run(seconds: Int, settle: Bool = true) {
    if settle { tick(after: 0) }
    for _ in 0..<(seconds * 10) { tick(after: 0.1) }
  }

  mutating func tick(after seconds: Double) {
    now += seconds
    mesh.tick(self)
  }

  /// The sum of `istio_requests_total` over the series that have all these labels.
  func requests(_ labels: [String: String]) -> Int {
    mesh.exposition().split(separator: "\n").filter { line in
      line.hasPrefix("istio_requests_total{") && labels.allSatisfy { line.contains("\($0.key)=\"\($0.value)\"") }
    }.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
  }

  func source(_ service: String, _ more: [String: String] = [:]) -> Int {
    requests(["reporter": "source", "destination_service_name": service].merging(more) { $1 })
  }

  func destination(_ pod: String, _ more: [String: String] = [:]) -> Int {
    requests(["reporter": "destination", "pod": pod].merging(more) { $1 })
  }
}
