/// How fast a run goes where no steps say it, and how long it watches in the end.
extension PlanReader {
  mutating func autopilot(_ spec: AutopilotSpec, _ provider: Plan.Provider) -> Plan.Autopilot {
    let field = "spec.autopilot"
    if provider == .replicas {
      report(
        field, found: "an autopilot with spec.traffic.replicas",
        wanted: "steps, since without a mesh nothing counts failed requests; or another provider")
    }
    let weight = integer(
      spec.startWeight ?? Defaults.startWeight, field + ".startWeight", in: 1...50, " of percent")
    return Plan.Autopilot(
      riskBudget: integer(spec.riskBudget, field + ".riskBudget", in: 1...1_000_000_000, " of requests"),
      maxDuration: duration(
        spec.maxDuration, or: Defaults.maxDuration, field + ".maxDuration", in: .seconds(60) ... .seconds(30 * 86_400)),
      startWeight: Weight(clamping: weight))
  }

  mutating func bake(_ spec: BakeSpec) -> Duration {
    duration(spec.for, or: spec.for, "spec.bake.for", in: .seconds(1) ... .seconds(30 * 86_400))
  }
}
