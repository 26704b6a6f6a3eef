import KubernetesAPI

/// Which fields a write through some endpoint can own: never what the server keeps itself, and never what the endpoint
/// throws away (`resetFields`: the status on the main resource, the spec on the subresource).
struct OwnedFields: Sendable, Hashable {
  /// Paths that are not owned, with all below them.
  var excluded: [[String]] = []
  /// Where set, nothing but this member can be owned.
  var only: String?

  /// - Parameters:
  ///   - hasStatus: the kind has a subresource `status`.
  ///   - subresource: the one that is written; empty for the main resource.
  static func of(_ type: ResourceType, isCustom: Bool, hasStatus: Bool, subresource: String) -> OwnedFields {
    guard hasStatus else { return OwnedFields() }
    switch subresource {
    case "": return OwnedFields(excluded: [["status"]])
    case "status":
      if isCustom { return OwnedFields(only: "status") }
      switch (type.group, type.plural) {
      case ("apps", "deployments"): return OwnedFields(excluded: [["spec"], ["metadata", "labels"]])
      case ("", "pods"):
        return OwnedFields(
          excluded: [["spec"], ["metadata", "deletionTimestamp"], ["metadata", "ownerReferences"]])
      case ("apiextensions.k8s.io", _), ("admissionregistration.k8s.io", _):
        return OwnedFields(excluded: [["spec"], ["metadata"]])
      default: return OwnedFields(excluded: [["spec"]])
      }
    default: return OwnedFields()
    }
  }

  /// Identity and what the server writes; these belong to nobody.
  private static let systemMetadata = [
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
    "resourceVersion",
  ]

  func filter(_ set: FieldSet) -> FieldSet {
    var set = set
    if let only {
      set = set.keeping(.field(only))
    }
    for path in excluded { set = set.removing(path.map(PathElement.field)) }
    set.members.subtract([.field("apiVersion"), .field("kind"), .field("metadata")])
    let metadata = PathElement.field("metadata")
    var below = set[child: metadata]
    for name in Self.systemMetadata { below = below.removing([.field(name)]) }
    set[child: metadata] = below
    return set
  }
}
