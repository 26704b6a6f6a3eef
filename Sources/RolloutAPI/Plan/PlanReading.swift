import KubernetesAPI

extension Plan {
  /// Reads a Rollout into a plan.
  /// - Parameter templates: the analysis templates that exist; a reference to another one is a problem.
  /// - Throws: every problem at once, each with the field, what was found, and what would be right.
  public init(_ rollout: Rollout, templates: AnalysisTemplates = AnalysisTemplates()) throws(PlanErrors) {
    try self.init(
      namespace: rollout.metadata.namespace ?? "", name: rollout.metadata.name ?? "", spec: rollout.spec,
      templates: templates)
  }

  /// Reads the spec of a Rollout, or the snapshot that a run holds of it.
  /// - Throws: every problem at once.
  public init(
    namespace: String, name: String, spec: RolloutSpec, templates: AnalysisTemplates = AnalysisTemplates()
  ) throws(PlanErrors) {
    var reader = PlanReader()
    reader.name(name, "metadata.name", .label)
    reader.workload(spec.workloadRef)
    let services = reader.services(spec.serviceRefs)
    let provider = reader.provider(spec.traffic)
    let policy = reader.policy(spec.traffic)
    reader.inPlace(spec)
    let maxBypass = reader.percent(
      spec.traffic.maxBypass ?? Defaults.maxBypass, "spec.traffic.maxBypass", in: .zero ... .all)
    reader.exactlyOne([("steps", spec.steps != nil), ("autopilot", spec.autopilot != nil)], "spec")
    let steps = spec.steps.map { reader.steps($0, provider) } ?? []
    let autopilot = spec.autopilot.map { reader.autopilot($0, provider) }
    let bake = spec.bake.map { reader.bake($0) }
    let analysis = reader.analysis(spec.analysis ?? AnalysisSpec(), templates)
    reader.checksExist(steps, autopilot, bake, analysis)
    reader.looksFit(steps, bake, analysis)
    reader.metricsExist(provider, analysis)
    if spec.traffic.replicas != nil, provider == .replicas, autopilot == nil {
      reader.divides(steps, services, analysis)
    }
    let settle = reader.duration(spec.settle, or: Defaults.settle, "spec.settle", in: .zero ... .seconds(600))
    let delay = reader.duration(
      spec.scaleDownDelay, or: Defaults.scaleDownDelay, "spec.scaleDownDelay", in: .zero ... .seconds(86_400))
    let fastUndo = FastUndo(
      revisions: reader.integer(
        spec.fastUndo?.revisions ?? Defaults.fastUndoRevisions, "spec.fastUndo.revisions", in: 0...10),
      within: reader.duration(
        spec.fastUndo?.within, or: Defaults.fastUndoWithin, "spec.fastUndo.within", in: .zero ... .seconds(30 * 86_400))
    )
    let historyLimit = reader.integer(
      spec.runHistoryLimit ?? Defaults.runHistoryLimit, "spec.runHistoryLimit", in: 1...50)
    let notify = reader.notify(spec.notify ?? [])
    guard reader.problems.isEmpty else { throw PlanErrors(reader.problems) }

    self.namespace = namespace
    self.name = name
    self.workload = spec.workloadRef.name
    self.services = services
    self.provider = provider
    self.policy = policy
    self.maxBypass = maxBypass
    self.steps = steps
    self.autopilot = autopilot
    self.bake = bake
    self.analysis = analysis
    self.hold = spec.hold ?? Defaults.hold
    self.settle = settle
    self.scaleDownDelay = delay
    self.fastUndo = fastUndo
    self.runHistoryLimit = historyLimit
    self.deletionPolicy = spec.deletionPolicy ?? Defaults.deletionPolicy
    self.notify = notify
  }
}

extension PlanReader {
  fileprivate mutating func workload(_ reference: WorkloadReference) {
    if let version = reference.apiVersion, version != Defaults.apiVersion {
      report("spec.workloadRef.apiVersion", found: quoted(version), wanted: Defaults.apiVersion)
    }
    if let kind = reference.kind, kind != Defaults.kind {
      report("spec.workloadRef.kind", found: quoted(kind), wanted: Defaults.kind)
    }
    name(reference.name, "spec.workloadRef.name", .subdomain)
  }

  fileprivate mutating func services(_ references: [ServiceReference]) -> [PlanService] {
    count(references.count, "spec.serviceRefs", 1...16)
    unique(references.map(\.name), { "spec.serviceRefs[\($0)].name" }, "a Service")
    return references.enumerated().map { index, reference in
      let field = "spec.serviceRefs[\(index)]"
      name(reference.name, field + ".name", .service)
      switch reference.port {
      case .int(let number): _ = integer(number, field + ".port", in: 1...65_535)
      case .string(let text):
        let isPortName = NameRule.label.accepts(text) && text.count <= 15 && text.contains(where: \.isLetter)
        if !isPortName {
          report(
            field + ".port", found: quoted(text), wanted: "a port number, or a port's name of at most 15 characters")
        }
      }
      return PlanService(name: reference.name, port: reference.port, selector: reference.selector ?? Defaults.selector)
    }
  }

  fileprivate mutating func notify(_ entries: [NotifySpec]) -> [PlanNotification] {
    count(entries.count, "spec.notify", 0...16)
    unique(entries.map(\.channel), { "spec.notify[\($0)].channel" }, "a channel")
    return entries.enumerated().map { index, entry in
      name(entry.channel, "spec.notify[\(index)].channel", .subdomain)
      if let events = entry.events, events.isEmpty {
        report("spec.notify[\(index)].events", found: "none", wanted: "at least one event, or no such field for all")
      }
      return PlanNotification(channel: entry.channel, events: Set(entry.events ?? NotificationEvent.allCases))
    }
  }
}
