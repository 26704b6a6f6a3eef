import KubernetesAPI

/// Who refers to whom by owner reference, kept up from the stream of changes.
struct OwnerIndex {
  private var dependents: [String: Set<TypedKey>] = [:]

  mutating func note(_ change: ObjectChange) {
    let before = owners(of: change.old)
    let after = owners(of: change.new)
    for owner in before.subtracting(after) {
      dependents[owner]?.remove(change.reference)
      if dependents[owner]?.isEmpty == true { dependents[owner] = nil }
    }
    for owner in after { dependents[owner, default: []].insert(change.reference) }
  }

  /// Sorted.
  func dependents(of uid: String) -> [TypedKey] { (dependents[uid] ?? []).sorted() }

  private func owners(of object: JSON?) -> Set<String> {
    guard let object else { return [] }
    return Set(object.ownerReferences.compactMap { $0["uid"]?.string })
  }
}
