import Foundation
import Prometheus
import TrafficRouting

/// What nearly every cluster exports of containers already: the kubelet's cAdvisor, kube-state-metrics, and the garbage
/// collectors of the common runtimes. A metric that is absent leaves its guard inactive.
enum ContainerMetrics {
  static let cpu = "container_cpu_usage_seconds_total"
  static let memory = "container_memory_working_set_bytes"
  static let periods = "container_cpu_cfs_periods_total"
  static let throttled = "container_cpu_cfs_throttled_periods_total"
  static let restarts = "kube_pod_container_status_restarts_total"
  static let terminated = "kube_pod_container_status_last_terminated_reason"

  private static let containers = [cpu, memory, periods, throttled, restarts, terminated]

  /// Seconds in garbage collection: Go, Java by Micrometer, by the Prometheus client and by OpenTelemetry, Node.js, .NET.
  static let collection = [
    "go_gc_duration_seconds_sum", "jvm_gc_pause_seconds_sum", "jvm_gc_collection_seconds_sum",
    "jvm_gc_duration_seconds_sum", "nodejs_gc_duration_seconds_sum", "dotnet_gc_pause_time_seconds_total",
  ]

  /// Proxies and the pod's own control group are not the application.
  private static let others = "POD|istio-proxy|linkerd-proxy"

  /// All of them, for the pods of many runs; `nil` where there can be none.
  static func query(_ scopes: [MetricsScope]) -> String? {
    let patterns = scopes.compactMap { $0.podPattern() }
    guard !patterns.isEmpty else { return nil }
    let pods =
      "namespace=~\(PromQL.anyOf(Set(scopes.map(\.namespace)).sorted())),pod=~"
      + PromQL.string(patterns.joined(separator: "|"))
    let groups = "sum by (namespace, pod, __name__, reason)"
    let own = "container!=\"\",container!~\"\(others)\""
    // `or` compares labels without the metric's name, so that the second half needs a label of its own.
    return "\(groups) ({__name__=~\"\(containers.joined(separator: "|"))\",\(own),\(pods)}) or label_replace(\(groups) "
      + "({__name__=~\"\(collection.joined(separator: "|"))\",container!~\"\(others)\",\(pods)}), "
      + "\"reason\", \"collection\", \"\", \"\")"
  }

  /// What one pod of a service usually uses, whichever revision it is of: the median over its pods.
  static func usualQuery(_ name: String, workload: String, namespace: String) -> String {
    let pods = "\(PromQL.regex(matching: workload))-[a-z0-9]+-[a-z0-9]{5}"
    let selector =
      "\(name){namespace=\(PromQL.string(namespace)),pod=~\(PromQL.string(pods)),container!=\"\",container!~\"\(others)\"}"
    return "quantile(0.5, sum by (pod) (\(name == memory ? selector : "rate(\(selector)[10m])")))"
  }

  /// The values of one run's pods, by pod and metric.
  static func values(_ series: [MetricSeries], of scope: MetricsScope) -> [String: [String: Double]] {
    var values: [String: [String: Double]] = [:]
    for one in series where one.labels["namespace"] == scope.namespace && one.value.isFinite {
      guard let pod = one.labels["pod"], let name = one.labels["__name__"] else { continue }
      if name == terminated, one.labels["reason"] != "OOMKilled" { continue }
      values[pod, default: [:]][name, default: 0] += one.value
    }
    return values
  }
}
