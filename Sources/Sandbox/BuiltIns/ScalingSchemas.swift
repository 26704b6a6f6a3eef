import KubernetesAPI

/// Kinds that say how many pods there may be.
enum ScalingSchemas {
  private static let metricIdentifier = Schema.object(
    ["name": .string.always(), "selector": MetaSchemas.labelSelector], required: ["name"])
  private static let metricValue = Schema.object([
    "type": .string.always(), "value": .quantity, "averageValue": .quantity, "averageUtilization": .int32(),
    "current": .anyObject,
  ])
  static let crossReference = Schema.object(
    ["kind": .string.always(), "name": .string.always(), "apiVersion": .string], required: ["kind", "name"])

  private static func metric(_ value: String) -> Schema {
    .object([
      "type": .string.always(),
      "resource": .object(["name": .string.always(), value: metricValue.always()]),
      "containerResource": .object([
        "name": .string.always(), "container": .string.always(), value: metricValue.always(),
      ]),
      "pods": .object(["metric": metricIdentifier.always(), value: metricValue.always()]),
      "external": .object(["metric": metricIdentifier.always(), value: metricValue.always()]),
      "object": .object([
        "describedObject": crossReference.always(), "metric": metricIdentifier.always(), value: metricValue.always(),
      ]),
    ])
  }

  private static let scalingRules = Schema.object([
    "stabilizationWindowSeconds": .int32(), "selectPolicy": .string, "tolerance": .quantity,
    "policies": .list(
      of: .object(["type": .string.always(), "value": .int32().always(), "periodSeconds": .int32().always()])),
  ])

  static let autoscaler = Schema.kind(
    "Sets the number of pods by what they are asked to do.",
    [
      "spec": Schema.object(
        [
          "scaleTargetRef": crossReference.always(), "minReplicas": .int32(), "maxReplicas": .int32().always(),
          "metrics": .list(of: metric("target")),
          "behavior": .object(["scaleUp": scalingRules, "scaleDown": scalingRules]),
        ], required: ["scaleTargetRef", "maxReplicas"]
      ).always(),
      "status": Schema.object([
        "observedGeneration": .int64(), "lastScaleTime": .time, "currentReplicas": .int32(),
        "desiredReplicas": .int32().always(), "currentMetrics": Schema.list(of: metric("current")).always(),
        "conditions": MetaSchemas.conditions(
          .object([
            "type": .string.always(), "status": .string.always(), "lastTransitionTime": .time, "reason": .string,
            "message": .string,
          ])),
      ]).always(),
    ])

  /// The older version, which knows CPU alone.
  static let autoscalerV1 = Schema.kind(
    "Sets the number of pods by their use of CPU.",
    [
      "spec": Schema.object(
        [
          "scaleTargetRef": crossReference.atomic().always(), "minReplicas": .int32(),
          "maxReplicas": .int32().always(), "targetCPUUtilizationPercentage": .int32(),
        ], required: ["scaleTargetRef", "maxReplicas"]
      ).always(),
      "status": Schema.object([
        "observedGeneration": .int64(), "lastScaleTime": .time, "currentReplicas": .int32().always(),
        "desiredReplicas": .int32().always(), "currentCPUUtilizationPercentage": .int32(),
      ]).always(),
    ])

  static let scale = Schema.kind(
    "The number of pods, apart from all else.",
    [
      "spec": Schema.object(["replicas": .int32()]).always(),
      "status": Schema.object(["replicas": .int32().always(), "selector": .string]).always(),
    ])

  static let disruptionBudget = Schema.kind(
    "How many pods evictions must leave.",
    [
      "spec": Schema.object([
        "minAvailable": .intOrString, "selector": MetaSchemas.labelSelector.patched([.replace]),
        "maxUnavailable": .intOrString, "unhealthyPodEvictionPolicy": .string,
      ]).always(),
      "status": Schema.object([
        "observedGeneration": .int64(), "disruptedPods": .map(of: .time), "disruptionsAllowed": .int32().always(),
        "currentHealthy": .int32().always(), "desiredHealthy": .int32().always(), "expectedPods": .int32().always(),
        "conditions": MetaSchemas.conditions(MetaSchemas.condition),
      ]).always(),
    ])
}

/// Roles and who has them.
enum AccessSchemas {
  private static let rules = Schema.list(
    of: .object([
      "verbs": .strings.always(), "apiGroups": .strings, "resources": .strings, "resourceNames": .strings,
      "nonResourceURLs": .strings,
    ])
  ).always()

  static let role = Schema.kind("What may be done in a namespace.", ["rules": rules])

  static let clusterRole = Schema.kind(
    "What may be done in the cluster.",
    [
      "rules": rules,
      "aggregationRule": .object(["clusterRoleSelectors": .list(of: MetaSchemas.labelSelector)]),
    ])

  static let binding = Schema.kind(
    "Who has a role.",
    [
      "subjects": .list(
        of: .object(
          ["kind": .string.always(), "apiGroup": .string, "name": .string.always(), "namespace": .string],
          required: ["kind", "name"], mapType: .atomic)),
      "roleRef": Schema.object(
        ["apiGroup": .string.always(), "kind": .string.always(), "name": .string.always()],
        required: ["kind", "name"], mapType: .atomic
      ).always(),
    ])
}
