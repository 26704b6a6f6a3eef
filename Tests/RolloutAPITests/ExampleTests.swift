import Foundation
import KubernetesAPI
import Testing

@testable import RolloutAPI

/// What rollouts/ shows must be right.
@Suite struct ExampleTests {
  static func files() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(
      at: repository.appending(path: "rollouts"), includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
  }

  @Test("every example is accepted, and begins with a comment that says what it shows")
  func accepted() throws {
    let files = try Self.files()
    #expect(files.count >= 5)
    for file in files {
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(text.hasPrefix("# "), "\(file.lastPathComponent)")
      var rollouts: [Rollout] = []
      var templates = AnalysisTemplates()
      for document in try documents(in: file) where SluiceDocument.claims(document) {
        switch try SluiceDocument(document) {
        case .rollout(let rollout): rollouts.append(rollout)
        case .analysisTemplate(let template): templates.namespaced[template.metadata.name ?? ""] = template.spec
        default: break
        }
      }
      #expect(!rollouts.isEmpty, "\(file.lastPathComponent)")
      for rollout in rollouts { _ = try Plan(rollout, templates: templates) }
    }
  }

  @Test(
    "every piece of YAML in the documents can be read",
    arguments: ["README.md", "rollouts/README.md", "deploy/README.md"])
  func pieces(path: String) throws {
    let text = try String(contentsOf: repository.appending(path: path), encoding: .utf8)
    let pieces = text.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    #expect(!pieces.isEmpty)
    for piece in pieces {
      #expect(throws: Never.self, "\(piece)") { try json(piece) }
    }
  }
}
