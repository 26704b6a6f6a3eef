import KubernetesAPI
import RolloutAPI
import Tracing

/// A run as a trace: one span for the run, one below it for each entry of its timeline. All of it follows from the
/// RolloutRun's own status, so a controller that takes over goes on with the same trace.
struct RunSpans {
  let run: RolloutRun
  private let root: SpanContext

  /// - Returns: `nil` for a run without a UID.
  init?(_ run: RolloutRun) {
    guard let uid = run.metadata.uid, let trace = TraceID(uid: uid) else { return nil }
    self.run = run
    root = SpanContext(trace: trace, span: SpanID(of: uid))
  }

  /// What the controller does for the run lies below this.
  var context: ServiceContext {
    var context = ServiceContext.topLevel
    context.span = root
    return context
  }

  /// The spans that have ended with a status, and had not with the one before.
  func ended(by status: RolloutRunStatus) -> [FinishedSpan] {
    let known = Set((run.status?.timeline ?? []).filter { $0.finishedAt != nil }.map(id))
    var spans = (status.timeline ?? []).compactMap { record in
      known.contains(id(record)) ? nil : span(record)
    }
    if run.isUnderWay, status.phase?.isFinished == true, let whole = span(status) { spans.append(whole) }
    return spans
  }

  private func id(_ record: StepRecord) -> SpanID {
    let parts = ["\(root.trace)", record.kind.rawValue, "\(record.step ?? 0)", record.startedAt?.description ?? ""]
    return SpanID(of: parts.joined(separator: "/"))
  }

  private func span(_ record: StepRecord) -> FinishedSpan? {
    guard let start = record.startedAt, let end = record.finishedAt else { return nil }
    typealias Attribute = FinishedSpan.Attribute
    let name = record.step.map { ["step \($0)", record.title].compactMap { $0 }.joined(separator: ": ") }
    var span = FinishedSpan(
      context: SpanContext(trace: root.trace, span: id(record)), parent: root.span,
      name: name ?? record.kind.rawValue.lowercased(), start: start.nanoseconds,
      end: max(start, end).nanoseconds)
    span.attributes =
      Attribute.some("sluice.step.name", record.name) + Attribute.some("sluice.outcome", record.outcome?.rawValue)
      + Attribute.some("sluice.message", record.message)
    if let weight = record.weight { span.attributes.append(Attribute("sluice.weight", .int(Int64(weight)))) }
    if let verified = record.verifiedAt {
      span.events.append(FinishedSpan.Event(name: "the share was verified", at: verified.nanoseconds))
    }
    span.events += (record.checks ?? []).map { check in
      FinishedSpan.Event(
        name: "\(check.name): \(check.verdict.rawValue)", at: (check.at ?? end).nanoseconds,
        attributes: Attribute.some("sluice.verdict", check.verdict.rawValue)
          + Attribute.some("sluice.finding", check.finding) + Attribute.some("sluice.message", check.message))
    }
    if record.outcome == .failed {
      let failed = record.checks?.first { $0.verdict == .fail && $0.mode == nil }
      span.error = record.message ?? failed?.message ?? "failed"
    }
    return span
  }

  private func span(_ status: RolloutRunStatus) -> FinishedSpan? {
    let records = status.timeline ?? []
    // Its own times have whole seconds only, and would lie within those of its steps.
    guard let start = records.first?.startedAt ?? status.startedAt.map({ MicroTime($0.date) }),
      let end = records.compactMap(\.finishedAt).max() ?? status.finishedAt.map({ MicroTime($0.date) })
    else { return nil }
    typealias Attribute = FinishedSpan.Attribute
    var span = FinishedSpan(
      context: root, parent: nil, name: "rollout \(run.spec.rolloutRef.name)", start: start.nanoseconds,
      end: max(start, end).nanoseconds)
    span.attributes =
      Attribute.some("k8s.namespace.name", run.metadata.namespace)
      + Attribute.some("k8s.deployment.name", run.spec.plan.workloadRef.name)
      + Attribute.some("sluice.rollout", run.spec.rolloutRef.name) + Attribute.some("sluice.run", run.metadata.name)
      + Attribute.some("sluice.revision", run.spec.revision) + Attribute.some("sluice.phase", status.phase?.rawValue)
      + Attribute.some("sluice.cause", status.cause?.kind.rawValue) + Attribute.some("sluice.message", status.message)
    if status.phase != .promoted { span.error = status.cause?.message ?? status.message ?? "not promoted" }
    return span
  }
}
