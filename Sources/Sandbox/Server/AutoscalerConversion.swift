import KubernetesAPI

/// HorizontalPodAutoscalers are served in two versions; the store holds the newer one. What the older one has no field
/// for goes along in annotations, as with the real server, so that a write in the older version loses nothing.
enum AutoscalerConversion {
  static let older = "autoscaling/v1"
  static let newer = "autoscaling/v2"
  private static let kept = [
    ("metrics", "autoscaling.alpha.kubernetes.io/metrics"), ("behavior", "autoscaling.alpha.kubernetes.io/behavior"),
  ]
  private static let target = "targetCPUUtilizationPercentage"

  static func toOlder(_ stored: JSON) -> JSON {
    var object = stored
    object["apiVersion"] = .string(older)
    var spec = object["spec"] ?? .emptyObject
    var metrics = spec["metrics"]?.array ?? []
    if let index = metrics.firstIndex(where: isProcessor) {
      spec[target] = metrics.remove(at: index)[path: ["resource", "target", "averageUtilization"]]
    }
    spec["metrics"] = metrics.isEmpty ? nil : .array(metrics)
    for (field, annotation) in kept {
      guard let value = spec[field] else { continue }
      object[path: ["metadata", "annotations", annotation]] = .string(String(decoding: value.bytes, as: UTF8.self))
      spec[field] = nil
    }
    object["spec"] = spec
    for field in ["currentMetrics", "conditions"] { object[path: ["status", field]] = nil }
    // The newer version leaves out a count of 0, the older one writes it.
    if object[path: ["status", "currentReplicas"]] == nil { object[path: ["status", "currentReplicas"]] = 0 }
    return object
  }

  static func toNewer(_ object: JSON) -> JSON {
    guard object.apiVersion == older else { return object }
    var stored = object
    stored["apiVersion"] = .string(newer)
    var spec = stored["spec"] ?? .emptyObject
    for (field, annotation) in kept {
      guard let text = stored.annotations[annotation] else { continue }
      spec[field] = try? JSON(parsing: text)
      stored[path: ["metadata", "annotations", annotation]] = nil
    }
    if stored.annotations.isEmpty { stored[path: ["metadata", "annotations"]] = nil }
    let metrics = spec["metrics"]?.array ?? []
    if let utilization = spec[target] ?? (metrics.isEmpty ? 80 : nil) {
      let metric: JSON = [
        "type": "Resource",
        "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": utilization]],
      ]
      spec["metrics"] = .array([metric] + metrics)
      spec[target] = nil
    }
    stored["spec"] = spec
    if stored[path: ["status", "currentReplicas"]] == 0 { stored[path: ["status", "currentReplicas"]] = nil }
    if stored["status"] != nil, stored[path: ["status", "currentMetrics"]] == nil {
      stored[path: ["status", "currentMetrics"]] = .null
    }
    return stored
  }

  private static func isProcessor(_ metric: JSON) -> Bool {
    metric["type"] == "Resource" && metric[path: ["resource", "name"]] == "cpu"
      && metric[path: ["resource", "target", "type"]] == "Utilization"
  }
}
