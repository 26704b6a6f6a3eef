import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import Synchronization

/// Sends spans to a collector in batches, beside everything else: taking one in never waits, and a collector that hangs
/// costs spans and nothing more.
public final class SpanExporter: ServiceLifecycle.Service, CustomStringConvertible {
  /// What logs show of it: its settings may hold credentials.
  public var description: String { "span exporter" }

  /// Bounds and paces.
  struct Limits: Sendable {
    /// Spans that may wait; later ones are lost and counted.
    var waiting = 4096
    var batch = 256
    /// How long spans gather before a batch goes out.
    var gathering = Duration.seconds(2)
    var timeout = Duration.seconds(10)
    /// Attempts for one batch.
    var attempts = 5
    var backoff = Backoff(initial: .seconds(1), maximum: .seconds(30))
    /// How long a shutdown waits for what is left.
    var draining = Duration.seconds(3)
  }

  /// What became of the spans since the start.
  struct Counts: Sendable, Equatable {
    var sent = 0
    /// No room, refused, or given up.
    var lost = 0
  }

  private struct State {
    var spans: [FinishedSpan] = []
    var counts = Counts()
  }

  private let settings: TracingSettings
  private let limits: Limits
  private let transport: any Transport
  private let time: TimeSource
  private let random: Randomness
  private let logger: Logger
  private let state = Mutex(State())
  private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameter transport: to the collector.
  public convenience init(_ settings: TracingSettings, transport: any Transport, logger: Logger) {
    self.init(settings, limits: Limits(), transport: transport, time: .system, random: .system, logger: logger)
  }

  init(
    _ settings: TracingSettings, limits: Limits, transport: any Transport, time: TimeSource, random: Randomness,
    logger: Logger
  ) {
    self.settings = settings
    self.limits = limits
    self.transport = transport
    self.time = time
    self.random = random
    self.logger = logger
  }

  var tracer: SpanTracer { SpanTracer { [self] in record($0) } }

  /// A transport that does what another one does, and whose requests on behalf of a run are spans of its trace.
  public func tracing(_ transport: any Transport) -> any Transport {
    TracedTransport(transport: transport, tracer: tracer)
  }

  var counts: Counts { state.withLock { $0.counts } }

  func record(_ span: FinishedSpan) {
    state.withLock { state in
      guard state.spans.count < limits.waiting else {
        state.counts.lost += 1
        return
      }
      state.spans.append(span)
    }
    bell.continuation.yield()
  }

  /// Exports until the service is shut down gracefully, and then what is left, within a bound; or until its task is
  /// cancelled.
  public func run() async throws {
    await withGracefulShutdownHandler {
      for await _ in bell.stream {
        try? await cancelWhenGracefulShutdown { try await self.time.sleep(for: self.limits.gathering) }
        while let batch = take() { await export(batch) }
      }
    } onGracefulShutdown: {
      self.bell.continuation.finish()
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { while let batch = self.take() { await self.export(batch) } }
      group.addTask { try? await self.time.sleep(for: self.limits.draining) }
      await group.next()
      group.cancelAll()
    }
  }

  private func take() -> [FinishedSpan]? {
    state.withLock { state in
      guard !state.spans.isEmpty, !Task.isCancelled else { return nil }
      let batch = Array(state.spans.prefix(limits.batch))
      state.spans.removeFirst(batch.count)
      return batch
    }
  }

  private func export(_ batch: [FinishedSpan]) async {
    let message = OTLPMessage(resource: settings.resource, version: settings.version, spans: batch)
    let request = HTTPRequest(
      .post, settings.endpoint, headers: [("Content-Type", "application/json")] + settings.headers,
      body: message.json.data, timeout: limits.timeout, maxResponseBytes: 64 << 10, lane: .write)
    for attempt in 0..<limits.attempts {
      let failure: String
      do {
        let status = try await transport.send(request).status
        if (200..<300).contains(status) {
          return state.withLock { $0.counts.sent += batch.count }
        }
        failure = "HTTP \(status)"
        // Those that the protocol calls retryable (OTLP/HTTP, "Failures").
        guard [429, 502, 503, 504].contains(status) else { return giveUp(batch, failure) }
      } catch {
        // The error may hold the address, which may hold a password.
        failure = error is TransportError ? "no answer" : "cut off"
      }
      guard attempt + 1 < limits.attempts, !Task.isCancelled else { return giveUp(batch, failure) }
      try? await time.sleep(for: limits.backoff.delay(attempt: attempt, random: random.next))
    }
  }

  private func giveUp(_ batch: [FinishedSpan], _ reason: String) {
    state.withLock { $0.counts.lost += batch.count }
    logger.warning("spans are given up", metadata: ["count": "\(batch.count)", "reason": "\(reason)"])
  }
}
