import KubernetesAPI

/// RFC 7386: `null` removes a member, objects are merged, all else is replaced.
enum MergePatch {
  static func apply(_ patch: JSON, to document: JSON) -> JSON {
    guard let changes = patch.object else { return patch }
    var members = document.object ?? [:]
    for (name, change) in changes {
      if change.isNull {
        members[name] = nil
      } else {
        members[name] = apply(change, to: members[name] ?? .null)
      }
    }
    return .object(members)
  }
}
