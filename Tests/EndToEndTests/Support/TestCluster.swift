import Foundation
import Glibc
import HTTPTransport
import KubernetesAPI
import Synchronization
import Testing

/// A cluster with a Prometheus and a controller beside it, each a process of its own: the sandbox, or the cluster that
/// ``GivenCluster`` names. The controller has the rights of the service account that deploy/ makes, and no others.
actor TestCluster {
  let folder: URL
  nonisolated let record = ClusterRecord()
  nonisolated let kubectl: Program
  nonisolated let sluice: Program
  nonisolated let kubeconfig: String
  nonisolated let controllerLog: URL
  nonisolated let prometheusURL: String
  /// Where the controller sends its traces.
  nonisolated let collector: WebhookReceiver
  nonisolated let given: GivenCluster?
  /// Where a real proxy is told what to do; nil where the mesh is simulated.
  nonisolated let dataPlane: URL?
  private let prometheusPort: Int
  private let statusPort: Int
  /// Whether the admission policies of deploy are installed.
  private let hasPolicies: Bool
  private var daemons: [Daemon] = []
  private var controller: Daemon?
  private var scenarios: Set<String> = []
  private var running = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var proxyPort: Int?

  /// The cluster that the tests of a suite share.
  @TaskLocal static var current: TestCluster?

  private init(_ name: String, hasDataPlane: Bool, hasPolicies: Bool) throws {
    self.hasPolicies = hasPolicies
    folder = FileManager.default.temporaryDirectory.appending(path: "sluice-\(name)-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    dataPlane = hasDataPlane ? folder.appending(path: "data-plane") : nil
    kubeconfig = folder.appending(path: "kubeconfig").path
    controllerLog = folder.appending(path: "controller.log")
    let environment = ["KUBECONFIG": kubeconfig, "HOME": folder.path]
    kubectl = Program(path: try Machine.tool("kubectl"), environment: environment)
    sluice = Program(path: try Machine.sluice(), environment: environment)
    given = GivenCluster()
    prometheusPort = try Machine.freePort()
    prometheusURL = "http://127.0.0.1:\(prometheusPort)"
    statusPort = try Machine.freePort()
    collector = try WebhookReceiver()
  }

  /// Starts all of it, runs the body, and ends all of it. The logs stay where a test of the suite has failed.
  static func run(
    _ name: String, hasDataPlane: Bool = false, hasPolicies: Bool = true, _ body: @Sendable () async throws -> Void
  ) async throws {
    let cluster = try TestCluster(name, hasDataPlane: hasDataPlane, hasPolicies: hasPolicies)
    do {
      try await cluster.start()
      try await $current.withValue(cluster) { try await body() }
      try await cluster.checkRights()
      await cluster.stop()
    } catch {
      Failures.note("")
      await cluster.stop()
      print("logs of the \(name) suite: \(cluster.folder.path)\n\(Daemon.tail(of: cluster.controllerLog, 20))")
      throw error
    }
    if Failures.isEmpty {
      try? FileManager.default.removeItem(at: cluster.folder)
    } else {
      print("logs of the \(name) suite: \(cluster.folder.path)")
    }
  }

  private func log(_ name: String) -> URL { folder.appending(path: "\(name).log") }

  private nonisolated var controllerKubeconfig: URL { folder.appending(path: "controller.kubeconfig") }
  private nonisolated var auditLog: URL { given?.auditLog ?? folder.appending(path: "audit.log") }

  private func start() async throws {
    let meshPort = try Machine.freePort()
    if let given {
      try await given.prepare(kubeconfig: URL(filePath: kubeconfig), kubectl)
      let arguments = ["sandbox", "--mesh-of", kubeconfig, "--mesh-metrics-port", "\(meshPort)"]
      daemons.append(
        try Daemon(
          "mesh", sluice, arguments + (GivenCluster.standsInForGateways ? ["--mesh-route-status"] : []),
          log: log("mesh")))
    } else {
      let arguments = [
        "sandbox", "--kubeconfig", kubeconfig, "--mesh-metrics-port", "\(meshPort)", "--audit-log", auditLog.path,
      ]
      daemons.append(
        try Daemon(
          "sandbox", sluice, arguments + (dataPlane.map { ["--data-plane", $0.path] } ?? []), log: log("sandbox")))
      _ = try await poll("the sandbox's API", within: .seconds(30), every: .milliseconds(200)) {
        let namespaces = try await kubectl.run(["get", "namespaces"], deadline: .seconds(5))
        return namespaces.exitCode == 0 ? true : nil
      }
      if let dataPlane { try startEnvoy(dataPlane) }
    }
    try await startPrometheus(scraping: meshPort)
    try await install()
    if !hasPolicies { try await must(["delete", "-k", Machine.source("deploy/policies").path]) }
    let hasGateways = try await given?.serves(GivenCluster.httpRoutes, kubectl) ?? true
    try record.start(kubectl, hasGateways: hasGateways, logs: folder)
    try startController()
  }

  /// What deploy/ holds, as its users apply it. The controller runs beside the cluster, as the service account.
  private func install() async throws {
    try await must(["apply", "-k", Machine.source("deploy").path])
    try await must(["--namespace", Self.controllerNamespace, "scale", "deployment/sluice", "--replicas=0"])
    try await must(["wait", "--for=condition=Established", "--timeout=30s", "crd", "rollouts.sluice.dev"])
    let token = try await must([
      "--namespace", Self.controllerNamespace, "create", "token", "sluice", "--duration=1h",
    ])
    let raw = try await must(["config", "view", "--raw", "--minify", "--flatten", "--output=json"])
    var config = try JSON(parsing: Data(raw.utf8))
    let user = config["users"]?[0]?["name"] ?? "user"
    config["users"] = [
      ["name": user, "user": ["token": .string(token.trimmingCharacters(in: .whitespacesAndNewlines))]]
    ]
    if var context = config["contexts"]?[0] {
      context[path: ["context", "namespace"]] = .string(Self.controllerNamespace)
      config["contexts"] = [context]
    }
    try config.data.write(to: controllerKubeconfig)
  }

  static let controllerNamespace = "sluice-system"

  @discardableResult
  private func must(_ arguments: [String]) async throws -> String {
    let outcome = try await kubectl.run(arguments)
    guard outcome.exitCode == 0 else { throw HarnessError("\(outcome)") }
    return outcome.output
  }

  private func startEnvoy(_ folder: URL) throws {
    daemons.append(
      try Daemon(
        "envoy", Program(path: try Machine.tool("envoy")),
        [
          "-c", folder.appending(path: "envoy.json").path, "--disable-hot-restart", "--concurrency", "1",
          "--file-flush-interval-msec", "100",
        ], log: log("envoy")))
  }

  private func startPrometheus(scraping port: Int) async throws {
    let configuration = """
      global: {scrape_interval: 1s, scrape_timeout: 1s}
      scrape_configs:
      - job_name: mesh
        honor_labels: true
        static_configs: [{targets: ["127.0.0.1:\(port)"]}]
      - job_name: sluice
        static_configs: [{targets: ["127.0.0.1:\(statusPort)"]}]
      """
    let file = folder.appending(path: "prometheus.yml")
    try Data(configuration.utf8).write(to: file)
    daemons.append(
      try Daemon(
        "prometheus", Program(path: try Machine.tool("prometheus")),
        [
          "--config.file=\(file.path)", "--storage.tsdb.path=\(folder.appending(path: "prometheus").path)",
          "--web.listen-address=127.0.0.1:\(prometheusPort)",
        ], log: log("prometheus")))
  }

  /// Starts a controller that goes on with the log of the one before it.
  func startController() throws {
    var program = sluice
    program.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:\(collector.port)"
    controller = try Daemon(
      "controller", program,
      [
        "controller", "--kubeconfig", controllerKubeconfig.path, "--prometheus-url", prometheusURL,
        "--status-address", "127.0.0.1", "--status-port", "\(statusPort)",
      ], log: controllerLog)
  }

  /// Starts another controller, which reaches the API server through a gate of its own. It leads when nobody else does.
  func startController(named name: String, leaseSeconds: Int) async throws -> (controller: Daemon, gate: Gate) {
    let gate = try Gate(to: try await plainPort())
    let file = folder.appending(path: "kubeconfig-\(name)").path
    let context: JSON = ["cluster": "gate", "user": "gate", "namespace": .string(Self.controllerNamespace)]
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": "gate",
      "clusters": [["name": "gate", "cluster": ["server": .string("http://127.0.0.1:\(gate.port)")]]],
      "contexts": [["name": "gate", "context": context]],
      "users": [["name": "gate", "user": [:]]],
    ]
    try config.data.write(to: URL(filePath: file))
    let daemon = try Daemon(
      name, sluice,
      [
        "controller", "--kubeconfig", file, "--prometheus-url", "http://127.0.0.1:\(prometheusPort)",
        "--leader-elect-lease-duration", "\(leaseSeconds)",
      ], log: log(name))
    daemons.append(daemon)
    return (daemon, gate)
  }

  /// Where the API is served without TLS, so that a gate sees what is asked: by the sandbox, and of a given cluster by
  /// `kubectl proxy` with the controller's rights.
  private func plainPort() async throws -> Int {
    if given == nil {
      let text = try String(contentsOfFile: kubeconfig, encoding: .utf8)
      guard let found = text.firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)/), let server = Int(found.1) else {
        throw HarnessError("no address of the API server in \(kubeconfig)")
      }
      return server
    }
    if let proxyPort { return proxyPort }
    let port = try Machine.freePort()
    daemons.append(
      try Daemon(
        "kubectl proxy", Program(path: kubectl.path, environment: ["KUBECONFIG": controllerKubeconfig.path]),
        ["proxy", "--port=\(port)"], log: log("proxy")))
    proxyPort = port
    _ = try await poll("kubectl proxy", within: .seconds(10)) { () -> Bool? in
      guard let socket = Machine.connect(to: port) else { return nil }
      close(socket)
      return true
    }
    return port
  }

  /// Asks the controller to end, which gives its lease back.
  func stopController() async { await controller?.stop() }

  /// Ends the controller as the loss of its machine would.
  func killController() async { await controller?.kill() }

  private func stop() async {
    await given?.removeNamespaces(kubectl)
    await controller?.stop()
    await record.stop()
    await given?.uninstall(kubectl)
    for daemon in daemons.reversed() { await daemon.stop() }
  }

  /// Daemons that should run and do not.
  func fallen() -> [String] {
    (daemons + [controller].compactMap { $0 }).filter { !$0.isRunning && !$0.wasStopped }.map {
      "\($0.name): \($0.tail(5))"
    }
  }

  /// Applies or deletes the admission policies.
  func policies(_ verb: String) async throws {
    try await must([verb, "-k", Machine.source("deploy/policies").path])
  }

  /// What the controller answers to a probe or a scrape.
  func ask(_ path: String) async throws -> (status: Int, text: String) {
    let transport = try CurlTransport(TransportConfiguration())
    do {
      let answer = try await transport.send(
        HTTPRequest(.get, "http://127.0.0.1:\(statusPort)\(path)", timeout: .seconds(5)))
      await transport.shutdown()
      return (answer.status, String(decoding: answer.body, as: UTF8.self))
    } catch {
      await transport.shutdown()
      throw error
    }
  }

  /// Waits for a place among the scenarios that run at the same time: on a small machine too many of them would all be
  /// late for their deadlines.
  func enter(_ scenario: String) async {
    if running < Self.places {
      running += 1
    } else {
      // Whoever leaves hands its place over.
      await withCheckedContinuation { waiting.append($0) }
    }
    scenarios.insert(scenario)
  }

  func leave() {
    if waiting.isEmpty { running -= 1 } else { waiting.removeFirst().resume() }
  }

  private static let places = max(4, 3 * ProcessInfo.processInfo.activeProcessorCount)

  /// Compares what the controller asked for with what its roles grant.
  private func checkRights() async throws {
    let user = "system:serviceaccount:\(Self.controllerNamespace):sluice"
    guard let used = try Rights.used(in: auditLog, by: user) else { return }
    let granted = try Rights.granted(
      try JSON(parsing: Data(try await must(["get", "clusterroles,roles", "-A", "--output=json"]).utf8)))
    #expect(used.refused.isEmpty, "refused to the controller: \(used.refused.sorted())")
    let missing = used.done.filter { right in !granted.contains { $0.covers(right) } }
    #expect(missing.isEmpty, "used and not granted by the roles: \(missing.map(\.description).sorted())")
    guard scenarios.isSuperset(of: Rights.telling) else { return }
    let idle = granted.filter { right in !used.done.contains { right.covers($0) } && Rights.kept[right.text] == nil }
    #expect(idle.isEmpty, "granted and never used: \(idle.map(\.text).sorted())")
  }
}

/// Gives a suite one cluster for all of its tests, which run at the same time, each in a namespace of its own.
struct SharedCluster: SuiteTrait, TestScoping {
  var name: String
  var hasDataPlane = false
  var hasPolicies = true
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await TestCluster.run(name, hasDataPlane: hasDataPlane, hasPolicies: hasPolicies, function)
  }
}

extension Trait where Self == SharedCluster {
  /// - Parameters:
  ///   - hasDataPlane: whether requests are real, through Envoy, and not simulated.
  ///   - policies: whether the admission policies of deploy are installed.
  static func cluster(_ name: String, hasDataPlane: Bool = false, policies: Bool = true) -> Self {
    SharedCluster(name: name, hasDataPlane: hasDataPlane, hasPolicies: policies)
  }
}

/// The tests that failed, so that what was kept of them is shown.
enum Failures {
  private static let tests = Mutex<Set<String>>([])

  static var isEmpty: Bool { tests.withLock { $0.isEmpty } }
  static func note(_ test: String) { tests.withLock { _ = $0.insert(test) } }
  static func contain(_ test: String) -> Bool { tests.withLock { $0.contains(test) } }
}

extension Trait where Self == IssueHandlingTrait {
  /// Remembers which tests had an issue.
  static var noted: Self {
    .compactMapIssues { issue in
      Failures.note(Test.current?.name ?? "")
      return issue
    }
  }
}
