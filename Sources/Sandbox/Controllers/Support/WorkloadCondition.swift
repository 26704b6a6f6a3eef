import Foundation
import KubernetesAPI

/// A condition in the status of a workload.
struct WorkloadCondition: Equatable {
  var type: String
  var status: String
  var reason: String
  var message: String
  /// Deployments have it, ReplicaSets have not.
  var lastUpdateTime: String?
  var lastTransitionTime: String

  init(_ type: String, _ status: String, reason: String, message: String, now: Date, hasUpdateTime: Bool = true) {
    self.type = type
    self.status = status
    self.reason = reason
    self.message = message
    lastUpdateTime = hasUpdateTime ? now.stamp : nil
    lastTransitionTime = now.stamp
  }

  init(_ json: JSON) {
    type = json["type"]?.string ?? ""
    status = json["status"]?.string ?? "Unknown"
    reason = json["reason"]?.string ?? ""
    message = json["message"]?.string ?? ""
    lastUpdateTime = json["lastUpdateTime"]?.string
    lastTransitionTime = json["lastTransitionTime"]?.string ?? ""
  }

  var json: JSON {
    var json: JSON = [
      "type": .string(type), "status": .string(status), "lastTransitionTime": .string(lastTransitionTime),
      "reason": .string(reason), "message": .string(message),
    ]
    json["lastUpdateTime"] = lastUpdateTime.map(JSON.string)
    return json
  }
}

extension [WorkloadCondition] {
  subscript(type type: String) -> WorkloadCondition? { first { $0.type == type } }

  /// Replaces the condition of that type, unless status and reason are the same already. The time of transition stays
  /// while the status does.
  mutating func set(_ condition: WorkloadCondition) {
    let current = self[type: condition.type]
    if let current, current.status == condition.status, current.reason == condition.reason { return }
    var condition = condition
    if let current, current.status == condition.status { condition.lastTransitionTime = current.lastTransitionTime }
    remove(type: condition.type)
    append(condition)
  }

  mutating func remove(type: String) { removeAll { $0.type == type } }
}
