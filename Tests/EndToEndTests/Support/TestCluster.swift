import Foundation
import Synchronization
import Testing

/// The sandbox with its Prometheus and a controller, each a process of its own.
actor TestCluster {
  let folder: URL
  nonisolated let record = ClusterRecord()
  nonisolated let kubectl: Program
  nonisolated let sluice: Program
  nonisolated let kubeconfig: String
  nonisolated let controllerLog: URL
  private let prometheusPort: Int
  private var daemons: [Daemon] = []
  private var controller: Daemon?

  /// The cluster that the tests of a suite share.
  @TaskLocal static var current: TestCluster?

  private init(_ name: String) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "sluice-\(name)-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    kubeconfig = folder.appending(path: "kubeconfig").path
    controllerLog = folder.appending(path: "controller.log")
    let environment = ["KUBECONFIG": kubeconfig, "HOME": folder.path]
    kubectl = Program(path: try Machine.tool("kubectl"), environment: environment)
    sluice = Program(path: try Machine.sluice(), environment: environment)
    prometheusPort = try Machine.freePort()
  }

  /// Starts all of it, runs the body, and ends all of it. The logs stay where a test of the suite has failed.
  static func run(_ name: String, _ body: @Sendable () async throws -> Void) async throws {
    let cluster = try TestCluster(name)
    do {
      try await cluster.start()
      try await $current.withValue(cluster) { try await body() }
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

  private func start() async throws {
    let meshPort = try Machine.freePort()
    daemons.append(
      try Daemon(
        "sandbox", sluice, ["sandbox", "--kubeconfig", kubeconfig, "--mesh-metrics-port", "\(meshPort)"],
        log: log("sandbox")))
    try await startPrometheus(scraping: meshPort)
    _ = try await poll("the sandbox's API", within: .seconds(30), every: .milliseconds(200)) {
      let namespaces = try await kubectl.run(["get", "namespaces"], deadline: .seconds(5))
      return namespaces.exitCode == 0 ? true : nil
    }
    for arguments in [["-f", Machine.source("deploy/crds").path], ["-k", Machine.source("deploy/policies").path]] {
      let applied = try await kubectl.run(["apply"] + arguments)
      guard applied.exitCode == 0 else { throw HarnessError("\(applied)") }
    }
    try record.start(kubectl, logs: folder)
    try startController()
  }

  private func startPrometheus(scraping port: Int) async throws {
    let configuration = """
      global: {scrape_interval: 1s, scrape_timeout: 1s}
      scrape_configs:
      - job_name: mesh
        honor_labels: true
        static_configs: [{targets: ["127.0.0.1:\(port)"]}]
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
    controller = try Daemon(
      "controller", sluice,
      ["controller", "--kubeconfig", kubeconfig, "--prometheus-url", "http://127.0.0.1:\(prometheusPort)"],
      log: controllerLog)
  }

  /// Ends the controller as the loss of its machine would.
  func killController() async { await controller?.kill() }

  private func stop() async {
    await controller?.stop()
    await record.stop()
    for daemon in daemons.reversed() { await daemon.stop() }
  }

  /// Daemons that should run and do not.
  func fallen() -> [String] {
    (daemons + [controller].compactMap { $0 }).filter { !$0.isRunning }.map { "\($0.name): \($0.tail(5))" }
  }
}

/// Gives a suite one cluster for all of its tests, which run at the same time, each in a namespace of its own.
struct SharedCluster: SuiteTrait, TestScoping {
  var name: String
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await TestCluster.run(name, function)
  }
}

extension Trait where Self == SharedCluster {
  static func cluster(_ name: String) -> Self { SharedCluster(name: name) }
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
