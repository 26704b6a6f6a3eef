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
  /// Namespaces, other than a Rollout's own, whose gateways its plan may name.
  public var gatewayNamespaces: Set<String>
  /// Rollouts that are reconciled at the same time.
  public var workers: Int
  /// The label by which plans' own queries are kept to the Rollout's namespace; `nil` lets them read all namespaces.
  public var queryNamespaceLabel: String?

  public init(
    prometheusURL: String, namespace: String? = nil, lease: ObjectKey, identity: String,
    gatewayNamespaces: Set<String> = [], workers: Int = 8, queryNamespaceLabel: String? = "namespace"
  ) {
    self.prometheusURL = prometheusURL
    self.namespace = namespace
    self.lease = lease
    self.identity = identity
    self.gatewayNamespaces = gatewayNamespaces
    self.workers = workers
    self.queryNamespaceLabel = queryNamespaceLabel
  }
}
