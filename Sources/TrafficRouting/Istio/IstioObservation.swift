import KubernetesAPI
import RolloutAPI

extension IstioProvider {
  public func observe(_ live: [JSON], owned: Bool) -> ObservedRouting {
    observeOwned(live, owned: owned, canaryWeight: canaryWeight)
  }

  /// The largest share, in percent, that a primary rule gives to a canary Service now.
  private func canaryWeight(_ objects: [JSON]) -> Int? {
    let canaries = Set(services.flatMap { [$0.canaryName, host($0.canaryName)] })
    let rules = objects.flatMap { $0[path: ["spec", "http"]]?.array ?? [] }
      .filter { $0["name"]?.string?.hasSuffix("primary") ?? true }
    return rules.compactMap { rule -> Int? in
      let routes = rule["route"]?.array ?? []
      let weights = routes.map { route in
        (
          isCanary: canaries.contains(route[path: ["destination", "host"]]?.string ?? ""),
          // One that stands alone gets everything.
          weight: routes.count == 1 ? 1 : max(0, route["weight"]?.int ?? 0)
        )
      }
      let total = weights.reduce(0) { $0 + $1.weight }
      guard total > 0 else { return nil }
      return weights.filter(\.isCanary).reduce(0) { $0 + $1.weight } * 100 / total
    }.max()
  }
}
