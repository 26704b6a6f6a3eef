/// The kinds that are read from protobuf: those that kubectl's commands send so. Everything that is applied, patched or
/// created from a file comes as JSON.
enum ProtobufKinds {
  /// - Returns: `nil` for a kind that is only taken as JSON or YAML.
  static func message(apiVersion: String, kind: String) -> ProtobufMessage? {
    // Deletions are sent in the version of whatever is deleted.
    if kind == "DeleteOptions" { return MetaMessages.deleteOptions }
    return byVersion[apiVersion]?[kind]
  }

  private static let byVersion: [String: [String: ProtobufMessage]] = [
    "v1": [
      "Namespace": CoreMessages.namespace, "ConfigMap": CoreMessages.configMap, "Secret": CoreMessages.secret,
      "ServiceAccount": CoreMessages.serviceAccount, "Service": CoreMessages.service,
      "ResourceQuota": CoreMessages.resourceQuota,
    ],
    "apps/v1": ["Deployment": AppsMessages.deployment],
    "rbac.authorization.k8s.io/v1": [
      "Role": AccessMessages.role, "ClusterRole": AccessMessages.clusterRole,
      "RoleBinding": AccessMessages.binding, "ClusterRoleBinding": AccessMessages.binding,
    ],
    "authentication.k8s.io/v1": [
      "TokenRequest": AccessMessages.tokenRequest, "SelfSubjectReview": AccessMessages.selfSubjectReview,
    ],
    "authorization.k8s.io/v1": [
      "SelfSubjectAccessReview": AccessMessages.selfSubjectAccessReview,
      "SubjectAccessReview": AccessMessages.subjectAccessReview,
    ],
    "autoscaling/v1": ["Scale": AppsMessages.scale, "HorizontalPodAutoscaler": AppsMessages.autoscalerV1],
    "autoscaling/v2": ["HorizontalPodAutoscaler": AppsMessages.autoscaler],
    "batch/v1": ["Job": BatchMessages.job, "CronJob": BatchMessages.cronJob],
    "networking.k8s.io/v1": ["Ingress": BatchMessages.ingress],
    "scheduling.k8s.io/v1": ["PriorityClass": BatchMessages.priorityClass],
    "policy/v1": ["Eviction": AppsMessages.eviction, "PodDisruptionBudget": AppsMessages.podDisruptionBudget],
  ]
}
