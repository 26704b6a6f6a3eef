import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("deploy/ is as strict as the pod security standard `restricted`, survives a drain, and is told by probes")
  func deployed() async throws {
    let cluster = try #require(TestCluster.current)
    func get(_ arguments: String...) async throws -> JSON {
      let outcome = try await cluster.kubectl.run(
        ["--namespace", TestCluster.controllerNamespace, "get", "--output=json"] + arguments)
      try #require(outcome.exitCode == 0, "\(outcome)")
      return try JSON(parsing: Data(outcome.output.utf8))
    }
    let deployment = try await get("deployment", "sluice")
    let pod = try #require(deployment[path: ["spec", "template", "spec"]])
    expectRestricted(pod)
    let namespace = try await get("namespace", TestCluster.controllerNamespace)
    #expect(namespace.labels["pod-security.kubernetes.io/enforce"] == "restricted")

    let container = try #require(pod["containers"]?[0])
    #expect(container[path: ["securityContext", "readOnlyRootFilesystem"]]?.bool == true)
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
      #expect(container[path: [probe, "httpGet", "path"]]?.string == path)
      #expect(container[path: [probe, "httpGet", "port"]]?.string == "status")
    }
    #expect(pod["topologySpreadConstraints"]?[0]?["topologyKey"]?.string == "kubernetes.io/hostname")
    let budget = try await get("poddisruptionbudget", "sluice")
    #expect(budget[path: ["spec", "maxUnavailable"]]?.int == 1)
    #expect(
      budget[path: ["spec", "selector", "matchLabels"]] == deployment[path: ["spec", "selector", "matchLabels"]])

    // The answers that the probes and Prometheus get.
    let metrics = try await poll("the lease", within: .seconds(60), every: .milliseconds(300)) {
      let text = try await cluster.ask("/metrics").text
      return text.contains("sluice_leader 1\n") ? text : nil
    }
    #expect(metrics.contains("sluice_watch_up{resource=\"rollouts.sluice.dev\"} 1\n"))
    #expect(metrics.contains("sluice_kubernetes_requests_total{method=\"GET\",code=\"200\"}"))
    #expect(try await cluster.ask("/healthz").status == 200)
    #expect(try await cluster.ask("/readyz").status == 200)
  }

  @Test("the installation for one namespace gives no right to change anything elsewhere")
  func oneNamespace() async throws {
    let cluster = try #require(TestCluster.current)
    let outcome = try await cluster.kubectl.run(
      [
        "apply", "--dry-run=server", "--validate=strict", "--output=json", "-k",
        Machine.source("deploy/one-namespace").path,
      ])
    try #require(outcome.exitCode == 0, "\(outcome)")
    let objects = try JSON(parsing: Data(outcome.output.utf8))["items"]?.array ?? []
    func named(_ kind: String, _ name: String) -> JSON? { objects.first { $0.kind == kind && $0.name == name } }
    let binding = try #require(named("RoleBinding", "sluice-controller"))
    #expect(binding.namespace == "default")
    #expect(binding["subjects"]?[0]?["namespace"]?.string == "default")
    #expect(named("ClusterRoleBinding", "sluice-controller") == nil)
    let wide = objects.filter { $0.kind == "ClusterRoleBinding" }
    let roles = wide.compactMap { $0[path: ["roleRef", "name"]]?.string }
    #expect(roles == ["sluice-controller-cluster"])
    let verbs = (named("ClusterRole", "sluice-controller-cluster")?["rules"]?.array ?? [])
      .flatMap { $0["verbs"]?.array ?? [] }.compactMap(\.string)
    #expect(Set(verbs) == ["list", "watch"])
    let arguments = named("Deployment", "sluice")?[path: ["spec", "template", "spec", "containers"]]?[0]?["args"]
    #expect(arguments?.array?.contains("--namespace=$(NAMESPACE)") == true)
  }

  @Test("people may do what their role says and nothing more")
  func peoplesRoles() async throws {
    let people = ["viewer", "releaser", "editor"]
    let wanted: [(verb: String, group: String, resource: String, may: Set<String>)] = [
      ("list", "sluice.dev", "rollouts", ["viewer", "releaser"]),
      ("patch", "sluice.dev", "rolloutruns", ["releaser"]), ("patch", "sluice.dev", "rollouts", ["editor"]),
      ("delete", "sluice.dev", "rolloutruns", []), ("create", "sluice.dev", "notificationchannels", ["editor"]),
      ("update", "sluice.dev", "rollouts/status", []), ("patch", "apps", "deployments", []),
    ]
    try await Shop.open("people", Manifest(isSound: false)) { shop in
      let bindings = people.map { person in
        """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: \(person)}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sluice-\(person)}
        subjects: [{kind: User, name: \(person), apiGroup: rbac.authorization.k8s.io}]
        """
      }
      try await shop.apply(bindings.joined(separator: "\n---\n"))
      let questions = wanted.flatMap { deed in
        people.map { person in
          let parts = deed.resource.split(separator: "/")
          let subresource = parts.count > 1 ? "subresource: \(parts[1])," : ""
          return """
            apiVersion: authorization.k8s.io/v1
            kind: SubjectAccessReview
            spec:
              user: \(person)
              resourceAttributes:
                {namespace: \(shop.namespace), verb: \(deed.verb), group: \(deed.group), \(subresource) resource: \(parts[0])}
            """
        }
      }
      let answers = try await shop.kubectl(
        "create", "--validate=ignore", "--output=jsonpath={.status.allowed} ", "-f", "-",
        input: questions.joined(separator: "\n---\n"))
      let allowed = answers.split(separator: " ").map { $0 == "true" }
      try #require(allowed.count == questions.count, "\(answers)")
      for (index, deed) in wanted.enumerated() {
        let may = zip(people, allowed[(index * people.count)...]).filter(\.1).map(\.0)
        #expect(Set(may) == deed.may, "\(deed.verb) \(deed.resource)")
      }
    }
  }

  @Test("doctor says what a cluster has, and what is missing")
  func doctor() async throws {
    try await Shop.open("doctor") { shop in
      var whole = JSON.null
      func verdict(_ subject: String) -> String? {
        whole["findings"]?.array?.first { $0["subject"]?.string == subject }?["verdict"]?.string
      }
      // The mesh's metrics come with the first requests and the scrape after them.
      _ = try await poll("the mesh's metrics", within: .seconds(60), every: .seconds(1)) {
        let outcome = try await shop.sluice(
          "doctor", "--prometheus-url", shop.cluster.prometheusURL, "--output", "json")
        try #require(outcome.exitCode == 0, "\(outcome)")
        whole = try JSON(parsing: Data(outcome.output.utf8))
        return verdict("prometheus") == "Fine" ? true : nil
      }
      for subject in ["server", "definitions", "hold mode", "policies", "controller", "rights", "mesh"] {
        #expect(verdict(subject) == "Fine", "\(subject): \(whole.pretty)")
      }
      #expect(whole.description.contains("in force: a dry run"), "\(whole.pretty)")

      let elsewhere = try await shop.sluice(
        "doctor", "--controller-namespace", "nowhere", "--prometheus-url", "http://127.0.0.1:1")
      #expect(elsewhere.exitCode == 2)
      #expect(elsewhere.output.contains("there is no Lease nowhere/sluice"), "\(elsewhere)")
      #expect(elsewhere.output.contains("did not answer a query"), "\(elsewhere)")
    }
  }
}

/// The pod security standard `restricted`, field by field.
/// Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
func expectRestricted(_ pod: JSON, sourceLocation: SourceLocation = #_sourceLocation) {
  for field in ["hostNetwork", "hostPID", "hostIPC"] {
    #expect(pod[field]?.bool != true, "\(field)", sourceLocation: sourceLocation)
  }
  let kinds: Set<String> = [
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
  ]
  for volume in pod["volumes"]?.array ?? [] {
    let kind = (volume.object ?? [:]).keys.filter { $0 != "name" }
    #expect(kind.allSatisfy(kinds.contains), "\(volume)", sourceLocation: sourceLocation)
  }
  let podContext = pod["securityContext"] ?? .emptyObject
  #expect(podContext["sysctls"] == nil, sourceLocation: sourceLocation)
  let containers = (pod["containers"]?.array ?? []) + (pod["initContainers"]?.array ?? [])
  #expect(!containers.isEmpty, sourceLocation: sourceLocation)
  for container in containers {
    let context = container["securityContext"] ?? .emptyObject
    func effective(_ key: String) -> JSON? { context[key] ?? podContext[key] }
    #expect(context["privileged"]?.bool != true, sourceLocation: sourceLocation)
    #expect(context["allowPrivilegeEscalation"]?.bool == false, sourceLocation: sourceLocation)
    #expect(context[path: ["capabilities", "drop"]] == ["ALL"], sourceLocation: sourceLocation)
    #expect(context[path: ["capabilities", "add"]] == nil, sourceLocation: sourceLocation)
    #expect(effective("runAsNonRoot")?.bool == true, sourceLocation: sourceLocation)
    #expect(effective("runAsUser")?.int != 0, sourceLocation: sourceLocation)
    #expect(
      ["RuntimeDefault", "Localhost"].contains(effective("seccompProfile")?["type"]?.string ?? ""),
      sourceLocation: sourceLocation)
    #expect((container["ports"]?.array ?? []).allSatisfy { $0["hostPort"] == nil }, sourceLocation: sourceLocation)
  }
}
