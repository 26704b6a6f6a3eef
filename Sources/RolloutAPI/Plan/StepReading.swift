/// Steps, each with the traffic target that holds after it.
extension PlanReader {
  mutating func steps(_ specs: [StepSpec], _ provider: Plan.Provider) -> [PlanStep] {
    count(specs.count, "spec.steps", 1...32)
    unique(specs.map(\.name), { "spec.steps[\($0)].name" }, "a name")
    var traffic = TrafficTarget.stableOnly
    return specs.enumerated().map { index, spec in
      let step = self.step(spec, after: traffic, provider, "spec.steps[\(index)]")
      traffic = step.traffic
      return step
    }
  }

  private mutating func step(
    _ spec: StepSpec, after before: TrafficTarget, _ provider: Plan.Provider, _ field: String
  ) -> PlanStep {
    if let name = spec.name { self.name(name, field + ".name", .word) }
    let setsTraffic = spec.weight != nil || spec.mirror != nil || spec.route != nil || spec.sticky != nil
    if !setsTraffic, spec.scale == nil, spec.analyze == nil, spec.pause == nil {
      report(
        field, found: "nothing to do",
        wanted: "at least one of weight, mirror, route, sticky, scale, analyze and pause")
    }
    let traffic = setsTraffic ? target(spec, provider, field) : before
    let scale = spec.scale.map { percent($0, field + ".scale", in: Self.smallestScale ... .all) }
    if let scale { carries(scale, traffic, field) }
    return PlanStep(
      name: spec.name, traffic: traffic, setsTraffic: setsTraffic, scale: scale,
      analyze: spec.analyze.map { analyze($0, traffic, field + ".analyze") },
      pause: spec.pause.map { pause($0, field + ".pause") })
  }

  private static let smallestScale = Percent(Weight.one)

  private mutating func target(_ spec: StepSpec, _ provider: Plan.Provider, _ field: String) -> TrafficTarget {
    let weight = Weight(integer(spec.weight ?? 0, field + ".weight", in: 0...100, " of percent")) ?? .none
    let mirror = spec.mirror.flatMap { Percent(integer($0, field + ".mirror", in: 1...100, " of percent")) }
    let routes = spec.route.map { route in
      count(route.matches.count, field + ".route.matches", 1...16)
      return matches(route.matches, field + ".route.matches")
    }
    if provider == .replicas {
      let members: [(name: String, isThere: Bool)] = [
        ("mirror", spec.mirror != nil), ("route", spec.route != nil), ("sticky", spec.sticky != nil),
      ]
      for member in members where member.isThere {
        report(
          "\(field).\(member.name)", found: "a value with spec.traffic.replicas",
          wanted: "only weight, since pods are counted and requests are not looked at; or another provider")
      }
    }
    if mirror != nil, weight == .all {
      report(
        field + ".mirror", found: "mirror with weight 100",
        wanted: "a smaller weight: copies are made of requests to stable, and there are none")
    }
    return TrafficTarget(
      weight: weight, mirror: mirror, routes: routes ?? [],
      sticky: spec.sticky.flatMap { sticky($0, weight, field + ".sticky") })
  }

  private mutating func sticky(_ spec: StickySpec, _ weight: Weight, _ field: String) -> Sticky? {
    name(spec.cookie.name, field + ".cookie.name", .token)
    let maxAge = duration(
      spec.cookie.maxAge, or: Defaults.stickyMaxAge, field + ".cookie.maxAge",
      in: .seconds(1) ... .seconds(30 * 86_400))
    if weight == .none {
      report(field, found: "sticky without weight", wanted: "a weight above 0 beside it: nobody else could stick")
    }
    return Sticky(cookie: spec.cookie.name, maxAge: maxAge)
  }

  /// A scale below what the step's traffic needs would overload the canary and blame it.
  private mutating func carries(_ scale: Percent, _ traffic: TrafficTarget, _ field: String) {
    let needed = Percent(min(100, traffic.weight.value + (traffic.mirror?.whole ?? 0))) ?? .all
    if scale < needed {
      report(
        field + ".scale", found: "\(scale) for \(traffic)",
        wanted: "at least \(needed), so that the canary can carry its traffic")
    }
  }

  private mutating func analyze(_ spec: AnalyzeSpec, _ traffic: TrafficTarget, _ field: String) -> PlanStep.Analyze {
    let long = Duration.seconds(1) ... .seconds(30 * 86_400)
    let whole = duration(spec.for, or: spec.for, field + ".for", in: long)
    let atLeast = duration(spec.atLeast, field + ".atLeast", in: long)
    if let atLeast, atLeast > whole {
      report(field + ".atLeast", found: atLeast.text, wanted: "at most for, which is \(whole.text)")
    }
    if !traffic.reachesCanary {
      report(
        field, found: "no traffic for the canary",
        wanted: "weight, mirror or route in this step or an earlier one, or a pause instead")
    }
    return PlanStep.Analyze(duration: whole, atLeast: atLeast)
  }

  private mutating func pause(_ spec: PauseSpec, _ field: String) -> PlanStep.Pause {
    let read = duration(spec.duration, field + ".duration", in: .seconds(1) ... .seconds(30 * 86_400))
    return read.map { .duration($0) } ?? .indefinite
  }

  /// Evidence adds up over the steps, so that one that is over before it is looked at would pass by what was seen at
  /// less traffic.
  mutating func looksFit(_ steps: [PlanStep], _ bake: Duration?, _ analysis: PlanAnalysis) {
    var times = steps.enumerated().compactMap { index, step in
      step.analyze.map { (field: "spec.steps[\(index)].analyze.for", time: $0.duration) }
    }
    if let bake { times.append(("spec.bake.for", bake)) }
    for (field, time) in times where time < analysis.interval {
      guard !problems.contains(where: { $0.field == field || $0.field == "spec.analysis.interval" }) else { continue }
      report(
        field,
        found: "\(time.text), which is over before the first look at an analysis.interval of "
          + analysis.interval.text, wanted: "at least \(analysis.interval.text), or a shorter spec.analysis.interval")
    }
  }

  /// A step that judges by nothing would let everything pass.
  mutating func checksExist(
    _ steps: [PlanStep], _ autopilot: Plan.Autopilot?, _ bake: Duration?, _ analysis: PlanAnalysis
  ) {
    // With a problem in the SLOs themselves that one is enough.
    guard analysis.binding.isEmpty, !problems.contains(where: { $0.field.hasPrefix("spec.analysis") }) else { return }
    let found = analysis.slos.isEmpty ? "no SLO to judge by" : "only SLOs with mode DryRun, which decide nothing"
    let wanted = "at least one in spec.analysis.slos or spec.analysis.templates"
    for (index, step) in steps.enumerated() where step.analyze != nil {
      report(
        "spec.steps[\(index)].analyze", found: found, wanted: "\(wanted), or pause with a duration instead")
    }
    if autopilot != nil { report("spec.autopilot", found: found, wanted: wanted) }
    if bake != nil { report("spec.bake", found: found, wanted: "\(wanted), or scaleDownDelay instead") }
  }
}
