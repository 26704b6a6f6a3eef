import KubernetesAPI

/// Taking a person's routing object over as Sluice's own, in one write, and giving it back as it was.
enum Adoption {
  /// The annotation that keeps what the object said before.
  static let original = "sluice.dev/original"

  /// Annotations take 256 KiB together, and others are there too.
  private static let longest = 128 * 1024

  /// What GitOps tools read on a live object that Git names no longer: Sluice's it is now, not theirs to delete, and no
  /// reason to call the rest OutOfSync.
  private static let protections = [
    ("argocd.argoproj.io/sync-options", "Prune=false"), ("argocd.argoproj.io/compare-options", "IgnoreExtraneous"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"), ("helm.sh/resource-policy", "keep"),
  ]

  /// Whether nobody of Sluice has written the object.
  static func isPersons(_ live: JSON) -> Bool {
    live.labels[RoutingNames.rollout] == nil && live.annotations[RoutingNames.target] == nil
  }

  static func takeOver(_ live: JSON, as wanted: RoutingObject) throws(RoutingRefusal) -> RoutingWrite? {
    let labels = JSON.object(wanted.object.labels.mapValues { _ in .null })
    let before: JSON = [
      "spec": live["spec"] ?? .null,
      "labels": .object(
        (labels.object ?? [:]).merging(
          live.labels.filter { wanted.object.labels[$0.key] != nil }.mapValues(JSON.string)
        ) {
          $1
        }),
      "annotations": .object(
        Dictionary(
          uniqueKeysWithValues: protections.map { ($0.0, live.annotations[$0.0].map(JSON.string) ?? .null) })),
    ]
    guard before.description.utf8.count <= longest else {
      throw RoutingRefusal([
        "\(wanted.type.kind) \(wanted.key) is too large to be kept for its return (\(longest / 1024) KiB); move rules of "
          + "other Services to an object of their own"
      ])
    }
    guard case .replace(var object)? = try wanted.write(over: live, owned: true) else { return nil }
    var annotations = object.object[path: ["metadata", "annotations"]] ?? .emptyObject
    annotations[original] = .string(before.description)
    for (name, value) in protections {
      // Argo CD's is a list.
      let values = (live.annotations[name] ?? "").split(separator: ",").map(String.init)
      let isList = name.hasPrefix("argocd")
      annotations[name] = .string(isList && !values.contains(value) ? (values + [value]).joined(separator: ",") : value)
    }
    object.object[path: ["metadata", "annotations"]] = annotations
    return .replace(object)
  }

  /// `nil` for an object of which nothing is kept.
  static func giveBack(_ live: JSON, _ type: ResourceType) -> RoutingWrite? {
    guard let text = live.annotations[original], let before = try? JSON(parsing: text), let spec = before["spec"],
      spec.object != nil
    else { return nil }
    var object = live
    object["apiVersion"] = .string(type.apiVersion)
    object["kind"] = .string(type.kind)
    object["spec"] = spec
    object["status"] = nil
    for field in ["labels", "annotations"] {
      for (name, value) in before[field]?.object ?? [:] {
        object[path: ["metadata", field, name]] = value.isNull ? nil : value
      }
    }
    for name in [original, RoutingNames.target, RoutingNames.run, RoutingNames.step] {
      object[path: ["metadata", "annotations", name]] = nil
    }
    return .replace(RoutingObject(type: type, object: object))
  }
}
