import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

struct LintCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint", abstract: "Check Rollouts and their companions in files, without a cluster.",
    discussion: """
      Files may hold several documents; those of other groups are passed over. `-` reads standard input. Templates are
      looked up among all files given. Exit code 1 where anything is wrong.
      """)

  @Argument(help: "YAML or JSON files.")
  var files: [String]

  func run() async throws {
    var texts: [Linter.File] = []
    for file in files {
      let data: Data
      do {
        data =
          file == "-" ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(filePath: file))
      } catch {
        throw CommandFailure("cannot read \(file): \(error.localizedDescription)")
      }
      guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(file) is not UTF-8 text") }
      texts.append(Linter.File(name: file == "-" ? "standard input" : file, text: text))
    }
    let report = Linter.check(texts)
    for note in report.notes { Output.note(note) }
    Output.print(report.problems)
    let checked = "\(report.checked) \(report.checked == 1 ? "document" : "documents")"
    guard report.problems.isEmpty else { throw ExitCode.failure }
    Output.print([report.checked == 0 ? "nothing of sluice.dev in there" : "\(checked) right"])
  }
}

/// Reads files into documents and reports what is wrong, with file and line.
enum Linter {
  struct File: Sendable {
    var name: String
    var text: String
  }

  struct Report: Sendable, Equatable {
    var problems: [String] = []
    var notes: [String] = []
    /// Documents of our group.
    var checked = 0
  }

  private struct Read {
    var file: String
    var document: YAMLDocument
    var content: SluiceDocument
  }

  static func check(_ files: [File]) -> Report {
    var report = Report()
    var read: [Read] = []
    for file in files { read += self.read(file, &report) }
    let templates = read.map(\.content)
    for entry in read {
      let known = AnalysisTemplates(of: templates, namespace: entry.document.json.namespace)
      let (content, missing) = entry.content.withoutMissingTemplates(known)
      for problem in missing {
        report.notes.append(
          line(entry, problem.field) + "\(problem.found) is in none of these files, so its SLOs are not checked")
      }
      var problems = content.problems(templates: known)
      if problems.isEmpty, case .rollout(let rollout) = content, let plan = try? Plan(rollout, templates: known) {
        problems = plan.unserved
      }
      report.problems += problems.map { line(entry, $0.field) + $0.description }
    }
    return report
  }

  private static func read(_ file: File, _ report: inout Report) -> [Read] {
    let documents: [YAMLDocument]
    do throws(YAMLError) {
      documents = try JSON.documents(yaml: file.text)
    } catch {
      report.problems.append("\(file.name):\(error.line ?? 1): \(error.problem)")
      return []
    }
    var read: [Read] = []
    for document in documents where SluiceDocument.claims(document.json) {
      report.checked += 1
      do throws(PlanErrors) {
        read.append(Read(file: file.name, document: document, content: try SluiceDocument(document.json)))
      } catch {
        report.problems += error.problems.map { "\(file.name):\(line(of: $0.field, in: document)): \($0)" }
      }
    }
    return read
  }

  private static func line(_ entry: Read, _ field: String) -> String {
    "\(entry.file):\(line(of: field, in: entry.document)): "
  }

  /// The line of a field; where it is not there, that of the nearest one around it.
  static func line(of field: String, in document: YAMLDocument) -> Int {
    var path = field
    while !path.isEmpty {
      if let line = document.lines[path] { return line }
      guard let end = path.lastIndex(where: { ".[(".contains($0) }) else { break }
      path = String(path[..<end])
    }
    return document.line
  }
}

extension AnalysisTemplates {
  /// Those among documents that a Rollout of a namespace can refer to; a document without a namespace is of any.
  init(of documents: [SluiceDocument], namespace: String) {
    self.init()
    for document in documents {
      switch document {
      case .analysisTemplate(let template):
        let own = template.metadata.namespace ?? ""
        if own.isEmpty || namespace.isEmpty || own == namespace {
          namespaced[template.metadata.name ?? ""] = template.spec
        }
      case .clusterAnalysisTemplate(let template): cluster[template.metadata.name ?? ""] = template.spec
      default: break
      }
    }
  }
}

extension SluiceDocument {
  /// A Rollout whose references to unknown templates are replaced by an SLO, so that the rest of it can be checked.
  func withoutMissingTemplates(_ known: AnalysisTemplates) -> (document: SluiceDocument, missing: [PlanProblem]) {
    guard case .rollout(var rollout) = self, let references = rollout.spec.analysis?.templates else {
      return (self, [])
    }
    var kept: [TemplateReference] = []
    var missing: [PlanProblem] = []
    for (index, reference) in references.enumerated() {
      let kind = reference.kind ?? .analysisTemplate
      let all = kind == .analysisTemplate ? known.namespaced : known.cluster
      if all[reference.name] != nil {
        kept.append(reference)
      } else {
        missing.append(
          PlanProblem(
            field: "spec.analysis.templates[\(index)].name", found: "\(kind.rawValue) \(reference.name)", wanted: ""))
      }
    }
    guard !missing.isEmpty else { return (self, []) }
    rollout.spec.analysis?.templates = kept
    if kept.isEmpty, (rollout.spec.analysis?.slos ?? []).isEmpty {
      rollout.spec.analysis?.slos = [SLOSpec(name: "unknown", errorRate: ErrorRateSpec(max: "1%"))]
    }
    return (.rollout(rollout), missing)
  }
}
