import Foundation
import KubernetesAPI

/// Which writes count in `metadata.generation`.
enum GenerationRule: Sendable, Equatable {
  /// The kind has no generation.
  case none
  case spec
  /// The spec or an annotation, as Deployments have it.
  case specOrAnnotations
  /// All but metadata, or the labels, as EndpointSlices have it.
  case contentOrLabels
  /// All but metadata and, where there is such a subresource, status.
  case content

  static func of(_ kind: ServedKind) -> GenerationRule {
    if kind.isCustom { return .content }
    switch (kind.type.group, kind.type.plural) {
    case ("apps", "deployments"): return .specOrAnnotations
    case ("apps", _), ("policy", _), ("networking.k8s.io", _), ("apiextensions.k8s.io", _), ("", "pods"),
      ("", "replicationcontrollers"), ("admissionregistration.k8s.io", _), ("batch", _):
      return .spec
    case ("discovery.k8s.io", "endpointslices"): return .contentOrLabels
    default: return .none
    }
  }

  /// - Parameter subresource: what is written; only the object itself and its scale count.
  func isBumped(from old: JSON, to new: JSON, _ kind: ServedKind, subresource: String) -> Bool {
    guard subresource.isEmpty || subresource == "scale" else { return false }
    return switch self {
    case .none: false
    case .spec: old["spec"] != new["spec"]
    case .specOrAnnotations: old["spec"] != new["spec"] || new.annotations != old.annotations
    case .contentOrLabels: Self.content(old) != Self.content(new) || old.labels != new.labels
    case .content:
      Self.content(old, withStatus: !kind.hasStatusSubresource)
        != Self.content(new, withStatus: !kind.hasStatusSubresource)
    }
  }

  private static func content(_ object: JSON, withStatus: Bool = true) -> JSON {
    var object = object
    for key in ["metadata", "kind", "apiVersion"] { object[key] = nil }
    if !withStatus { object["status"] = nil }
    return object
  }
}

/// The part of metadata that the server itself keeps.
enum Metadata {
  /// What no client can change is as it was.
  static func preservingSystemFields(_ object: JSON, old: JSON) -> JSON {
    var object = object
    var metadata = object["metadata"] ?? .emptyObject
    for field in ["creationTimestamp", "generation", "deletionTimestamp", "generateName"] {
      metadata[field] = old[path: ["metadata", field]]
    }
    let grace = "deletionGracePeriodSeconds"
    metadata[grace] = old[path: ["metadata", grace]]
    metadata["selfLink"] = nil
    metadata["name"] = old[path: ["metadata", "name"]]
    metadata["namespace"] = old[path: ["metadata", "namespace"]]
    if (metadata["uid"]?.string ?? "").isEmpty { metadata["uid"] = old[path: ["metadata", "uid"]] }
    object["metadata"] = metadata
    return object
  }

  static func validateUpdate(_ object: JSON, old: JSON, _ type: ResourceType) throws(Status) {
    var causes: [Status.Cause] = []
    if object.uid != old.uid {
      causes.append(Refusal.invalidValue("metadata.uid", .string(object.uid), "field is immutable"))
    }
    if old.isBeingDeleted {
      let added = object.finalizers.filter { !old.finalizers.contains($0) }
      if !added.isEmpty {
        let list = added.map { "\"\($0)\"" }.joined(separator: ", ")
        causes.append(
          Refusal.forbiddenField(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{\(list)}"))
      }
    }
    guard !causes.isEmpty else { return }
    // The real server checks the metadata of most built-in kinds twice, and says so twice.
    throw Refusal.invalid(type, old.name, type == .configMaps ? causes.flatMap { [$0, $0] } : causes)
  }
}

enum OwnerReferences {
  /// The same reference twice is kept once.
  static func withoutDuplicates(_ object: JSON) -> JSON {
    guard let references = object[path: ["metadata", "ownerReferences"]]?.array, references.count > 1 else {
      return object
    }
    var seen: Set<JSON> = []
    let unique = references.filter { seen.insert($0).inserted }
    guard unique.count < references.count else { return object }
    var object = object
    object[path: ["metadata", "ownerReferences"]] = .array(unique)
    return object
  }
}

/// Compares objects but for the times in managedFields, which a write that changes nothing does not move.
enum ManagedTimes {
  static func areEqual(_ left: JSON, _ right: JSON) -> Bool {
    if left == right { return true }
    return withoutTimes(left) == withoutTimes(right)
  }

  private static func withoutTimes(_ object: JSON) -> JSON {
    guard let entries = object[path: ["metadata", "managedFields"]]?.array else { return object }
    var object = object
    let timeless = entries.map { entry in
      var entry = entry
      entry["time"] = nil
      return entry
    }
    object[path: ["metadata", "managedFields"]] = timeless.isEmpty ? nil : .array(timeless)
    return object
  }
}
