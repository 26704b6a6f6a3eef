/// `discovery.k8s.io/v1` EndpointSlice.
public struct EndpointSlice: KubernetesResource, Hashable {
  public static let resource = ResourceType.endpointSlices
  /// The label that names the Service.
  public static let serviceNameLabel = "kubernetes.io/service-name"

  public struct Conditions: Codable, Sendable, Hashable {
    /// Absent means ready.
    public var ready: Bool?
    public var serving: Bool?
    public var terminating: Bool?
  }

  public struct Endpoint: Codable, Sendable, Hashable {
    public var addresses: [String]
    public var conditions: Conditions?
    public var targetRef: ObjectReference?
    public var nodeName: String?
    public var zone: String?
  }

  public struct Port: Codable, Sendable, Hashable {
    public var name: String?
    public var port: Int?
    public var `protocol`: String?
    public var appProtocol: String?
  }

  public var metadata: ObjectMeta
  public var addressType: String
  /// A slice without endpoints has `null` here.
  public var endpoints: [Endpoint]?
  public var ports: [Port]?
}

extension EndpointSlice {
  public var serviceName: String? { metadata.labels?[Self.serviceNameLabel] }
  public var readyEndpoints: [Endpoint] { (endpoints ?? []).filter { $0.conditions?.ready ?? true } }
}
