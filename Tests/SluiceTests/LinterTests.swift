import Foundation
import Testing

@testable import sluice

@Suite struct LinterTests {
  static func rollout(_ line: String) -> String {
    """
    apiVersion: sluice.dev/v1alpha1
    kind: Rollout
    metadata: {name: web}
    spec:
      workloadRef: {name: web}
      serviceRefs: [{name: web, port: 80}]
      traffic: {istio: {}}
      steps:
      - weight: 10
        \(line)
    """
  }

  static func check(_ text: String) -> Linter.Report { Linter.check([Linter.File(name: "web.yaml", text: text)]) }

  @Test("every plan in rollouts/ passes as it is")
  func examples() throws {
    let folder = URL(filePath: #filePath).appending(path: "../../../rollouts").standardizedFileURL
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).filter {
      $0.pathExtension == "yaml"
    }
    #expect(files.count >= 5)
    for file in files {
      let text = try String(contentsOf: file, encoding: .utf8)
      let report = Linter.check([Linter.File(name: file.lastPathComponent, text: text)])
      #expect(report.problems == [])
    }
  }

  @Test("what is right is counted, and what is not ours is passed over")
  func right() {
    let text = Self.rollout("pause: {}") + "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    #expect(Self.check(text) == Linter.Report(checked: 1))
    #expect(Self.check("{}").checked == 0)
  }

  @Test("what a provider can do on no cluster is told, and what only a cluster can tell is not")
  func providers() {
    func problems(_ traffic: String, _ step: String = "pause: {}") -> [String] {
      Self.check(Self.rollout(step).replacing("{istio: {}}", with: traffic)).problems
    }
    #expect(
      problems("{gatewayAPI: {metrics: Linkerd}}", "mirror: 10\n    pause: {}") == [
        "web.yaml:7: spec.traffic: found step 1: mirror: Linkerd passes over a route that mirrors, and keeps the one before, "
          + "wanted what its provider can do"
      ])
    #expect(problems("{gatewayAPI: {}}").first?.contains("traffic.gatewayAPI.metrics") == true)
    #expect(problems("{gatewayAPI: {parentRefs: [{name: public}]}}") == [])
    #expect(problems("{gatewayAPI: {metrics: Istio}}", "mirror: 10\n    pause: {}") == [])
  }

  @Test("a problem is told with file and line, also in a later document")
  func lines() {
    #expect(
      Self.check(Self.rollout("paus: {}")).problems
        == ["web.yaml:10: spec.steps[0].paus: found an unknown field, wanted perhaps pause"])
    #expect(
      Self.check(Self.rollout("pause: {duration: 5}")).problems
        == [
          "web.yaml:10: spec.steps[0].pause.duration: found 5, wanted a text, as 5s or 5% where it has a unit, else \"5\" "
            + "in quotes"
        ])
    let second = Self.rollout("pause: {}") + "\n---\n" + Self.rollout("scale: 5%")
    #expect(
      Self.check(second).problems == [
        "web.yaml:21: spec.steps[0].scale: found 5% for weight 10%, wanted at least 10%, so that the canary can carry its traffic"
      ])
    #expect(
      Self.check(Self.rollout("analyze: {for: 1m}")).problems.first?.hasPrefix("web.yaml:10: spec.steps[0].analyze")
        == true)
  }

  @Test("text that is no YAML is told with its line, and the other files are checked all the same")
  func broken() {
    let report = Linter.check([
      Linter.File(name: "a.yaml", text: "a: [1\nb: 2\n"), Linter.File(name: "b.yaml", text: Self.rollout("pause: {}")),
    ])
    #expect(report.problems.count == 1)
    #expect(report.problems.first?.hasPrefix("a.yaml:2: ") == true)
    #expect(report.checked == 1)
  }

  @Test("a template of another file counts, and one that is nowhere is a problem, or noted")
  func templates() {
    let text = Self.rollout("analyze: {for: 1m}") + "\n  analysis:\n    templates: [{name: web}]\n"
    #expect(
      Self.check(text).problems == [
        "web.yaml:12: spec.analysis.templates[0].name: found AnalysisTemplate web, wanted one that is in the files given; "
          + "or --allow-missing-templates"
      ])
    let alone = Linter.check([Linter.File(name: "web.yaml", text: text)], allowMissingTemplates: true)
    #expect(alone.problems.isEmpty)
    #expect(
      alone.notes == ["web.yaml:12: AnalysisTemplate web is in none of these files, so its SLOs are not checked"])
    let template = """
      apiVersion: sluice.dev/v1alpha1
      kind: AnalysisTemplate
      metadata: {name: web}
      spec: {slos: [{name: errors, errorRate: {max: 1}}]}
      """
    let both = Linter.check([Linter.File(name: "r", text: text), Linter.File(name: "t", text: template)])
    #expect(
      both.problems == [
        "t:4: spec.slos[0].errorRate.max: found 1, wanted a text, as 1s or 1% where it has a unit, else \"1\" in quotes"
      ])
    let right = Linter.check([
      Linter.File(name: "r", text: text), Linter.File(name: "t", text: template.replacing("max: 1", with: "max: 1%")),
    ])
    #expect(right == Linter.Report(checked: 2))
  }
}
