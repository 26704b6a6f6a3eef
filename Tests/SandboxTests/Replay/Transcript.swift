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
    let json = try JSON(parsing: Data(contentsOf: url))
    self.name = name
    steps = json["steps"]?.array ?? []
    grants = steps.compactMap { $0["note"]?.string }.filter { $0.contains("may edit Deployments in this namespace") }
  }
}
