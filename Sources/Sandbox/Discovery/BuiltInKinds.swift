import KubernetesAPI

/// The built-in kinds as discovery shows them: names, verbs, subresources.
enum BuiltInKinds {
  private typealias Part = ServedKind.Subresource

  private static let readWrite = ["get", "patch", "update"]
  private static let connect = ["create", "get"]
  private static let proxy = ["create", "delete", "get", "patch", "update"]

  private static func status(_ kind: String) -> Part { Part(name: "status", kind: kind, verbs: readWrite) }
  private static let scale = Part(
    name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: readWrite)

  /// Besides these, what each kind looks like comes from its schema.
  static func all(schema: (ResourceType) -> Schema) -> [ServedKind] {
    (core + apps + others).map { kind in
      var kind = kind
      kind.schema = schema(kind.type)
      return kind
    }
  }

  private static func kind(
    _ group: String, _ name: String, _ plural: String, version: String = "v1", short: [String] = [],
    categories: [String] = [], cluster: Bool = false, verbs: [String] = ServedKind.allVerbs, _ parts: [Part] = []
  ) -> ServedKind {
    ServedKind(
      type: ResourceType(group: group, version: version, kind: name, plural: plural, namespaced: !cluster),
      singular: name.lowercased(), shortNames: short, categories: categories, verbs: verbs, subresources: parts,
      schema: .anyObject)
  }

  private static let core: [ServedKind] = [
    kind("", "ConfigMap", "configmaps", short: ["cm"]),
    kind("", "Endpoints", "endpoints", short: ["ep"]),
    kind("", "Event", "events", short: ["ev"]),
    kind("", "LimitRange", "limitranges", short: ["limits"]),
    kind(
      "", "Namespace", "namespaces", short: ["ns"], cluster: true,
      verbs: ServedKind.allVerbs.filter { $0 != "deletecollection" },
      [Part(name: "finalize", kind: "Namespace", verbs: ["update"]), status("Namespace")]),
    kind(
      "", "Node", "nodes", short: ["no"], cluster: true,
      [Part(name: "proxy", kind: "NodeProxyOptions", verbs: proxy), status("Node")]),
    kind(
      "", "PersistentVolumeClaim", "persistentvolumeclaims", short: ["pvc"], [status("PersistentVolumeClaim")]),
    kind(
      "", "Pod", "pods", short: ["po"], categories: ["all"],
      [
        Part(name: "attach", kind: "PodAttachOptions", verbs: connect),
        Part(name: "binding", kind: "Binding", verbs: ["create"]),
        Part(name: "ephemeralcontainers", kind: "Pod", verbs: readWrite),
        Part(name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"]),
        Part(name: "exec", kind: "PodExecOptions", verbs: connect), Part(name: "log", kind: "Pod", verbs: ["get"]),
        Part(name: "portforward", kind: "PodPortForwardOptions", verbs: connect),
        Part(name: "proxy", kind: "PodProxyOptions", verbs: proxy), Part(name: "resize", kind: "Pod", verbs: readWrite),
        status("Pod"),
      ]),
    kind("", "ResourceQuota", "resourcequotas", short: ["quota"], [status("ResourceQuota")]),
    kind("", "Secret", "secrets"),
    kind(
      "", "ServiceAccount", "serviceaccounts", short: ["sa"],
      [
        Part(
          name: "token", kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"])
      ]),
    kind(
      "", "Service", "services", short: ["svc"], categories: ["all"],
      [Part(name: "proxy", kind: "ServiceProxyOptions", verbs: proxy), status("Service")]),
  ]

  private static let apps: [ServedKind] = [
    kind("apps", "ControllerRevision", "controllerrevisions"),
    kind("apps", "DaemonSet", "daemonsets", short: ["ds"], categories: ["all"], [status("DaemonSet")]),
    kind("apps", "Deployment", "deployments", short: ["deploy"], categories: ["all"], [scale, status("Deployment")]),
    kind("apps", "ReplicaSet", "replicasets", short: ["rs"], categories: ["all"], [scale, status("ReplicaSet")]),
    kind("apps", "StatefulSet", "statefulsets", short: ["sts"], categories: ["all"], [scale, status("StatefulSet")]),
  ]

  private static func autoscaler(_ version: String) -> ServedKind {
    kind(
      "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", version: version, short: ["hpa"],
      categories: ["all"], [status("HorizontalPodAutoscaler")])
  }

  private static let admission = "admissionregistration.k8s.io"
  private static let rbac = "rbac.authorization.k8s.io"

  private static let others: [ServedKind] = [
    kind(admission, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", cluster: true),
    kind(admission, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", cluster: true),
    kind(
      admission, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", cluster: true,
      [status("ValidatingAdmissionPolicy")]),
    kind(admission, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", cluster: true),
    kind(
      "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", short: ["crd", "crds"],
      categories: ["api-extensions"], cluster: true, [status("CustomResourceDefinition")]),
    autoscaler("v1"), autoscaler("v2"),
    kind("batch", "CronJob", "cronjobs", short: ["cj"], categories: ["all"], [status("CronJob")]),
    kind("batch", "Job", "jobs", categories: ["all"], [status("Job")]),
    kind("coordination.k8s.io", "Lease", "leases"),
    kind("discovery.k8s.io", "EndpointSlice", "endpointslices"),
    kind("events.k8s.io", "Event", "events", short: ["ev"]),
    kind("networking.k8s.io", "Ingress", "ingresses", short: ["ing"], [status("Ingress")]),
    kind("networking.k8s.io", "NetworkPolicy", "networkpolicies", short: ["netpol"]),
    kind("policy", "PodDisruptionBudget", "poddisruptionbudgets", short: ["pdb"], [status("PodDisruptionBudget")]),
    kind(rbac, "ClusterRole", "clusterroles", cluster: true),
    kind(rbac, "ClusterRoleBinding", "clusterrolebindings", cluster: true),
    kind(rbac, "Role", "roles"),
    kind(rbac, "RoleBinding", "rolebindings"),
    kind("scheduling.k8s.io", "PriorityClass", "priorityclasses", short: ["pc"], cluster: true),
  ]
}
