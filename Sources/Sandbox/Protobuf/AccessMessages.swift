/// The messages of `k8s.io.api.rbac.v1`, `authentication.v1` and `authorization.v1`.
enum AccessMessages {
  static let role: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .list("rules", rule),
  ]

  static let clusterRole: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta), 2: .list("rules", rule),
    3: .message("aggregationRule", [1: .list("clusterRoleSelectors", MetaMessages.labelSelector)]),
  ]

  /// Of a namespace or of the cluster: both have the same fields.
  static let binding: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .list("subjects", [1: .text("kind"), 2: .text("apiGroup"), 3: .text("name"), 4: .text("namespace")]),
    3: .message("roleRef", [1: .text("apiGroup"), 2: .text("kind"), 3: .text("name")]),
  ]

  private static let rule: ProtobufMessage = [
    1: .texts("verbs"), 2: .texts("apiGroups"), 3: .texts("resources"), 4: .texts("resourceNames"),
    5: .texts("nonResourceURLs"),
  ]

  static let tokenRequest: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .texts("audiences"),
        3: .message("boundObjectRef", [1: .text("kind"), 2: .text("apiVersion"), 3: .text("name"), 4: .text("uid")]),
        4: .integer("expirationSeconds"),
      ]),
  ]

  /// Asks nothing: who asks is the question.
  static let selfSubjectReview: ProtobufMessage = [1: .message("metadata", MetaMessages.objectMeta)]

  static let selfSubjectAccessReview: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message("spec", [1: .message("resourceAttributes", resource), 2: .message("nonResourceAttributes", path)]),
  ]

  static let subjectAccessReview: ProtobufMessage = [
    1: .message("metadata", MetaMessages.objectMeta),
    2: .message(
      "spec",
      [
        1: .message("resourceAttributes", resource), 2: .message("nonResourceAttributes", path), 3: .text("user"),
        4: .texts("groups"), 6: .text("uid"),
      ]),
  ]

  private static let resource: ProtobufMessage = [
    1: .text("namespace"), 2: .text("verb"), 3: .text("group"), 4: .text("version"), 5: .text("resource"),
    6: .text("subresource"), 7: .text("name"),
  ]

  private static let path: ProtobufMessage = [1: .text("path"), 2: .text("verb")]
}
