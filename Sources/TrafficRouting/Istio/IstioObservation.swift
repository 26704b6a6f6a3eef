import KubernetesAPI
import RolloutAPI

extension IstioProvider {
  public func observe(_ live: [JSON], owned: Bool) -> ObservedRouting {
    var found: [(object: JSON, routing: Routing?)] = []
    for service in services {
      let key = ObjectKey(namespace: plan.namespace, name: objectName(service))
      guard let object = live.first(where: { $0.objectKey == key && ($0.kind.isEmpty || $0.kind == "VirtualService") })
      else { return .missing(key) }
      guard owned || object.labels[RoutingNames.rollout] == plan.name else { return .foreign(key) }
      found.append((object, object.annotations[RoutingNames.target].flatMap(RoutingRecord.routing)))
    }
    // The first object carries the decision; the others must follow it.
    guard let intended = found.first?.routing else {
      let key = found.first?.object.objectKey ?? plan.key
      return .changed(
        intended: .split(.stableOnly),
        differences: ["VirtualService \(key) has no annotation \(RoutingNames.target) that Sluice can read"],
        canaryWeight: canaryWeight(found.map(\.object)))
    }
    var differences: [String] = []
    for (wanted, live) in zip(objects(for: intended), found.map(\.object)) {
      differences += JSONDifference.find(expected: wanted.object["spec"], found: live["spec"], at: "spec")
        .map { "VirtualService \(wanted.key): \($0)" }
      if live.labels[RoutingNames.rollout] != plan.name {
        differences.append("VirtualService \(wanted.key) has lost the label \(RoutingNames.rollout)")
      }
      if wanted.object.annotations[RoutingNames.target] != live.annotations[RoutingNames.target] {
        differences.append("VirtualService \(wanted.key) was written for another target than the first one")
      }
    }
    if differences.isEmpty { return .routing(intended) }
    return .changed(intended: intended, differences: differences, canaryWeight: canaryWeight(found.map(\.object)))
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
