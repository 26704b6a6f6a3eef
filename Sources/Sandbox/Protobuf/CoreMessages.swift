/// The messages of `k8s.io.api.core.v1`, those of pods aside. What only the server writes, the status, is left out.
enum CoreMessages {
  static let namespace: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", [1: .texts("finalizers")]),
  ]

  static let configMap: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .map("data"), 3: .map("binaryData", of: .bytes),
    4: .flag("immutable"),
  ]

  static let secret: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .map("data", of: .bytes), 3: .text("type"),
    4: .map("stringData"), 5: .flag("immutable"),
  ]

  static let serviceAccount: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .list("secrets", objectReference),
    3: .list("imagePullSecrets", localReference), 4: .flag("automountServiceAccountToken"),
  ]

  static let service: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", serviceSpec),
  ]

  static let resourceQuota: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message("spec", [1: .map("hard", of: .quantity), 2: .texts("scopes")]),
  ]

  static let localReference: ProtobufMessage = [1: .text("name")]

  private static let objectReference: ProtobufMessage = [
    1: .text("kind"), 2: .text("namespace"), 3: .text("name"), 4: .text("uid"), 5: .text("apiVersion"),
    6: .text("resourceVersion"), 7: .text("fieldPath"),
  ]

  private static let serviceSpec: ProtobufMessage = [
    1: .list("ports", servicePort), 2: .map("selector"), 3: .text("clusterIP"), 4: .text("type"),
    5: .texts("externalIPs"), 7: .text("sessionAffinity"), 8: .text("loadBalancerIP"),
    9: .texts("loadBalancerSourceRanges"), 10: .text("externalName"), 11: .text("externalTrafficPolicy"),
    12: .integer("healthCheckNodePort"), 13: .flag("publishNotReadyAddresses"),
    14: .message("sessionAffinityConfig", [1: .message("clientIP", [1: .integer("timeoutSeconds")])]),
    17: .text("ipFamilyPolicy"), 18: .texts("clusterIPs"), 19: .texts("ipFamilies"),
    20: .flag("allocateLoadBalancerNodePorts"), 21: .text("loadBalancerClass"), 22: .text("internalTrafficPolicy"),
    23: .text("trafficDistribution"),
  ]

  private static let servicePort: ProtobufMessage = [
    1: .text("name"), 2: .text("protocol"), 3: .integer("port"), 4: .integerOrText("targetPort"),
    5: .integer("nodePort"), 6: .text("appProtocol"),
  ]
}
