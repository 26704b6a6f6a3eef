import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// The callers' Services and the generated ones, with the endpoints that they reach.
struct ServiceObserver {
  let snapshot: any ClusterSnapshot
  let rollout: ObjectKey
  /// The Deployment's selector, which Services get whose selector Sluice has; nil where it is not known.
  var selector: [String: String]?

  func view(of service: PlanService) -> ServiceView {
    var view = view(of: service.name)
    view.ready = readyEndpoints(of: service.name)
    view.isManaged = service.selector == .managed
    if view.isManaged, let selector {
      let live = snapshot.object(.services, key(service.name))?[path: ["spec", "selector"]]?.strings ?? [:]
      view.lacksSelector = live.filter { $0.key != Names.templateHash } != selector
    }
    return view
  }

  func view(of name: String) -> ServiceView {
    let live = snapshot.object(.services, key(name))
    guard let callers = live ?? GeneratedService.standIn(for: key(name), in: snapshot, rollout: rollout.name) else {
      return ServiceView(name: name, exists: false)
    }
    return ServiceView(
      name: name, exists: live.map { !$0.isBeingDeleted } ?? false, pin: live.flatMap(pin),
      stable: generated(.stable, callers: callers), canary: generated(.canary, callers: callers))
  }

  /// The names of Services that select pods with these labels, besides some and the generated ones.
  func others(than known: Set<String>, selecting labels: [String: String]) -> [String] {
    snapshot.objects(.services, namespace: rollout.namespace).filter { service in
      guard service.label(Names.rollout) == nil, let selector = service[path: ["spec", "selector"]]?.object,
        !selector.isEmpty
      else { return false }
      return selector.allSatisfy { labels[$0.key] == $0.value.string } && !known.contains(service.name)
    }.map(\.name)
  }

  /// A pin counts where both its annotation and the hash in the selector are there; half a pin is one to be taken away.
  private func pin(of callers: JSON) -> String? {
    callers.annotation(Names.pin) ?? callers[path: ["spec", "selector", Names.templateHash]]?.string
  }

  private func generated(_ track: GeneratedService.Track, callers: JSON) -> ServiceView.Generated? {
    let name = GeneratedService.name(of: callers.name, track)
    guard let live = snapshot.object(.services, key(name)), live.label(Names.rollout) == rollout.name else {
      return nil
    }
    return ServiceView.Generated(
      hash: live[path: ["spec", "selector", Names.templateHash]]?.string,
      current: GeneratedService.isCurrent(live, callers: callers, track: track, rollout: rollout.name),
      ready: readyEndpoints(of: name))
  }

  private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: rollout.namespace, name: name) }

  /// Ready endpoints by the `pod-template-hash` of their pods.
  private func readyEndpoints(of service: String) -> [String: Int] {
    var names: Set<String> = []
    for slice in snapshot.objects(.endpointSlices, namespace: rollout.namespace)
    where slice.label("kubernetes.io/service-name") == service {
      for endpoint in slice["endpoints"]?.array ?? []
      where endpoint[path: ["conditions", "ready"]]?.bool != false {
        if let pod = endpoint[path: ["targetRef", "name"]]?.string { names.insert(pod) }
      }
    }
    var ready: [String: Int] = [:]
    for name in names {
      let hash = snapshot.object(.pods, key(name))?.label(Names.templateHash) ?? ""
      ready[hash, default: 0] += 1
    }
    return ready
  }
}
