import Foundation
import KubernetesAPI

/// What the mesh keeps of a pod.
struct MeshPod: Sendable {
  var resourceVersion: String
  var workload: MeshMetrics.Series.Workload
  var application: MeshApplication
  var started: Date?
  var isRunning: Bool
  /// The name of its first container, and since when it runs.
  var container: String
  var runningSince: Date?
  var restarts: Int
  /// Why a container last ended.
  var lastReason: String?
  /// The same for all pods of one revision.
  var revision: String

  init(_ pod: JSON) {
    resourceVersion = pod.resourceVersion
    workload = MeshMetrics.Series.Workload(pod: pod)
    application = MeshApplication(pod: pod)
    started =
      pod[path: ["status", "startTime"]]?.string.flatMap { try? Date($0, strategy: .iso8601) }
      ?? pod[path: ["metadata", "creationTimestamp"]]?.string.flatMap { try? Date($0, strategy: .iso8601) }
    let containers = pod[path: ["status", "containerStatuses"]]?.array ?? []
    let isStopped = containers.contains {
      $0[path: ["state", "waiting"]] != nil || $0[path: ["state", "terminated"]] != nil
    }
    container = containers.first?["name"]?.string ?? "app"
    runningSince = containers.first?[path: ["state", "running", "startedAt"]]?.string
      .flatMap { try? Date($0, strategy: .iso8601) }
    restarts = containers.reduce(0) { $0 + ($1["restartCount"]?.int ?? 0) }
    lastReason = containers.lazy.compactMap { $0[path: ["lastState", "terminated", "reason"]]?.string }.first
    revision = "\(pod.namespace)/\(pod.labels["pod-template-hash"] ?? pod.name)"
    isRunning = pod[path: ["status", "phase"]]?.string == "Running" && !isStopped
  }
}

extension MeshMetrics.Series.Workload {
  /// As it appears in the labels of another proxy's series, which do not tell its pods apart.
  var withoutPod: Self {
    var copy = self
    copy.pod = ""
    return copy
  }

  /// As Istio names it: the Deployment's name, which is the ReplicaSet's without the hash that the pod carries.
  init(pod: JSON) {
    let labels = pod.labels
    var name = pod.controllerReference?["name"]?.string ?? pod.name
    if let hash = labels["pod-template-hash"], name.hasSuffix("-\(hash)") { name.removeLast(hash.count + 1) }
    name = labels["service.istio.io/workload-name"] ?? name
    let version = labels["app.kubernetes.io/version"] ?? labels["version"]
    let account = pod[path: ["spec", "serviceAccountName"]]?.string ?? "default"
    self.init(
      name: name, namespace: pod.namespace, pod: pod.name,
      app: labels["app.kubernetes.io/name"] ?? labels["app"] ?? name, version: version ?? "unknown",
      principal: "spiffe://cluster.local/ns/\(pod.namespace)/sa/\(account)",
      canonicalRevision: labels["service.istio.io/canonical-revision"] ?? version ?? "latest")
  }
}
