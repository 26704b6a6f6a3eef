import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI
import TrafficRouting

/// Reads files into documents and reports what is wrong, with file and line.
enum Linter {
  struct File: Sendable {
    var name: String
    var text: String

    init(name: String, text: String) {
      self.name = name
      self.text = text
    }

    /// - Parameter path: `-` is standard input.
    init(reading path: String) throws {
      let data: Data
      var isDirectory: ObjCBool = false
      if path != "-", FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
        throw CommandFailure("cannot read \(path): it is a directory; name the files in it")
      }
      do {
        data =
          path == "-" ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(filePath: path))
      } catch {
        throw CommandFailure("cannot read \(path): \(error.localizedDescription)")
      }
      guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(path) is not UTF-8 text") }
      self.init(name: path == "-" ? "standard input" : path, text: text)
    }
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

  /// - Parameter allowMissingTemplates: whether a template that no file has is noted, instead of being a problem.
  static func check(_ files: [File], allowMissingTemplates: Bool = false) -> Report {
    var report = Report()
    var read: [Read] = []
    for file in files { read += self.read(file, &report) }
    let templates = read.map(\.content)
    // What cannot be read may be the template that is missing.
    let isIncomplete = !report.problems.isEmpty
    for entry in read {
      let known = AnalysisTemplates(of: templates, namespace: entry.document.json.namespace)
      let (content, missing) = entry.content.withoutMissingTemplates(known)
      for problem in missing {
        if allowMissingTemplates || isIncomplete {
          report.notes.append(
            line(entry, problem.field) + "\(problem.found) is in none of these files, so its SLOs are not checked")
        } else {
          report.problems.append(line(entry, problem.field) + problem.description)
        }
      }
      var problems = content.problems(templates: known)
      if problems.isEmpty, case .rollout(let rollout) = content, let plan = try? Plan(rollout, templates: known) {
        problems = plan.impossibilities.map {
          PlanProblem(field: "spec.traffic", found: $0, wanted: "what its provider can do")
        }
      }
      report.problems += problems.map { line(entry, $0.field) + $0.description }
    }
    return report
  }

  /// The plan of one Rollout in files, its templates looked up among all of them.
  /// - Parameters:
  ///   - name: of the Rollout; needed where there are several.
  ///   - namespace: of a Rollout that names none.
  static func plan(in files: [File], named name: String?, namespace: String? = nil) throws -> Plan {
    var report = Report()
    let read = files.flatMap { Self.read($0, &report) }
    if let problem = report.problems.first { throw CommandFailure(problem) }
    let rollouts = read.compactMap { entry -> (Read, Rollout)? in
      if case .rollout(let rollout) = entry.content { (entry, rollout) } else { nil }
    }
    let names = rollouts.map { $0.1.metadata.name ?? "" }
    guard let (entry, rollout) = name.map({ name in rollouts.first { $0.1.metadata.name == name } }) ?? rollouts.first
    else {
      let found =
        names.isEmpty
        ? "no Rollout is in \(files.map(\.name).joined(separator: ", "))" : "there are \(names.joined(separator: ", "))"
      throw CommandFailure(name.map { "there is no Rollout \($0) in the files: \(found)" } ?? found)
    }
    guard name != nil || rollouts.count == 1 else {
      throw CommandFailure("--rollout is needed, since there are several: \(names.joined(separator: ", "))")
    }
    let templates = AnalysisTemplates(of: read.map(\.content), namespace: entry.document.json.namespace)
    var placed = rollout
    placed.metadata.namespace = rollout.metadata.namespace ?? namespace ?? "default"
    do throws(PlanErrors) {
      return try Plan(placed, templates: templates)
    } catch {
      throw CommandFailure(error.problems.map { line(entry, $0.field) + $0.description }.joined(separator: "\n"))
    }
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
            field: "spec.analysis.templates[\(index)].name", found: "\(kind.rawValue) \(reference.name)",
            wanted: "one that is in the files given; or --allow-missing-templates"))
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
