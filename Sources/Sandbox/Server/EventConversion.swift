import KubernetesAPI

/// Events are served in two groups, with other names for the same fields; the store holds them in the shape of the
/// core group.
enum EventConversion {
  /// The name in `events.k8s.io`, the name in the core group.
  private static let names = [
    ("regarding", "involvedObject"), ("note", "message"), ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"), ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"), ("deprecatedCount", "count"),
  ]

  static func toEventsGroup(_ core: JSON) -> JSON {
    guard core.apiVersion == "v1" else { return core }
    var event = core
    event["apiVersion"] = "events.k8s.io/v1"
    for (name, coreName) in names {
      event[coreName] = nil
      event[name] = core[coreName]
    }
    // Left out when empty in this group, written in the core one.
    for name in ["reportingController", "reportingInstance"] where event[name]?.string == "" { event[name] = nil }
    return event
  }

  static func toCoreGroup(_ event: JSON) -> JSON {
    guard event.apiVersion == "events.k8s.io/v1" else { return event }
    var core = event
    core["apiVersion"] = "v1"
    for (name, coreName) in names {
      core[name] = nil
      core[coreName] = event[name]
    }
    return withZeroValues(core)
  }

  /// The fields that an Event of the core group always has.
  static func withZeroValues(_ core: JSON) -> JSON {
    var core = core
    if core["source"] == nil { core["source"] = [:] }
    for name in ["firstTimestamp", "lastTimestamp", "eventTime"] where core[name] == nil { core[name] = .null }
    for name in ["reportingComponent", "reportingInstance"] where core[name] == nil { core[name] = "" }
    return core
  }
}
