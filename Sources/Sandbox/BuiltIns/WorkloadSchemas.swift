import KubernetesAPI

/// Kinds that keep pods running.
enum WorkloadSchemas {
  private static let deploymentCondition = Schema.object(
    [
      "type": .string.always(), "status": .string.always(), "lastUpdateTime": .time, "lastTransitionTime": .time,
      "reason": .string, "message": .string,
    ], required: ["type", "status"])

  static let deployment = Schema.kind(
    "Keeps a number of equal pods running and replaces them step by step when their template changes.",
    [
      "spec": .object(
        [
          "replicas": .int32("How many pods there are to be."),
          "selector": MetaSchemas.labelSelector.always(.null).described(
            "Which pods and ReplicaSets belong to the Deployment; cannot be changed."),
          "template": PodSchemas.template.always().described("What the pods are made from."),
          "strategy": Schema.object(
            [
              "type": .string("RollingUpdate or Recreate."),
              "rollingUpdate": .object([
                "maxUnavailable": .intOrString("How many pods may be missing during a roll."),
                "maxSurge": .intOrString("How many pods there may be too many during a roll."),
              ]),
            ], "How old pods are replaced."
          ).always().patched([.retainKeys]),
          "minReadySeconds": .int32("How long a new pod must be ready to count as available."),
          "revisionHistoryLimit": .int32("How many old ReplicaSets are kept."),
          "paused": .boolean("Changes of the template are not rolled out while this is set."),
          "progressDeadlineSeconds": .int32("After how long without progress a roll counts as failed."),
        ], required: ["selector", "template"], "What is wanted."
      ).always(),
      "status": .object(
        [
          "observedGeneration": .int64(), "replicas": .int32("Pods in all."),
          "updatedReplicas": .int32("Pods of the present template."), "readyReplicas": .int32("Pods that are ready."),
          "availableReplicas": .int32("Pods that have been ready long enough."),
          "unavailableReplicas": .int32("Pods that are missing."), "terminatingReplicas": .int32(),
          "conditions": MetaSchemas.conditions(deploymentCondition), "collisionCount": .int32(),
        ], "What is there."
      ).always(),
    ])

  static let replicaSet = Schema.kind(
    "Keeps a number of pods of one template running.",
    [
      "spec": .object(
        [
          "replicas": .int32("How many pods there are to be."), "minReadySeconds": .int32(),
          "selector": MetaSchemas.labelSelector.always(.null), "template": PodSchemas.template.always(),
        ], required: ["selector"]
      ).always(),
      "status": setStatus.always(),
    ])

  private static let setStatus = Schema.object(
    [
      "replicas": .int32().always(), "fullyLabeledReplicas": .int32(), "readyReplicas": .int32(),
      "availableReplicas": .int32(), "terminatingReplicas": .int32(), "observedGeneration": .int64(),
      "conditions": MetaSchemas.conditions(condition),
    ], required: ["replicas"])

  private static let condition = Schema.object(
    [
      "type": .string.always(), "status": .string.always(), "lastTransitionTime": .time, "reason": .string,
      "message": .string,
    ], required: ["type", "status"])

  static let replicationController = Schema.kind(
    "The forerunner of ReplicaSet.",
    [
      "spec": .object([
        "replicas": .int32(), "minReadySeconds": .int32(), "selector": .map(of: .string, mapType: .atomic),
        "template": PodSchemas.template,
      ]).always(), "status": setStatus.always(),
    ])

  static let podTemplate = Schema.kind("A template by itself.", ["template": PodSchemas.template.always()])

  static let statefulSet = Schema.kind(
    "Keeps pods with an identity and storage of their own.",
    [
      "spec": .object(
        [
          "replicas": .int32(), "selector": MetaSchemas.labelSelector.always(.null),
          "template": PodSchemas.template.always(), "volumeClaimTemplates": .list(of: ConfigSchemas.volumeClaim),
          "serviceName": .string.always(), "podManagementPolicy": .string,
          "updateStrategy": Schema.object([
            "type": .string, "rollingUpdate": .object(["partition": .int32(), "maxUnavailable": .intOrString]),
          ]).always(), "revisionHistoryLimit": .int32(), "minReadySeconds": .int32(),
          "persistentVolumeClaimRetentionPolicy": .object(["whenDeleted": .string, "whenScaled": .string]),
          "ordinals": .object(["start": .int32().always()]),
        ], required: ["selector", "template"]
      ).always(),
      "status": .object([
        "observedGeneration": .int64(), "replicas": .int32().always(), "readyReplicas": .int32(),
        "currentReplicas": .int32(), "updatedReplicas": .int32(), "currentRevision": .string,
        "updateRevision": .string, "collisionCount": .int32(), "conditions": MetaSchemas.conditions(condition),
        "availableReplicas": .int32().always(),
      ]).always(),
    ])

  static let daemonSet = Schema.kind(
    "Keeps one pod on every node.",
    [
      "spec": .object(
        [
          "selector": MetaSchemas.labelSelector.always(.null), "template": PodSchemas.template.always(),
          "updateStrategy": Schema.object([
            "type": .string,
            "rollingUpdate": .object(["maxUnavailable": .intOrString, "maxSurge": .intOrString]),
          ]).always(), "minReadySeconds": .int32(), "revisionHistoryLimit": .int32(),
        ], required: ["selector", "template"]
      ).always(),
      "status": .object([
        "currentNumberScheduled": .int32().always(), "numberMisscheduled": .int32().always(),
        "desiredNumberScheduled": .int32().always(), "numberReady": .int32().always(), "observedGeneration": .int64(),
        "updatedNumberScheduled": .int32(), "numberAvailable": .int32(), "numberUnavailable": .int32(),
        "collisionCount": .int32(), "conditions": MetaSchemas.conditions(condition),
      ]).always(),
    ])

  static let controllerRevision = Schema.kind(
    "One earlier template of a set.", ["data": .anyObject, "revision": .int64().always()])
}
