/// `apps/v1` Deployment.
public struct Deployment: KubernetesResource, Hashable {
  public static let resource = ResourceType.deployments

  public var metadata: ObjectMeta
  public var spec: DeploymentSpec
  public var status: DeploymentStatus?
}

public struct DeploymentSpec: Codable, Sendable, Hashable {
  public struct Strategy: Codable, Sendable, Hashable {
    public struct RollingUpdate: Codable, Sendable, Hashable {
      public var maxUnavailable: IntOrString?
      public var maxSurge: IntOrString?
    }

    /// `RollingUpdate` or `Recreate`.
    public var type: String?
    public var rollingUpdate: RollingUpdate?
  }

  /// The server defaults it to 1.
  public var replicas: Int?
  public var selector: LabelSelector
  public var template: PodTemplateSpec
  public var strategy: Strategy?
  /// Seconds; 0 where absent.
  public var minReadySeconds: Int?
  public var revisionHistoryLimit: Int?
  public var paused: Bool?
  /// Seconds; the server defaults it to 600.
  public var progressDeadlineSeconds: Int?
}

public struct DeploymentStatus: Codable, Sendable, Hashable {
  public var observedGeneration: Int?
  public var replicas: Int?
  public var updatedReplicas: Int?
  public var readyReplicas: Int?
  public var availableReplicas: Int?
  public var unavailableReplicas: Int?
  public var terminatingReplicas: Int?
  public var collisionCount: Int?
  public var conditions: [Condition]?
}

extension Deployment {
  public var isPaused: Bool { spec.paused ?? false }
  public var replicas: Int { spec.replicas ?? 1 }
  /// The controller has acted on the newest spec.
  public var isObserved: Bool { (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) }
}
