/// A VirtualService.
public struct IstioTraffic: Sendable, Hashable {
  /// Hosts of requests from outside the mesh.
  public let hosts: [String]
  /// `name` or `namespace/name`.
  public let gateways: [String]
  /// Empty for every request.
  public let matches: [HTTPMatch]
  /// Whether callers in the mesh are routed too.
  public let mesh: Bool
  /// A person's object to edit in place; `nil` where Sluice owns the object.
  public let route: RouteReference?
  /// Whether a person's VirtualService delegates to the one that Sluice owns, which then has neither hosts nor gateways.
  public let delegate: Bool
  /// The name of a person's object that Sluice takes over; `nil` for one of its own making.
  public let adopt: String?
}

/// An HTTPRoute.
public struct GatewayTraffic: Sendable, Hashable {
  public let parents: [ParentReference]
  public let hostnames: [String]
  /// Empty for every request.
  public let matches: [HTTPMatch]
  /// Whether callers of the Service itself are routed too.
  public let mesh: Bool
  /// `nil` where the Gateways' classes tell.
  public let metrics: MetricsSource?
  /// A person's object to edit in place; `nil` where Sluice owns the object.
  public let route: RouteReference?
  /// The name of a person's object that Sluice takes over; `nil` for one of its own making.
  public let adopt: String?

  public init(
    parents: [ParentReference], hostnames: [String], matches: [HTTPMatch], mesh: Bool, metrics: MetricsSource?,
    route: RouteReference? = nil, adopt: String? = nil
  ) {
    self.parents = parents
    self.hostnames = hostnames
    self.matches = matches
    self.mesh = mesh
    self.metrics = metrics
    self.route = route
    self.adopt = adopt
  }
}

/// The mesh's policy for both tracks alike; what is `nil` is left to the mesh.
public struct TrafficPolicy: Sendable, Hashable {
  public let timeouts: Timeouts?
  public let retries: Retries?
  public let loadBalancing: LoadBalancing?
  public let connectionLimits: ConnectionLimits?
  public let circuitBreaking: CircuitBreaking?
  public let mtls: MTLSMode?

  /// After which a caller's proxy gives up.
  public struct Timeouts: Sendable, Hashable {
    /// Of the whole request, retries included.
    public let request: Duration?
    /// Of one attempt.
    public let backendRequest: Duration?
  }

  /// What a caller's proxy tries again.
  public struct Retries: Sendable, Hashable {
    /// After the first attempt; 0 for none.
    public let attempts: Int
    /// Empty for the mesh's own choice.
    public let codes: [Int]
    public let backoff: Duration?
  }

  /// What decides which pod of a track a request goes to.
  public enum LoadBalancing: Sendable, Hashable {
    case algorithm(LoadBalancingAlgorithm)
    case header(String)
    case cookie(String)
    case sourceIP
  }

  /// Of one proxy towards one track.
  public struct ConnectionLimits: Sendable, Hashable {
    public let maxConnections: Int?
    public let maxPendingRequests: Int?
    public let maxRequests: Int?
    public let maxRequestsPerConnection: Int?
    public let connectTimeout: Duration?
  }

  /// When a pod that answers with errors gets no requests for a while.
  public struct CircuitBreaking: Sendable, Hashable {
    public let consecutiveErrors: Int
    public let interval: Duration
    public let ejectionTime: Duration
    public let maxEjected: Percent
  }

  /// Whether any of it needs a policy object beside the route.
  public var isEmpty: Bool { self == .none }

  static let none = TrafficPolicy(
    timeouts: nil, retries: nil, loadBalancing: nil, connectionLimits: nil, circuitBreaking: nil, mtls: nil)
}
