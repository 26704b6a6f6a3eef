/// `v1` Pod: what tells whether it can carry traffic, and if not, why.
public struct Pod: KubernetesResource, Hashable {
  public static let resource = ResourceType.pods

  public var metadata: ObjectMeta
  public var spec: PodSpec
  public var status: PodStatus?
}

public struct PodSpec: Codable, Sendable, Hashable {
  public var containers: [Container]
  public var initContainers: [Container]?
  public var nodeName: String?
}

public struct Container: Codable, Sendable, Hashable {
  public struct Port: Codable, Sendable, Hashable {
    public var name: String?
    public var containerPort: Int
    /// `TCP` where absent.
    public var `protocol`: String?
  }

  public var name: String
  public var image: String?
  public var ports: [Port]?
}

public struct PodStatus: Codable, Sendable, Hashable {
  /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
  public var phase: String?
  public var conditions: [Condition]?
  public var podIP: String?
  public var reason: String?
  public var message: String?
  public var startTime: Timestamp?
  public var containerStatuses: [ContainerStatus]?
  public var initContainerStatuses: [ContainerStatus]?
}

public struct ContainerStatus: Codable, Sendable, Hashable {
  public struct State: Codable, Sendable, Hashable {
    public var waiting: Waiting?
    public var running: Running?
    public var terminated: Terminated?
  }

  public struct Waiting: Codable, Sendable, Hashable {
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `ErrImagePull`, `CreateContainerConfigError` …
    public var reason: String?
    public var message: String?
  }

  public struct Running: Codable, Sendable, Hashable {
    public var startedAt: Timestamp?
  }

  public struct Terminated: Codable, Sendable, Hashable {
    public var exitCode: Int?
    public var signal: Int?
    /// `Error`, `OOMKilled`, `Completed` …
    public var reason: String?
    public var message: String?
    public var startedAt: Timestamp?
    public var finishedAt: Timestamp?
  }

  public var name: String
  public var ready: Bool?
  public var restartCount: Int?
  public var image: String?
  public var state: State?
  public var lastState: State?
}

extension Pod {
  /// The condition Ready is True.
  public var isReady: Bool { status?.conditions?[type: "Ready"]?.isTrue ?? false }
}
