import KubernetesAPI
import Testing

@testable import RolloutAPI

@Suite struct TemplateTests {
  static func templates() throws -> AnalysisTemplates {
    func spec(_ yaml: String) throws -> AnalysisTemplateSpec { try json(yaml).decode() }
    return AnalysisTemplates(
      namespaced: [
        "web": try spec(
          """
          args: [{name: max-errors, value: 1%}, {name: slow}]
          slos:
          - {name: errors, errorRate: {max: $(max-errors)}}
          - {name: slow, latency: {quantile: "99", max: $(slow)}}
          """)
      ],
      cluster: [
        "orders": try spec(
          """
          args: [{name: metric, value: orders_total}]
          slos: [{name: orders, query: "rate($(metric){pod=~\\"$(pods)\\"}[$(window)])", value: {min: "1"}}]
          """)
      ])
  }

  static func plan(_ references: String, slos: String = "[]") throws -> Plan {
    var document = try json(checkout)
    document[path: ["spec", "analysis"]] = ["slos": try json(slos), "templates": try json(references)]
    return try RolloutAPITests.plan(document, templates: templates())
  }

  @Test("a template's SLOs are added with arguments filled in, and variables of queries are left")
  func filled() throws {
    let plan = try Self.plan(
      "[{name: web, args: [{name: slow, value: 250ms}]}, {kind: ClusterAnalysisTemplate, name: orders}]",
      slos: "[{name: own, errorRate: {max: 2%}}]")
    #expect(plan.analysis.slos.map(\.name) == ["own", "errors", "slow", "orders"])
    #expect(
      plan.analysis.slos[1].objective
        == .errorRate(max: try #require(Percent(1)), comparison: .init(ratio: .one, margin: nil, distribution: nil)))
    guard case .latency(_, let max, _) = plan.analysis.slos[2].objective else { throw PlanErrors([]) }
    #expect(max == .milliseconds(250))
    guard case .query(let query) = plan.analysis.slos[3].objective else { throw PlanErrors([]) }
    #expect(query.expression.description == "rate(orders_total{pod=~\"$(pods)\"}[$(window)])")
  }

  @Test(
    "a missing template, argument or value is named",
    arguments: [
      ("[{name: wob}]", "spec.analysis.templates[0].name", "such as web"),
      ("[{kind: ClusterAnalysisTemplate, name: web}]", "spec.analysis.templates[0].name", "such as orders"),
      ("[{name: web}]", "spec.analysis.templates[0].args", "web has no default"),
      ("[{name: web, args: [{name: fast, value: a}]}]", "spec.analysis.templates[0].args[0].name", "max-errors, slow"),
      ("[{name: web, args: [{name: slow}]}]", "spec.analysis.templates[0].args[0].value", "a text"),
      (
        "[{name: web, args: [{name: slow, value: late}]}]", "spec.analysis.templates[0](web).slos[1].latency.max",
        "a duration"
      ),
      (
        "[{name: web, args: [{name: slow, value: 1s}]}, {name: web, args: [{name: slow, value: 1s}]}]",
        "spec.analysis.templates[1](web).slos[0].name", "no other entry"
      ),
    ])
  func problems(references: String, field: String, wanted: String) throws {
    let errors = try #require(throws: PlanErrors.self) { try Self.plan(references) }
    let problem = errors.problems.first { $0.field == field }
    #expect(problem?.wanted.contains(wanted) == true, "\(errors)")
  }

  @Test("an argument cannot have the name of a query's variable")
  func shadowing() throws {
    let template = AnalysisTemplateSpec(
      args: [ArgumentSpec(name: "pods", value: "a")], slos: [SLOSpec(name: "a", errorRate: ErrorRateSpec(max: "1%"))])
    var document = try json(checkout)
    document[path: ["spec", "analysis", "templates"]] = [["name": "bad"]]
    let errors = try #require(throws: PlanErrors.self) {
      try RolloutAPITests.plan(document, templates: AnalysisTemplates(namespaced: ["bad": template]))
    }
    #expect(errors.problems.first?.found == "\"pods\"")
  }

  @Test(
    "a template by itself is right with arguments that it has no value for, and wrong with names that are none",
    arguments: [
      (
        "{args: [{name: what}], slos: [{name: a, kind: Events, query: QUERY, per: 'sum($(what))', value: {max: '1'}}]}",
        []
      ),
      (
        "{args: [{name: top}], slos: [{name: a, kind: Mean, query: QUERY, per: QUERY, bounds: {min: '0', max: $(top)}, "
          + "value: {max: '1'}}]}", []
      ),
      ("{args: [{name: Job_1}], slos: [{name: a, errorRate: {max: 1%}}]}", ["spec.args[0].name"]),
      ("{slos: [{name: a, query: 'up{job=\"$(job)\"}', value: {max: '1'}}]}", ["spec.slos[0].query"]),
    ])
  func alone(spec: String, fields: [String]) throws {
    let query = "'sum(increase(x_total{pod=~\"$(pods)\"}[$(window)]))'"
    let spec: AnalysisTemplateSpec = try json(spec.replacingOccurrences(of: "QUERY", with: query)).decode()
    let problems = SluiceDocument.analysisTemplate(AnalysisTemplate(metadata: ObjectMeta(), spec: spec)).problems()
    #expect(problems.map(\.field) == fields, "\(problems)")
    for problem in problems where problem.field.hasSuffix("query") {
      #expect(problem.wanted.hasSuffix("or in a template one of its args"))
    }
  }

  @Test("a run's snapshot needs no templates and gives the same plan")
  func snapshot() throws {
    var document = try json(checkout)
    document[path: ["spec", "analysis"]] = try json(
      "{templates: [{name: web, args: [{name: slow, value: 1s}]}], deadline: 2h}")
    let rollout: Rollout = try document.decode()
    let snapshot = try rollout.spec.snapshot(Self.templates())
    #expect(snapshot.analysis?.templates == nil)
    let again: RolloutSpec = try JSON(encoding: snapshot).decode()
    #expect(
      try Plan(namespace: "shop", name: "checkout", spec: again) == Plan(rollout, templates: Self.templates()))
    #expect(throws: PlanErrors.self) { try rollout.spec.snapshot(AnalysisTemplates()) }
  }

  @Test("what is filled in is not read again, and an open variable is found")
  func variables() {
    #expect(VariableText.fill("a $(x) $(y) $(z)", with: ["x": "$(y)", "y": "2"]) == "a $(y) 2 $(z)")
    #expect(VariableText.names(in: "$(a)$(b) $c (d)") == ["a", "b"])
    #expect(VariableText.names(in: "$(a") == nil)
  }
}
