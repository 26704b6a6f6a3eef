/// The messages of `k8s.io.api.core.v1` that make up the template of a pod.
enum PodMessages {
  static let template: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", spec),
  ]

  private static let spec: ProtobufMessage = [
    1: .list("volumes", volume), 2: .list("containers", container), 3: .text("restartPolicy"),
    4: .integer("terminationGracePeriodSeconds"), 5: .integer("activeDeadlineSeconds"), 6: .text("dnsPolicy"),
    7: .map("nodeSelector"), 8: .text("serviceAccountName"), 9: .text("serviceAccount"), 10: .text("nodeName"),
    11: .flag("hostNetwork"), 12: .flag("hostPID"), 13: .flag("hostIPC"),
    14: .message("securityContext", podSecurityContext), 15: .list("imagePullSecrets", CoreMessages.localReference),
    16: .text("hostname"), 17: .text("subdomain"), 19: .text("schedulerName"), 20: .list("initContainers", container),
    21: .flag("automountServiceAccountToken"), 22: .list("tolerations", toleration), 24: .text("priorityClassName"),
    25: .integer("priority"), 30: .flag("enableServiceLinks"), 31: .text("preemptionPolicy"),
  ]

  private static let container: ProtobufMessage = [
    1: .text("name"), 2: .text("image"), 3: .texts("command"), 4: .texts("args"), 5: .text("workingDir"),
    6: .list("ports", port), 7: .list("env", variable), 8: .message("resources", resources),
    9: .list("volumeMounts", mount), 10: .message("livenessProbe", probe), 11: .message("readinessProbe", probe),
    13: .text("terminationMessagePath"), 14: .text("imagePullPolicy"),
    15: .message("securityContext", securityContext), 16: .flag("stdin"), 17: .flag("stdinOnce"), 18: .flag("tty"),
    19: .list("envFrom", variableSource), 20: .text("terminationMessagePolicy"), 22: .message("startupProbe", probe),
    24: .text("restartPolicy"),
  ]

  private static let port: ProtobufMessage = [
    1: .text("name"), 2: .integer("hostPort"), 3: .integer("containerPort"), 4: .text("protocol"), 5: .text("hostIP"),
  ]

  private static let resources: ProtobufMessage = [
    1: .map("limits", of: .quantity), 2: .map("requests", of: .quantity),
  ]

  // MARK: Environment

  private static let variable: ProtobufMessage = [
    1: .text("name"), 2: .text("value"),
    3: .message(
      "valueFrom",
      [
        1: .message("fieldRef", [1: .text("apiVersion"), 2: .text("fieldPath")]),
        2: .message("resourceFieldRef", [1: .text("containerName"), 2: .text("resource"), 3: .quantity("divisor")]),
        3: .message("configMapKeyRef", keySelector), 4: .message("secretKeyRef", keySelector),
      ]),
  ]

  private static let keySelector: ProtobufMessage = [
    1: .inline(CoreMessages.localReference), 2: .text("key"), 3: .flag("optional"),
  ]

  private static let variableSource: ProtobufMessage = [
    1: .text("prefix"), 2: .message("configMapRef", wholeSource), 3: .message("secretRef", wholeSource),
  ]

  private static let wholeSource: ProtobufMessage = [
    1: .inline(CoreMessages.localReference), 2: .flag("optional"),
  ]

  // MARK: Probes

  private static let probe: ProtobufMessage = [
    1: .inline(handler), 2: .integer("initialDelaySeconds"), 3: .integer("timeoutSeconds"),
    4: .integer("periodSeconds"), 5: .integer("successThreshold"), 6: .integer("failureThreshold"),
    7: .integer("terminationGracePeriodSeconds"),
  ]

  private static let handler: ProtobufMessage = [
    1: .message("exec", [1: .texts("command")]),
    2: .message(
      "httpGet",
      [
        1: .text("path"), 2: .integerOrText("port"), 3: .text("host"), 4: .text("scheme"),
        5: .list("httpHeaders", [1: .text("name"), 2: .text("value")]),
      ]),
    3: .message("tcpSocket", [1: .integerOrText("port"), 2: .text("host")]),
    4: .message("grpc", [1: .integer("port"), 2: .text("service")]),
  ]

  // MARK: Volumes

  private static let mount: ProtobufMessage = [
    1: .text("name"), 2: .flag("readOnly"), 3: .text("mountPath"), 4: .text("subPath"), 5: .text("mountPropagation"),
    6: .text("subPathExpr"), 7: .text("recursiveReadOnly"),
  ]

  private static let volume: ProtobufMessage = [1: .text("name"), 2: .inline(volumeSource)]

  private static let volumeSource: ProtobufMessage = [
    2: .message("emptyDir", [1: .text("medium"), 2: .quantity("sizeLimit")]),
    6: .message(
      "secret",
      [1: .text("secretName"), 2: .list("items", file), 3: .integer("defaultMode"), 4: .flag("optional")]),
    10: .message("persistentVolumeClaim", [1: .text("claimName"), 2: .flag("readOnly")]),
    19: .message(
      "configMap",
      [
        1: .inline(CoreMessages.localReference), 2: .list("items", file), 3: .integer("defaultMode"),
        4: .flag("optional"),
      ]),
  ]

  private static let file: ProtobufMessage = [1: .text("key"), 2: .text("path"), 3: .integer("mode")]

  // MARK: Security and placement

  private static let securityContext: ProtobufMessage = [
    1: .message("capabilities", [1: .texts("add"), 2: .texts("drop")]), 2: .flag("privileged"),
    4: .integer("runAsUser"), 5: .flag("runAsNonRoot"), 6: .flag("readOnlyRootFilesystem"),
    7: .flag("allowPrivilegeEscalation"), 8: .integer("runAsGroup"), 9: .text("procMount"),
    11: .message("seccompProfile", seccompProfile),
  ]

  private static let podSecurityContext: ProtobufMessage = [
    2: .integer("runAsUser"), 3: .flag("runAsNonRoot"), 5: .integer("fsGroup"), 6: .integer("runAsGroup"),
    9: .text("fsGroupChangePolicy"), 10: .message("seccompProfile", seccompProfile),
  ]

  private static let seccompProfile: ProtobufMessage = [1: .text("type"), 2: .text("localhostProfile")]

  private static let toleration: ProtobufMessage = [
    1: .text("key"), 2: .text("operator"), 3: .text("value"), 4: .text("effect"), 5: .integer("tolerationSeconds"),
  ]
}
