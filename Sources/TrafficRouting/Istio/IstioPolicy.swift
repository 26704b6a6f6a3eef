import KubernetesAPI
import RolloutAPI

/// The plan's traffic policy in Istio's words. What the plan does not name is left to the mesh.
enum IstioPolicy {
  /// What the mesh itself retries (Istio's default policy).
  private static let usualReasons = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
  private static let usualAttempts = 2

  /// The members of an `http` rule.
  static func rule(_ policy: TrafficPolicy) -> [String: JSON] {
    var members: [String: JSON] = [:]
    if let request = policy.timeouts?.request { members["timeout"] = text(request) }
    var retries: JSON?
    if let asked = policy.retries {
      if asked.attempts == 0 { return members.merging(["retries": ["attempts": 0]]) { $1 } }
      let codes = (asked.codes.isEmpty ? [503] : asked.codes).map(String.init).joined(separator: ",")
      retries = [
        "attempts": JSON(asked.attempts),
        "retryOn": .string("connect-failure,refused-stream,unavailable,cancelled,\(codes)"),
      ]
      if let backoff = asked.backoff { retries?["backoff"] = text(backoff) }
    }
    if let attempt = policy.timeouts?.backendRequest {
      // Istio has a timeout of one attempt only as part of retries.
      retries = retries ?? ["attempts": JSON(usualAttempts), "retryOn": .string(usualReasons)]
      retries?["perTryTimeout"] = text(attempt)
    }
    members["retries"] = retries
    return members
  }

  /// A DestinationRule's `trafficPolicy`: what the base says, with the plan's settings in its place group by group.
  static func trafficPolicy(_ policy: TrafficPolicy, over base: JSON?) -> JSON? {
    var result = base ?? .emptyObject
    switch policy.loadBalancing {
    case .algorithm(let algorithm):
      let names: [LoadBalancingAlgorithm: JSON] = [
        .roundRobin: "ROUND_ROBIN", .leastRequest: "LEAST_REQUEST", .random: "RANDOM",
      ]
      result["loadBalancer"] = ["simple": names[algorithm] ?? "LEAST_REQUEST"]
    case .header(let name): result["loadBalancer"] = ["consistentHash": ["httpHeaderName": .string(name)]]
    case .cookie(let name):
      result["loadBalancer"] = ["consistentHash": ["httpCookie": ["name": .string(name), "ttl": "0s"]]]
    case .sourceIP: result["loadBalancer"] = ["consistentHash": ["useSourceIp": true]]
    case nil: break
    }
    if let limits = policy.connectionLimits {
      var pool = JSON.emptyObject
      pool[path: ["tcp", "maxConnections"]] = limits.maxConnections.map { JSON($0) }
      pool[path: ["tcp", "connectTimeout"]] = limits.connectTimeout.map(text)
      pool[path: ["http", "http1MaxPendingRequests"]] = limits.maxPendingRequests.map { JSON($0) }
      pool[path: ["http", "http2MaxRequests"]] = limits.maxRequests.map { JSON($0) }
      pool[path: ["http", "maxRequestsPerConnection"]] = limits.maxRequestsPerConnection.map { JSON($0) }
      result["connectionPool"] = pool
    }
    if let breaking = policy.circuitBreaking {
      result["outlierDetection"] = [
        "consecutive5xxErrors": JSON(breaking.consecutiveErrors), "interval": text(breaking.interval),
        "baseEjectionTime": text(breaking.ejectionTime),
        "maxEjectionPercent": JSON(Int(breaking.maxEjected.value.rounded(.up))),
      ]
    }
    return result == .emptyObject ? nil : result
  }

  private static func text(_ duration: Duration) -> JSON { .string(duration.text) }
}

extension IstioProvider {
  /// The DestinationRules of both tracks: copies of the one that is aimed at the callers' Service, which would else stop
  /// to apply as requests now go to other hosts, with the plan's policy over it. The same on both, or the comparison is
  /// not fair.
  /// - Parameter existing: all DestinationRules that callers in the plan's namespace can see.
  /// - Returns: none for a Service without a rule and without policy.
  /// - Throws: ``RoutingRefusal`` naming the rules that cannot be copied.
  public func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    var rendered: [RoutingObject] = []
    var problems: [String] = []
    for service in services {
      let aimed = existing.filter { rule in
        rule.labels[RoutingNames.rollout] != plan.name
          && fullHost(rule[path: ["spec", "host"]]?.string ?? "", namespace: rule.namespace) == host(service.name)
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
    return problems
  }

  /// The rule with the longest wildcard that covers a Service; its policy is the base of what the plan adds.
  private func wildcard(for service: RoutedService, among rules: [JSON]) -> JSON? {
    rules.filter { rule in
      let host = rule[path: ["spec", "host"]]?.string ?? ""
      return host == "*" || (host.hasPrefix("*.") && self.host(service.name).hasSuffix(host.dropFirst()))
    }.max { ($0[path: ["spec", "host"]]?.string?.count ?? 0) < ($1[path: ["spec", "host"]]?.string?.count ?? 0) }
  }

  /// A host as Istio reads it in a namespace: without a dot it is a Service there, `name.namespace` and `….svc` are
  /// short for the full name.
  func fullHost(_ host: String, namespace: String) -> String {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    if host.contains("*") || host.isEmpty { return host }
    if parts.count == 1 { return "\(host).\(namespace).svc.\(clusterDomain)" }
    if parts.count == 2, parts[1] == namespace { return "\(host).svc.\(clusterDomain)" }
    if parts.count == 3, parts[2] == "svc" { return "\(host).\(clusterDomain)" }
    return host
  }
}
