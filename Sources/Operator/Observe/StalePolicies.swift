import KubernetesAPI
import TrafficRouting

/// Policies that were rendered for the generated Services and whose model is gone: left alone they would go on to hold for
/// both tracks, and for nobody else.
enum StalePolicies {
  static func find(among live: [JSON], wanted: [RoutingObject], rollout: String) -> [JSON] {
    let names = Set(wanted.map(\.key))
    return live.filter { $0.labels[Names.rollout] == rollout && !names.contains($0.objectKey) }
  }
}
