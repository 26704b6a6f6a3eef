import KubernetesAPI
import RolloutAPI

extension GatewayProvider {
  public func limits(_ target: TrafficTarget) -> [String] {
    var problems: [String] = []
    for entrance in entrances { problems += limits(target, entrance) }
    return (problems + limitsOfCluster(target)).uniqued
  }

  /// What the cluster does not have for a target.
  func limitsOfCluster(_ target: TrafficTarget) -> [String] {
    var problems = unsupported(target)
    if cluster.metrics == .linkerd, target.mirror != nil {
      problems.append("mirror: Linkerd passes over a route that mirrors, and keeps the one before")
    }
    if let mirror = target.mirror, mirror < .all, !cluster.hasField(since: 3) {
      problems.append("mirror: \(mirror) needs Gateway API v1.3 or later, and \(cluster.title)")
    }
    return problems
  }

  /// What cannot be expressed, whatever the cluster.
  private func limits(_ target: TrafficTarget, _ entrance: Entrance) -> [String] {
    var problems = (target.routes + entrance.matches).compactMap { $0.path.flatMap(GatewayMatch.problem) }
    if !target.routes.isEmpty {
      let (met, unclear) = entrance.matches.meeting(target.routes)
      problems += unclear.map {
        "route.matches and traffic.gatewayAPI.matches both ask for \($0), which one match cannot join"
      }
      if met.isEmpty && unclear.isEmpty {
        problems.append("route.matches and traffic.gatewayAPI.matches have no request in common")
      }
      if met.contains(where: { $0.path?.kind == .regularExpression }) {
        problems.append(
          "route.matches: a path as a regular expression; which rule it comes before is each implementation's own affair"
        )
      }
      if met.contains(where: Self.isTooLong) {
        problems.append("route.matches and traffic.gatewayAPI.matches together have more than 16 headers or parameters")
      }
      let all = met.count + max(1, entrance.matches.count) * (target.sticky == nil ? 1 : 2)
      if met.count > GatewayMatch.maxPerRule || all > GatewayMatch.maxPerRoute {
        problems.append(
          "route.matches and traffic.gatewayAPI.matches meet in \(met.count) matches, more than an HTTPRoute holds")
      }
    }
    if target.sticky != nil {
      if entrance.matches.contains(where: Sticky.meets) {
        problems.append("sticky cannot be joined with a match on the header cookie; match on another header")
      }
      if entrance.matches.contains(where: { $0.path?.kind == .regularExpression }) {
        problems.append("sticky cannot be joined with a path that is a regular expression")
      }
    }
    return problems
  }

  static func isTooLong(_ match: HTTPMatch) -> Bool {
    max(match.headers?.count ?? 0, match.queryParams?.count ?? 0) > GatewayMatch.maxConditions
  }

  /// What the plan's Gateways do not claim to support. The names are those of the conformance tests
  /// (https://pkg.go.dev/sigs.k8s.io/gateway-api/pkg/features).
  private func unsupported(_ target: TrafficTarget) -> [String] {
    var needed: [(feature: String, use: String)] = []
    if target.mirror != nil { needed.append(("HTTPRouteRequestMirror", "mirror")) }
    if let mirror = target.mirror, mirror < .all {
      needed.append(("HTTPRouteRequestPercentageMirror", "mirror: \(mirror)"))
    }
    if target.sticky != nil { needed.append(("HTTPRouteResponseHeaderModification", "sticky")) }
    let matches = target.routes + gateway.matches
    if matches.contains(where: { $0.method != nil }) { needed.append(("HTTPRouteMethodMatching", "a match by method")) }
    if matches.contains(where: { !($0.queryParams ?? []).isEmpty }) {
      needed.append(("HTTPRouteQueryParamMatching", "a match by query parameter"))
    }
    return missing(needed)
  }

  private func missing(_ needed: [(feature: String, use: String)]) -> [String] {
    cluster.parents.flatMap { parent -> [String] in
      guard let features = parent.features else { return [] }
      return needed.filter { !features.contains($0.feature) }.map { need in
        "\(need.use): GatewayClass \(parent.className ?? "") of Gateway \(parent.key) does not support \(need.feature)"
      }
    }
  }

  public var obstacles: [String] {
    cluster.parents.filter { !$0.isThere }.map { "traffic.gatewayAPI.parentRefs: there is no Gateway \($0.key)" }
      + grpcObstacles + metricsObstacles + securityObstacles + policyObstacles
  }

  /// Why it is not known what the tracks do.
  var metricsObstacles: [String] {
    var problems: [String] = []
    switch cluster.metrics {
    case nil:
      let found = cluster.parents.compactMap(\.controller).uniqued
      problems.append(
        "traffic.gatewayAPI.metrics: it is not known whose metrics judge the tracks"
          + (found.isEmpty ? "" : " of \(found.joined(separator: ", "))")
          + "; name one of \(MetricsSource.allCases.map(\.rawValue).joined(separator: ", "))")
    case .envoyGateway where gateway.mesh:
      problems.append(
        "traffic.gatewayAPI.mesh: Envoy Gateway has no callers of the Service itself; set mesh: false, or name the mesh "
          + "in metrics")
    default: break
    }
    return problems
  }

  private var policyObstacles: [String] {
    var problems: [String] = []
    var needed: [(feature: String, use: String)] = []
    if let timeouts = plan.policy.timeouts {
      if timeouts.request != nil { needed.append(("HTTPRouteRequestTimeout", "traffic.timeouts.request")) }
      if timeouts.backendRequest != nil {
        needed.append(("HTTPRouteBackendTimeout", "traffic.timeouts.backendRequest"))
      }
    }
    if let retries = plan.policy.retries {
      if retries.attempts == 0 {
        problems.append("traffic.retries.attempts: 0; the Gateway API has no way to say that nothing is tried again")
      }
      if cluster.metrics == .linkerd {
        problems.append(
          "traffic.retries: Linkerd passes over a route with retries; annotate the Service with retry.linkerd.io/http")
      } else if !cluster.hasField(since: nil) {
        problems.append("traffic.retries needs the experimental channel of the Gateway API, and \(cluster.title)")
      } else if !isIstio {
        // Istio does it, and does not claim it.
        needed.append(("HTTPRouteRetry", "traffic.retries"))
      }
    }
    problems += missing(needed)
    if !isIstio {
      let fields: [(name: String, isThere: Bool)] = [
        ("loadBalancing", plan.policy.loadBalancing != nil), ("connectionLimits", plan.policy.connectionLimits != nil),
        ("circuitBreaking", plan.policy.circuitBreaking != nil),
      ]
      problems += fields.filter(\.isThere).map {
        "traffic.\($0.name): the Gateway API has no place for it; only Istio's DestinationRules do, with metrics Istio"
      }
    }
    return problems
  }

  var isIstio: Bool { cluster.metrics == .istio || cluster.metrics == .istioAmbient }
}
