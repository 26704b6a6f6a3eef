import KubernetesAPI

/// The kinds that are asked and never stored.
enum Reviews {
  static let kinds: [ServedKind] = [
    kind("authentication.k8s.io", "TokenReview", "tokenreviews"),
    kind("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
    kind("authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews", namespaced: true),
    kind("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    kind("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
  ]

  private static func kind(_ group: String, _ kind: String, _ plural: String, namespaced: Bool = false) -> ServedKind {
    ServedKind(
      type: ResourceType(group: group, kind: kind, plural: plural, namespaced: namespaced),
      singular: kind.lowercased(), verbs: ["create"], schema: .anyObject)
  }
}
