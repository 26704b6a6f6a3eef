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
    // Where a rule says nothing of it Istio chooses by itself, and plain text where it finds no proxy.
    if policy.mtls == .strict, result["tls"] == nil { result["tls"] = ["mode": "ISTIO_MUTUAL"] }
    return result == .emptyObject ? nil : result
  }

  private static func text(_ duration: Duration) -> JSON { .string(duration.text) }
}
