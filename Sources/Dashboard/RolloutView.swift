import KubernetesAPI
import RolloutAPI

/// What the page shows of Rollouts and their runs, as JSON. The statuses are passed on as they are: they are the
/// published, documented state.
struct RolloutView {
  /// As the caches hold them.
  let rollouts: [JSON]
  let runs: [JSON]

  /// In the order of their names.
  var list: JSON {
    let sorted = rollouts.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    return ["items": .array(sorted.map { Self.rollout($0, fields: Self.summary) })]
  }

  /// One Rollout with its runs, the newest first and that one whole.
  /// - Returns: `nil` where there is no such Rollout.
  func detail(_ key: ObjectKey) -> JSON? {
    guard let rollout = rollouts.first(where: { $0.objectKey == key }) else { return nil }
    let own = runs.filter {
      $0.namespace == key.namespace && $0[path: ["spec", "rolloutRef", "name"]]?.string == key.name
    }
    .sorted { Self.age($0) > Self.age($1) }
    return [
      "rollout": Self.rollout(rollout, fields: nil),
      "runs": .array(
        own.enumerated().map { index, run in
          [
            "name": .string(run.name), "uid": run[path: ["metadata", "uid"]] ?? .null,
            "revision": run[path: ["spec", "revision"]] ?? .null,
            "createdAt": run[path: ["metadata", "creationTimestamp"]] ?? .null,
            "status": Self.status(run, fields: index == 0 ? nil : ["phase", "startedAt", "finishedAt", "message"]),
          ]
        }),
    ]
  }

  private static let summary = ["phase", "message", "weight", "step", "stable", "canary", "currentRun"]

  /// Times are written in one format, of which the order of texts is the order of times.
  private static func age(_ run: JSON) -> (String, Int) {
    (run[path: ["metadata", "creationTimestamp"]]?.string ?? "", Int(run.resourceVersion) ?? 0)
  }

  private static func rollout(_ rollout: JSON, fields: [String]?) -> JSON {
    [
      "namespace": .string(rollout.namespace), "name": .string(rollout.name),
      "workload": rollout[path: ["spec", "workloadRef", "name"]] ?? .null, "status": status(rollout, fields: fields),
    ]
  }

  private static func status(_ object: JSON, fields: [String]?) -> JSON {
    let status = object["status"] ?? .emptyObject
    guard let fields else { return status }
    var some = JSON.emptyObject
    for field in fields { some[field] = status[field] }
    return some
  }
}
