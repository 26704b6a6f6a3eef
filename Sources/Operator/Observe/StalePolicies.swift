import KubernetesAPI
import TrafficRouting

/// Policies that were rendered for the generated Services and whose model is gone: left alone they would go on to hold for
/// both tracks, and for nobody else.
enum StalePolicies {
  static func find(among live: [JSON], wanted: [RoutingObject], rollout: String) -> [JSON] {
    live.filter { policy in
      policy.labels[Names.rollout] == rollout && !wanted.contains { policy.isSame(as: $0) }
    }
  }
}
