import KubernetesAPI
import RolloutAPI

/// A person's routing object in a Rollout's words.
public struct RouteImport: Sendable, Hashable {
  /// The Service that callers use.
  public var service: ServiceReference?
  public var traffic: TrafficSpec
  /// What a Rollout cannot say, each with its field and the way out. With any of them the object must not be taken over.
  public var losses: [String]
  /// What is worth a look, and does no harm.
  public var notes: [String]

  public init(service: ServiceReference? = nil, traffic: TrafficSpec, losses: [String] = [], notes: [String] = []) {
    self.service = service
    self.traffic = traffic
    self.losses = losses
    self.notes = notes
  }
}
