/// The messages of `k8s.io.api.apps.v1`, `autoscaling.v1` and `policy.v1`. What only the server writes, the status, is
/// left out.
enum AppsMessages {
  static let deployment: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", deploymentSpec),
  ]

  private static let deploymentSpec: ProtobufMessage = [
    1: .integer("replicas"), 2: .message("selector", MetaMessages.labelSelector),
    3: .message("template", PodMessages.template), 4: .message("strategy", strategy), 5: .integer("minReadySeconds"),
    6: .integer("revisionHistoryLimit"), 7: .flag("paused"), 9: .integer("progressDeadlineSeconds"),
  ]

  private static let strategy: ProtobufMessage = [
    1: .text("type"),
    2: .message("rollingUpdate", [1: .integerOrText("maxUnavailable"), 2: .integerOrText("maxSurge")]),
  ]

  static let scale: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", [1: .integer("replicas")]),
  ]

  private static let scaleTarget: ProtobufMessage = [1: .text("kind"), 2: .text("name"), 3: .text("apiVersion")]

  static let autoscalerV1: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .message("scaleTargetRef", scaleTarget), 2: .integer("minReplicas"), 3: .integer("maxReplicas"),
        4: .integer("targetCPUUtilizationPercentage"),
      ]),
  ]

  static let autoscaler: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .message("scaleTargetRef", scaleTarget), 2: .integer("minReplicas"), 3: .integer("maxReplicas"),
        4: .list("metrics", [1: .text("type"), 4: .message("resource", resourceMetric)]),
      ]),
  ]

  private static let resourceMetric: ProtobufMessage = [
    1: .text("name"),
    2: .message(
      "target",
      [1: .text("type"), 2: .quantity("value"), 3: .quantity("averageValue"), 4: .integer("averageUtilization")]),
  ]

  static let eviction: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("deleteOptions", MetaMessages.deleteOptions),
  ]

  static let podDisruptionBudget: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .integerOrText("minAvailable"), 2: .message("selector", MetaMessages.labelSelector),
        3: .integerOrText("maxUnavailable"), 4: .text("unhealthyPodEvictionPolicy"),
      ]),
  ]
}
