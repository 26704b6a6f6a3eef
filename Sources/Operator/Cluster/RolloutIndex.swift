import KubernetesAPI
import RolloutAPI
import Synchronization
import TrafficRouting

/// Which Rollouts an object concerns.
final class RolloutIndex: Sendable {
  private let view = Mutex<ClusterView?>(nil)

  func follow(_ view: ClusterView) { self.view.withLock { $0 = view } }

  func keys(for object: JSON, _ type: ResourceType) -> [ObjectKey] {
    let namespace = object.namespace
    switch type {
    case .rollouts: return [object.objectKey] + stalled(besides: object)
    case .rolloutRuns:
      return [object[path: ["spec", "rolloutRef", "name"]]?.string].compactMap { $0 }.map { key(namespace, $0) }
    case .deployments: return rollouts(namespace) { $0[path: ["spec", "workloadRef", "name"]]?.string == object.name }
    case .replicaSets:
      let owners = object.ownerReferences
      let names = Set(owners.filter { $0["kind"]?.string == "Deployment" }.compactMap { $0["name"]?.string })
      return rollouts(namespace) { names.contains($0[path: ["spec", "workloadRef", "name"]]?.string ?? "") }
    case .services: return labelled(object) + rollouts(namespace) { self.names(of: $0).contains(object.name) }
    case .endpointSlices:
      let service = object.label("kubernetes.io/service-name") ?? ""
      return rollouts(namespace) { rollout in
        names(of: rollout).contains { service == $0 || service == "\($0)-stable" || service == "\($0)-canary" }
      }
    case .analysisTemplates: return rollouts(namespace) { $0[path: ["spec", "analysis", "templates"]] != nil }
    case .clusterAnalysisTemplates: return rollouts(nil) { $0[path: ["spec", "analysis", "templates"]] != nil }
    case .mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings: return rollouts(nil) { _ in true }
    // Others change with every pod of the namespace, and say something only of runs under way.
    case .resourceQuotas, .limitRanges, .podDisruptionBudgets, .horizontalPodAutoscalers:
      return rollouts(namespace) { $0[path: ["status", "currentRun"]] != nil }
    case _ where RoutingKinds.every.routes.contains(type):
      let named = rollouts(namespace) { self.names($0, route: object.name, type) }
      return labelled(object) + stalled(besides: nil) + named + delegates(of: object)
    case _ where RoutingKinds.every.policies.contains(type): return labelled(object) + rollouts(namespace) { _ in true }
    case _ where RoutingKinds.every.surroundings.contains(type):
      return rollouts(nil) { RoutingKinds.wanted(by: $0[path: ["spec", "traffic"]]).contains(type) }
    default: return []
    }
  }

  /// Those that may wait for another object to make room.
  private func stalled(besides own: JSON?) -> [ObjectKey] {
    let stalled = view.withLock { $0 }?.objects(.rollouts, inPhase: RolloutPhase.stalled.rawValue) ?? []
    return stalled.filter { $0.uid != own?.uid }.map(\.objectKey)
  }

  private func labelled(_ object: JSON) -> [ObjectKey] {
    [object.label(Names.rollout)].compactMap { $0 }.map { key(object.namespace, $0) }
  }

  private func names(of rollout: JSON) -> [String] {
    rollout[path: ["spec", "serviceRefs"]]?.array?.compactMap { $0["name"]?.string } ?? []
  }

  /// The Rollouts to whose VirtualServices one delegates.
  private func delegates(of object: JSON) -> [ObjectKey] {
    (object[path: ["spec", "http"]]?.array ?? []).compactMap { $0["delegate"] }.flatMap { reference in
      let (namespace, name) = (reference["namespace"]?.string ?? object.namespace, reference["name"]?.string ?? "")
      return rollouts(namespace) { rollout in
        guard let istio = rollout[path: ["spec", "traffic", "istio"]], istio["delegate"]?.bool == true else {
          return false
        }
        return name == istio[path: ["adopt", "name"]]?.string ?? rollout.name
      }
    }
  }

  /// Whether a Rollout edits or takes over a person's object of that kind and name.
  private func names(_ rollout: JSON, route name: String, _ type: ResourceType) -> Bool {
    RoutingKinds.byMember.contains { member, kinds in
      kinds.routes.contains(type)
        && ["route", "adopt"].contains { rollout[path: ["spec", "traffic", member, $0, "name"]]?.string == name }
    }
  }

  private func rollouts(_ namespace: String?, where concerns: (JSON) -> Bool) -> [ObjectKey] {
    guard let view = view.withLock({ $0 }) else { return [] }
    let all = namespace.map { view.objects(.rollouts, namespace: $0) } ?? view.all(.rollouts)
    return all.filter(concerns).map(\.objectKey)
  }

  private func key(_ namespace: String, _ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }
}
