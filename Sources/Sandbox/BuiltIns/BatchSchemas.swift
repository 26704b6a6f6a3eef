import KubernetesAPI

/// Work that ends. The sandbox stores it, and runs no pods for it.
enum BatchSchemas {
  private static let jobSpec = Schema.object(
    [
      "parallelism": .int32(), "completions": .int32(), "activeDeadlineSeconds": .int64(),
      "podFailurePolicy": .anyObject, "successPolicy": .anyObject, "backoffLimit": .int32(),
      "backoffLimitPerIndex": .int32(), "maxFailedIndexes": .int32(), "selector": MetaSchemas.labelSelector,
      "manualSelector": .boolean, "template": PodSchemas.template.always().described("What the pods are made from."),
      "ttlSecondsAfterFinished": .int32(), "completionMode": .string, "suspend": .boolean,
      "podReplacementPolicy": .string, "managedBy": .string,
    ], required: ["template"])

  static let job = Schema.kind(
    "Runs pods until enough of them have succeeded.",
    [
      "spec": jobSpec.always(),
      "status": Schema.object([
        "conditions": MetaSchemas.conditions(
          .object([
            "type": .string.always(), "status": .string.always(), "lastProbeTime": .time, "lastTransitionTime": .time,
            "reason": .string, "message": .string,
          ])), "startTime": .time, "completionTime": .time, "active": .int32(), "succeeded": .int32(),
        "failed": .int32(), "terminating": .int32(), "completedIndexes": .string, "failedIndexes": .string,
        "ready": .int32(), "uncountedTerminatedPods": .anyObject,
      ]).always(),
    ])

  static let cronJob = Schema.kind(
    "Starts a Job again and again.",
    [
      "spec": Schema.object(
        [
          "schedule": .string("When, as five fields of cron.").always(), "timeZone": .string,
          "startingDeadlineSeconds": .int64(), "concurrencyPolicy": .string("Allow, Forbid or Replace."),
          "suspend": .boolean, "successfulJobsHistoryLimit": .int32(), "failedJobsHistoryLimit": .int32(),
          "jobTemplate": Schema.object(["metadata": MetaSchemas.objectMeta.always(), "spec": jobSpec.always()])
            .always(),
        ], required: ["schedule", "jobTemplate"]
      ).always(),
      "status": Schema.object([
        "active": .list(of: MetaSchemas.objectReference), "lastScheduleTime": .time, "lastSuccessfulTime": .time,
      ]).always(),
    ])

  static let priorityClass = Schema.kind(
    "How urgent pods are.",
    [
      "value": .int32("Pods with a higher one come first.").always(), "globalDefault": .boolean,
      "description": .string, "preemptionPolicy": .string,
    ])
}

/// Ways into the cluster that are not a mesh's.
enum IngressSchemas {
  private static let backend = Schema.object([
    "service": .object(
      [
        "name": .string.always(), "port": .object(["name": .string, "number": .int32()], mapType: .atomic),
      ], required: ["name"]),
    "resource": .object(
      ["apiGroup": .string, "kind": .string.always(), "name": .string.always()], required: ["kind", "name"],
      mapType: .atomic),
  ])

  static let ingress = Schema.kind(
    "Routes requests from outside to Services by host and path.",
    [
      "spec": Schema.object([
        "ingressClassName": .string, "defaultBackend": backend,
        "tls": .list(of: .object(["hosts": .strings, "secretName": .string])),
        "rules": .list(
          of: .object([
            "host": .string("The name that callers ask for; all where it is empty."),
            "http": .object(
              [
                "paths": Schema.list(
                  of: .object(
                    ["path": .string, "pathType": .string.always(.null), "backend": backend.always()],
                    required: ["pathType", "backend"])
                ).always()
              ], required: ["paths"]),
          ])),
      ]).always(),
      "status": Schema.object(["loadBalancer": Schema.anyObject.always([:])]).always(),
    ])
}
