import KubernetesAPI

/// Containers and what is in them.
enum ContainerSchemas {
  static let container = Schema.object(
    fields, required: ["name"], "One process with its image, started and watched by the kubelet.")

  static let ephemeral = Schema.object(
    fields.merging(["targetContainerName": .string], uniquingKeysWith: { own, _ in own }), required: ["name"])

  private static let fields: [String: Schema] = [
    "name": .string("Unique among the containers of the pod.").always(),
    "image": .string("What to run, with its tag or digest."),
    "command": .strings("Replaces the entry point of the image."),
    "args": .strings("What the entry point is given."), "workingDir": .string,
    "ports": .list(
      of: .object(
        [
          "name": .string, "hostPort": .int32(), "containerPort": .int32().always(),
          "protocol": .string.defaulting(to: "TCP"), "hostIP": .string,
        ], required: ["containerPort"]), keys: ["containerPort", "protocol"], mergeKey: "containerPort",
      "The ports that the process listens on."),
    "envFrom": .list(
      of: .object([
        "prefix": .string,
        "configMapRef": .object(["name": .string, "optional": .boolean]),
        "secretRef": .object(["name": .string, "optional": .boolean]),
      ])),
    "env": .list(of: environment, keys: ["name"], "Environment variables."),
    "resources": resources.always(),
    "resizePolicy": .list(
      of: .object(["resourceName": .string.always(), "restartPolicy": .string.always()])),
    "restartPolicy": .string,
    "restartPolicyRules": .list(
      of: .object([
        "action": .string, "exitCodes": .object(["operator": .string.always(), "values": .list(of: .int32())]),
      ])),
    "volumeMounts": .list(
      of: .object(
        [
          "name": .string.always(), "readOnly": .boolean, "recursiveReadOnly": .string, "mountPath": .string.always(),
          "subPath": .string, "mountPropagation": .string, "subPathExpr": .string,
        ], required: ["name", "mountPath"]), keys: ["mountPath"], "Where volumes appear in the file system."),
    "volumeDevices": .list(
      of: .object(["name": .string.always(), "devicePath": .string.always()]), keys: ["devicePath"]),
    "livenessProbe": probe.described("Restarts the container when it fails."),
    "readinessProbe": probe.described("Takes the pod out of Services while it fails."),
    "startupProbe": probe.described("Holds the other probes back until it succeeds."),
    "lifecycle": .object([
      "postStart": lifecycleHandler, "preStop": lifecycleHandler, "stopSignal": .string,
    ]),
    "terminationMessagePath": .string, "terminationMessagePolicy": .string,
    "imagePullPolicy": .string("Always, IfNotPresent or Never."), "securityContext": securityContext,
    "stdin": .boolean, "stdinOnce": .boolean, "tty": .boolean,
  ]

  static let environment = Schema.object(
    [
      "name": .string.always(), "value": .string,
      "valueFrom": .object([
        "fieldRef": fieldReference, "resourceFieldRef": resourceFieldReference,
        "configMapKeyRef": keySelector, "secretKeyRef": keySelector,
        "fileKeyRef": .object(
          ["volumeName": .string.always(), "path": .string.always(), "key": .string.always(), "optional": .boolean],
          mapType: .atomic),
      ]),
    ], required: ["name"])

  static let fieldReference = Schema.object(
    ["apiVersion": .string, "fieldPath": .string.always()], required: ["fieldPath"], mapType: .atomic)
  static let resourceFieldReference = Schema.object(
    ["containerName": .string, "resource": .string.always(), "divisor": .quantity], required: ["resource"],
    mapType: .atomic)
  private static let keySelector = Schema.object(
    ["name": .string, "key": .string.always(), "optional": .boolean], required: ["key"], mapType: .atomic)

  static let resources = Schema.object(
    [
      "limits": .map(of: .quantity, "The most that the container may use."),
      "requests": .map(of: .quantity, "What the scheduler sets aside."),
      "claims": .list(of: .object(["name": .string.always(), "request": .string]), keys: ["name"], mergeable: false),
    ], "Computing resources.")

  private static let httpGet = Schema.object(
    [
      "path": .string, "port": .intOrString, "host": .string, "scheme": .string,
      "httpHeaders": .list(of: .object(["name": .string.always(), "value": .string.always()])),
    ], required: ["port"])

  private static let probe = Schema.object([
    "exec": .object(["command": .strings]), "httpGet": httpGet,
    "tcpSocket": .object(["port": .intOrString, "host": .string], required: ["port"]),
    "grpc": .object(["port": .int32().always(), "service": .string], required: ["port"]),
    "initialDelaySeconds": .int32(), "timeoutSeconds": .int32(), "periodSeconds": .int32(),
    "successThreshold": .int32(), "failureThreshold": .int32(), "terminationGracePeriodSeconds": .int64(),
  ])

  private static let lifecycleHandler = Schema.object([
    "exec": .object(["command": .strings]), "httpGet": httpGet,
    "tcpSocket": .object(["port": .intOrString, "host": .string]),
    "sleep": .object(["seconds": .int64().always()]),
  ])

  static let seLinux = Schema.object(["user": .string, "role": .string, "type": .string, "level": .string])
  static let windows = Schema.object([
    "gmsaCredentialSpecName": .string, "gmsaCredentialSpec": .string, "runAsUserName": .string,
    "hostProcess": .boolean,
  ])
  static let profile = Schema.object(["type": .string.always(), "localhostProfile": .string])

  private static let securityContext = Schema.object([
    "capabilities": .object(["add": .strings, "drop": .strings]), "privileged": .boolean, "seLinuxOptions": seLinux,
    "windowsOptions": windows, "runAsUser": .int64(), "runAsGroup": .int64(), "runAsNonRoot": .boolean,
    "readOnlyRootFilesystem": .boolean, "allowPrivilegeEscalation": .boolean, "procMount": .string,
    "seccompProfile": profile, "appArmorProfile": profile,
  ])
}
