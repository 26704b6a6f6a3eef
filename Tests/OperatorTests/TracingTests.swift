import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import Synchronization
import Testing
import Tracing

@testable import Operator

@Suite("Traces of runs")
struct TracingTests {
  private static let uid = "0123ABCD-4567-89ab-cdef-0123456789ab"

  @Test("a trace has the UID of its run, and the header is that of W3C Trace Context")
  func identity() throws {
    let trace = try #require(TraceID(uid: Self.uid))
    #expect("\(trace)" == "0123abcd456789abcdef0123456789ab")
    #expect(TraceID(uid: "00000000-0000-0000-0000-000000000000") == nil)
    #expect(TraceID(uid: "not a uid") == nil)
    // FNV-1a of the empty text and of "a", as its authors publish them.
    #expect("\(SpanID(of: ""))" == "cbf29ce484222325")
    #expect("\(SpanID(of: "a"))" == "af63dc4c8601ec8c")
    let context = SpanContext(trace: trace, span: SpanID(of: "a"))
    #expect(context.traceparent == "00-0123abcd456789abcdef0123456789ab-af63dc4c8601ec8c-01")
  }

  @Test("a promoted run is one trace: the run, its steps, what was done for it, and the requests of that")
  func promotion() async throws {
    let world = try await OperatorWorld.running(until: "Promoted")
    try await world.settle("rest") { $0.phase == "Idle" }
    let run = try #require(world.runs.last)
    let uid = try #require(run[path: ["metadata", "uid"]]?.string)
    let spans = world.spans.all.filter { $0.context.trace == TraceID(uid: uid) }
    let roots = spans.filter { $0.parent == nil }
    #expect(roots.map(\.name) == ["rollout checkout"])
    let root = try #require(roots.first)
    #expect(root.error == nil)
    #expect(root.attributes.contains(FinishedSpan.Attribute("sluice.phase", .string("Promoted"))))

    let timeline = try #require(run[path: ["status", "timeline"]]?.array)
    let records = spans.filter { $0.parent == root.context.span && $0.kind == .internal }
    #expect(records.filter { $0.name.hasPrefix("step ") }.count == timeline.count { $0["kind"]?.string == "Step" })
    #expect(records.contains { $0.name == "start" } && records.contains { $0.name == "promotion" })
    let step = try #require(records.first { $0.name.hasPrefix("step 1") })
    #expect(step.start >= root.start && step.end <= root.end)
    #expect(step.events.contains { $0.name.hasSuffix(": Pass") })

    let effect = try #require(records.first { $0.name.hasPrefix("set traffic to") })
    let requests = spans.filter { $0.parent == effect.context.span }
    #expect(requests.contains { $0.kind == .client && $0.name.contains("virtualservices") })
    #expect(Set(spans.map(\.context.span)).count == spans.count)
  }

  @Test("a rejected run is a trace with an error that says why")
  func rejection() async throws {
    let world = try await OperatorWorld.running(until: "Promoted")
    try await world.settle("rest") { $0.phase == "Idle" }
    world.failing = ["v3"]
    try world.setImage("v3")
    try await world.settle("the rejection") { $0.phase == "Rejected" }
    let roots = world.spans.all.filter { $0.parent == nil }
    #expect(roots.count == 2)
    let rejected = try #require(roots.last)
    #expect(rejected.attributes.contains(FinishedSpan.Attribute("sluice.cause", .string("FailedCheck"))))
    #expect(rejected.error?.contains("errors") == true)
    let spans = world.spans.all.filter { $0.context.trace == rejected.context.trace }
    #expect(spans.contains { $0.name.hasPrefix("step 1") && $0.error?.contains("errors") == true })
    #expect(!world.spans.all.contains { $0.name.hasPrefix("create run") })
  }

  @Test("what a status told before is not told again, and a step told twice has the same name")
  func twice() throws {
    let start = MicroTime(microsecondsSince1970: 1_000_000)
    let first = StepRecord(
      kind: .step, step: 1, title: "weight 10%", startedAt: start,
      finishedAt: MicroTime(microsecondsSince1970: 3_000_000), outcome: .passed)
    let second = StepRecord(
      kind: .step, step: 2, title: "weight 50%", startedAt: first.finishedAt,
      finishedAt: MicroTime(microsecondsSince1970: 5_000_000), outcome: .failed, message: "errors: too many")
    var traced = run()
    traced.metadata.uid = Self.uid
    traced.status = RolloutRunStatus(phase: .progressing, timeline: [first])
    let spans = try #require(RunSpans(traced))
    let ended = spans.ended(by: RolloutRunStatus(phase: .progressing, timeline: [first, second]))
    #expect(ended.map(\.name) == ["step 2: weight 50%"])
    #expect(ended.first?.error == "errors: too many")
    #expect(ended.first?.start == 3_000_000_000 && ended.first?.end == 5_000_000_000)

    traced.status = nil
    let again = try #require(RunSpans(traced)).ended(by: RolloutRunStatus(phase: .aborted, timeline: [first, second]))
    #expect(again.map(\.name) == ["step 1: weight 10%", "step 2: weight 50%", "rollout web"])
    #expect(again[1].context == ended[0].context)
  }

  @Test("nothing is traced, and no header sent, outside a run")
  func outside() async throws {
    let log = SpanLog()
    let scripted = Collector()
    let transport = TracedTransport(transport: scripted, tracer: log.tracer)
    _ = try await transport.send(HTTPRequest(.get, "http://server/api"))
    #expect(log.all == [])
    #expect(scripted.requests.first?.headers.isEmpty == true)

    var context = ServiceContext.topLevel
    context.span = SpanContext(trace: try #require(TraceID(uid: Self.uid)), span: SpanID(of: "a"))
    try await ServiceContext.withValue(context) {
      _ = try await transport.send(HTTPRequest(.patch, "https://server/apis/x/v1/things/web?token=secret"))
    }
    let span = try #require(log.all.first)
    #expect(span.name == "PATCH things/web" && span.parent == SpanID(of: "a"))
    #expect(!"\(span)".contains("secret"))
    #expect(scripted.requests.last?.headers.first?.value == "00-\(span.context.trace)-\(span.context.span)-01")
  }

  @Test("spans are the protocol's JSON")
  func message() throws {
    let trace = try #require(TraceID(uid: Self.uid))
    var span = FinishedSpan(
      context: SpanContext(trace: trace, span: SpanID(of: "a")), parent: SpanID(of: ""), name: "step 1", kind: .client,
      start: 1_000_000_001, end: 2_000_000_000)
    span.attributes = [
      FinishedSpan.Attribute("text", .string(String(repeating: "x", count: 5000))),
      FinishedSpan.Attribute("number", .int64(1 << 60)), FinishedSpan.Attribute("list", .stringArray(["a", "b"])),
    ]
    span.events = [FinishedSpan.Event(name: "verified", at: 1_500_000_000)]
    span.error = "too many"
    let json = OTLPMessage(
      resource: [FinishedSpan.Attribute("service.name", .string("sluice"))], version: "1", spans: [span]
    ).json
    let resource = try #require(json["resourceSpans"]?.array?.first)
    #expect(resource[path: ["resource", "attributes"]]?.array?.first?[path: ["value", "stringValue"]] == "sluice")
    let found = try #require(resource["scopeSpans"]?.array?.first?["spans"]?.array?.first)
    #expect(found["traceId"] == "0123abcd456789abcdef0123456789ab")
    #expect(found["parentSpanId"] == "cbf29ce484222325" && found["kind"] == 3)
    #expect(found["startTimeUnixNano"] == "1000000001")
    #expect(found["status"] == ["code": 2, "message": "too many"])
    let values = try #require(found["attributes"]?.array)
    #expect(values[0][path: ["value", "stringValue"]]?.string?.count == FinishedSpan.longestText)
    #expect(values[1][path: ["value", "intValue"]] == "1152921504606846976")
    #expect(values[2][path: ["value", "arrayValue", "values"]]?.array?.count == 2)
  }
}

@Suite("Exporting spans")
struct SpanExporterTests {
  private static let span = FinishedSpan(
    context: SpanContext(trace: TraceID(uid: "0123abcd-4567-89ab-cdef-0123456789ab")!, span: SpanID(of: "a")),
    parent: nil, name: "rollout web", start: 1, end: 2)

  private func settings(_ environment: [String: String] = [:]) throws -> TracingSettings {
    let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]
    return try #require(
      try TracingSettings(
        environment: endpoint.merging(environment) { $1 }, version: "1.2.3", instance: "pod-1"))
  }

  private func exporter(_ collector: Collector, _ settings: TracingSettings) -> SpanExporter {
    var limits = SpanExporter.Limits()
    (limits.waiting, limits.batch, limits.gathering, limits.attempts) = (5, 2, .zero, 3)
    limits.backoff = Backoff(initial: .zero, maximum: .zero)
    return SpanExporter(
      settings, limits: limits, transport: collector, time: .system, random: Randomness { 0 },
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Runs the exporter until the collector has had so many requests.
  private func run(_ exporter: SpanExporter, _ collector: Collector, requests: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await exporter.run() }
      group.addTask { await collector.wait(for: requests) }
      try await group.next()
      while exporter.counts.sent + exporter.counts.lost < 5 { await Task.yield() }
      group.cancelAll()
    }
  }

  @Test("spans go out in batches, those without room are counted, and a busy collector is asked again")
  func batches() async throws {
    let collector = Collector([503, 200, 200, 400])
    let exporter = exporter(collector, try settings(["OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b"]))
    for _ in 0..<7 { exporter.record(Self.span) }
    #expect(exporter.counts == SpanExporter.Counts(sent: 0, lost: 2))
    try await run(exporter, collector, requests: 4)
    #expect(exporter.counts == SpanExporter.Counts(sent: 4, lost: 3))
    let request = try #require(collector.requests.first)
    #expect(request.url == "http://collector:4318/v1/traces")
    #expect(request.headers.contains { $0.name == "x-key" && $0.value == "a b" })
    let sent = try collector.requests.map { request in
      try JSON(parsing: request.body ?? Data())["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?
        .array?.count
    }
    #expect(sent == [2, 2, 2, 1])
  }

  @Test("a batch that is never taken is given up, and the next one is tried")
  func givingUp() async throws {
    let collector = Collector([503, 503, 503, 200, 200])
    let exporter = exporter(collector, try settings())
    for _ in 0..<5 { exporter.record(Self.span) }
    try await run(exporter, collector, requests: 5)
    #expect(exporter.counts == SpanExporter.Counts(sent: 3, lost: 2))
  }

  @Test("the environment says where spans go, as OpenTelemetry has it")
  func environment() throws {
    #expect(try TracingSettings(environment: [:], version: "1", instance: "i") == nil)
    #expect(try settings(["OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/x/"]).endpoint == "https://c/x/v1/traces")
    #expect(try settings(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/spans"]).endpoint == "http://t:1/spans")
    let named = try settings(["OTEL_SERVICE_NAME": "s", "OTEL_RESOURCE_ATTRIBUTES": "service.name=r,zone=a"])
    #expect(named.resource.first == FinishedSpan.Attribute("service.name", .string("s")))
    #expect(named.resource.contains(FinishedSpan.Attribute("zone", .string("a"))))
    #expect(
      try TracingSettings(
        environment: ["OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"], version: "1",
        instance: "i") == nil)
  }

  @Test(
    "a variable that cannot be used is named, without a value that may be a secret",
    arguments: [
      ("OTEL_EXPORTER_OTLP_ENDPOINT", "user:pass@collector", false),
      ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true),
      ("OTEL_EXPORTER_OTLP_HEADERS", "secret", false), ("OTEL_RESOURCE_ATTRIBUTES", "nonsense", false),
    ])
  func badEnvironment(variable: String, value: String, isShown: Bool) throws {
    let problem = #expect(throws: TracingSettings.Problem.self) { try settings([variable: value]) }
    let text = try #require(problem?.description)
    #expect(text.hasPrefix("\(variable): "))
    #expect(text.contains(value) == isShown)
  }
}

/// A collector that answers as scripted, and 200 afterwards.
private final class Collector: Transport {
  private struct State {
    var statuses: [Int]
    var requests: [HTTPRequest] = []
    var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?
  }

  private let state: Mutex<State>

  init(_ statuses: [Int] = []) { state = Mutex(State(statuses: statuses)) }

  var requests: [HTTPRequest] { state.withLock { $0.requests } }

  func wait(for count: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.requests.count >= count { return true }
        state.waiter = (count, continuation)
        return false
      }
      if isThere { continuation.resume() }
    }
  }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let (status, waiter) = state.withLock { state in
      state.requests.append(request)
      let status = state.statuses.isEmpty ? 200 : state.statuses.removeFirst()
      guard let waiter = state.waiter, state.requests.count >= waiter.count else {
        return (status, nil as CheckedContinuation<Void, Never>?)
      }
      state.waiter = nil
      return (status, waiter.continuation)
    }
    waiter?.resume()
    return HTTPResponse(status: status)
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream { throw TransportError.invalidRequest("no streams") }
}
