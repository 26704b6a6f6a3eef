import KubernetesAPI

/// What objects of the built-in kinds look like.
/// Source: the Kubernetes API reference, v1.
enum BuiltIns {
  /// The schema of a kind; `nil` for a kind that is not built in.
  static func schema(for type: ResourceType) -> Schema? { schemas["\(type.group)/\(type.version)/\(type.kind)"] }

  private static let schemas: [String: Schema] = {
    var result: [String: Schema] = [:]
    func add(_ group: String, _ kinds: [String: Schema]) {
      for (kind, schema) in kinds { result["\(group)/v1/\(kind)"] = schema }
    }
    add(
      "",
      [
        "Namespace": ClusterSchemas.namespace, "Node": ClusterSchemas.node, "Pod": PodSchemas.pod,
        "Service": ServiceSchemas.service, "Endpoints": ServiceSchemas.endpoints, "ConfigMap": ConfigSchemas.configMap,
        "Secret": ConfigSchemas.secret, "ServiceAccount": ConfigSchemas.serviceAccount, "Event": EventSchemas.core,
        "PersistentVolumeClaim": ConfigSchemas.volumeClaim, "LimitRange": ConfigSchemas.limitRange,
        "ResourceQuota": ConfigSchemas.resourceQuota, "ReplicationController": WorkloadSchemas.replicationController,
        "PodTemplate": WorkloadSchemas.podTemplate,
      ])
    add(
      "apps",
      [
        "Deployment": WorkloadSchemas.deployment, "ReplicaSet": WorkloadSchemas.replicaSet,
        "StatefulSet": WorkloadSchemas.statefulSet, "DaemonSet": WorkloadSchemas.daemonSet,
        "ControllerRevision": WorkloadSchemas.controllerRevision,
      ])
    add("discovery.k8s.io", ["EndpointSlice": ServiceSchemas.endpointSlice])
    add("events.k8s.io", ["Event": EventSchemas.events])
    add("coordination.k8s.io", ["Lease": ClusterSchemas.lease])
    add("batch", ["Job": BatchSchemas.job, "CronJob": BatchSchemas.cronJob])
    add("networking.k8s.io", ["Ingress": IngressSchemas.ingress])
    add("scheduling.k8s.io", ["PriorityClass": BatchSchemas.priorityClass])
    add("policy", ["PodDisruptionBudget": ScalingSchemas.disruptionBudget])
    result["autoscaling/v2/HorizontalPodAutoscaler"] = ScalingSchemas.autoscaler
    add("autoscaling", ["HorizontalPodAutoscaler": ScalingSchemas.autoscalerV1])
    result["autoscaling/v1/Scale"] = ScalingSchemas.scale
    add(
      "rbac.authorization.k8s.io",
      [
        "Role": AccessSchemas.role, "ClusterRole": AccessSchemas.clusterRole, "RoleBinding": AccessSchemas.binding,
        "ClusterRoleBinding": AccessSchemas.binding,
      ])
    add("apiextensions.k8s.io", ["CustomResourceDefinition": ExtensionSchemas.definition])
    add(
      "admissionregistration.k8s.io",
      [
        "MutatingAdmissionPolicy": PolicySchemas.mutating, "MutatingAdmissionPolicyBinding": PolicySchemas.binding,
        "ValidatingAdmissionPolicy": PolicySchemas.validating,
        "ValidatingAdmissionPolicyBinding": PolicySchemas.validatingBinding,
      ])
    return result
  }()

  /// What an object of the kind holds when a client says nothing: the baseline of a creation's field ownership.
  static func skeleton(of schema: Schema) -> JSON { Normalization.normalized(.emptyObject, schema) }
}

extension Schema {
  /// A field that the server writes even when it is empty, with this value.
  func always(_ empty: JSON? = nil) -> Schema {
    with { schema in
      if let empty {
        schema.defaultValue = empty
        return
      }
      switch schema.type {
      case .object where schema.additionalProperties == nil: schema.defaultValue = [:]
      case .string where schema.format == nil: schema.defaultValue = ""
      case .integer: schema.defaultValue = 0
      case .boolean: schema.defaultValue = false
      default: schema.defaultValue = .null
      }
    }
  }

  /// A list of strings that is one field.
  static let strings = Schema.list(of: .string)
  static let stringMap = Schema.map(of: .string)
  static let quantities = Schema.map(of: .quantity)

  /// An object with the fields that all kinds share.
  static func kind(_ description: String, _ fields: [String: Schema]) -> Schema {
    .object(
      fields.merging(
        [
          "apiVersion": .string("The group and version of this shape of the object."),
          "kind": .string("The kind of the object."), "metadata": MetaSchemas.objectMeta.always(),
        ], uniquingKeysWith: { own, _ in own }),
      description)
  }

  static func strings(_ description: String) -> Schema { Schema.strings.described(description) }
}
