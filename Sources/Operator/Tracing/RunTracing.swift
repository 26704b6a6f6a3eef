import KubernetesAPI
import RolloutAPI
import Tracing

/// What of the operator's work becomes spans: the runs, and below them each effect with its requests. Without settings
/// nothing does, and nothing is paid for it.
struct RunTracing: Sendable {
  private let tracer: SpanTracer?

  init(_ tracer: SpanTracer? = nil) { self.tracer = tracer }

  /// Carries an effect of a run out as a span below the run's. What comes after a run is no part of its trace.
  func span(_ name: @autoclosure () -> String, of run: RolloutRun?, _ work: () async throws -> Void) async throws {
    guard let tracer, let run, run.isUnderWay, let context = RunSpans(run)?.context else { return try await work() }
    try await tracer.withSpan(name(), context: context) { _ in try await work() }
  }

  /// Tells the spans that have ended with a status.
  func ended(_ run: RolloutRun, by status: RolloutRunStatus) {
    guard let tracer, let spans = RunSpans(run) else { return }
    spans.ended(by: status).forEach(tracer.record)
  }
}
