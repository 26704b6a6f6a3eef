import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// What divides requests where no mesh does: read off the callers' Services and their endpoints.
enum PodRouting {
  /// - Parameter canary: the hash of the canary's set, where there is one.
  static func routing(of plan: Plan, _ services: [ServiceView], canary: String?) -> RoutingView {
    let services = services.filter(\.exists)
    if plan.division == .byPods { return .present(target: target(services, canary), intact: true) }
    if let canary, !services.isEmpty, services.allSatisfy({ $0.pin == canary && $0.stable?.hash != canary }) {
      return .present(target: .allToCanary, intact: true)
    }
    // All requests go through what the stable Services mean at the moment.
    return .present(target: .stableOnly, intact: services.allSatisfy { $0.pin == $0.stable?.hash })
  }

  /// The share of ready endpoints, in whole percent.
  private static func target(_ services: [ServiceView], _ canary: String?) -> TrafficTarget {
    guard let canary, let ready = services.first?.ready, let own = ready[canary], own > 0 else { return .stableOnly }
    let all = ready.values.reduce(0, +)
    let percent = Int((Double(own) * 100 / Double(all)).rounded())
    return TrafficTarget(weight: Weight(min(100, max(1, percent))) ?? .none)
  }
}

/// The selector that a Service gets from Sluice: its Deployment's.
struct ManagedSelector {
  let labels: [String: String]

  /// - Returns: `nil` for a Deployment whose selector no Service can have.
  init?(_ deployment: JSON) {
    let selector = deployment[path: ["spec", "selector"]]
    let labels = selector?["matchLabels"]?.strings ?? [:]
    guard !labels.isEmpty, (selector?["matchExpressions"]?.array ?? []).isEmpty else { return nil }
    self.labels = labels
  }
}
