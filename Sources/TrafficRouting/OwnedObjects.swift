import KubernetesAPI

extension TrafficProvider {
  /// Reads routing back from objects that Sluice owns: the first one carries the decision, and the others must follow it.
  /// - Parameter canaryWeight: the share, in percent, that objects give to a canary now.
  func observeOwned(_ live: [JSON], owned: Bool, canaryWeight: ([JSON]) -> Int?) -> ObservedRouting {
    var found: [JSON] = []
    for wanted in objects(for: .released) {
      guard let object = live.first(where: { $0.isSame(as: wanted) }) else { return .missing(wanted.key) }
      guard owned || object.labels[RoutingNames.rollout] == plan.name else { return strange(object) }
      found.append(object)
    }
    guard let first = found.first,
      let intended = first.annotations[RoutingNames.target].flatMap(RoutingRecord.routing)
    else {
      let kind = kinds.routes.first?.kind ?? "object"
      return .changed(
        intended: .split(.stableOnly),
        differences: [
          "\(kind) \(found.first?.objectKey ?? plan.key) has no annotation \(RoutingNames.target) that Sluice can read"
        ],
        canaryWeight: canaryWeight(found))
    }
    var differences: [String] = []
    for (wanted, live) in zip(objects(for: intended), found) {
      let title = "\(wanted.type.kind) \(wanted.key)"
      differences += JSONDifference.find(expected: wanted.object["spec"], found: live["spec"], at: "spec")
        .map { "\(title): \($0)" }
      if live.labels[RoutingNames.rollout] != plan.name {
        differences.append("\(title) has lost the label \(RoutingNames.rollout)")
      }
      if wanted.object.annotations[RoutingNames.target] != live.annotations[RoutingNames.target] {
        differences.append("\(title) was written for another target than the first one")
      }
    }
    if differences.isEmpty { return .routing(intended) }
    return .changed(intended: intended, differences: differences, canaryWeight: canaryWeight(found))
  }
}
