import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// The sandbox is judged by what a real control plane answered.
@Suite("the sandbox answers as a real control plane")
struct TranscriptTests {
  /// Scenarios that do not replay yet, with the reason. One that does fails the test, until it is taken off.
  static let left: [String: String] = [:]

  @Test("every scenario that is not listed replays without a difference", arguments: Transcript.names)
  func replays(_ name: String) throws {
    let differences = try replay(scenario: name)
    if let reason = Self.left[name] {
      #expect(!differences.isEmpty, "\(name) replays now: take it off the list (\(reason))")
      return
    }
    let shown = differences.prefix(12).map(\.description).joined(separator: "\n")
    #expect(differences.isEmpty, "\(differences.count) differences:\n\(shown)")
  }

  @Test("all transcripts are there, and the list names only transcripts")
  func complete() {
    #expect(Transcript.names.count == 68)
    #expect(Set(Self.left.keys).subtracting(Transcript.names).isEmpty)
    let left = Self.left.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
    print("transcripts: \(Transcript.names.count - Self.left.count) replayed, \(Self.left.count) left: \(left)")
  }
}
