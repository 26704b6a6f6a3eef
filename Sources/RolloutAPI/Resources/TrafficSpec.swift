import KubernetesAPI

/// How traffic reaches the workload: exactly one provider, and the policy that both tracks share.
public struct TrafficSpec: Codable, Sendable, Hashable {
  public var istio: IstioSpec?
  public var gatewayAPI: GatewayAPISpec?
  public var replicas: ReplicasSpec?
  /// The largest share of requests that may reach the canary beside the routing object before the run pauses.
  public var maxBypass: String?
  public var timeouts: TimeoutsSpec?
  public var retries: RetriesSpec?
  public var loadBalancing: LoadBalancingSpec?
  public var connectionLimits: ConnectionLimitsSpec?
  public var circuitBreaking: CircuitBreakingSpec?
  public var mtls: MTLSMode?

  public init(
    istio: IstioSpec? = nil, gatewayAPI: GatewayAPISpec? = nil, replicas: ReplicasSpec? = nil,
    maxBypass: String? = nil, timeouts: TimeoutsSpec? = nil, retries: RetriesSpec? = nil,
    loadBalancing: LoadBalancingSpec? = nil, connectionLimits: ConnectionLimitsSpec? = nil,
    circuitBreaking: CircuitBreakingSpec? = nil, mtls: MTLSMode? = nil
  ) {
    self.istio = istio
    self.gatewayAPI = gatewayAPI
    self.replicas = replicas
    self.maxBypass = maxBypass
    self.timeouts = timeouts
    self.retries = retries
    self.loadBalancing = loadBalancing
    self.connectionLimits = connectionLimits
    self.circuitBreaking = circuitBreaking
    self.mtls = mtls
  }
}

/// A VirtualService, owned by Sluice or a person's.
public struct IstioSpec: Codable, Sendable, Hashable {
  /// Hosts of requests from outside the mesh.
  public var hosts: [String]?
  /// Gateways as `name` or `namespace/name`.
  public var gateways: [String]?
  /// Which requests of these hosts; all where absent.
  public var matches: [HTTPMatch]?
  /// Whether callers in the mesh are routed too; true where absent.
  public var mesh: Bool?
  /// A person's VirtualService to edit in place, instead of one that Sluice owns.
  public var route: RouteReference?
  /// Whether the VirtualService is one that a person's delegates to: it then has neither hosts nor gateways.
  public var delegate: Bool?
  /// A person's VirtualService that Sluice takes over as its own.
  public var adopt: AdoptReference?

  public init(
    hosts: [String]? = nil, gateways: [String]? = nil, matches: [HTTPMatch]? = nil, mesh: Bool? = nil,
    route: RouteReference? = nil, delegate: Bool? = nil, adopt: AdoptReference? = nil
  ) {
    self.hosts = hosts
    self.gateways = gateways
    self.matches = matches
    self.mesh = mesh
    self.route = route
    self.delegate = delegate
    self.adopt = adopt
  }
}

/// An HTTPRoute, owned by Sluice or a person's.
public struct GatewayAPISpec: Codable, Sendable, Hashable {
  public var parentRefs: [ParentReference]?
  public var hostnames: [String]?
  public var matches: [HTTPMatch]?
  /// Whether callers of the Service itself are routed too (a route with the Service as parent); true where absent.
  public var mesh: Bool?
  /// Whose metrics judge the tracks; found out from the Gateways' classes where absent.
  public var metrics: MetricsSource?
  /// A person's HTTPRoute to edit in place, instead of one that Sluice owns.
  public var route: RouteReference?
  /// A person's HTTPRoute that Sluice takes over as its own.
  public var adopt: AdoptReference?

  public init(
    parentRefs: [ParentReference]? = nil, hostnames: [String]? = nil, matches: [HTTPMatch]? = nil, mesh: Bool? = nil,
    metrics: MetricsSource? = nil, route: RouteReference? = nil, adopt: AdoptReference? = nil
  ) {
    self.metrics = metrics
    self.parentRefs = parentRefs
    self.hostnames = hostnames
    self.matches = matches
    self.mesh = mesh
    self.route = route
    self.adopt = adopt
  }
}

/// Whose metrics tell what the tracks do.
public enum MetricsSource: String, Codable, Sendable, Hashable, CaseIterable {
  /// Istio's sidecars and gateways.
  case istio = "Istio"
  /// Istio's waypoints and gateways; nothing counts beside the callee.
  case istioAmbient = "IstioAmbient"
  case linkerd = "Linkerd"
  case envoyGateway = "EnvoyGateway"
  /// Nobody's: the plan has only queries of its own, and the share that arrives is not measured.
  case none = "None"
}

/// `ParentReference` of the Gateway API.
public struct ParentReference: Codable, Sendable, Hashable {
  /// `gateway.networking.k8s.io` where absent.
  public var group: String?
  /// `Gateway` where absent.
  public var kind: String?
  /// The Rollout's own where absent.
  public var namespace: String?
  public var name: String
  public var sectionName: String?
  public var port: Int?

  public init(
    group: String? = nil, kind: String? = nil, namespace: String? = nil, name: String, sectionName: String? = nil,
    port: Int? = nil
  ) {
    self.group = group
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.sectionName = sectionName
    self.port = port
  }
}

/// A routing object that a person keeps, and which of its rules is Sluice's to weigh.
public struct RouteReference: Codable, Sendable, Hashable {
  public var name: String
  /// The name of the rule. May be absent where a VirtualService has only one, and where only one of an HTTPRoute sends to
  /// the callers' Service.
  public var rule: String?

  public init(name: String, rule: String? = nil) {
    self.name = name
    self.rule = rule
  }
}

/// A routing object of a person's that becomes Sluice's own. Where it is not there, Sluice makes it under that name.
public struct AdoptReference: Codable, Sendable, Hashable {
  public var name: String

  public init(name: String) { self.name = name }
}

/// No mesh: the weight is a number of pods. No settings yet.
public struct ReplicasSpec: Codable, Sendable, Hashable {
  public init() {}
}

/// The deadlines of one request.
public struct TimeoutsSpec: Codable, Sendable, Hashable {
  /// Of the whole request, retries included.
  public var request: String?
  /// Of one attempt.
  public var backendRequest: String?

  public init(request: String? = nil, backendRequest: String? = nil) {
    self.request = request
    self.backendRequest = backendRequest
  }
}

/// What a caller's proxy tries again.
public struct RetriesSpec: Codable, Sendable, Hashable {
  /// Attempts after the first; 0 turns the mesh's own retries off.
  public var attempts: Int
  /// Answers that are tried again; where absent, failures to connect and 503.
  public var codes: [Int]?
  /// The shortest wait between attempts.
  public var backoff: String?

  public init(attempts: Int, codes: [Int]? = nil, backoff: String? = nil) {
    self.attempts = attempts
    self.codes = codes
    self.backoff = backoff
  }
}

/// Exactly one of the two.
public struct LoadBalancingSpec: Codable, Sendable, Hashable {
  public var algorithm: LoadBalancingAlgorithm?
  public var consistentHash: ConsistentHashSpec?

  public init(algorithm: LoadBalancingAlgorithm? = nil, consistentHash: ConsistentHashSpec? = nil) {
    self.algorithm = algorithm
    self.consistentHash = consistentHash
  }
}

/// How a proxy chooses among the pods of a track.
public enum LoadBalancingAlgorithm: String, Codable, Sendable, Hashable, CaseIterable {
  case roundRobin = "RoundRobin"
  case leastRequest = "LeastRequest"
  case random = "Random"
}

/// What decides which pod of a track a request goes to: exactly one.
public struct ConsistentHashSpec: Codable, Sendable, Hashable {
  public var header: String?
  public var cookie: String?
  public var sourceIP: Bool?

  public init(header: String? = nil, cookie: String? = nil, sourceIP: Bool? = nil) {
    self.header = header
    self.cookie = cookie
    self.sourceIP = sourceIP
  }
}

/// Of one proxy towards one track; what is absent is the mesh's own.
public struct ConnectionLimitsSpec: Codable, Sendable, Hashable {
  public var maxConnections: Int?
  public var maxPendingRequests: Int?
  public var maxRequests: Int?
  public var maxRequestsPerConnection: Int?
  public var connectTimeout: String?

  public init(
    maxConnections: Int? = nil, maxPendingRequests: Int? = nil, maxRequests: Int? = nil,
    maxRequestsPerConnection: Int? = nil, connectTimeout: String? = nil
  ) {
    self.maxConnections = maxConnections
    self.maxPendingRequests = maxPendingRequests
    self.maxRequests = maxRequests
    self.maxRequestsPerConnection = maxRequestsPerConnection
    self.connectTimeout = connectTimeout
  }
}

/// When a pod that fails is left out of load balancing for a while.
public struct CircuitBreakingSpec: Codable, Sendable, Hashable {
  /// Failures in a row that eject a pod.
  public var consecutiveErrors: Int
  /// How often it is looked at; 10s where absent.
  public var interval: String?
  /// How long the first ejection lasts; 30s where absent.
  public var ejectionTime: String?
  /// The largest share of a track's pods that may be ejected; 10% where absent.
  public var maxEjected: String?

  public init(
    consecutiveErrors: Int, interval: String? = nil, ejectionTime: String? = nil, maxEjected: String? = nil
  ) {
    self.consecutiveErrors = consecutiveErrors
    self.interval = interval
    self.ejectionTime = ejectionTime
    self.maxEjected = maxEjected
  }
}

/// What the plan wants to see of mutual TLS.
public enum MTLSMode: String, Codable, Sendable, Hashable, CaseIterable {
  /// As Verify, and the mesh must refuse plain text: Sluice has callers of both tracks use mutual TLS, and starts no run
  /// while the pods would take anything else.
  case strict = "Strict"
  /// The share of requests that arrive by mutual TLS is measured; less than all holds the run before its weight grows.
  case verify = "Verify"
}
