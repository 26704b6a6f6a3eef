import Synchronization
import Tracing

/// Makes spans of what belongs to a trace, and hands those that have ended over.
struct SpanTracer: Tracer {
  /// Takes a span in; must not wait.
  let record: @Sendable (FinishedSpan) -> Void

  func startSpan<Instant: TracerInstant>(
    _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
    at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
  ) -> OpenSpan {
    OpenSpan(operationName, in: context(), kind: kind, start: instant().nanosecondsSinceEpoch, record: record)
  }

  func forceFlush() {}

  func extract<Carrier, Extract: Extractor>(
    _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
  ) where Extract.Carrier == Carrier {
    // Nobody calls the controller as part of a trace of theirs.
  }

  func inject<Carrier, Inject: Injector>(
    _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
  ) where Inject.Carrier == Carrier {
    guard let span = context.span else { return }
    injector.inject(span.traceparent, forKey: "traceparent", into: &carrier)
  }
}

/// A span under way. Outside a trace it records nothing.
final class OpenSpan: Span {
  private struct State {
    var name: String
    var attributes = SpanAttributes()
    var events: [FinishedSpan.Event] = []
    var error: String?
    var hasEnded = false
  }

  let context: ServiceContext
  private let parent: SpanContext?
  private let kind: SpanKind
  private let start: UInt64
  private let record: @Sendable (FinishedSpan) -> Void
  private let state: Mutex<State>

  fileprivate init(
    _ name: String, in context: ServiceContext, kind: SpanKind, start: UInt64,
    record: @escaping @Sendable (FinishedSpan) -> Void
  ) {
    parent = context.span
    var own = context
    own.span = parent.map { SpanContext(trace: $0.trace, span: .random()) }
    self.context = own
    self.kind = kind
    self.start = start
    self.record = record
    state = Mutex(State(name: name))
  }

  var isRecording: Bool { parent != nil && !state.withLock { $0.hasEnded } }

  var operationName: String {
    get { state.withLock { $0.name } }
    set { state.withLock { $0.name = newValue } }
  }

  var attributes: SpanAttributes {
    get { state.withLock { $0.attributes } }
    set { state.withLock { $0.attributes = newValue } }
  }

  func setStatus(_ status: SpanStatus) {
    guard status.code == .error else { return }
    // The error itself says more than that there was one.
    state.withLock { $0.error = status.message ?? $0.error ?? "" }
  }

  func addEvent(_ event: SpanEvent) {
    let event = FinishedSpan.Event(
      name: event.name, at: event.nanosecondsSinceEpoch, attributes: event.attributes.list)
    state.withLock { $0.events.append(event) }
  }

  func recordError<Instant: TracerInstant>(
    _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
  ) {
    state.withLock { $0.error = "\(error)" }
  }

  func addLink(_ link: SpanLink) {}

  func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
    let end = instant().nanosecondsSinceEpoch
    let last = state.withLock { state -> State? in
      guard !state.hasEnded else { return nil }
      state.hasEnded = true
      return state
    }
    guard let last, let parent, let context = context.span else { return }
    record(
      FinishedSpan(
        context: context, parent: parent.span, name: last.name, kind: kind, start: start, end: max(start, end),
        attributes: last.attributes.list, events: last.events, error: last.error))
  }
}

extension SpanAttributes {
  /// By name, so that the same span always reads the same.
  fileprivate var list: [FinishedSpan.Attribute] {
    var list: [FinishedSpan.Attribute] = []
    forEach { list.append(FinishedSpan.Attribute($0, $1)) }
    return list.sorted { $0.name < $1.name }
  }
}
