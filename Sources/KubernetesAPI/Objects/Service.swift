/// `v1` Service.
public struct Service: KubernetesResource, Hashable {
  public static let resource = ResourceType.services

  public var metadata: ObjectMeta
  public var spec: ServiceSpec
}

public struct ServiceSpec: Codable, Sendable, Hashable {
  public struct Port: Codable, Sendable, Hashable {
    public var name: String?
    public var port: Int
    /// A number or the name of a container port; the server defaults it to `port`.
    public var targetPort: IntOrString?
    /// `TCP` where absent.
    public var `protocol`: String?
    public var appProtocol: String?
    public var nodePort: Int?
  }

  /// Absent or empty: nothing is selected.
  public var selector: [String: String]?
  public var ports: [Port]?
  /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
  public var type: String?
  /// `None` for a headless Service.
  public var clusterIP: String?
  public var sessionAffinity: String?
  public var sessionAffinityConfig: JSON?
  public var internalTrafficPolicy: String?
  public var externalTrafficPolicy: String?
  public var trafficDistribution: String?
  public var ipFamilies: [String]?
  public var ipFamilyPolicy: String?
  public var publishNotReadyAddresses: Bool?
}

extension Service {
  public var isHeadless: Bool { spec.clusterIP == "None" }
}
