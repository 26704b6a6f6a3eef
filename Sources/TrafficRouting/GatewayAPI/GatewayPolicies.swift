import KubernetesAPI
import RolloutAPI

extension GatewayProvider {
  /// Copies of the BackendTLSPolicies that are aimed at the callers' Services, which would else stop to apply as requests
  /// now go to others; with Istio also the DestinationRules. A ServiceProfile of Linkerd has no copy: it comes before any
  /// route.
  public func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    func of(_ type: ResourceType) -> [JSON] { existing.filter { $0.kind == type.kind } }
    var rendered = tlsPolicies(existing: of(.backendTLSPolicies))
    var problems = profiles(of(.serviceProfiles))
    if isIstio {
      do throws(RoutingRefusal) {
        rendered += try IstioServicePolicies(
          plan: plan, services: services, clusterDomain: clusterDomain, labels: labels
        )
        .destinationRules(existing: of(.destinationRules))
      } catch {
        problems += error.problems
      }
    }
    if !problems.isEmpty { throw RoutingRefusal(problems) }
    return rendered
  }

  private func tlsPolicies(existing: [JSON]) -> [RoutingObject] {
    var rendered: [RoutingObject] = []
    for service in services {
      func isAimed(_ target: JSON) -> Bool {
        target["group"]?.string ?? "" == "" && target["kind"]?.string == "Service"
          && target["name"]?.string == service.name
      }
      let aimed = existing.filter { policy in
        policy.namespace == plan.namespace && policy.labels[RoutingNames.rollout] != plan.name
          && (policy[path: ["spec", "targetRefs"]]?.array ?? []).contains(where: isAimed)
      }.sorted { $0.objectKey < $1.objectKey }
      for (number, policy) in aimed.enumerated() {
        for track in [service.stableName, service.canaryName] {
          var spec = policy["spec"] ?? .emptyObject
          spec["targetRefs"] = .array(
            (spec["targetRefs"]?.array ?? []).filter(isAimed).map { target in
              var target = target
              target["name"] = .string(track)
              return target
            })
          // A Service with several ports may have a policy for each.
          let name = number == 0 ? track : "\(track)-\(number + 1)"
          rendered.append(
            RoutingObject(
              type: .backendTLSPolicies,
              object: [
                "apiVersion": .string(ResourceType.backendTLSPolicies.apiVersion), "kind": "BackendTLSPolicy",
                "metadata": ["name": .string(name), "namespace": .string(plan.namespace), "labels": labels],
                "spec": spec,
              ]))
        }
      }
    }
    return rendered
  }

  private func profiles(_ existing: [JSON]) -> [String] {
    guard gateway.mesh, cluster.metrics == .linkerd else { return [] }
    return services.compactMap { service in
      let host = "\(service.name).\(plan.namespace).svc.\(clusterDomain)"
      return existing.first { $0.name == host }.map {
        "ServiceProfile \($0.objectKey) comes before any HTTPRoute of Service \(service.name): move what it says into "
          + "annotations of the Service, and delete it"
      }
    }
  }
}
