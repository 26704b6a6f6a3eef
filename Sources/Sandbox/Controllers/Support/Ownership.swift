import KubernetesAPI

/// Owner references of untyped objects, as the controllers of Kubernetes write them.
enum Ownership {
  /// A reference that makes `owner` the controller of an object.
  static func controllerReference(to owner: JSON, of type: ResourceType) -> JSON {
    [
      "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "name": .string(owner.name),
      "uid": .string(owner.uid), "controller": true, "blockOwnerDeletion": true,
    ]
  }

  /// The object with `owner` as its controller. A reference to the same owner that is there already is turned into
  /// the controller reference, as the merge key `uid` has it.
  static func adopting(_ object: JSON, by owner: JSON, of type: ResourceType) -> JSON {
    var references = object.ownerReferences
    let reference = controllerReference(to: owner, of: type)
    if let index = references.firstIndex(where: { $0["uid"]?.string == owner.uid }) {
      references[index] = reference
    } else {
      references.append(reference)
    }
    return setting(references, on: object)
  }

  /// The object without its references to these owners.
  static func releasing(_ object: JSON, from owners: Set<String>) -> JSON {
    setting(object.ownerReferences.filter { !owners.contains($0["uid"]?.string ?? "") }, on: object)
  }

  static func setting(_ references: [JSON], on object: JSON) -> JSON {
    var object = object
    object[path: ["metadata", "ownerReferences"]] = references.isEmpty ? nil : .array(references)
    return object
  }
}

/// What a controller does with an object that its selector might select: the rules of adoption and release.
enum Claim {
  case keep
  case adopt
  case release
  case ignore

  /// - Parameters:
  ///   - owner: the controller's object, for instance a Deployment.
  ///   - matches: whether its selector selects the labels of `object`.
  init(of object: JSON, by owner: JSON, matches: Bool) {
    if let controller = object.controllerUID {
      if controller != owner.uid {
        self = .ignore
      } else if matches {
        self = .keep
      } else {
        self = owner.isBeingDeleted ? .ignore : .release
      }
    } else {
      self = matches && !owner.isBeingDeleted && !object.isBeingDeleted ? .adopt : .ignore
    }
  }
}
