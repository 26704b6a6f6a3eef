import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import Synchronization
import TrafficRouting

@testable import Operator

/// A cluster of plain objects: reads what was put in, and takes writes as an API server would, with new versions.
final class ScriptedCluster: ClusterSnapshot, ClusterWriter {
  private struct State {
    var objects: [ResourceType: [ObjectKey: JSON]] = [:]
    var writes: [String] = []
    var version = 100
    /// What the next write of a kind is answered with.
    var failures: [String: Status] = [:]
  }

  private let state = Mutex(State())

  init(_ objects: [(ResourceType, JSON)] = []) {
    for (type, object) in objects { put(type, object) }
  }

  func put(_ type: ResourceType, _ object: JSON) {
    state.withLock { $0.objects[type, default: [:]][object.objectKey] = object }
  }

  func fail(_ write: String, with status: Status) { state.withLock { $0.failures[write] = status } }

  /// As `create services shop/web-stable`, in their order.
  var writes: [String] { state.withLock { $0.writes } }

  func object(_ type: ResourceType, _ key: ObjectKey) -> JSON? { state.withLock { $0.objects[type]?[key] } }

  func objects(_ type: ResourceType, namespace: String) -> [JSON] {
    all(type).filter { $0.namespace == namespace }
  }

  func all(_ type: ResourceType) -> [JSON] {
    state.withLock { state in (state.objects[type] ?? [:]).sorted { $0.key < $1.key }.map(\.value) }
  }

  private func write(_ verb: String, _ type: ResourceType, _ key: ObjectKey, _ make: (JSON?) -> JSON?) throws -> JSON {
    try state.withLock { state in
      let name = "\(verb) \(type.plural) \(key)"
      state.writes.append(name)
      if let status = state.failures[name] {
        let request = APIRequest.get(type, key)
        throw KubernetesError(request, server: "https://test", cause: .status(status))
      }
      state.version += 1
      var object = make(state.objects[type]?[key])
      object?[path: ["metadata", "resourceVersion"]] = .string(String(state.version))
      state.objects[type, default: [:]][key] = object
      return object ?? .null
    }
  }

  func create(_ type: ResourceType, _ object: JSON) async throws -> JSON {
    if self.object(type, object.objectKey) != nil {
      fail(
        "create \(type.plural) \(object.objectKey)",
        with: Status(code: 409, reason: "AlreadyExists", message: "exists"))
    }
    return try write("create", type, object.objectKey) { _ in object }
  }

  func replace(_ type: ResourceType, _ object: JSON, subresource: String?) async throws -> JSON {
    try write("replace", type, object.objectKey) { _ in object }
  }

  func patch(_ type: ResourceType, _ key: ObjectKey, _ patch: Patch) async throws -> JSON {
    guard case .merge(let change) = patch else { throw EffectError("patch", "only merge patches are expected") }
    return try write("patch", type, key) { $0.map { Self.merged($0, change) } }
  }

  func delete(_ type: ResourceType, _ key: ObjectKey) async throws {
    _ = try write("delete", type, key) { _ in nil }
  }

  func get(_ type: ResourceType, _ key: ObjectKey) async throws -> JSON {
    guard let object = object(type, key) else { throw EffectError("get", "\(key) is not there") }
    return object
  }

  /// RFC 7386.
  private static func merged(_ target: JSON, _ patch: JSON) -> JSON {
    guard let members = patch.object else { return patch }
    var result = target.object == nil ? JSON.emptyObject : target
    for (key, value) in members {
      result[key] = value.isNull ? nil : merged(result[key] ?? .null, value)
    }
    return result
  }
}

struct SilentAnnouncer: Announcing {
  var now = Date(timeIntervalSince1970: 1_000_000)
  func announce(_ news: Announcement, rollout: JSON, plan: Plan, run: RolloutRun?) {}
}

let web = ObjectKey(namespace: "shop", name: "web")

func deployment(image: String = "v2", paused: Bool = false, uid: String = "d1", strategy: JSON? = nil) -> JSON {
  var deployment: JSON = [
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": ["name": "web", "namespace": "shop", "uid": .string(uid), "generation": 7, "resourceVersion": "90"],
    "spec": [
      "replicas": 4, "paused": .bool(paused), "minReadySeconds": 3, "selector": ["matchLabels": ["app": "web"]],
      "template": template(image: image),
    ],
    "status": ["observedGeneration": 7],
  ]
  if let strategy { deployment[path: ["spec", "strategy"]] = strategy }
  return deployment
}

func template(image: String, hash: String? = nil) -> JSON {
  var template: JSON = [
    "metadata": ["labels": ["app": "web"]],
    "spec": ["containers": [["name": "app", "image": .string(image)]]],
  ]
  if let hash { template[path: ["metadata", "labels", "pod-template-hash"]] = .string(hash) }
  return template
}

func replicaSet(
  _ hash: String, image: String, replicas: Int = 4, labels: [String: String] = ["app": "web"],
  owner: JSON? = ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1", "controller": true],
  annotations: [String: String] = [:]
) -> JSON {
  var labels = labels
  labels["pod-template-hash"] = hash
  return [
    "apiVersion": "apps/v1", "kind": "ReplicaSet",
    "metadata": [
      "name": .string("web-\(hash)"), "namespace": "shop", "uid": .string("rs-\(hash)"), "generation": 1,
      "resourceVersion": "80", "labels": JSON(labels), "annotations": JSON(annotations),
      "ownerReferences": .array([owner].compactMap { $0 }), "creationTimestamp": "2026-01-02T03:04:05Z",
    ],
    "spec": [
      "replicas": JSON(replicas), "selector": ["matchLabels": ["app": "web", "pod-template-hash": .string(hash)]],
      "template": template(image: image, hash: hash),
    ],
    "status": ["replicas": JSON(replicas), "availableReplicas": JSON(replicas), "observedGeneration": 1],
  ]
}

func service(_ name: String = "web", labels: [String: String] = ["team": "shop"], hash: String? = nil) -> JSON {
  var service: JSON = [
    "apiVersion": "v1", "kind": "Service",
    "metadata": [
      "name": .string(name), "namespace": "shop", "uid": .string("svc-\(name)"), "resourceVersion": "70",
      "labels": JSON(labels),
      "annotations": ["networking.istio.io/exportTo": "*", "team.example/owner": "shop"],
    ],
    "spec": [
      "selector": ["app": "web"], "clusterIP": "10.0.0.1", "type": "NodePort", "sessionAffinity": "None",
      "ports": [["name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080, "appProtocol": "http"]],
    ],
  ]
  if let hash { service[path: ["spec", "selector", "pod-template-hash"]] = .string(hash) }
  return service
}

func spec(slos: [SLOSpec] = [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))]) -> RolloutSpec {
  RolloutSpec(
    workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .string("http"))],
    traffic: TrafficSpec(istio: IstioSpec()),
    steps: [
      StepSpec(name: "first", weight: 10, analyze: AnalyzeSpec(for: "20s")),
      StepSpec(weight: 50, analyze: AnalyzeSpec(for: "20s")),
    ], analysis: AnalysisSpec(slos: slos))
}

private func meta(_ name: String, uid: String, generation: Int) -> ObjectMeta {
  var meta = ObjectMeta(name: name, namespace: "shop")
  meta.uid = uid
  meta.generation = generation
  return meta
}

func rollout() -> Rollout {
  Rollout(metadata: meta("web", uid: "r1", generation: 3), spec: spec())
}

func plan(slos: [SLOSpec]? = nil) throws -> Plan {
  try Plan(Rollout(metadata: rollout().metadata, spec: slos.map { spec(slos: $0) } ?? spec()))
}

func run(_ status: RolloutRunStatus? = nil, command: RunCommand? = nil) -> RolloutRun {
  RolloutRun(
    metadata: meta("web-abc", uid: "run1", generation: 1),
    spec: RolloutRunSpec(
      rolloutRef: RolloutReference(name: "web", uid: "r1"), revision: "abc",
      stable: RunRevision(hash: "s1", replicaSet: "web-s1"), demand: 4, plan: spec(), command: command),
    status: status)
}
