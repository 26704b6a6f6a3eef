import Foundation
import RolloutAPI

/// Traffic without a mesh. By pods, requests follow the canary's pods as soon as these are ready, so that its size is its
/// weight and its scale to 0 is the routing write of an abort. By selector, the callers' Services are pinned to one
/// revision or the other, and the pin is the route.
extension Turn {
  var isByPods: Bool { runPlan.division == .byPods }

  /// The canary's set, where its pods still are the canary's: not once the Deployment has taken it for good.
  private func podsOfCanary(_ run: RunState) -> SetView? {
    guard let set = seen.set(named: run.set), set.name != run.stable.set else { return nil }
    return set
  }

  /// Whether an abort has taken the canary's pods away.
  func isWithdrawn(_ run: RunState) -> Bool { (podsOfCanary(run)?.replicas ?? 0) == 0 }

  mutating func withdraw(_ run: RunState) {
    guard let set = podsOfCanary(run), set.replicas > 0 else { return }
    // The Deployment would give its own set its size again.
    if set.owner == .deployment { effects.append(.releaseSets([set.name])) }
    effects.append(.scale(set: set.name, replicas: 0))
  }

  /// Pods that come nearest to a weight beside the demand of stable, which keeps its own; never more than these.
  func podsNeeded(byWeight weight: Weight, _ run: RunState) -> Int {
    guard weight > .none else { return 0 }
    guard weight < .all else { return fullSize(run) }
    let share = Double(weight.value) / 100
    let pods = (share / (1 - share) * Double(run.demand)).rounded()
    return min(max(1, Int(pods)), max(1, run.demand))
  }

  /// Whether the endpoints of all callers' Services are what a weight asks for.
  func endpointsFit(weight: Int, _ run: RunState) -> Bool {
    guard let set = seen.set(named: run.set) else { return false }
    return seen.services.filter(\.exists).allSatisfy { service in
      let canary = service.ready[set.hash] ?? 0
      if isByPods { return canary >= max(1, set.replicas) }
      let others = service.ready.filter { $0.key != set.hash }.values.reduce(0, +)
      return weight == 100 ? canary > 0 && others == 0 : canary == 0
    }
  }

  /// `1 of 5 ready pods behind Service web (20%)`.
  func realShare(_ run: RunState) -> String? {
    guard isByPods, let set = seen.set(named: run.set), let service = seen.services.first(where: \.exists) else {
      return nil
    }
    let all = service.ready.values.reduce(0, +)
    guard all > 0 else { return nil }
    let canary = service.ready[set.hash] ?? 0
    let percent = (Double(canary) * 1000 / Double(all)).rounded() / 10
    return "\(canary) of \(all) ready pods behind Service \(service.name) (\(percent)%)"
  }

  /// Whether the callers' Services that the plan gives to Sluice select the pods; otherwise has them do so.
  mutating func ensureSelected() -> Bool {
    if seen.services.allSatisfy({ !$0.lacksSelector || !$0.exists }) { return true }
    effects.append(.selectPods)
    return false
  }
}
