/// How requests are divided where no mesh does it.
public enum PodDivision: Sendable, Hashable {
  /// The callers' Services select both revisions, and each answers in proportion to its pods.
  case byPods
  /// The callers' Services select one revision or the other: blue/green.
  case bySelector
}

extension Plan {
  /// `nil` with a mesh. Weights between nothing and everything can only be numbers of pods; without any the selector
  /// moves in one write.
  public var division: PodDivision? {
    guard provider == .replicas else { return nil }
    return steps.allSatisfy { [.none, .all].contains($0.traffic.weight) } ? .bySelector : .byPods
  }
}

extension PlanReader {
  /// What pods and selectors alone cannot do.
  mutating func divides(_ steps: [PlanStep], _ services: [PlanService], _ analysis: PlanAnalysis) {
    let managed = services.map { $0.selector == .managed }
    if let index = managed.firstIndex(of: !(managed.first ?? false)) {
      report(
        "spec.serviceRefs[\(index)].selector", found: "\(services[index].selector.rawValue) beside others",
        wanted: "the same for all Services with spec.traffic.replicas, whose requests must move together")
    }
    let isByPods = steps.contains { ![.none, .all].contains($0.traffic.weight) }
    for (index, step) in steps.enumerated() where isByPods {
      let field = "spec.steps[\(index)]"
      if step.scale != nil {
        report(
          field + ".scale", found: "a value with weights that are numbers of pods",
          wanted: "weight alone, which says how many pods there are; or weights 0 and 100 alone, for blue/green")
      }
      guard step.setsTraffic, step.traffic.weight > .none else { continue }
      if managed.first == true, step.traffic.weight < .all {
        report(
          field + ".weight", found: "\(step.traffic.weight.value) with selector: Managed",
          wanted: "0 or 100, since the selector moves in one write; or selector: Declared, to weigh by pods")
      } else if step.traffic.weight.value > Self.largestPodWeight {
        report(
          field + ".weight", found: "\(step.traffic.weight.value) with spec.traffic.replicas",
          wanted: "at most \(Self.largestPodWeight): stable keeps all its pods until the promotion takes the rest")
      }
    }
    for (index, slo) in analysis.slos.enumerated() {
      let member: String
      switch slo.objective {
      case .errorRate: member = "errorRate"
      case .latency: member = "latency"
      case .ownLatency: continue
      case .query(let query):
        if query.needsRequests {
          if query.counted != nil {
            report(
              "spec.analysis.slos[\(index)].per", found: "nothing, without a mesh that counts requests",
              wanted: "a counter of your own of what the events come from, such as requests")
            continue
          }
          report(
            "spec.analysis.slos[\(index)].query", found: "a sum that grows with the traffic of each revision",
            wanted: "a value per request, since without a mesh nothing tells how many each revision gets")
        }
        continue
      }
      report(
        "spec.analysis.slos[\(index)].\(member)", found: "a check of a mesh's metrics with spec.traffic.replicas",
        wanted: "a query of your own metrics, or latency.metric, with $(pods) for the pods of a revision")
    }
  }

  private static let largestPodWeight = 50
}
