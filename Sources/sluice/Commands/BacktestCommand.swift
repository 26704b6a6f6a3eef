import ArgumentParser
import Foundation
import HTTPTransport
import KubernetesAPI
import Operator
import Prometheus
import RolloutAPI

struct BacktestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backtest",
    abstract: "Try a plan on recorded requests: what it would have done to a release of the past.",
    discussion: """
      Reads what two ReplicaSets did from a Prometheus, or from a file that --export wrote. At each moment both tracks get \
      their share of the recorded requests, with the recorded errors and latencies of their own revision. Where a revision \
      had no requests, its nearest moment with some stands in.
        sluice backtest rollout.yaml --prometheus-url http://localhost:9090 \\
          --stable-set checkout-6d4b8 --canary-set checkout-79c5f \\
          --from 3h --to 1h --export release.json
        sluice backtest rollout.yaml --recording release.json
      Name the same ReplicaSet twice to see whether the plan would have let a release pass that changed nothing. Guards see \
      the release as it was: what its pods used, how its answers were made up, and what the service did at the same hour \
      of the seven days before, as far as the Prometheus reaches back.
      """)

  @OptionGroup var trial: TrialOptions

  @Option(help: "A file that --export wrote, instead of a Prometheus.")
  var recording: String?

  @Option(
    name: .customLong("prometheus-url"), help: "Where Prometheus answers, as http://localhost:9090.",
    transform: FlagValue.address)
  var prometheusURL: String?

  @Option(help: "The ReplicaSet of the revision that was stable.")
  var stableSet: String?

  @Option(help: "The ReplicaSet of the revision that was released.")
  var canarySet: String?

  @Option(help: "Where the history begins: a time as 2026-11-24T08:00:00Z, or how long ago as 3h.")
  var from: String?

  @Option(help: "Where it ends; now where absent.")
  var to: String?

  @Option(help: "Also write what was read to this file.")
  var export: String?

  @Option(
    help:
      "Whose numbers are read: Istio, IstioAmbient, Linkerd or EnvoyGateway; those that the plan names where absent.",
    transform: Self.metrics)
  var metrics: MetricsSource?

  @Option(help: "The label by which queries of the plan are kept to its namespace.")
  var queryNamespaceLabel = "namespace"

  @Option(name: [.short, .long], help: "The namespace, where the file names none.")
  var namespace: String?

  static func metrics(_ text: String) throws -> MetricsSource {
    let known = MetricsSource.allCases.filter { $0 != .none }
    guard let found = known.first(where: { $0.rawValue == text }) else {
      throw ValidationError(
        "--metrics: found '\(text)', wanted one of \(known.map(\.rawValue).joined(separator: ", "))")
    }
    return found
  }

  func validate() throws {
    if recording != nil {
      let others = [
        ("--prometheus-url", prometheusURL), ("--stable-set", stableSet), ("--canary-set", canarySet), ("--from", from),
        ("--to", to), ("--export", export), ("--metrics", metrics?.rawValue),
      ]
      if let (flag, _) = others.first(where: { $0.1 != nil }) {
        throw ValidationError("--recording goes without \(flag): the file says it all")
      }
      return
    }
    let needed = [
      ("--prometheus-url", prometheusURL), ("--stable-set", stableSet), ("--canary-set", canarySet), ("--from", from),
    ]
    let missing = needed.filter { $0.1 == nil }.map(\.0)
    guard missing.isEmpty else {
      throw ValidationError("\(missing.joined(separator: ", ")) missing: they say what to read; or --recording FILE")
    }
    let now = Date()
    guard let from else { return }
    let (start, end) = (try FlagValue.time(from, "--from", now: now), try end(now: now))
    if start >= end {
      throw ValidationError("--from: found '\(from)', wanted a time before \(to.map { "--to \($0)" } ?? "now")")
    }
  }

  func run() async throws {
    let plan = try Linter.plan(
      in: trial.files.map(Linter.File.init(reading:)), named: trial.rollout, namespace: namespace)
    let recording = try await read(plan)
    let (stable, canary) = (count(recording, \.stable), count(recording, \.canary))
    let span = Times.span(Double(recording.looks.count) * recording.interval)
    let title = "recorded: \(span), \(stable) requests to the stable revision and \(canary) to the other one"
    let unread = recording.unknownHistograms(of: plan).map {
      "the history has nothing of the metric of \($0) for one of the revisions, so that it stays Unknown"
    }
    try await Trial(
      plan: plan, options: trial, title: title, cautions: recording.cautions + unread
    ).perform { seed, settings in
      Rehearsal(plan, recording: recording, seed: seed, settings: settings)
    }
  }

  private func end(now: Date) throws -> Date { try to.map { try FlagValue.time($0, "--to", now: now) } ?? now }

  private func count(_ recording: Recording, _ track: KeyPath<Recording.Look, TrackLook?>) -> Int {
    recording.looks.reduce(0) { $0 + ($1[keyPath: track]?.requests ?? 0) }
  }

  private func read(_ plan: Plan) async throws -> Recording {
    if let path = recording { return try Self.read(path) }
    let now = Date()
    guard let prometheusURL, let stableSet, let canarySet, let from else { throw CommandFailure("nothing to read") }
    let transport = try CurlTransport(
      TransportConfiguration(proxy: .environment(), userAgent: "sluice/\(Version.text)"))
    let recording: Recording
    do {
      recording = try await transport.whileOpen {
        try await Recorder(
          prometheus: PrometheusClient(baseURL: prometheusURL, transport: transport), plan: plan, mesh: metrics
        ).record(
          plan, stable: stableSet, canary: canarySet, from: try FlagValue.time(from, "--from", now: now),
          to: try end(now: now), namespaceLabel: queryNamespaceLabel)
      }
    } catch {
      throw CommandFailure("cannot read the history from \(prometheusURL): \(error)")
    }
    if let export { try Self.write(recording, to: export) }
    return recording
  }

  static func read(_ path: String) throws -> Recording {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw CommandFailure("cannot read \(path): \(error.localizedDescription)")
    }
    let recording: Recording
    do {
      let decoder = JSONDecoder()
      decoder.dateDecodingStrategy = .custom { decoder in
        let text = try decoder.singleValueContainer().decode(String.self)
        if let time = Timestamp(text) { return time.date }
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath,
            debugDescription: "found '\(text)', wanted a time as 2026-11-24T08:00:00Z"))
      }
      recording = try decoder.decode(Recording.self, from: data)
    } catch {
      throw CommandFailure("\(path) is no recording that 'sluice backtest --export' wrote: \(problem(error, data))")
    }
    if let problem = recording.problem { throw CommandFailure("\(path): \(problem)") }
    return recording
  }

  private static func problem(_ error: any Error, _ data: Data) -> String {
    if data.isEmpty { return "it is empty" }
    do throws(JSONError) {
      _ = try JSON(parsing: data)
    } catch {
      return error.offset >= data.count ? "it is cut short: its JSON ends at byte \(data.count)" : error.description
    }
    return (error as? DecodingError).map(words) ?? "\(error)"
  }

  private static func words(_ error: DecodingError) -> String {
    /// `looks[3].canary.failed`
    func field(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
      (path + [last].compactMap { $0 }).reduce("") { text, key in
        key.intValue.map { "\(text)[\($0)]" } ?? (text.isEmpty ? key.stringValue : "\(text).\(key.stringValue)")
      }
    }
    switch error {
    case .keyNotFound(let key, let context): return "the field \(field(context.codingPath, key)) is missing"
    case .typeMismatch(let type, let context):
      let path = field(context.codingPath)
      return path.isEmpty ? "it is JSON, but no object" : "\(path): wanted \(name(of: type))"
    case .valueNotFound(let type, let context):
      return "\(field(context.codingPath)): found null, wanted \(name(of: type))"
    case .dataCorrupted(let context):
      let path = field(context.codingPath)
      // Foundation names no field of a number that does not fit.
      return path.isEmpty ? "a count in it is no whole number" : "\(path): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }

  private static func name(of type: any Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "a text"
    case is [Any].Type: "a list"
    default: "an object"
    }
  }

  static func write(_ recording: Recording, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys]
    do {
      try encoder.encode(recording).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw CommandFailure("cannot write \(path): \(error.localizedDescription)")
    }
    Output.note("wrote \(recording.looks.count) looks to \(path)")
  }
}
