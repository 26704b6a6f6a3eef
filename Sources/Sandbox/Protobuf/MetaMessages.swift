/// The messages of `k8s.io.apimachinery.pkg.apis.meta.v1`.
enum MetaMessages {
  /// Without `selfLink`, which is no longer served, and `managedFields`, which are the server's own.
  static let objectMeta: ProtobufMessage = [
    1: .text("name"), 2: .text("generateName"), 3: .text("namespace"), 5: .text("uid"), 6: .text("resourceVersion"),
    7: .integer("generation"), 8: .time("creationTimestamp"), 9: .time("deletionTimestamp"),
    10: .integer("deletionGracePeriodSeconds"), 11: .map("labels"), 12: .map("annotations"),
    13: .list("ownerReferences", ownerReference), 14: .texts("finalizers"),
  ]

  private static let ownerReference: ProtobufMessage = [
    1: .text("kind"), 3: .text("name"), 4: .text("uid"), 5: .text("apiVersion"), 6: .flag("controller"),
    7: .flag("blockOwnerDeletion"),
  ]

  static let labelSelector: ProtobufMessage = [
    1: .map("matchLabels"),
    2: .list("matchExpressions", [1: .text("key"), 2: .text("operator"), 3: .texts("values")]),
  ]

  static let deleteOptions: ProtobufMessage = [
    1: .integer("gracePeriodSeconds"),
    2: .message("preconditions", [1: .text("uid"), 2: .text("resourceVersion")]),
    3: .flag("orphanDependents"), 4: .text("propagationPolicy"), 5: .texts("dryRun"),
  ]
}
