import Testing

/// The manifests of a team.
struct Manifests {
  var tag = "v1"
  var replicas = 4
  /// More documents.
  var companions: [String] = []
  var steps = ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"]
  var traffic = "{istio: {}}"
  /// More members of the Rollout's spec, a line each.
  var more: [String] = []
  var slo = "{name: errors, errorRate: {max: 1%}}"
  /// More members of the reference to the Service.
  var serviceMore = ""
  /// A team whose Service's selector is Sluice's leaves it out.
  var selector: String? = "{app: checkout}"
  /// More members of the Deployment's spec, a line each.
  var deploymentMore: [String] = []

  static func image(_ tag: String) -> String { "registry.example/checkout:\(tag)" }

  var service: String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: checkout, namespace: shop}
    spec:
      \(selector.map { "selector: \($0)" } ?? "type: ClusterIP")
      ports: [{name: http, port: 80, targetPort: 8080}]
    """
  }

  var deployment: String {
    """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: checkout, namespace: shop}
    spec:
      replicas: \(replicas)
      selector: {matchLabels: {app: checkout}}
    \(deploymentMore.map { "  \($0)" }.joined(separator: "\n"))
      template:
        metadata: {labels: {app: checkout}}
        spec:
          containers:
          - {name: app, image: "\(Self.image(tag))", ports: [{name: http, containerPort: 8080}]}
    """
  }

  var rollout: String {
    """
    apiVersion: sluice.dev/v1alpha1
    kind: Rollout
    metadata: {name: checkout, namespace: shop}
    spec:
      workloadRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
      serviceRefs: [{name: checkout, port: http\(serviceMore)}]
      traffic: \(traffic)
      settle: 1s
      scaleDownDelay: 5s
      steps: [\(steps.joined(separator: ", "))]
      analysis:
        interval: 1s
        slos:
        - \(slo)
    \(more.map { "  \($0)" }.joined(separator: "\n"))
    """
  }
}

extension OperatorWorld {
  /// A world whose first revision, v1, is stable.
  static func resting(
    _ manifests: Manifests = Manifests(), policies: Policies = .shipped
  ) async throws -> OperatorWorld {
    let world = try OperatorWorld(policies: policies)
    for manifest in [manifests.service, manifests.deployment] + manifests.companions + [manifests.rollout] {
      try world.create(manifest)
    }
    try await world.settle("the first revision to be stable") { $0.phase == "Idle" }
    return world
  }

  /// A world whose run for v2 has come to a stage.
  static func running(
    _ manifests: Manifests = Manifests(), policies: Policies = .shipped, until stage: String
  ) async throws -> OperatorWorld {
    let world = try await resting(manifests, policies: policies)
    try world.setImage("v2")
    try await world.settle(stage) { $0.stage.hasPrefix(stage) }
    return world
  }
}
