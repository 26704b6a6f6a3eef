import Foundation
import KubernetesAPI

/// What the simulated containers use, under the names by which the kubelet's cAdvisor, kube-state-metrics and Go's runtime
/// export it.
struct ContainerUsage: Sendable {
  private struct Numbers {
    var cpu = 0.0
    var memory = 0.0
    var periods = 0.0
    var throttled = 0.0
    var collection = 0.0
  }

  private var numbers: [ObjectKey: Numbers] = [:]

  /// CPU seconds in a second without requests, and for one request.
  private static let idle = 0.01
  private static let perRequest = 0.001
  private static let base = 96.0 * 1024 * 1024
  /// Scheduling periods of a CPU limit: one each 100 ms.
  private static let periodsPerSecond = 10.0

  /// Lets time pass for every pod that runs.
  mutating func advance(_ pods: [ObjectKey: MeshPod], seconds: Double, now: Date, random: inout MeshRandom) {
    numbers = numbers.filter { pods[$0.key] != nil }
    for (key, pod) in pods.sorted(by: { $0.key < $1.key }) where pod.isRunning {
      let application = pod.application
      var own = numbers[key] ?? Numbers()
      own.cpu += seconds * Self.idle * application.cpu
      own.periods += seconds * Self.periodsPerSecond
      own.throttled += seconds * Self.periodsPerSecond * application.throttled
      own.collection += seconds * application.collection
      // The heap breathes; a leak of one run of the container goes with it.
      let age = max(0, now.timeIntervalSince(pod.runningSince ?? pod.started ?? now))
      own.memory = Self.base + application.leak * age + 2 * 1024 * 1024 * Double.random(in: 0..<1, using: &random)
      numbers[key] = own
    }
  }

  mutating func request(_ key: ObjectKey, _ application: MeshApplication) {
    numbers[key]?.cpu += Self.perRequest * application.cpu
  }

  func exposition(_ pods: [ObjectKey: MeshPod]) -> String {
    let sorted = numbers.sorted { $0.key < $1.key }
    var text = ""
    func metric(_ name: String, _ type: String, _ value: (ObjectKey, Numbers) -> Double?, _ more: String = "") {
      text += "# TYPE \(name) \(type)\n"
      for (key, own) in sorted {
        guard let value = value(key, own), let container = pods[key]?.container else { continue }
        let labels = "namespace=\"\(key.namespace)\",pod=\"\(key.name)\",container=\"\(container)\"\(more)"
        text += "\(name){\(labels)} \(value)\n"
      }
    }
    metric("container_cpu_usage_seconds_total", "counter", { $1.cpu })
    metric("container_memory_working_set_bytes", "gauge", { $1.memory.rounded() })
    metric("container_cpu_cfs_periods_total", "counter", { $1.periods })
    metric("container_cpu_cfs_throttled_periods_total", "counter", { $1.throttled })
    metric("go_gc_duration_seconds_sum", "counter", { $1.collection })
    metric("kube_pod_container_status_restarts_total", "counter", { key, _ in pods[key].map { Double($0.restarts) } })
    metric(
      "kube_pod_container_status_last_terminated_reason", "gauge",
      { key, _ in pods[key]?.lastReason == "OOMKilled" ? 1 : nil }, ",reason=\"OOMKilled\"")
    return text
  }
}
