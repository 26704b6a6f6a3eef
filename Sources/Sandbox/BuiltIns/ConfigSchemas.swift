import KubernetesAPI

/// Configuration, identities and storage of workloads.
enum ConfigSchemas {
  static let configMap = Schema.kind(
    "Configuration as text.",
    ["data": .map(of: .string), "binaryData": .map(of: .string(format: "byte")), "immutable": .boolean])

  static let secret = Schema.kind(
    "Configuration that few may read.",
    [
      "data": .map(of: .string(format: "byte")), "stringData": .map(of: .string), "type": .string,
      "immutable": .boolean,
    ])

  static let serviceAccount = Schema.kind(
    "An identity for pods.",
    [
      "secrets": .list(of: MetaSchemas.objectReference, keys: ["name"]),
      "imagePullSecrets": .list(of: MetaSchemas.localReference), "automountServiceAccountToken": .boolean,
    ])

  static let claimSpec = Schema.object([
    "accessModes": .strings, "selector": MetaSchemas.labelSelector,
    "resources": Schema.object(["limits": .quantities, "requests": .quantities]).always(), "volumeName": .string,
    "storageClassName": .string, "volumeMode": .string, "volumeAttributesClassName": .string,
    "dataSource": .object(["apiGroup": .string, "kind": .string.always(), "name": .string.always()], mapType: .atomic),
    "dataSourceRef": .object([
      "apiGroup": .string, "kind": .string.always(), "name": .string.always(), "namespace": .string,
    ]),
  ])

  static let volumeClaim = Schema.kind(
    "A wish for storage.", ["spec": claimSpec.always(), "status": Schema.anyObject.always([:])])

  static let limitRange = Schema.kind(
    "Bounds for the resources of pods.",
    ["spec": Schema.object(["limits": Schema.anyList.always()]).always()])

  static let resourceQuota = Schema.kind(
    "What a namespace may use in all.",
    [
      "spec": Schema.object(["hard": .quantities, "scopes": .strings, "scopeSelector": .anyObject]).always(),
      "status": Schema.object(["hard": .quantities, "used": .quantities]).always(),
    ])
}

/// Kinds of the cluster as a whole, and leases.
enum ClusterSchemas {
  static let namespace = Schema.kind(
    "A room for names.",
    [
      "spec": Schema.object(["finalizers": .strings]).always(),
      "status": Schema.object([
        "phase": .string,
        "conditions": MetaSchemas.conditions(
          .object([
            "type": .string.always(), "status": .string.always(), "lastTransitionTime": .time, "reason": .string,
            "message": .string,
          ])),
      ]).always(),
    ])

  static let node = Schema.kind(
    "A machine that runs pods.",
    [
      "spec": Schema.object([
        "podCIDR": .string, "podCIDRs": .set(of: .string, mergeable: true), "providerID": .string,
        "unschedulable": .boolean,
        "taints": .list(
          of: .object(["key": .string.always(), "value": .string, "effect": .string.always(), "timeAdded": .time])),
        "configSource": .anyObject, "externalID": .string,
      ]).always(),
      "status": Schema.object([
        "capacity": .quantities, "allocatable": .quantities, "phase": .string,
        "conditions": MetaSchemas.conditions(
          .object([
            "type": .string.always(), "status": .string.always(), "lastHeartbeatTime": .time.always(),
            "lastTransitionTime": .time.always(), "reason": .string, "message": .string,
          ])),
        "addresses": .list(
          of: .object(["type": .string.always(), "address": .string.always()]), keys: ["type"]),
        "daemonEndpoints": Schema.anyObject.always([:]), "nodeInfo": Schema.anyObject.always([:]),
        "images": .anyList, "volumesInUse": .strings, "volumesAttached": .anyList, "config": .anyObject,
        "runtimeHandlers": .anyList, "features": .anyObject,
      ]).always(),
    ])

  static let lease = Schema.kind(
    "Who leads, and until when.",
    [
      "spec": Schema.object([
        "holderIdentity": .string("Who holds the lease; empty when it is free."),
        "leaseDurationSeconds": .int32("How long others wait after the last renewal."),
        "acquireTime": .string(format: "date-time-micro"), "renewTime": .string(format: "date-time-micro"),
        "leaseTransitions": .int32("How often the holder changed."), "strategy": .string, "preferredHolder": .string,
      ]).always()
    ])
}

/// Events, in the two groups that serve them.
enum EventSchemas {
  private static let source = Schema.object(["component": .string, "host": .string]).always()
  private static let microTime = Schema.string(format: "date-time-micro")

  static let core = Schema.kind(
    "Something that happened to an object.",
    [
      "involvedObject": MetaSchemas.objectReference.always(), "reason": .string, "message": .string, "source": source,
      "firstTimestamp": .time.always(), "lastTimestamp": .time.always(), "count": .int32(), "type": .string,
      "eventTime": microTime.always(.null),
      "series": .object(["count": .int32(), "lastObservedTime": microTime]), "action": .string,
      "related": MetaSchemas.objectReference, "reportingComponent": .string.always(),
      "reportingInstance": .string.always(),
    ])

  static let events = Schema.kind(
    "Something that happened to an object.",
    [
      "eventTime": microTime.always(.null),
      "series": .object(["count": .int32().always(), "lastObservedTime": microTime.always(.null)]),
      "reportingController": .string, "reportingInstance": .string, "action": .string, "reason": .string,
      "regarding": MetaSchemas.objectReference.always(), "related": MetaSchemas.objectReference, "note": .string,
      "type": .string, "deprecatedSource": source, "deprecatedFirstTimestamp": .time.always(),
      "deprecatedLastTimestamp": .time.always(), "deprecatedCount": .int32(),
    ])
}
