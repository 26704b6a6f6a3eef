import KubernetesAPI

/// Pod templates as revisions.
enum PodTemplate {
  /// Whether two templates are the same revision: equal but for `pod-template-hash`, where empty and absent are the
  /// same.
  static func isSameRevision(_ left: JSON, _ right: JSON) -> Bool {
    comparable(left) == comparable(right)
  }

  /// Names the revision. Not the number that kube-controller-manager computes, which hashes the memory of a Go value,
  /// but of the same shape.
  static func hash(of template: JSON, collisionCount: Int?) -> String {
    var bytes = comparable(template).bytes
    if let collisionCount { bytes.append(contentsOf: String(collisionCount).utf8) }
    return StableHash.safeName(StableHash.fnv1a(bytes))
  }

  static func labelled(_ template: JSON, hash: String) -> JSON {
    var template = template
    template[path: ["metadata", "labels", ReplicaSetView.podTemplateHash]] = .string(hash)
    return template
  }

  private static func comparable(_ template: JSON) -> JSON {
    var template = template
    template[path: ["metadata", "labels", ReplicaSetView.podTemplateHash]] = nil
    return withoutEmpty(template) ?? .emptyObject
  }

  private static func withoutEmpty(_ value: JSON) -> JSON? {
    switch value {
    case .null: return nil
    case .array(let elements):
      // Elements keep their places: an empty one is not the same as none.
      return elements.isEmpty ? nil : .array(elements.map { withoutEmpty($0) ?? .emptyObject })
    case .object(let members):
      let kept = members.compactMapValues(withoutEmpty)
      return kept.isEmpty ? nil : .object(kept)
    default: return value
    }
  }
}
