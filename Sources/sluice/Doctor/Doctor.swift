import CanaryAnalysis
import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Operator
import Prometheus
import RolloutAPI
import TrafficRouting

/// Looks at a cluster as Sluice needs it. Reads only, but for dry runs and access reviews, which change nothing.
struct Doctor: Sendable {
  var session: Session
  /// Where the controller's lease lies.
  var controllerNamespace: String
  /// Asked for the mesh's metrics; not at all where `nil`.
  var prometheusURL: String?
  var outbound: any Transport

  private var client: KubernetesClient { session.client }

  private static let admission = "admissionregistration.k8s.io"
  private static let ownTypes: [ResourceType] = [
    .rollouts, .rolloutRuns, .analysisTemplates, .clusterAnalysisTemplates, .notificationChannels,
  ]

  func diagnose() async throws -> Diagnosis {
    // Where the server does not answer at all the rest says nothing.
    let version = try await client.send(.raw("/version"))
    var findings = [
      Finding(
        subject: "server", verdict: .fine,
        message: "Kubernetes \(version["gitVersion"]?.string ?? "of an unknown version") at \(client.server)")
    ]
    findings.append(try await look("definitions") { try await definitionsServed() })
    var hasPin = false
    do {
      let hold = try await hold()
      findings += hold.findings
      hasPin = hold.isServed && !hold.missing.contains { $0.hasSuffix("sluice-pin") }
    } catch let error as KubernetesError {
      findings.append(Self.unknown("hold mode", error))
    }
    findings.append(try await look("controller") { try await controller() })
    findings.append(try await look("rights") { try await rights() })
    findings.append(try await look("mesh") { try await mesh() })
    findings += try await metrics()
    findings.append(try await look("rollouts") { try await rollouts() })
    do {
      findings += try await GitOpsReading(client: client, resources: resources, hasPin: hasPin).diagnose()
    } catch let error as KubernetesError {
      findings.append(Self.unknown("gitops", error))
    }
    return Diagnosis(findings: findings)
  }

  private func look(_ subject: String, _ body: () async throws -> Finding) async throws -> Finding {
    do { return try await body() } catch let error as KubernetesError { return Self.unknown(subject, error) }
  }

  private static func unknown(_ subject: String, _ error: KubernetesError) -> Finding {
    Finding(
      subject: subject, verdict: .unknown, message: "\(error)",
      advice: error.isForbidden ? "run it as somebody who may read this" : nil)
  }

  // MARK: - Sluice itself

  private func definitionsServed() async throws -> Finding {
    var missing: [String] = []
    for type in Self.ownTypes {
      let definition = try await client.find(.customResourceDefinitions, ObjectKey(name: type.qualifiedName))
      if let problem = Self.problem(of: definition, type) { missing.append(problem) }
    }
    if missing.isEmpty {
      return Finding(
        subject: "definitions", verdict: .fine,
        message: "all \(Self.ownTypes.count) kinds are served as \(ResourceType.rollouts.apiVersion)")
    }
    return Finding(
      subject: "definitions", verdict: .fault, message: missing.joined(separator: "; "),
      advice: "kubectl apply -k deploy/crds")
  }

  /// What is the matter with a definition; `nil` where it serves the version that this program speaks.
  static func problem(of definition: JSON?, _ type: ResourceType) -> String? {
    guard let definition else { return "\(type.qualifiedName) is not defined" }
    let served = (definition[path: ["spec", "versions"]]?.array ?? [])
      .filter { $0["served"]?.bool == true }.compactMap { $0["name"]?.string }
    guard served.contains(type.version) else {
      return "\(type.qualifiedName) is served as \(served.joined(separator: ", ")), wanted \(type.version)"
    }
    let conditions = definition[path: ["status", "conditions"]]?.array ?? []
    let isEstablished = conditions.contains {
      $0["type"]?.string == "Established" && $0["status"]?.string == "True"
    }
    return isEstablished ? nil : "\(type.qualifiedName) is not established yet"
  }

  private func controller() async throws -> Finding {
    let key = ObjectKey(namespace: controllerNamespace, name: "sluice")
    guard let lease = try await client.find(Lease.self, key) else {
      return Finding(
        subject: "controller", verdict: .fault, message: "no controller has ever run: there is no Lease \(key)",
        advice: "kubectl apply -k deploy/; --controller-namespace names another namespace")
    }
    return Self.controller(lease, now: client.time.now)
  }

  static func controller(_ lease: Lease, now: Date) -> Finding {
    guard let spec = lease.spec, let holder = spec.holderIdentity, !holder.isEmpty, let renewed = spec.renewTime else {
      return Finding(
        subject: "controller", verdict: .fault, message: "no controller runs: the Lease has no holder",
        advice: "look at the Deployment sluice and at the log of its pods")
    }
    let age = Int(now.timeIntervalSince(renewed.date).rounded())
    guard age <= (spec.leaseDurationSeconds ?? 15) * 2 else {
      return Finding(
        subject: "controller", verdict: .fault,
        message: "no controller runs: \(holder) renewed its Lease \(age) s ago and has not been heard of since",
        advice: "look at the Deployment sluice and at the log of its pods; traffic stays as it is meanwhile")
    }
    return Finding(subject: "controller", verdict: .fine, message: "\(holder) holds the lease, renewed \(age) s ago")
  }

  private func rollouts() async throws -> Finding {
    let rollouts = try await client.list(.rollouts, namespace: nil).items
    var counts: [String: Int] = [:]
    for rollout in rollouts { counts[rollout[path: ["status", "phase"]]?.string ?? "new", default: 0] += 1 }
    let words = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    let stalled = rollouts.filter { $0[path: ["status", "phase"]]?.string == RolloutPhase.stalled.rawValue }
    return Finding(
      subject: "rollouts", verdict: stalled.isEmpty ? .fine : .note,
      message: rollouts.isEmpty ? "there is none yet" : words.joined(separator: ", "),
      advice: stalled.first.map { "sluice get \($0.name) -n \($0.namespace)" })
  }

  // MARK: - The hold

  private func hold() async throws -> HoldDiagnosis {
    let served = try await resources(of: Self.admission, "v1")
    guard served.contains("mutatingadmissionpolicies") else {
      return HoldDiagnosis(isServed: false, missing: [], probe: .impossible)
    }
    var missing: [String] = []
    let wanted =
      HoldDiagnosis.policies.map { ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", $0) }
      + [("ValidatingAdmissionPolicy", "validatingadmissionpolicies", HoldDiagnosis.warning)]
    for (kind, plural, name) in wanted {
      let policy = ResourceType(group: Self.admission, kind: kind, plural: plural, namespaced: false)
      let singular = plural.replacing("policies", with: "policybindings")
      let binding = ResourceType(
        group: Self.admission, kind: "\(kind)Binding", plural: singular, namespaced: false)
      for type in [policy, binding] where try await client.find(type, ObjectKey(name: name)) == nil {
        missing.append("\(type.kind) \(name)")
      }
    }
    return HoldDiagnosis(isServed: true, missing: missing, probe: try await probe())
  }

  /// Tries a change of the template of a managed Deployment at rest, as a dry run.
  private func probe() async throws -> HoldDiagnosis.Probe {
    let managed = try await client.list(
      .deployments, namespace: nil,
      ListOptions(
        labelSelector: LabelSelector(matchExpressions: [.init(key: Names.managed, operator: .exists)]))
    ).items
    guard let deployment = managed.first(where: { $0[path: ["spec", "paused"]]?.bool != true }) else {
      return .impossible
    }
    let name = "deployment \(deployment.objectKey)"
    let change: JSON = ["spec": ["template": ["metadata": ["annotations": ["sluice.dev/probe": "doctor"]]]]]
    do {
      let answer = try await client.patch(
        .deployments, deployment.objectKey, .merge(change), WriteOptions(dryRun: true))
      return answer[path: ["spec", "paused"]]?.bool == true ? .held(by: name) : .notHeld(deployment: name)
    } catch let error as KubernetesError where error.status != nil {
      return .failed(deployment: name, problem: "\(error)")
    }
  }

  // MARK: - Rights

  /// What people do, and what they need for it.
  static let deeds: [(deed: String, verb: String, type: ResourceType)] = [
    ("look", "list", .rollouts), ("look", "list", .rolloutRuns), ("promote and abort", "patch", .rolloutRuns),
    ("write plans", "patch", .rollouts), ("restart and undo", "patch", .deployments),
    ("release by hand", "patch", .services), ("release by hand", "update", .virtualServices),
  ]

  private func rights() async throws -> Finding {
    var refused: [String] = []
    var deeds: [String] = []
    for (deed, verb, type) in Self.deeds {
      if !deeds.contains(deed) { deeds.append(deed) }
      if try await !may(verb, type), !refused.contains(deed) { refused.append(deed) }
    }
    let granted = deeds.filter { !refused.contains($0) }
    let may = granted.isEmpty ? "do nothing here" : granted.joined(separator: ", ")
    return Finding(
      subject: "rights", verdict: refused.contains("look") ? .fault : .fine,
      message: "in namespace \(session.namespace) you may \(may)"
        + (refused.isEmpty ? "" : "; you may not \(refused.joined(separator: ", "))"),
      advice: refused.contains("look") ? "ask for the ClusterRole sluice-viewer" : nil)
  }

  private func may(_ verb: String, _ type: ResourceType) async throws -> Bool {
    let reviews = ResourceType(
      group: "authorization.k8s.io", kind: "SelfSubjectAccessReview", plural: "selfsubjectaccessreviews",
      namespaced: false)
    let review: JSON = [
      "apiVersion": .string(reviews.apiVersion), "kind": .string(reviews.kind),
      "spec": [
        "resourceAttributes": [
          "namespace": .string(session.namespace), "verb": .string(verb), "group": .string(type.group),
          "resource": .string(type.plural),
        ]
      ],
    ]
    return try await client.create(reviews, review)[path: ["status", "allowed"]]?.bool == true
  }

  // MARK: - The mesh

  private func mesh() async throws -> Finding {
    var served: [String] = []
    for type in RoutingKinds.every.routes where try await resources(of: type.group, type.version).contains(type.plural)
    {
      served.append("\(type.kind) (\(type.apiVersion)\(try await release(of: type)))")
    }
    return Self.mesh(served: served)
  }

  /// The version and channel of the Gateway API, as far as its definition tells.
  private func release(of type: ResourceType) async throws -> String {
    guard type == .httpRoutes else { return "" }
    let key = ObjectKey(name: GatewayCluster.definition)
    let definition: JSON?
    do { definition = try await client.find(.customResourceDefinitions, key) } catch let error as KubernetesError {
      if error.isForbidden { return "" }
      throw error
    }
    let annotations = definition?.annotations ?? [:]
    return ["bundle-version", "channel"].compactMap { annotations["gateway.networking.k8s.io/\($0)"] }
      .map { ", \($0)" }.joined()
  }

  /// - Parameter served: the kinds of routing object that are served, by what they are.
  static func mesh(served: [String]) -> Finding {
    if served.isEmpty {
      return Finding(
        subject: "mesh", verdict: .note,
        message: "neither \(RoutingKinds.every.routes.map(\.qualifiedName).joined(separator: " nor ")) is served: "
          + "Rollouts can divide requests by pods alone (traffic.replicas)",
        advice: "for finer weights, and checks of requests, install Istio 1.22 or later, or the Gateway API 1.2 or "
          + "later with something that implements it")
    }
    return Finding(subject: "mesh", verdict: .fine, message: "served: \(served.joined(separator: ", "))")
  }

  /// The plurals that a version of a group serves; none where the group is not there.
  @Sendable
  private func resources(of group: String, _ version: String) async throws -> [String] {
    do {
      let list = try await client.send(.raw("/apis/\(group)/\(version)"))
      return (list["resources"]?.array ?? []).compactMap { $0["name"]?.string }
    } catch let error as KubernetesError where error.status?.code == 404 {
      return []
    }
  }

  // MARK: - Prometheus

  private func metrics() async throws -> [Finding] {
    guard let prometheusURL else {
      return [
        Finding(
          subject: "prometheus", verdict: .note, message: "not asked",
          advice: "--prometheus-url names it, as the controller is told it")
      ]
    }
    let prometheus = PrometheusClient(baseURL: prometheusURL, transport: outbound)
    do {
      var counts: [String: [String: Double]] = [:]
      for (mesh, title, selector) in Self.series {
        let answer = try await prometheus.query("count(\(selector))").value
        let samples: [InstantSample] = if case .vector(let samples) = answer { samples } else { [] }
        counts[mesh, default: [:]][title] = samples.first?.value ?? 0
      }
      return [Self.metrics(counts)]
    } catch let error as PrometheusError {
      return [
        Finding(
          subject: "prometheus", verdict: .fault, message: "\(prometheusURL) did not answer a query: \(error)",
          advice: "without it no analysis passes, and no canary is promoted")
      ]
    }
  }

  /// What must be there of each mesh.
  private static let series: [(mesh: String, title: String, selector: String)] =
    ["source|waypoint", "destination"].flatMap { reporter in
      ["istio_requests_total", "istio_request_duration_milliseconds_bucket"].map {
        ("Istio", "\($0) of \(reporter)", "\($0){reporter=~\"\(reporter)\"}")
      }
    }
    + [
      "outbound_http_route_backend_response_statuses_total",
      "outbound_http_route_backend_response_duration_seconds_bucket", "response_total{direction=\"inbound\"}",
      "response_latency_ms_bucket{direction=\"inbound\"}",
    ].map { ("Linkerd", $0, $0) }
    + ["envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_time_bucket"].map { name in
      ("Envoy Gateway", name, "\(name){envoy_cluster_name=~\"httproute/.*\"}")
    }

  /// - Parameter counts: of series, by mesh and by what they are.
  static func metrics(_ counts: [String: [String: Double]]) -> Finding {
    let whole = counts.filter { !$0.value.values.contains(0) }.keys.sorted()
    if !whole.isEmpty {
      let total = Int(nearest: whole.flatMap { Array((counts[$0] ?? [:]).values) }.reduce(0, +))
      return Finding(
        subject: "prometheus", verdict: .fine,
        message: "answers, and has the metrics of \(whole.joined(separator: " and ")) (\(total) series)")
    }
    // What is there in part is what somebody meant to scrape.
    let partly = counts.filter { $0.value.values.contains { $0 > 0 } }
    let missing = (partly.isEmpty ? counts : partly).flatMap { mesh, found in
      found.filter { $0.value == 0 }.map { "\($0.key) (\(mesh))" }
    }
    return Finding(
      subject: "prometheus", verdict: .note,
      message: "answers, but has no \(missing.sorted().joined(separator: ", no "))",
      advice: "a run waits with MetricsMissing until the proxies are scraped and there is traffic")
  }
}
