import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Testing
import Yams

@testable import Operator

@Suite("Alerts and dashboard of deploy/monitoring")
struct MonitoringTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../deploy/monitoring").standardized

  private func file(_ name: String) throws -> String {
    try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
  }

  /// The names of metrics that a controller serves.
  private func served() -> Set<Substring> {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let client = KubernetesClient(server: "http://nobody", transport: NoAnswers(), logger: logger)
    let queue = WorkQueue<ObjectKey>(time: client.time)
    let page = StatusPage(
      version: "1", watches: Watches(client: client, namespace: nil, queue: queue, logger: logger),
      reconciles: ReconcileRecord(time: client.time), aborts: AbortRecord(time: client.time),
      requests: RequestCounts(), queueDepth: { 0 }, isLeading: { true })
    return Set(
      page.metrics.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.compactMap {
        $0.split(separator: " ").dropFirst(2).first
      })
  }

  @Test("they read metrics that the controller serves and no others", arguments: ["alerts.yaml", "dashboard.json"])
  func names(name: String) throws {
    let used = try file(name).matches(of: #/\bsluice_[a-z_]+/#).map(\.output)
    let served = served()
    for metric in used {
      let base = metric.hasSuffix("_bucket") ? metric.dropLast("_bucket".count) : metric
      #expect(served.contains(base), "\(name) reads \(metric)")
    }
    #expect(used.count > 6)
  }

  @Test("the alerts fire on what they are for, by Prometheus' own judgement, and not before")
  func alerts() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-alerts-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let resource = try #require(try Yams.load(yaml: try file("alerts.yaml")) as? [String: Any])
    try Yams.dump(object: resource["spec"]).write(
      to: folder.appending(path: "rules.yaml"), atomically: true, encoding: .utf8)
    let tests = folder.appending(path: "tests.yaml")
    try Self.ruleTests.write(to: tests, atomically: true, encoding: .utf8)

    let promtool = Process()
    promtool.executableURL = URL(filePath: "/usr/bin/promtool")
    promtool.arguments = ["test", "rules", tests.path]
    let output = Pipe()
    promtool.standardOutput = output
    promtool.standardError = output
    try promtool.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    promtool.waitUntilExit()
    #expect(promtool.terminationStatus == 0, "\(text)")
  }

  /// Two controllers, of which `a` leads: at rest, and with all wrong from the tenth minute on.
  private static let ruleTests = """
    rule_files: [rules.yaml]
    evaluation_interval: 1m
    tests:
    - interval: 1m
      input_series:
      - {series: 'sluice_leader{instance="a"}', values: '1x300'}
      - {series: 'sluice_leader{instance="b"}', values: '0x300'}
      - {series: 'sluice_watch_up{instance="a", resource="rollouts.sluice.dev"}', values: '1x300'}
      - {series: 'sluice_watch_up{instance="b", resource="rollouts.sluice.dev"}', values: '0x300'}
      - {series: 'sluice_reconciles_total{outcome="succeeded"}', values: '0+10x300'}
      - {series: 'sluice_reconciles_total{outcome="failed"}', values: '0+1x300'}
      - {series: 'sluice_abort_seconds_bucket{stage="All", le="0.1"}', values: '0+1x300'}
      - {series: 'sluice_abort_seconds_bucket{stage="All", le="+Inf"}', values: '0+1x300'}
      - {series: 'sluice_rollout_phase{exported_namespace="shop", rollout="web", phase="Running"}', values: '1x300'}
      promql_expr_test:
      - {eval_time: 300m, expr: 'ALERTS'}
    - interval: 1m
      input_series:
      - {series: 'sluice_leader{instance="a"}', values: '1x300'}
      - {series: 'sluice_watch_up{instance="a", resource="rollouts.sluice.dev"}', values: '1x10 0x290'}
      - {series: 'sluice_reconciles_total{outcome="succeeded"}', values: '0+10x300'}
      - {series: 'sluice_reconciles_total{outcome="failed"}', values: '0+5x300'}
      - {series: 'sluice_abort_seconds_bucket{stage="All", le="2.5"}', values: '0+1x300'}
      - {series: 'sluice_abort_seconds_bucket{stage="All", le="+Inf"}', values: '0+1x300'}
      - {series: 'sluice_rollout_phase{exported_namespace="shop", rollout="a", phase="Stalled"}', values: '1x300'}
      - {series: 'sluice_rollout_phase{exported_namespace="shop", rollout="b", phase="Paused"}', values: '1x300'}
      promql_expr_test:
      - eval_time: 15m
        expr: 'count by (alertname) (ALERTS{alertstate="firing", alertname="SluiceSeesStaleObjects"})'
      - eval_time: 16m
        expr: 'count by (alertname) (ALERTS{alertstate="firing", alertname="SluiceSeesStaleObjects"})'
        exp_samples: [{labels: '{alertname="SluiceSeesStaleObjects"}', value: 1}]
      - eval_time: 239m
        expr: 'ALERTS{alertstate="firing", alertname="SluiceRolloutPausedForLong"}'
      - eval_time: 300m
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})'
        exp_samples:
        - {labels: '{alertname="SluiceSeesStaleObjects"}', value: 1}
        - {labels: '{alertname="SluiceReconcilesFail"}', value: 1}
        - {labels: '{alertname="SluiceAbortsAreSlow"}', value: 1}
        - {labels: '{alertname="SluiceRolloutStalled"}', value: 1}
        - {labels: '{alertname="SluiceRolloutPausedForLong"}', value: 1}
    - interval: 1m
      input_series:
      - {series: 'sluice_leader{instance="a"}', values: '1x10 0x20'}
      - {series: 'sluice_leader{instance="b"}', values: '0x10 _x20'}
      promql_expr_test:
      - {eval_time: 12m, expr: 'ALERTS{alertstate="firing"}'}
      - eval_time: 14m
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})'
        exp_samples: [{labels: '{alertname="SluiceHasNoLeader"}', value: 1}]
    - interval: 1m
      promql_expr_test:
      - eval_time: 5m
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})'
        exp_samples: [{labels: '{alertname="SluiceHasNoLeader"}', value: 1}]
    """
}

/// Nobody is called: what a page says of itself needs no cluster.
private struct NoAnswers: Transport {
  func send(_ request: HTTPRequest) async throws -> HTTPResponse { throw TransportError.notConnected("nobody") }
  func stream(_ request: HTTPRequest) async throws -> HTTPStream { throw TransportError.notConnected("nobody") }
}
