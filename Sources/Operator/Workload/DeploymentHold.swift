import KubernetesAPI

/// What a hold changes in a Deployment's spec.
public enum DeploymentHold {
  /// What the API server gives a Deployment that names no `progressDeadlineSeconds`.
  static let defaultDeadline = 600

  /// What a Deployment that is paused at rest gets, so that kstatus calls it current.
  static let endlessDeadline = 2_147_483_647

  /// In seconds.
  static func deadline(of deployment: JSON) -> Int {
    deployment[path: ["spec", "progressDeadlineSeconds"]]?.int ?? defaultDeadline
  }

  /// The patch of the spec that ends a hold. Nulls, and no server-side apply without the field: that would do nothing once
  /// somebody replaced the object.
  public static func ended(for deployment: JSON) -> JSON {
    var spec: JSON = ["paused": .null]
    if deadline(of: deployment) == endlessDeadline { spec["progressDeadlineSeconds"] = JSON(defaultDeadline) }
    return spec
  }
}
