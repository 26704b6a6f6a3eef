import KubernetesAPI

/// Pods, alone and as templates.
enum PodSchemas {
  static let pod = Schema.kind(
    "Containers that run together on one node.",
    [
      "spec": spec.always().described("What is to run, and how."),
      "status": status.always().described("What runs, as the kubelet last said."),
    ])

  static let template = Schema.object(
    ["metadata": MetaSchemas.objectMeta.always(), "spec": spec.always()], "What new pods are made from.")

  static let spec = Schema.object(
    [
      "volumes": .list(of: VolumeSchemas.volume, keys: ["name"], "What containers can mount.").with {
        $0.patchStrategies = [.merge, .retainKeys]
      },
      "initContainers": .list(of: ContainerSchemas.container, keys: ["name"], "Run one by one before the others."),
      "containers": .list(of: ContainerSchemas.container, keys: ["name"], "What the pod runs.").always(),
      "ephemeralContainers": .list(of: ContainerSchemas.ephemeral, keys: ["name"]),
      "restartPolicy": .string("Always, OnFailure or Never."),
      "terminationGracePeriodSeconds": .int64("How long a pod may take to stop."),
      "activeDeadlineSeconds": .int64(), "dnsPolicy": .string,
      "nodeSelector": .map(of: .string, mapType: .atomic, "Labels that the node must have."),
      "serviceAccountName": .string("The account that the pod acts as."), "serviceAccount": .string,
      "automountServiceAccountToken": .boolean, "nodeName": .string("The node that the pod is bound to."),
      "hostNetwork": .boolean, "hostPID": .boolean, "hostIPC": .boolean, "shareProcessNamespace": .boolean,
      "securityContext": securityContext,
      "imagePullSecrets": .list(of: .object(["name": .string], mapType: .atomic), keys: ["name"]),
      "hostname": .string, "hostnameOverride": .string, "subdomain": .string, "affinity": AffinitySchemas.affinity,
      "schedulerName": .string,
      "tolerations": .list(
        of: .object([
          "key": .string, "operator": .string, "value": .string, "effect": .string, "tolerationSeconds": .int64(),
        ]), "Taints that do not keep the pod off a node."),
      "hostAliases": .list(of: .object(["ip": .string.always(), "hostnames": .strings]), keys: ["ip"]),
      "priorityClassName": .string, "priority": .int32(), "preemptionPolicy": .string,
      "dnsConfig": .object([
        "nameservers": .strings, "searches": .strings,
        "options": .list(of: .object(["name": .string, "value": .string])),
      ]),
      "readinessGates": .list(
        of: .object(["conditionType": .string.always()], required: ["conditionType"]),
        "Conditions that count for readiness besides the containers'."),
      "runtimeClassName": .string, "enableServiceLinks": .boolean, "overhead": .quantities,
      "topologySpreadConstraints": .list(
        of: .object(
          [
            "maxSkew": .int32().always(), "topologyKey": .string.always(), "whenUnsatisfiable": .string.always(),
            "labelSelector": MetaSchemas.labelSelector, "minDomains": .int32(), "nodeAffinityPolicy": .string,
            "nodeTaintsPolicy": .string, "matchLabelKeys": .strings,
          ], required: ["maxSkew", "topologyKey", "whenUnsatisfiable"]),
        keys: ["topologyKey", "whenUnsatisfiable"], mergeKey: "topologyKey"),
      "setHostnameAsFQDN": .boolean, "os": .object(["name": .string.always()]), "hostUsers": .boolean,
      "schedulingGates": .list(of: .object(["name": .string.always()]), keys: ["name"]),
      "resourceClaims": .list(
        of: .object([
          "name": .string.always(), "resourceClaimName": .string, "resourceClaimTemplateName": .string,
        ]), keys: ["name"]
      ).with { $0.patchStrategies = [.merge, .retainKeys] },
      "resources": ContainerSchemas.resources,
      "workloadRef": .anyObject,
    ], required: ["containers"])

  private static let securityContext = Schema.object([
    "seLinuxOptions": ContainerSchemas.seLinux, "windowsOptions": ContainerSchemas.windows, "runAsUser": .int64(),
    "runAsGroup": .int64(), "runAsNonRoot": .boolean, "supplementalGroups": .list(of: .int64()),
    "supplementalGroupsPolicy": .string, "fsGroup": .int64(),
    "sysctls": .list(of: .object(["name": .string.always(), "value": .string.always()])),
    "fsGroupChangePolicy": .string, "seccompProfile": ContainerSchemas.profile,
    "appArmorProfile": ContainerSchemas.profile, "seLinuxChangePolicy": .string,
  ])

  private static let status = Schema.object([
    "observedGeneration": .int64(), "phase": .string("Pending, Running, Succeeded, Failed or Unknown."),
    "conditions": MetaSchemas.conditions(
      .object(
        [
          "type": .string.always(), "observedGeneration": .int64(), "status": .string.always(),
          "lastProbeTime": .time.always(), "lastTransitionTime": .time.always(), "reason": .string,
          "message": .string,
        ], required: ["type", "status"])),
    "message": .string, "reason": .string, "nominatedNodeName": .string, "hostIP": .string,
    "hostIPs": .list(of: .object(["ip": .string.always()]), mergeKey: "ip"), "podIP": .string,
    "podIPs": .list(of: .object(["ip": .string.always()]), keys: ["ip"]), "startTime": .time,
    "initContainerStatuses": containerStatuses, "containerStatuses": containerStatuses,
    "ephemeralContainerStatuses": containerStatuses, "qosClass": .string, "resize": .string,
    "resourceClaimStatuses": .anyList, "allocatedResources": .quantities, "resources": ContainerSchemas.resources,
    "extendedResourceClaimStatus": .anyObject,
  ])

  private static let containerState = Schema.object([
    "waiting": .object(["reason": .string, "message": .string]), "running": .object(["startedAt": .time]),
    "terminated": .object([
      "exitCode": .int32().always(), "signal": .int32(), "reason": .string, "message": .string, "startedAt": .time,
      "finishedAt": .time, "containerID": .string,
    ]),
  ])

  private static let containerStatuses = Schema.list(
    of: .object([
      "name": .string.always(), "state": containerState.always(), "lastState": containerState.always(),
      "ready": .boolean.always(), "restartCount": .int32().always(), "image": .string.always(),
      "imageID": .string.always(), "containerID": .string, "started": .boolean, "allocatedResources": .quantities,
      "resources": ContainerSchemas.resources, "volumeMounts": .anyList, "user": .anyObject,
      "allocatedResourcesStatus": .anyList, "stopSignal": .string,
    ]))
}

extension Schema {
  /// A list of which nothing is known.
  static let anyList = Schema.list(of: .any)
}

/// Where pods are put in relation to nodes and to each other.
enum AffinitySchemas {
  static let affinity = Schema.object([
    "nodeAffinity": .object([
      "requiredDuringSchedulingIgnoredDuringExecution": .object(
        ["nodeSelectorTerms": .list(of: nodeTerm).always()], mapType: .atomic),
      "preferredDuringSchedulingIgnoredDuringExecution": .list(
        of: .object(["weight": .int32().always(), "preference": nodeTerm.always()])),
    ]),
    "podAffinity": podAffinity, "podAntiAffinity": podAffinity,
  ])

  private static let requirements = Schema.list(
    of: .object(
      ["key": .string.always(), "operator": .string.always(), "values": .strings], required: ["key", "operator"]))

  private static let nodeTerm = Schema.object(
    ["matchExpressions": requirements, "matchFields": requirements], mapType: .atomic)

  private static let podTerm = Schema.object(
    [
      "labelSelector": MetaSchemas.labelSelector, "namespaces": .strings, "topologyKey": .string.always(),
      "namespaceSelector": MetaSchemas.labelSelector, "matchLabelKeys": .strings, "mismatchLabelKeys": .strings,
    ], required: ["topologyKey"])

  private static let podAffinity = Schema.object([
    "requiredDuringSchedulingIgnoredDuringExecution": .list(of: podTerm),
    "preferredDuringSchedulingIgnoredDuringExecution": .list(
      of: .object(["weight": .int32().always(), "podAffinityTerm": podTerm.always()])),
  ])
}
