import Foundation

/// The manifests of a team: Service, Deployment, Rollout.
struct Manifest: Sendable {
  var tag = "v1"
  var replicas = 4
  var progressDeadline = 600
  var steps = ["{weight: 20, analyze: {for: 3s}}", "{weight: 50, analyze: {for: 3s}}"]
  /// Instead of the steps, one member of its spec.
  var autopilot: String?
  /// Annotations of the pods, in YAML's braces.
  var annotations = ""
  /// More members of the pods' spec, a line each.
  var podSpec: [String] = []
  var slos = ["{name: errors, errorRate: {max: 1%}}", "{name: p99, latency: {quantile: \"99\", max: 500ms}}"]
  var traffic = "{istio: {}}"
  /// An annotation of the namespace that chooses the mesh.
  var mesh: String?
  /// What the callers do, as annotations of the Service.
  var callers = "{sandbox.sluice.dev/requests-per-second: \"300\"}"
  /// More members of the reference to the Service.
  var serviceMore = ""
  /// Of the Service; a team that gives it to Sluice leaves it out.
  var selector: String? = "{app: checkout}"
  /// Short, so that an image that is slow throughout is soon rejected.
  var warmUp = "3s"
  /// More members of its analysis, a line each.
  var analysis: [String] = []
  /// More members of the Rollout's spec, a line each.
  var more: [String] = []
  /// More documents.
  var companions: [String] = []
  /// Whether the Deployment may come to own two sets with pods, since somebody lets it roll by itself.
  var mayRollByItself = false
  /// Whether the controller can start with it.
  var isSound = true

  static func image(_ tag: String) -> String {
    "\(ProcessInfo.processInfo.environment["SLUICE_TEST_IMAGE"] ?? "registry.example/checkout"):\(tag)"
  }

  // The Rollout last: what it names is there then.
  var text: String { ([service, deployment] + companions + [rollout]).joined(separator: "\n---\n") }

  var service: String {
    """
    apiVersion: v1
    kind: Service
    metadata:
      name: checkout
      annotations: \(callers)
    spec:
      \(selector.map { "selector: \($0)" } ?? "type: ClusterIP")
      ports: [{name: http, port: 80, targetPort: 8080}]
    """
  }

  var deployment: String {
    """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: checkout}
    spec:
      replicas: \(replicas)
      progressDeadlineSeconds: \(progressDeadline)
      selector: {matchLabels: {app: checkout}}
      template:
        metadata: {labels: {app: checkout}, annotations: {\(annotations)}}
        spec:
          containers:
          - {name: app, image: "\(Self.image(tag))", ports: [{name: http, containerPort: 8080}]}
    \(podSpec.map { "      \($0)" }.joined(separator: "\n"))
    """
  }

  var rollout: String {
    """
    apiVersion: sluice.dev/v1alpha1
    kind: Rollout
    metadata: {name: checkout}
    spec:
      workloadRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
      serviceRefs: [{name: checkout, port: http\(serviceMore)}]
      traffic: \(traffic)
      settle: 1s
      scaleDownDelay: 2s
      \(autopilot.map { "autopilot: \($0)" } ?? "steps: [\(steps.joined(separator: ", "))]")
      analysis:
        interval: 1s
        warmUp: \(warmUp)
        slos:\(slos.isEmpty ? " []" : "")
    \(slos.map { "    - \($0)" }.joined(separator: "\n"))
    \(analysis.map { "    \($0)" }.joined(separator: "\n"))
    \(more.map { "  \($0)" }.joined(separator: "\n"))
    """
  }
}
