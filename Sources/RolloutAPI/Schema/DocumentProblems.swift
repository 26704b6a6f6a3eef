import KubernetesAPI

extension SluiceDocument {
  /// What is wrong with a document that has the right shape: for a Rollout, that of its plan.
  /// - Parameter templates: those that a Rollout may refer to.
  public func problems(templates: AnalysisTemplates = AnalysisTemplates()) -> [PlanProblem] {
    switch self {
    case .rollout(let rollout):
      do throws(PlanErrors) {
        _ = try Plan(rollout, templates: templates)
        return []
      } catch {
        return error.problems
      }
    case .rolloutRun: return []
    case .analysisTemplate(let template): return Self.problems(template.spec)
    case .clusterAnalysisTemplate(let template): return Self.problems(template.spec)
    case .notificationChannel(let channel):
      var reader = PlanReader()
      reader.exactlyOne(
        [("slack", channel.spec.slack != nil), ("webhook", channel.spec.webhook != nil)], "spec")
      return reader.problems
    }
  }

  /// SLOs are read with the defaults of the arguments; those that need a value from a Rollout are read there.
  private static func problems(_ spec: AnalysisTemplateSpec) -> [PlanProblem] {
    var reader = PlanReader()
    let arguments = spec.args ?? []
    reader.unique(arguments.map(\.name), { "spec.args[\($0)].name" }, "an argument")
    reader.count(spec.slos.count, "spec.slos", 1...32)
    reader.unique(spec.slos.map(\.name), { "spec.slos[\($0)].name" }, "a name")
    for (index, argument) in arguments.enumerated() {
      reader.name(argument.name, "spec.args[\(index)].name", .word)
      guard QueryVariable(rawValue: argument.name) != nil else { continue }
      reader.report(
        "spec.args[\(index)].name", found: reader.quoted(argument.name), wanted: "a name that is no variable of queries"
      )
    }
    var values: [String: String] = [:]
    for argument in arguments { values[argument.name] = argument.value }
    let open = Set(arguments.filter { $0.value == nil }.map(\.name))
    for (index, slo) in spec.slos.enumerated() where slo.variables.isDisjoint(with: open) {
      _ = reader.slo(slo.filled(with: values), "spec.slos[\(index)]")
    }
    return reader.problems
  }
}

extension SLOSpec {
  /// The names of all variables in its texts.
  var variables: Set<String> {
    let texts = [
      errorRate?.max, latency?.quantile, latency?.max, latency?.metric, query, per, bounds?.min, bounds?.max,
      value?.min, value?.max,
      compare?.ratio?.min, compare?.ratio?.max, compare?.difference?.min, compare?.difference?.max, compare?.margin,
      compare?.distribution?.margin,
    ]
    return Set(texts.compactMap { $0 }.flatMap { VariableText.names(in: $0) ?? [] })
  }
}
