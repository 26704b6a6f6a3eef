import KubernetesAPI

/// What the operator is told when it starts.
public struct OperatorSettings: Sendable {
  /// Where Prometheus answers: `http://prometheus.monitoring:9090`.
  public var prometheusURL: String
  /// Only Rollouts of this namespace; all where `nil`.
  public var namespace: String?
  /// Where the lease lies.
  public var lease: ObjectKey
  /// Of this process alone.
  public var identity: String
  /// Another process takes over when the lease was not renewed for so long.
  public var leaseDuration: Duration
  /// Namespaces, other than a Rollout's own, whose gateways its plan may name.
  public var gatewayNamespaces: Set<String>
  /// Rollouts with a failed check or a person's command that are reconciled besides, whatever others do.
  static let reservedWorkers = 2
  /// Connections on which writes go out: an abort's never waits for those of other Rollouts to be answered.
  public var writeConnections: Int { workers + Self.reservedWorkers }
  /// Rollouts that are reconciled at the same time.
  public var workers: Int
  /// The label by which plans' own queries are kept to the Rollout's namespace; `nil` lets them read all namespaces.
  public var queryNamespaceLabel: String?
  /// Where health, readiness and metrics are served; nowhere where `nil`.
  public var status: StatusAddress?
  /// The version of the program, for the metrics.
  public var version: String

  public init(
    prometheusURL: String, namespace: String? = nil, lease: ObjectKey, identity: String,
    leaseDuration: Duration = .seconds(15),
    gatewayNamespaces: Set<String> = [], workers: Int = 8, queryNamespaceLabel: String? = "namespace",
    status: StatusAddress? = nil, version: String = ""
  ) {
    self.prometheusURL = prometheusURL
    self.namespace = namespace
    self.lease = lease
    self.identity = identity
    self.leaseDuration = leaseDuration
    self.gatewayNamespaces = gatewayNamespaces
    self.workers = workers
    self.queryNamespaceLabel = queryNamespaceLabel
    self.status = status
    self.version = version
  }
}

/// An address to listen on.
public struct StatusAddress: Sendable, Hashable {
  /// `0.0.0.0` for all IPv4 addresses, `::` for all of both families.
  public var host: String
  public var port: Int

  public init(host: String = "0.0.0.0", port: Int) {
    self.host = host
    self.port = port
  }
}
