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
  private static let definitions = ResourceType(
    group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions",
    namespaced: false)
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
    do {
      findings += try await hold().findings
    } catch let error as KubernetesError {
      findings.append(Self.unknown("hold mode", error))
    }
    findings.append(try await look("controller") { try await controller() })
    findings.append(try await look("rights") { try await rights() })
    findings.append(try await look("mesh") { try await mesh() })
    findings += try await metrics()
    findings.append(try await look("rollouts") { try await rollouts() })
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
      let definition = try await client.find(Self.definitions, ObjectKey(name: type.qualifiedName))
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
    let group = ResourceType.virtualServices.group
    let served = try await resources(of: group, ResourceType.virtualServices.version)
    let wanted = [ResourceType.virtualServices, .destinationRules]
    let missing = wanted.filter { !served.contains($0.plural) }
    if missing.isEmpty {
      return Finding(
        subject: "mesh", verdict: .fine, message: "Istio's \(ResourceType.virtualServices.apiVersion) is served")
    }
    return Finding(
      subject: "mesh", verdict: .fault,
      message: "not served: \(missing.map { "\($0.plural).\($0.group)/\($0.version)" }.joined(separator: ", "))",
      advice: "install Istio 1.22 or later; without its kinds no Rollout can route")
  }

  /// The plurals that a version of a group serves; none where the group is not there.
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
      var counts: [String: Double] = [:]
      for (reporter, metric) in Self.series {
        let query = "count(\(metric){reporter=~\"\(reporter)\"})"
        let answer = try await prometheus.query(query).value
        let samples: [InstantSample] = if case .vector(let samples) = answer { samples } else { [] }
        counts["\(metric) of \(reporter)"] = samples.first?.value ?? 0
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

  private static let series = [
    (reporter: "source|waypoint", metric: "istio_requests_total"),
    (reporter: "destination", metric: "istio_requests_total"),
    (reporter: "source|waypoint", metric: "istio_request_duration_milliseconds_bucket"),
    (reporter: "destination", metric: "istio_request_duration_milliseconds_bucket"),
  ]

  /// - Parameter counts: of series, by what they are.
  static func metrics(_ counts: [String: Double]) -> Finding {
    let missing = counts.filter { $0.value == 0 }.keys.sorted()
    if missing.isEmpty {
      let total = Int(counts.values.reduce(0, +))
      return Finding(
        subject: "prometheus", verdict: .fine, message: "answers, and has the mesh's metrics (\(total) series)")
    }
    return Finding(
      subject: "prometheus", verdict: .note, message: "answers, but has no \(missing.joined(separator: ", no "))",
      advice: "a run waits with MetricsMissing until the proxies are scraped and there is traffic")
  }
}
