import KubernetesAPI

/// Writes the Events of a controller: the same thing said again about the same object counts up one Event.
struct EventRecorder: Sendable {
  enum Kind: String { case normal = "Normal", warning = "Warning" }

  /// The controller, in `source` and `reportingComponent`.
  var component: String

  /// A refused Event is dropped, as in a real cluster: it must not stand between a controller and its work.
  func record(
    _ reason: String, _ message: String, kind: Kind = .normal, on object: JSON, of type: ResourceType,
    in cluster: any ClusterAccess
  ) {
    let now = JSON.string(cluster.now.stamp)
    let namespace = object.namespace.isEmpty ? "default" : object.namespace
    let digest = StableHash.fnv1a([component, object.uid, kind.rawValue, reason, message].joined(separator: "\n"))
    let name = "\(object.name).\(String(digest, radix: 16))"
    do {
      if var event = cluster.get(.events, ObjectKey(namespace: namespace, name: name)) {
        event["count"] = JSON((event["count"]?.int ?? 1) + 1)
        event["lastTimestamp"] = now
        _ = try cluster.update(.events, event, subresource: nil)
        return
      }
      var involved: JSON = [
        "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "name": .string(object.name),
        "uid": .string(object.uid), "resourceVersion": .string(object.resourceVersion),
      ]
      involved["namespace"] = object.namespace.isEmpty ? nil : .string(object.namespace)
      _ = try cluster.create(
        .events,
        [
          "apiVersion": "v1", "kind": "Event",
          "metadata": ["name": .string(name), "namespace": .string(namespace)],
          "involvedObject": involved, "type": .string(kind.rawValue), "reason": .string(reason),
          "message": .string(message), "source": ["component": .string(component)],
          "reportingComponent": .string(component), "reportingInstance": "",
          "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        ])
    } catch {
      return
    }
  }
}
