import Foundation
import KubernetesAPI

/// One recorded scenario.
struct Transcript: Sendable {
  var name: String
  var steps: [JSON]
  /// The namespace's service account may edit Deployments; a note says so.
  var grants: [String]

  static let folder = Bundle.module.resourceURL?.appendingPathComponent("Transcripts")

  /// The names of all scenarios, sorted.
  static let names: [String] = {
    guard let folder, let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return [] }
    return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }()

  /// - Throws: where the file is not there or not JSON.
  init(named name: String) throws {
    let url = Self.folder?.appendingPathComponent(name + ".json") ?? URL(fileURLWithPath: name)
    // One hash of d16 was recorded as it was, since no snapshot had bound it; it is open like all others.
    let text = try String(contentsOf: url, encoding: .utf8).replacing("never-845986cc6f", with: "never-<hash:845986>")
    let json = try JSON(parsing: text)
    self.name = name
    steps = json["steps"]?.array ?? []
    grants = steps.compactMap { $0["note"]?.string }.filter { $0.contains("may edit Deployments in this namespace") }
  }
}
