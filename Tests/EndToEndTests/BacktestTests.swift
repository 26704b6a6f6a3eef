import Foundation
import HTTPTransport
import KubernetesAPI
import Testing

/// A plan that is tried on the history of a real Prometheus, which is given all of its samples at once: there is no cluster.
@Suite("A release of the past", .noted, .timeLimit(.minutes(5))) struct BacktestTests {
  @Test("guards know a recorded release's other days, from a Prometheus and from the file that was kept of it")
  func otherDays() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "backtest-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var manifest = Manifest(steps: ["{weight: 50, analyze: {for: 20m}}"])
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    let plan = folder.appending(path: "rollout.yaml").path
    let rollout = manifest.rollout.replacing("interval: 1s", with: "interval: 10s")
    try Data(rollout.utf8).write(to: URL(filePath: plan))
    let kept = folder.appending(path: "release.json").path
    let start = (Date().timeIntervalSince1970 / 60).rounded() * 60 - 7200
    let history = try await FilledPrometheus(Week(start: start).text, in: folder)
    func time(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).formatted(.iso8601) }
    let tried: JSON
    do {
      tried = try await Self.backtest(
        plan, "--prometheus-url", history.url, "--stable-set", Week.stable, "--canary-set", Week.canary, "--from",
        time(start), "--to", time(start + 1800), "--export", kept)
      await history.stop()
    } catch {
      await history.stop()
      throw error
    }
    #expect(tried["outcome"]?.string == "Paused", "\(tried.pretty)")
    // A third of the usual requests; 440 mCPU beside stable's 200, where 400 were usual.
    #expect(tried["guards"]?.array?.map(\.string) == ["request-volume"], "\(tried.pretty)")
    #expect(
      tried["reason"]?.string?.contains("the service gets 100 requests a second; at this hour 300 are usual") == true,
      "\(tried.pretty)")
    #expect(!tried.pretty.contains("other days"), "nothing is wanting: \(tried.pretty)")

    let hours = try JSON(parsing: Data(contentsOf: URL(filePath: kept)))[path: ["otherDays", "hours"]]?.array ?? []
    #expect(hours.map { $0["at"]?.double } == [0, 1800])
    for (name, usual) in [("requests", 300), ("cpu", 0.4), ("memory", 1e8)] {
      let days = hours.flatMap { $0[name]?.array ?? [] }.compactMap(\.double)
      #expect(days.count == 14 && days.allSatisfy { abs($0 / usual - 1) < 0.01 }, "\(name): \(days)")
    }
    #expect(try await Self.backtest(plan, "--recording", kept) == tried, "the file says it all")
  }

  private static func backtest(_ arguments: String...) async throws -> JSON {
    let sluice = Program(path: try Machine.sluice())
    let outcome = try await sluice.run(["backtest"] + arguments + ["--namespace", "shop", "--output", "json"])
    try #require(outcome.exitCode == 0, "\(outcome)")
    return try JSON(parsing: Data(outcome.output.utf8))
  }
}

/// A release of two pods each, with 100 requests a second, and the same half hour of the seven days before, when the
/// service got 300; in the OpenMetrics text format.
private struct Week {
  static let stable = "checkout-6d4b8c7f9"
  static let canary = "checkout-79c588b85"

  var start: Double

  var text: String {
    var lines: [String: [String]] = [:]
    func add(_ name: String, _ labels: String, _ times: StrideThrough<Double>, _ value: (Double) -> Double) {
      lines[name, default: []] += times.map { "\(name){namespace=\"shop\",\(labels)} \(value($0)) \(Int($0))" }
    }
    func addPod(_ pod: String, _ times: StrideThrough<Double>, since: Double, cpu: Double) {
      let labels = "pod=\"\(pod)\",container=\"app\""
      add("container_cpu_usage_seconds_total", labels, times) { ($0 - since) * cpu }
      add("container_memory_working_set_bytes", labels, times) { _ in 1e8 }
      add("kube_pod_container_status_restarts_total", labels, times) { _ in 0 }
    }
    func addRequests(_ more: String, _ times: StrideThrough<Double>, since: Double, rate: Double) {
      let labels =
        "destination_service_namespace=\"shop\",destination_workload_namespace=\"shop\",response_code=\"200\",\(more)"
      add("istio_requests_total", labels, times) { ($0 - since) * rate }
    }
    for day in 1...7 {
      let hour = start - Double(day) * 86_400
      let times = stride(from: hour - 660, through: hour + 1860, by: 60)
      // Sluice took the service over three days ago, and another revision served on each day.
      let service = day > 3 ? "checkout" : "checkout-stable"
      addRequests(
        "reporter=\"source\",destination_service_name=\"\(service)\",pod=\"front\"", times, since: hour - 9000,
        rate: 300)
      for pod in ["aaaaa", "bbbbb"] { addPod("checkout-\(day)6d4b8c7f9-\(pod)", times, since: hour - 9000, cpu: 0.4) }
    }
    let end = start + 1860
    for (track, set, begin) in [("stable", Self.stable, start - 660), ("canary", Self.canary, start + 120)] {
      let times = stride(from: begin, through: end, by: 10)
      let since = track == "stable" ? begin - 9000 : begin
      addRequests(
        "reporter=\"source\",destination_service_name=\"checkout-\(track)\",pod=\"front\"", times, since: since,
        rate: 50)
      for pod in ["ccccc", "ddddd"] {
        addRequests("reporter=\"destination\",pod=\"\(set)-\(pod)\"", times, since: since, rate: 25)
        addPod("\(set)-\(pod)", times, since: since, cpu: track == "stable" ? 0.2 : 0.44)
      }
    }
    return lines.sorted { $0.key < $1.key }.map { name, lines in
      let isCounter = name.hasSuffix("_total")
      let family = isCounter ? String(name.dropLast("_total".count)) : name
      return "# TYPE \(family) \(isCounter ? "counter" : "gauge")\n" + lines.joined(separator: "\n") + "\n"
    }.joined() + "# EOF\n"
  }
}

/// A Prometheus that scrapes nothing and has the samples of a text.
private struct FilledPrometheus {
  let url: String
  private let daemon: Daemon

  /// - Parameter text: in the OpenMetrics format, with times.
  init(_ text: String, in folder: URL) async throws {
    let (samples, data) = (folder.appending(path: "samples.txt"), folder.appending(path: "data").path)
    try Data(text.utf8).write(to: samples)
    let imported = try await Program(path: try Machine.tool("promtool")).run([
      "tsdb", "create-blocks-from", "openmetrics", "--quiet", samples.path, data,
    ])
    guard imported.exitCode == 0 else { throw HarnessError("\(imported)") }
    let settings = folder.appending(path: "prometheus.yml")
    try Data("global: {}\n".utf8).write(to: settings)
    let port = try Machine.freePort()
    url = "http://127.0.0.1:\(port)"
    daemon = try Daemon(
      "prometheus", Program(path: try Machine.tool("prometheus")),
      [
        "--config.file=\(settings.path)", "--storage.tsdb.path=\(data)", "--web.listen-address=127.0.0.1:\(port)",
      ], log: folder.appending(path: "prometheus.log"))
    let transport = try CurlTransport(TransportConfiguration(proxy: .none))
    do {
      _ = try await poll("Prometheus", within: .seconds(20)) { [url] () -> Bool? in
        let answer = try? await transport.send(HTTPRequest(.get, "\(url)/-/ready", timeout: .seconds(1)))
        return answer?.status == 200 ? true : nil
      }
      await transport.shutdown()
    } catch {
      await transport.shutdown()
      await daemon.stop()
      throw error
    }
  }

  func stop() async { await daemon.stop() }
}
