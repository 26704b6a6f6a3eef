import Foundation
import KubernetesAPI

/// The values that the server fills in where a client says nothing.
/// Source: the defaults named in the Kubernetes API reference.
extension BuiltIns {
  /// Fills in what is missing; idempotent. The object is normalized already.
  static func applyDefaults(_ object: inout JSON, _ type: ResourceType) {
    switch (type.group, type.kind) {
    case ("", "Pod"): object.change("spec", Defaults.podSpec)
    case ("", "PodTemplate"): object.change("template") { $0.change("spec", Defaults.podSpec) }
    case ("apps", "Deployment"): object.change("spec", Defaults.deploymentSpec)
    case ("apps", "ReplicaSet"): object.change("spec", Defaults.replicaSetSpec)
    case ("apps", "StatefulSet"): object.change("spec", Defaults.statefulSetSpec)
    case ("apps", "DaemonSet"): object.change("spec", Defaults.daemonSetSpec)
    case ("", "Service"): object.change("spec", Defaults.serviceSpec)
    case ("", "Secret"):
      object.fill("type", "Opaque")
      // Text is stored as bytes.
      for (key, text) in object["stringData"]?.strings ?? [:] {
        object[path: ["data", key]] = .string(Data(text.utf8).base64EncodedString())
      }
      object["stringData"] = nil
    case ("discovery.k8s.io", "EndpointSlice"):
      object.changeEach("ports") { port in
        port.fill("name", "")
        port.fill("protocol", "TCP")
      }
    case ("autoscaling", "HorizontalPodAutoscaler"):
      let isOlder = type.version == "v1"
      object.change("spec") { isOlder ? $0.fill("minReplicas", 1) : Defaults.autoscalerSpec(&$0) }
    case ("batch", "Job"): object.change("spec", Defaults.jobSpec)
    case ("batch", "CronJob"): object.change("spec", Defaults.cronJobSpec)
    case ("scheduling.k8s.io", "PriorityClass"): object.fill("preemptionPolicy", "PreemptLowerPriority")
    case ("", "LimitRange"): object.change("spec", LimitRanger.fill)
    case ("policy", "PodDisruptionBudget"):
      if object[path: ["spec", "minAvailable"]] == nil, object[path: ["spec", "maxUnavailable"]] == nil {
        object[path: ["spec", "minAvailable"]] = 1
      }
    case ("rbac.authorization.k8s.io", "RoleBinding"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"):
      let group: JSON = "rbac.authorization.k8s.io"
      if (object[path: ["roleRef", "apiGroup"]]?.string ?? "").isEmpty {
        object[path: ["roleRef", "apiGroup"]] = group
      }
      object.changeEach("subjects") { subject in
        if subject["kind"]?.string != "ServiceAccount" { subject.fill("apiGroup", group) }
      }
    case ("apiextensions.k8s.io", "CustomResourceDefinition"): object.change("spec", Defaults.definitionSpec)
    case ("admissionregistration.k8s.io", _): object.change("spec", Defaults.policySpec)
    default: break
    }
  }
}

enum Defaults {
  static func podSpec(_ spec: inout JSON) {
    spec.fill("restartPolicy", "Always")
    spec.fill("terminationGracePeriodSeconds", 30)
    spec.fill("dnsPolicy", "ClusterFirst")
    spec.fill("securityContext", [:])
    spec.fill("schedulerName", "default-scheduler")
    if let account = spec["serviceAccountName"] ?? spec["serviceAccount"] {
      spec["serviceAccountName"] = account
      spec["serviceAccount"] = account
    }
    let usesHostNetwork = spec["hostNetwork"]?.bool == true
    for list in ["initContainers", "containers", "ephemeralContainers"] {
      spec.changeEach(list) { container(&$0, usesHostNetwork: usesHostNetwork) }
    }
    spec.changeEach("volumes", volume)
  }

  private static func container(_ container: inout JSON, usesHostNetwork: Bool) {
    container.fill("terminationMessagePath", "/dev/termination-log")
    container.fill("terminationMessagePolicy", "File")
    container.fill("imagePullPolicy", .string(pullPolicy(container["image"]?.string ?? "")))
    container.changeEach("ports") { port in
      port.fill("protocol", "TCP")
      if usesHostNetwork, port["hostPort"] == nil { port["hostPort"] = port["containerPort"] }
    }
    container.changeEach("env") { variable in
      guard variable[path: ["valueFrom", "fieldRef"]] != nil else { return }
      if variable[path: ["valueFrom", "fieldRef", "apiVersion"]] == nil {
        variable[path: ["valueFrom", "fieldRef", "apiVersion"]] = "v1"
      }
    }
    // What is limited and not requested is requested as it is limited.
    for (name, limit) in container[path: ["resources", "limits"]]?.object ?? [:]
    where container[path: ["resources", "requests", name]] == nil {
      container[path: ["resources", "requests", name]] = limit
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] { container.change(name, probe) }
    container.change("lifecycle") { lifecycle in
      for name in ["postStart", "preStop"] { lifecycle.change(name) { $0.change("httpGet", httpGet) } }
    }
  }

  /// Images that can change under their name are always pulled.
  private static func pullPolicy(_ image: String) -> String {
    if image.contains("@") { return "IfNotPresent" }
    let last = image.split(separator: "/").last ?? ""
    guard let colon = last.lastIndex(of: ":") else { return "Always" }
    return last[last.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
  }

  private static func probe(_ probe: inout JSON) {
    probe.fill("timeoutSeconds", 1)
    probe.fill("periodSeconds", 10)
    probe.fill("successThreshold", 1)
    probe.fill("failureThreshold", 3)
    probe.change("httpGet", httpGet)
    probe.change("grpc") { $0.fill("service", "") }
  }

  private static func httpGet(_ action: inout JSON) {
    action.fill("path", "/")
    action.fill("scheme", "HTTP")
  }

  private static func volume(_ volume: inout JSON) {
    if VolumeSchemas.sources.keys.allSatisfy({ volume[$0] == nil }) { volume["emptyDir"] = [:] }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
      volume.change(name) { $0.fill("defaultMode", 420) }
    }
    volume.change("hostPath") { $0.fill("type", "") }
    volume.change("downwardAPI") { $0.changeEach("items", downwardItem) }
    volume.change("projected") { projected in
      projected.changeEach("sources") { source in
        source.change("downwardAPI") { $0.changeEach("items", downwardItem) }
        source.change("serviceAccountToken") { $0.fill("expirationSeconds", 3600) }
      }
    }
  }

  private static func downwardItem(_ item: inout JSON) {
    item.change("fieldRef") { $0.fill("apiVersion", "v1") }
  }

  private static func template(_ spec: inout JSON) {
    spec.change("template") { $0.change("spec", podSpec) }
  }

  static func deploymentSpec(_ spec: inout JSON) {
    spec.fill("replicas", 1)
    spec.change("strategy") { strategy in
      strategy.fill("type", "RollingUpdate")
      guard strategy["type"]?.string == "RollingUpdate" else { return }
      strategy.fill("rollingUpdate", [:])
      strategy.change("rollingUpdate") { update in
        update.fill("maxUnavailable", "25%")
        update.fill("maxSurge", "25%")
      }
    }
    spec.fill("revisionHistoryLimit", 10)
    spec.fill("progressDeadlineSeconds", 600)
    template(&spec)
  }

  static func replicaSetSpec(_ spec: inout JSON) {
    spec.fill("replicas", 1)
    template(&spec)
  }

  static func statefulSetSpec(_ spec: inout JSON) {
    spec.fill("replicas", 1)
    spec.fill("revisionHistoryLimit", 10)
    spec.fill("podManagementPolicy", "OrderedReady")
    spec.change("updateStrategy") { strategy in
      strategy.fill("type", "RollingUpdate")
      if strategy["type"]?.string == "RollingUpdate" { strategy.fill("rollingUpdate", ["partition": 0]) }
    }
    spec.fill("persistentVolumeClaimRetentionPolicy", ["whenDeleted": "Retain", "whenScaled": "Retain"])
    template(&spec)
  }

  static func daemonSetSpec(_ spec: inout JSON) {
    spec.fill("revisionHistoryLimit", 10)
    spec.change("updateStrategy") { strategy in
      strategy.fill("type", "RollingUpdate")
      if strategy["type"]?.string == "RollingUpdate" {
        strategy.fill("rollingUpdate", ["maxUnavailable": 1, "maxSurge": 0])
      }
    }
    template(&spec)
  }

  static func jobSpec(_ spec: inout JSON) {
    // Without either number one pod is run once; with parallelism alone it is a queue of work.
    if spec["completions"] == nil, spec["parallelism"] == nil { spec["completions"] = 1 }
    spec.fill("parallelism", 1)
    spec.fill("backoffLimit", 6)
    spec.fill("completionMode", "NonIndexed")
    spec.fill("suspend", false)
    spec.fill("podReplacementPolicy", "TerminatingOrFailed")
    template(&spec)
  }

  static func cronJobSpec(_ spec: inout JSON) {
    spec.fill("concurrencyPolicy", "Allow")
    spec.fill("suspend", false)
    spec.fill("successfulJobsHistoryLimit", 3)
    spec.fill("failedJobsHistoryLimit", 1)
    // Only the pods of the Jobs to come: their own defaults are filled in when they are made.
    spec.change("jobTemplate") { $0.change("spec", template) }
  }

  static func serviceSpec(_ spec: inout JSON) {
    spec.fill("sessionAffinity", "None")
    spec.fill("type", "ClusterIP")
    if spec["sessionAffinity"]?.string == "None" { spec["sessionAffinityConfig"] = nil }
    if spec["sessionAffinity"]?.string == "ClientIP", spec["sessionAffinityConfig"] == nil {
      spec["sessionAffinityConfig"] = ["clientIP": ["timeoutSeconds": 10800]]
    }
    spec.changeEach("ports") { port in
      port.fill("protocol", "TCP")
      // A target is the port itself where nothing is said.
      if port["targetPort"] == nil || port["targetPort"] == 0 || port["targetPort"] == "" {
        port["targetPort"] = port["port"]
      }
    }
    let type = spec["type"]?.string
    if type == "NodePort" || type == "LoadBalancer" { spec.fill("externalTrafficPolicy", "Cluster") }
    if type == "LoadBalancer" { spec.fill("allocateLoadBalancerNodePorts", true) }
    if type != "ExternalName" { spec.fill("internalTrafficPolicy", "Cluster") }
  }

  static func autoscalerSpec(_ spec: inout JSON) {
    spec.fill("minReplicas", 1)
    if (spec["metrics"]?.array ?? []).isEmpty {
      spec["metrics"] = [
        [
          "type": "Resource",
          "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 80]],
        ]
      ]
    }
    spec.change("behavior") { behavior in
      behavior.change("scaleUp") { rules in
        rules.fill("stabilizationWindowSeconds", 0)
        rules.fill("selectPolicy", "Max")
        rules.fill(
          "policies",
          [
            ["type": "Pods", "value": 4, "periodSeconds": 15],
            ["type": "Percent", "value": 100, "periodSeconds": 15],
          ])
      }
      behavior.change("scaleDown") { rules in
        rules.fill("selectPolicy", "Max")
        rules.fill("policies", [["type": "Percent", "value": 100, "periodSeconds": 15]])
      }
    }
  }

  static func definitionSpec(_ spec: inout JSON) {
    spec.change("names") { names in
      guard let kind = names["kind"]?.string, !kind.isEmpty else { return }
      names.fill("singular", .string(kind.lowercased()))
      names.fill("listKind", .string(kind + "List"))
    }
    spec.fill("conversion", ["strategy": "None"])
  }

  /// Policies and their bindings.
  static func policySpec(_ spec: inout JSON) {
    if spec["validations"] != nil || spec["mutations"] != nil || spec["auditAnnotations"] != nil {
      spec.fill("failurePolicy", "Fail")
    }
    for name in ["matchConstraints", "matchResources"] {
      spec.change(name) { match in
        match.fill("matchPolicy", "Equivalent")
        match.fill("namespaceSelector", [:])
        match.fill("objectSelector", [:])
        for list in ["resourceRules", "excludeResourceRules"] { match.changeEach(list) { $0.fill("scope", "*") } }
      }
    }
  }
}

extension JSON {
  /// Sets a member that is missing or null.
  fileprivate mutating func fill(_ name: String, _ value: JSON) {
    if self[name] ?? .null == .null { self[name] = value }
  }

  /// Changes a member that is an object.
  mutating func change(_ name: String, _ body: (inout JSON) -> Void) {
    guard var member = self[name], member.object != nil else { return }
    body(&member)
    self[name] = member
  }

  /// Changes each element of a member that is a list.
  mutating func changeEach(_ name: String, _ body: (inout JSON) -> Void) {
    guard var elements = self[name]?.array else { return }
    for index in elements.indices { body(&elements[index]) }
    self[name] = .array(elements)
  }
}
