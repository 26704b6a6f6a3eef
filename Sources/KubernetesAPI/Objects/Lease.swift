/// `coordination.k8s.io/v1` Lease.
public struct Lease: KubernetesResource, Hashable {
  public static let resource = ResourceType.leases

  public struct Spec: Codable, Sendable, Hashable {
    /// Absent or empty: released.
    public var holderIdentity: String?
    /// Seconds after `renewTime` until others may take the lease.
    public var leaseDurationSeconds: Int?
    public var acquireTime: MicroTime?
    public var renewTime: MicroTime?
    /// How often the holder changed.
    public var leaseTransitions: Int?

    public init(
      holderIdentity: String? = nil, leaseDurationSeconds: Int? = nil, acquireTime: MicroTime? = nil,
      renewTime: MicroTime? = nil, leaseTransitions: Int? = nil
    ) {
      self.holderIdentity = holderIdentity
      self.leaseDurationSeconds = leaseDurationSeconds
      self.acquireTime = acquireTime
      self.renewTime = renewTime
      self.leaseTransitions = leaseTransitions
    }
  }

  public var metadata: ObjectMeta
  public var spec: Spec?

  public init(metadata: ObjectMeta, spec: Spec? = nil) {
    self.metadata = metadata
    self.spec = spec
  }
}
