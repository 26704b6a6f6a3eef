/// `apps/v1` ReplicaSet.
public struct ReplicaSet: KubernetesResource, Hashable {
  public static let resource = ResourceType.replicaSets

  public var metadata: ObjectMeta
  public var spec: ReplicaSetSpec
  public var status: ReplicaSetStatus?
}

public struct ReplicaSetSpec: Codable, Sendable, Hashable {
  /// The server defaults it to 1.
  public var replicas: Int?
  public var selector: LabelSelector
  public var template: PodTemplateSpec?
  /// Seconds; 0 where absent.
  public var minReadySeconds: Int?
}

public struct ReplicaSetStatus: Codable, Sendable, Hashable {
  public var observedGeneration: Int?
  /// The pods that exist.
  public var replicas: Int?
  public var fullyLabeledReplicas: Int?
  public var readyReplicas: Int?
  public var availableReplicas: Int?
  public var terminatingReplicas: Int?
  public var conditions: [Condition]?
}

extension ReplicaSet {
  public var replicas: Int { spec.replicas ?? 1 }
  public var currentReplicas: Int { status?.replicas ?? 0 }
  public var readyReplicas: Int { status?.readyReplicas ?? 0 }
  public var availableReplicas: Int { status?.availableReplicas ?? 0 }
  public var isObserved: Bool { (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) }
}
