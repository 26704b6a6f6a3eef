import KubernetesAPI
import Operator

/// The revisions of a Deployment, as its ReplicaSets keep them.
enum Revisions {
  static let restartAnnotation = "kubectl.kubernetes.io/restartedAt"

  /// The pod template without the label that only names it.
  static func template(of object: JSON) -> PodTemplateSpec {
    PodTemplateSpec(object[path: ["spec", "template"]] ?? .emptyObject).removingLabel(Names.templateHash)
  }

  static func number(of set: JSON) -> Int? { set.annotations[Names.revisionNumber].flatMap(Int.init) }

  /// What an undo goes back to.
  struct Earlier: Equatable {
    var set: String
    var number: Int?
    var template: PodTemplateSpec
  }

  /// The ReplicaSet to go back to: the one with that revision number; else the stable one while the Deployment's template
  /// holds another revision; else the one with the highest number among the others.
  /// - Parameters:
  ///   - sets: the ReplicaSets of the namespace; those that do not belong to the Deployment are passed over.
  ///   - stable: the name of the stable ReplicaSet, where there is one.
  static func earlier(
    than deployment: JSON, among sets: [JSON], stable: String?, number wanted: Int? = nil
  ) throws(CommandFailure) -> Earlier {
    let current = template(of: deployment)
    let own = sets.filter { set in
      set.ownerReferences.contains { $0["uid"]?.string == deployment.uid }
    }
    func found(_ set: JSON) -> Earlier { Earlier(set: set.name, number: number(of: set), template: template(of: set)) }
    if let wanted {
      guard let set = own.first(where: { number(of: $0) == wanted }) else {
        let numbers = own.compactMap(number).sorted().map(String.init).joined(separator: ", ")
        throw CommandFailure(
          "Deployment \(deployment.name) keeps no revision \(wanted); it keeps \(numbers.isEmpty ? "none" : numbers)")
      }
      guard template(of: set) != current else {
        throw CommandFailure("revision \(wanted) is what Deployment \(deployment.name) holds already")
      }
      return found(set)
    }
    if let set = own.first(where: { $0.name == stable }), template(of: set) != current { return found(set) }
    let others = own.filter { template(of: $0) != current && number(of: $0) != nil }
    guard let newest = others.max(by: { (number(of: $0) ?? 0) < (number(of: $1) ?? 0) }) else {
      throw CommandFailure("Deployment \(deployment.name) keeps no other revision to go back to")
    }
    return found(newest)
  }
}
