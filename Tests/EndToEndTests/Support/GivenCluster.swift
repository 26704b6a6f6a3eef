import Foundation
import KubernetesAPI

/// A cluster that somebody gave for the tests (`Tests/run --cluster`), instead of the sandbox. What is put there is taken
/// away again.
struct GivenCluster: Sendable {
  /// Its administrator's.
  let kubeconfig: String
  /// At the end of the namespaces' names, so that nothing of somebody's is touched.
  let suffix: String
  /// Folders with definitions of the meshes' kinds, applied where the cluster has none.
  private let meshDefinitions: [String]
  /// Where the server's audit log can be read, if anywhere.
  let auditLog: URL?

  /// `nil` where the tests are for the sandbox.
  init?() {
    let environment = ProcessInfo.processInfo.environment
    guard let kubeconfig = environment["SLUICE_TEST_KUBECONFIG"] else { return nil }
    self.kubeconfig = kubeconfig
    suffix = "-" + String(UUID().uuidString.lowercased().prefix(6))
    meshDefinitions = (environment["SLUICE_TEST_CRDS"] ?? "").split(separator: "\n").map(String.init)
    auditLog = environment["SLUICE_TEST_AUDIT_LOG"].map { URL(filePath: $0) }
  }

  static let label = "sluice.dev/end-to-end-test"

  /// Refuses a cluster where the tests would meddle, or could not run, and says why.
  func prepare(kubeconfig file: URL, _ kubectl: Program) async throws {
    let own = Program(path: kubectl.path, environment: ["KUBECONFIG": kubeconfig])
    let view = try await own.run(["config", "view", "--raw", "--minify", "--flatten", "--output=json"])
    guard view.exitCode == 0 else { throw HarnessError("\(view)") }
    try Data(view.output.utf8).write(to: file)
    let found = try await kubectl.run(["get", "namespace", TestCluster.controllerNamespace, "--ignore-not-found"])
    guard found.exitCode == 0 else { throw HarnessError("the cluster does not answer: \(found)") }
    guard found.output.isEmpty else {
      throw HarnessError(
        "the cluster has a namespace \(TestCluster.controllerNamespace) already; the tests install and remove Sluice, and "
          + "leave one that somebody uses alone")
    }
    try await prepareMesh(kubectl)
    try await probe(kubectl)
  }

  static let virtualServices = "virtualservices.v1.networking.istio.io"
  static let httpRoutes = "httproutes.v1.gateway.networking.k8s.io"

  /// Whether the tests of the Gateway API can run: there is nobody else who would write the status of routes.
  static let standsInForGateways = ProcessInfo.processInfo.environment["SLUICE_TEST_ROUTE_STATUS"] == "yes"

  func serves(_ resource: String, _ kubectl: Program) async throws -> Bool {
    try await kubectl.run(["get", resource, "-A"]).exitCode == 0
  }

  private func prepareMesh(_ kubectl: Program) async throws {
    for folder in meshDefinitions {
      let folder = ["--recursive", "-f", folder]
      let there = try await kubectl.run(["get", "--ignore-not-found", "--output=name"] + folder)
      // What the cluster has is its own; a part of a set is not completed.
      guard there.exitCode == 0, there.output.isEmpty else { continue }
      let applied = try await kubectl.run(["apply", "--server-side"] + folder)
      guard applied.exitCode == 0 else { throw HarnessError("\(applied)") }
      // What was brought along goes again in the end.
      let marked = try await kubectl.run(["label"] + folder + ["\(Self.label)=definitions"])
      guard marked.exitCode == 0 else { throw HarnessError("\(marked)") }
    }
    for resource in [Self.virtualServices] + (Self.standsInForGateways ? [Self.httpRoutes] : []) {
      do {
        _ = try await poll(resource, within: .seconds(meshDefinitions.isEmpty ? 0 : 30), every: .milliseconds(500)) {
          try await serves(resource, kubectl) ? true : nil
        }
      } catch is HarnessError {
        throw HarnessError(
          "the cluster does not serve \(resource); install it, or name a folder with its definitions: Tests/run --cluster "
            + "--crds DIR")
      }
    }
  }

  /// A pod of the image that the scenarios use must become ready, or each of them would wait in vain.
  private func probe(_ kubectl: Program) async throws {
    let namespace = "sluice-probe\(suffix)"
    _ = try await kubectl.run(["create", "namespace", namespace])
    let run = try await kubectl.run(
      ["--namespace", namespace, "run", "probe", "--image=\(Manifest.image("v1"))", "--labels=\(Self.label)=probe"])
    guard run.exitCode == 0 else { throw HarnessError("\(run)") }
    let ready = try await kubectl.run(
      ["--namespace", namespace, "wait", "--for=condition=Ready", "--timeout=60s", "pod/probe"], deadline: .seconds(70))
    let seen = try await kubectl.run(["--namespace", namespace, "get", "pods", "--output=wide"])
    _ = try await kubectl.run(["delete", "namespace", namespace, "--wait=false"])
    guard ready.exitCode == 0 else {
      throw HarnessError(
        "a pod of \(Manifest.image("v1")) does not become ready on this cluster; --image names a repository with the "
          + "tags v1, v2, v3 and so on\n\(seen)")
    }
  }

  /// Takes away what the tests made, while the controller still runs: the Rollouts' finalizers are its own.
  func removeNamespaces(_ kubectl: Program) async {
    await remove(["namespaces", "--selector=\(Self.label)"], kubectl)
  }

  /// Takes away what was installed, after the controller has ended.
  func uninstall(_ kubectl: Program) async {
    await remove(["-k", Machine.source("deploy").path, "--ignore-not-found"], kubectl)
    // Sets of definitions bring policies that guard their upgrades.
    await remove(
      [
        "customresourcedefinitions,validatingadmissionpolicies,validatingadmissionpolicybindings",
        "--selector=\(Self.label)",
      ], kubectl)
  }

  private func remove(_ what: [String], _ kubectl: Program) async {
    do {
      let outcome = try await kubectl.run(["delete"] + what + ["--timeout=90s"], deadline: .seconds(100))
      if outcome.exitCode != 0 { print("not all was cleaned up: \(outcome)") }
    } catch {
      print("the cluster was not cleaned up: \(error)")
    }
  }
}
