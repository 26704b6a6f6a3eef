import Foundation
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

  /// The specs of all of them in one, which is enough to say who owns which field.
  static let schema = Schema.object([
    "apiVersion": .string, "kind": .string, "metadata": MetaSchemas.objectMeta, "status": .anyObject,
    "spec": .object([
      "user": .string, "uid": .string, "groups": .list(of: .string), "extra": .map(of: .list(of: .string)),
      "token": .string, "audiences": .list(of: .string), "expirationSeconds": .int64(),
      "boundObjectRef": .object(["kind": .string, "apiVersion": .string, "name": .string, "uid": .string]),
      "resourceAttributes": .object([
        "namespace": .string, "verb": .string, "group": .string, "version": .string, "resource": .string,
        "subresource": .string, "name": .string,
      ]), "nonResourceAttributes": .object(["path": .string, "verb": .string]),
    ]),
  ])

  /// A review with the managedFields of whoever asks.
  static func managed(
    _ review: JSON, _ request: ServerRequest, subresource: String = "", skeleton: JSON = ["spec": [:]], now: Date
  ) -> JSON {
    let agent = WriteOptions.manager(ofAgent: request.header("User-Agent") ?? "")
    let manager = request.parameter("fieldManager") ?? agent
    return ManagedFields.update(
      review, old: nil,
      by: .init(manager: manager, apiVersion: review.apiVersion, subresource: subresource, now: now), schema: schema,
      skeleton: skeleton)
  }

  private static func kind(_ group: String, _ kind: String, _ plural: String, namespaced: Bool = false) -> ServedKind {
    ServedKind(
      type: ResourceType(group: group, kind: kind, plural: plural, namespaced: namespaced),
      singular: kind.lowercased(), verbs: ["create"], schema: schema)
  }
}
