import KubernetesAPI

/// The labels, annotations and finalizers that Sluice writes. The admission policies in deploy/policies know some too.
public enum Names {
  public static let fieldManager = "sluice"

  /// On the Deployment: the Rollout that manages it; the policies select by it. On objects that Sluice makes: their Rollout.
  public static let managed = "sluice.dev/managed"
  public static let rollout = "sluice.dev/rollout"
  public static let run = "sluice.dev/run"
  /// On a routing object: the step, counted from 1, of the run that wrote it; one more than there are for the promotion.
  public static let step = "sluice.dev/step"
  public static let revision = "sluice.dev/revision"
  public static let track = "sluice.dev/track"
  /// On a ReplicaSet: why its revision was rejected.
  public static let rejected = "sluice.dev/rejected"

  /// On a Deployment: who holds it.
  public static let held = "sluice.dev/held"
  /// On a Deployment or a callers' Service: changed by every write of ours, so that the policies let that write through.
  public static let ownWrite = "sluice.dev/own-write"
  /// On a callers' Service: the revision it is pinned to.
  public static let pin = "sluice.dev/pin"

  public static let finalizer = "sluice.dev/finalizer"

  public static let templateHash = "pod-template-hash"
  public static let revisionNumber = "deployment.kubernetes.io/revision"
  public static let desiredReplicas = "deployment.kubernetes.io/desired-replicas"
  public static let maxReplicas = "deployment.kubernetes.io/max-replicas"
}

/// The value of ``Names/ownWrite``. It names the state that a write was decided on, so that the policies let that write
/// through and no other.
public enum OwnWrite {
  /// By its generation, since a Deployment's status is written all the time.
  public static func mark(deployment: JSON) -> JSON { .string("sluice@\(deployment.generation)") }

  /// By its resourceVersion: a Service has no generation.
  public static func mark(service: JSON) -> JSON { .string("sluice@\(service.resourceVersion)") }
}
