import Foundation
import KubernetesAPI

/// The status that a kubelet would write.
struct PodStatusBuilder {
  var pod: JSON
  var state: ContainerState
  var address: String?
  /// When the pod came to the node.
  var start: Date
  var now: Date

  /// Keeps what others wrote: conditions of readiness gates, the quality-of-service class.
  var status: JSON {
    var status = pod["status"] ?? .emptyObject
    status["phase"] = .string(phase)
    status["startTime"] = .string(start.stamp)
    if let node = SimulatedNodes.named(PodView(pod).nodeName) {
      status["hostIP"] = .string(node.address)
      status["hostIPs"] = [["ip": .string(node.address)]]
    }
    if let address {
      status["podIP"] = .string(address)
      status["podIPs"] = [["ip": .string(address)]]
    }
    status["containerStatuses"] = .array(containers.map(containerStatus))
    let names = containers.map { $0["name"]?.string ?? "" }.joined(separator: " ")
    let unready = "containers with unready status: [\(names)]"
    var conditions = status["conditions"]?.array ?? []
    set("PodScheduled", true, in: &conditions)
    set("Initialized", true, in: &conditions)
    set("ContainersReady", isReady, reason: "ContainersNotReady", message: unready, in: &conditions)
    let gates = openGates
    set(
      "Ready", isReady && gates.isEmpty, reason: isReady ? "ReadinessGatesNotReady" : "ContainersNotReady",
      message: isReady
        ? "corresponding condition of pod readiness gate \"\(gates.first ?? "")\" does not exist." : unready,
      in: &conditions)
    status["conditions"] = .array(conditions)
    return status
  }

  private var containers: [JSON] { pod[path: ["spec", "containers"]]?.array ?? [] }

  private var isReady: Bool {
    if case .running(ready: true, _, _) = state { true } else { false }
  }

  private var phase: String {
    if case .waiting = state { "Pending" } else { "Running" }
  }

  /// Readiness gates whose condition is not True.
  private var openGates: [String] {
    (pod[path: ["spec", "readinessGates"]]?.array ?? []).compactMap { $0["conditionType"]?.string }
      .filter { PodView(pod).condition($0)?["status"]?.string != "True" }
  }

  private func set(
    _ type: String, _ isTrue: Bool, reason: String? = nil, message: String? = nil, in conditions: inout [JSON]
  ) {
    let value = isTrue ? "True" : "False"
    let current = conditions.first { $0["type"]?.string == type }
    var condition: JSON = ["type": .string(type), "status": .string(value)]
    condition["lastTransitionTime"] =
      current?["status"]?.string == value ? current?["lastTransitionTime"] : .string(now.stamp)
    if !isTrue {
      condition["reason"] = reason.map(JSON.string)
      condition["message"] = message.map(JSON.string)
    }
    conditions.removeAll { $0["type"]?.string == type }
    conditions.append(condition)
  }

  private func containerStatus(_ container: JSON) -> JSON {
    let image = container["image"] ?? ""
    let former = (pod[path: ["status", "containerStatuses"]]?.array ?? [])
      .first { $0["name"]?.string == container["name"]?.string }
    var status: JSON = [
      "name": container["name"] ?? "", "image": image, "imageID": "", "ready": .bool(isReady), "restartCount": 0,
      "lastState": [:], "started": false,
    ]
    switch state {
    case .waiting(let reason, let message):
      status["state"] = ["waiting": waiting(reason, message)]
    case .running(_, let restarts, let lastExitCode):
      let sameRun = former?["restartCount"]?.int == restarts
      let startedAt = sameRun ? former?[path: ["state", "running", "startedAt"]] : nil
      status["state"] = ["running": ["startedAt": startedAt ?? .string(now.stamp)]]
      status["restartCount"] = JSON(restarts)
      status["started"] = true
      status["imageID"] = image
      if let lastExitCode { status["lastState"] = ["terminated": terminated(lastExitCode, former)] }
    case .backOff(let restarts, let delay, let exitCode):
      let name = container["name"]?.string ?? ""
      status["state"] = [
        "waiting": waiting(
          "CrashLoopBackOff",
          "back-off \(Self.text(delay)) restarting failed container=\(name) pod=\(pod.name)_\(pod.namespace)(\(pod.uid))"
        )
      ]
      status["restartCount"] = JSON(restarts)
      status["imageID"] = image
      status["lastState"] = ["terminated": terminated(exitCode, former)]
    }
    return status
  }

  private func waiting(_ reason: String, _ message: String) -> JSON {
    message.isEmpty ? ["reason": .string(reason)] : ["reason": .string(reason), "message": .string(message)]
  }

  private func terminated(_ exitCode: Int, _ former: JSON?) -> JSON {
    if let last = former?[path: ["lastState", "terminated"]], former?[path: ["state", "running"]] == nil {
      return last
    }
    return [
      "exitCode": JSON(exitCode), "reason": exitCode == 0 ? "Completed" : exitCode == 137 ? "OOMKilled" : "Error",
      "startedAt": former?[path: ["state", "running", "startedAt"]] ?? .string(start.stamp),
      "finishedAt": .string(now.stamp),
    ]
  }

  /// As Go prints durations: `10s`, `2m40s`, `5m0s`.
  private static func text(_ duration: Duration) -> String {
    let seconds = Int(duration.components.seconds)
    return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
  }
}
