import Foundation
import KubernetesAPI
import Testing

/// What GitOps tools write in mid-run, what becomes of traffic, and how they read the objects.
extension EndToEnd {
  @Test(
    "no way to apply manifests ends a hold or moves traffic in mid-run: applies, replace, Helm's merge, a forced apply")
  func appliedInMidRun() async throws {
    let manifest = Manifest(steps: ["{weight: 20, pause: {}}"])
    try await Shop.open("gitops", manifest) { shop in
      let stable = try await shop.pods("v1")
      var next = manifest
      next.tag = "v2"
      try await shop.apply(next.deployment)
      try await shop.status(5, exitOnPause: true)
      let run = try await shop.run("v2").name
      let seen = shop.history().last?.number ?? 0

      // Every tool writes what Git holds, again and again, and what a person would to get rid of the pause.
      try await shop.apply(next.text)
      try await shop.kubectl(
        "apply", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts", "-f", "-",
        input: next.deployment + "\n---\n" + next.service)
      try await shop.kubectl("replace", "-f", "-", input: next.deployment)
      try await shop.replaceService(next.service)
      let unpaused = next.deployment.replacingOccurrences(
        of: "spec:\n  replicas", with: "spec:\n  paused: false\n  replicas")
      try #require(unpaused != next.deployment)
      try await shop.kubectl(
        "apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts", "-f", "-", input: unpaused)
      // Helm's three-way merge of a chart whose former release had another image and a label less.
      try await shop.kubectl(
        "patch", "deployment", "checkout", "--type=strategic", "--patch",
        """
        {"metadata": {"labels": {"helm.sh/chart": "checkout-2"}}, "spec": {"template": {"spec":
          {"containers": [{"name": "app", "image": "\(Manifest.image("v2"))"}]}}}}
        """)
      try await shop.kubectl("scale", "deployment/checkout", "--replicas=4")
      _ = try await shop.cluster.kubectl.run(
        ["--namespace", shop.namespace, "rollout", "resume", "deployment/checkout"])
      try await shop.untilLookedAt()
      let deployment = try await shop.get("deployment")
      #expect(deployment.isPaused)
      #expect(deployment.labels["sluice.dev/managed"] == "checkout")
      #expect(deployment.annotations["sluice.dev/held"] == run)
      #expect(try await shop.pods("v1") == stable, "no stable pod was touched")
      #expect(shop.podsEver("v1") == stable)
      #expect(try await shop.get(Shop.virtualServices).canaryWeight == 20, "the weight stands")
      #expect(try await shop.get("service").selector["pod-template-hash"] != nil, "the callers' Service is pinned")
      #expect(try await shop.run("v2").name == run, "it is still the same run")
      let routes = shop.history(Shop.virtualServices).filter { $0.number > seen }
      #expect(Set(routes.map(\.object.canaryWeight)).isSubset(of: [20]), "no write moved the weight")
      let slices = try await shop.list("endpointslices")
      #expect(slices.allSatisfy { !($0["endpoints"]?.array ?? []).isEmpty }, "no Service has lost its endpoints")
      let diff = try await shop.cluster.kubectl.run(
        ["--namespace", shop.namespace, "diff", "--server-side", "--force-conflicts", "-f", "-"], input: next.service)
      #expect(diff.exitCode == 0, "the pin is no drift: \(diff)")

      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      #expect(try await shop.pods("v2").count == 4)
      try await expectAtRest(shop)
    }
  }

  @Test("kstatus and Argo CD's health say what is: at rest, in a run, after promotion, after an abort")
  func readByTools() async throws {
    try await Shop.open("health", Manifest(steps: ["{weight: 20, pause: {}}"])) { shop in
      try await shop.expectHealth("at rest", rollout: ("Current", "Healthy"), deployment: ("Current", "Healthy"))
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.expectHealth(
        "in a run that waits", rollout: ("InProgress", "Suspended"), deployment: ("InProgress", "Suspended"))
      try await shop.decide("promote", "checkout")
      try await shop.until("the promotion", "rollouts.sluice.dev") { $0.phase == "Running" }
      try await shop.status(0)
      try await shop.expectHealth("promoted", rollout: ("Current", "Healthy"), deployment: ("Current", "Healthy"))
      try await shop.setImage("v3")
      try await shop.status(5, exitOnPause: true)
      try await shop.decide("abort", "checkout")
      try await shop.status(2)
      try await shop.expectHealth(
        "aborted", rollout: ("Failed", "Degraded"), deployment: ("InProgress", "Suspended"))
      let runs = try await shop.health(try await shop.list("rolloutruns.sluice.dev"))
      #expect(Set(runs.compactMap { $0[path: ["argo", "status"]]?.string }) == ["Healthy", "Degraded"])
      // Git goes back: the tools call it healthy again, and nothing was rolled.
      try await shop.setImage("v2")
      try await shop.status(0)
      try await shop.expectHealth("reverted", rollout: ("Current", "Healthy"), deployment: ("Current", "Healthy"))
    }
  }
}

extension Shop {
  /// Replaces the Service as `kubectl replace` does, with the address that it was given.
  fileprivate func replaceService(_ manifest: String) async throws {
    try await kubectl("replace", "-f", "-", input: manifest)
  }

  /// What kstatus and Argo CD say of objects, each as `{kind, name, kstatus: {status}, argo: {status}}`.
  fileprivate func health(_ objects: [JSON]) async throws -> [JSON] {
    let python = Program(path: try Machine.tool("python3"))
    let outcome = try await python.run(
      [Machine.source("Tests/GitOps/health.py").path, Machine.source("deploy/gitops/argocd").path],
      input: JSON.array(objects).description)
    try #require(outcome.exitCode == 0, "\(outcome)")
    return try JSON(parsing: Data(outcome.output.utf8)).array ?? []
  }

  fileprivate func expectHealth(
    _ when: String, rollout: (kstatus: String, argo: String), deployment: (kstatus: String, argo: String),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    // The Deployment's own controller may be a moment behind.
    var last: [JSON] = []
    do {
      _ = try await poll("the health", within: .seconds(6), every: .milliseconds(300)) {
        last = try await health([try await get("rollouts.sluice.dev"), try await get("deployment")])
        let statuses = last.map { ($0[path: ["kstatus", "status"]]?.string, $0[path: ["argo", "status"]]?.string) }
        let isSo = zip(statuses, [rollout, deployment]).allSatisfy { $0.0 == $1.kstatus && $0.1 == $1.argo }
        return isSo ? true : nil
      }
    } catch is HarnessError {
      Issue.record(
        "\(when): wanted \(rollout) and \(deployment), found \(last.map(\.description))", sourceLocation: sourceLocation
      )
    }
  }
}
