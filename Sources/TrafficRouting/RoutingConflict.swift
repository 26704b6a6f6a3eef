import KubernetesAPI

/// A routing object of somebody else's that answers the same requests.
public struct RoutingConflict: Sendable, Hashable, CustomStringConvertible {
  public var object: ObjectKey
  public var kind: String
  /// The Rollout that owns it, where one does.
  public var rollout: String?
  public var host: String
  public var gateway: String

  public var description: String {
    let owner = rollout.map { " of Rollout \(object.namespace)/\($0)" } ?? ""
    let gateway = gateway == "mesh" ? "callers in the mesh" : "gateway \(gateway)"
    return
      "\(kind) \(object)\(owner) also routes \(host) for \(gateway); only one of them can decide: remove that host "
      + "from it, or from the Rollout"
  }
}
