import KubernetesAPI

/// The analysis templates that a plan can refer to.
public struct AnalysisTemplates: Sendable, Hashable {
  /// Of the Rollout's namespace, by name.
  public var namespaced: [String: AnalysisTemplateSpec]
  /// Of the cluster, by name.
  public var cluster: [String: AnalysisTemplateSpec]

  public init(
    namespaced: [String: AnalysisTemplateSpec] = [:], cluster: [String: AnalysisTemplateSpec] = [:]
  ) {
    self.namespaced = namespaced
    self.cluster = cluster
  }

  /// An SLO and the field that problems with it are reported at.
  struct PlacedSLO {
    var slo: SLOSpec
    var field: String
  }

  /// The plan's own SLOs, then those of its templates with arguments filled in.
  func resolve(_ spec: AnalysisSpec, _ reader: inout PlanReader) -> [PlacedSLO] {
    var placed = (spec.slos ?? []).enumerated().map { PlacedSLO(slo: $1, field: "spec.analysis.slos[\($0)]") }
    let references = spec.templates ?? []
    reader.count(references.count, "spec.analysis.templates", 0...8)
    for (index, reference) in references.enumerated() {
      placed += resolve(reference, "spec.analysis.templates[\(index)]", &reader)
    }
    return placed
  }

  private func resolve(_ reference: TemplateReference, _ field: String, _ reader: inout PlanReader) -> [PlacedSLO] {
    let kind = reference.kind ?? Defaults.templateKind
    let all = kind == .analysisTemplate ? namespaced : cluster
    guard let template = all[reference.name] else {
      let names = all.keys.sorted().prefix(5).joined(separator: ", ")
      reader.report(
        field + ".name", found: reader.quoted(reference.name),
        wanted:
          "the name of \(kind == .analysisTemplate ? "an" : "a") \(kind.rawValue) that exists\(names.isEmpty ? "; there is none" : ", such as \(names)")"
      )
      return []
    }
    guard let values = arguments(of: reference, for: template, field, &reader) else { return [] }
    return template.slos.enumerated().map { index, slo in
      PlacedSLO(slo: slo.filled(with: values), field: "\(field)(\(reference.name)).slos[\(index)]")
    }
  }

  private func arguments(
    of reference: TemplateReference, for template: AnalysisTemplateSpec, _ field: String, _ reader: inout PlanReader
  ) -> [String: String]? {
    let before = reader.problems.count
    let declared = template.args ?? []
    var values: [String: String] = [:]
    for argument in declared { values[argument.name] = argument.value }
    reader.unique((reference.args ?? []).map(\.name), { "\(field).args[\($0)].name" }, "an argument")
    for (index, argument) in (reference.args ?? []).enumerated() {
      guard declared.contains(where: { $0.name == argument.name }) else {
        let names = declared.map(\.name).joined(separator: ", ")
        reader.report(
          "\(field).args[\(index)].name", found: reader.quoted(argument.name),
          wanted: names.isEmpty ? "no argument: \(reference.name) has none" : "one of \(names)")
        continue
      }
      guard let value = argument.value else {
        reader.report("\(field).args[\(index)].value", found: "nothing", wanted: "a text")
        continue
      }
      values[argument.name] = value
    }
    for argument in declared {
      if QueryVariable(rawValue: argument.name) != nil {
        reader.report(
          "\(field)(\(reference.name)).args", found: reader.quoted(argument.name),
          wanted: "a name that is no variable of queries")
      }
      if values[argument.name] == nil {
        reader.report(
          "\(field).args", found: "no value for \(argument.name)", wanted: "one, since \(reference.name) has no default"
        )
      }
    }
    return reader.problems.count == before ? values : nil
  }
}

extension RolloutSpec {
  /// The plan with its templates' SLOs in the place of the references, as a run holds it: later edits of a template do
  /// not bend a run in flight.
  /// - Throws: the problems with the references.
  public func snapshot(_ templates: AnalysisTemplates) throws(PlanErrors) -> RolloutSpec {
    guard let analysis, analysis.templates != nil else { return self }
    var reader = PlanReader()
    let placed = templates.resolve(analysis, &reader)
    guard reader.problems.isEmpty else { throw PlanErrors(reader.problems) }
    var copy = self
    copy.analysis?.slos = placed.map(\.slo)
    copy.analysis?.templates = nil
    return copy
  }
}

extension SLOSpec {
  /// With `$(name)` replaced in every text but the SLO's own name.
  func filled(with values: [String: String]) -> SLOSpec {
    func fill(_ text: String) -> String { VariableText.fill(text, with: values) }
    func fill(_ bounds: BoundsSpec) -> BoundsSpec { BoundsSpec(min: bounds.min.map(fill), max: bounds.max.map(fill)) }
    return SLOSpec(
      name: name, mode: mode, errorRate: errorRate.map { ErrorRateSpec(max: fill($0.max)) },
      latency: latency.map {
        LatencySpec(quantile: fill($0.quantile), max: fill($0.max), metric: $0.metric.map(fill), unit: $0.unit)
      },
      query: query.map(fill), kind: kind, per: per.map(fill), bounds: bounds.map(fill), value: value.map(fill),
      compare: compare.map {
        CompareSpec(
          against: $0.against, ratio: $0.ratio.map(fill), difference: $0.difference.map(fill),
          margin: $0.margin.map(fill),
          distribution: $0.distribution.map { DistributionSpec(margin: $0.margin.map(fill)) })
      })
  }
}
