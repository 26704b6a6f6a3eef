/// The messages of `k8s.io.api.batch.v1`, `networking.v1` and `scheduling.v1`. What only the server writes, the status, is
/// left out.
enum BatchMessages {
  static let job: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .message("spec", jobSpec),
  ]

  static let cronJob: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .text("schedule"), 2: .integer("startingDeadlineSeconds"), 3: .text("concurrencyPolicy"),
        4: .flag("suspend"), 5: .message("jobTemplate", job), 6: .integer("successfulJobsHistoryLimit"),
        7: .integer("failedJobsHistoryLimit"), 8: .text("timeZone"),
      ]),
  ]

  private static let jobSpec: ProtobufMessage = [
    1: .integer("parallelism"), 2: .integer("completions"), 3: .integer("activeDeadlineSeconds"),
    4: .message("selector", MetaMessages.labelSelector), 5: .flag("manualSelector"),
    6: .message("template", PodMessages.template), 7: .integer("backoffLimit"), 8: .integer("ttlSecondsAfterFinished"),
    9: .text("completionMode"), 10: .flag("suspend"), 12: .integer("backoffLimitPerIndex"),
    13: .integer("maxFailedIndexes"), 14: .text("podReplacementPolicy"), 15: .text("managedBy"),
  ]

  static let ingress: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .message("defaultBackend", ingressBackend),
        2: .list("tls", [1: .texts("hosts"), 2: .text("secretName")]),
        3: .list("rules", [1: .text("host"), 2: .inline([1: .message("http", [1: .list("paths", ingressPath)])])]),
        4: .text("ingressClassName"),
      ]),
  ]

  private static let ingressPath: ProtobufMessage = [
    1: .text("path"), 2: .message("backend", ingressBackend), 3: .text("pathType"),
  ]

  private static let ingressBackend: ProtobufMessage = [
    3: .message("resource", [1: .text("apiGroup"), 2: .text("kind"), 3: .text("name")]),
    4: .message("service", [1: .text("name"), 2: .message("port", [1: .text("name"), 2: .integer("number")])]),
  ]

  static let priorityClass: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .integer("value"), 3: .flag("globalDefault"),
    4: .text("description"), 5: .text("preemptionPolicy"),
  ]
}
