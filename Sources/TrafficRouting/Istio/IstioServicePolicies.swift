import KubernetesAPI
import RolloutAPI

/// The DestinationRules of the generated Services, wherever Istio is the mesh.
struct IstioServicePolicies {
  let plan: Plan
  let services: [RoutedService]
  let clusterDomain: String
  let labels: JSON

  private func host(_ service: String) -> String { "\(service).\(plan.namespace).svc.\(clusterDomain)" }

  /// Those of both tracks: copies of the one that is aimed at the callers' Service, which would else stop
  /// to apply as requests now go to other hosts, with the plan's policy over it. The same on both, or the comparison is
  /// not fair.
  /// - Parameter existing: all DestinationRules that callers in the plan's namespace can see.
  /// - Returns: none for a Service without a rule and without policy.
  /// - Throws: ``RoutingRefusal`` naming the rules that cannot be copied.
  func destinationRules(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    var rendered: [RoutingObject] = []
    var problems: [String] = []
    for service in services {
      let aimed = existing.filter { rule in
        rule.labels[RoutingNames.rollout] != plan.name
          && IstioHost.full(
            rule[path: ["spec", "host"]]?.string ?? "", namespace: rule.namespace, clusterDomain: clusterDomain)
            == host(service.name)
      }.sorted { $0.objectKey < $1.objectKey }
      problems += aimed.flatMap { refusals($0) }
      if aimed.count > 1 {
        let names = aimed.map { "\($0.objectKey)" }.joined(separator: " and ")
        problems.append("DestinationRules \(names) are both for \(host(service.name)); join them into one")
      }
      let base = aimed.first ?? wildcard(for: service, among: existing)
      let policy = IstioPolicy.trafficPolicy(plan.policy, over: base?[path: ["spec", "trafficPolicy"]])
      // A rule for many hosts reaches the tracks' Services by itself, unless the plan's policy stands before it.
      guard let policy, aimed.first != nil || IstioPolicy.trafficPolicy(plan.policy, over: nil) != nil else { continue }
      for track in [service.stableName, service.canaryName] {
        var spec: JSON = ["host": .string(host(track)), "trafficPolicy": policy]
        spec["exportTo"] = base?[path: ["spec", "exportTo"]]
        rendered.append(
          RoutingObject(
            type: .destinationRules,
            object: [
              "apiVersion": .string(ResourceType.destinationRules.apiVersion), "kind": "DestinationRule",
              "metadata": ["name": .string(track), "namespace": .string(plan.namespace), "labels": labels],
              "spec": spec,
            ]))
      }
    }
    if !problems.isEmpty { throw RoutingRefusal(problems) }
    return rendered
  }

  private func refusals(_ rule: JSON) -> [String] {
    var problems: [String] = []
    let subsets = (rule[path: ["spec", "subsets"]]?.array ?? []).compactMap { $0["name"]?.string }
    if !subsets.isEmpty {
      problems.append(
        "DestinationRule \(rule.objectKey) has subsets (\(subsets.joined(separator: ", "))), which mean nothing for the "
          + "tracks' Services; move its policy out of them, or take the Service from the plan")
    }
    if rule[path: ["spec", "workloadSelector"]] != nil {
      problems.append(
        "DestinationRule \(rule.objectKey) has a workloadSelector, so it is only for some callers; remove that")
    }
    if plan.policy.mtls == .strict {
      let policy = rule[path: ["spec", "trafficPolicy"]]
      let modes = ([policy] + (policy?["portLevelSettings"]?.array ?? [])).compactMap {
        $0?[path: ["tls", "mode"]]?.string
      }
      if let mode = modes.first(where: { !["ISTIO_MUTUAL", "MUTUAL"].contains($0) }) {
        problems.append(
          "DestinationRule \(rule.objectKey) has the tls mode \(mode), by which callers use no mutual TLS; wanted with "
            + "traffic.mtls: Strict is ISTIO_MUTUAL, or no tls at all")
      }
    }
    return problems
  }

  /// The rule with the longest wildcard that covers a Service; its policy is the base of what the plan adds.
  private func wildcard(for service: RoutedService, among rules: [JSON]) -> JSON? {
    rules.filter { rule in
      let host = rule[path: ["spec", "host"]]?.string ?? ""
      return host == "*" || (host.hasPrefix("*.") && self.host(service.name).hasSuffix(host.dropFirst()))
    }.max { ($0[path: ["spec", "host"]]?.string?.count ?? 0) < ($1[path: ["spec", "host"]]?.string?.count ?? 0) }
  }
}

/// Names of Services in Istio's objects.
enum IstioHost {
  /// A host as Istio reads it in a namespace: without a dot it is a Service there, `name.namespace` and `….svc` are
  /// short for the full name.
  static func full(_ host: String, namespace: String, clusterDomain: String) -> String {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    if host.contains("*") || host.isEmpty { return host }
    if parts.count == 1 { return "\(host).\(namespace).svc.\(clusterDomain)" }
    if parts.count == 2, parts[1] == namespace { return "\(host).svc.\(clusterDomain)" }
    if parts.count == 3, parts[2] == "svc" { return "\(host).\(clusterDomain)" }
    return host
  }
}
