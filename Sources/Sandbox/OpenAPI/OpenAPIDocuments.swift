import KubernetesAPI
import Synchronization

/// The OpenAPI documents of a server, made when they are first asked for and again when a schema has changed.
final class OpenAPIDocuments: Sendable {
  private struct Made {
    var revision: String
    var document: JSON
    var digest: String
  }

  /// By path; one for each group and version that is served, so no more than the store holds definitions.
  private let made = Mutex<[String: Made]>([:])

  init() {}

  /// The answer to `/openapi/v3`: where each document is, with a digest that changes when the document does.
  func index(_ groups: [OpenAPIGroup]) -> JSON {
    var paths: [String: JSON] = [:]
    for group in groups {
      paths[group.path] = ["serverRelativeURL": .string("/openapi/v3/\(group.path)?hash=\(current(group).digest)")]
    }
    made.withLock { made in
      let served = Set(groups.map(\.path))
      made = made.filter { served.contains($0.key) }
    }
    return ["paths": .object(paths)]
  }

  /// The answer to `/openapi/v3/apis/<group>/<version>`.
  func document(_ group: OpenAPIGroup) -> JSON { current(group).document }

  private func current(_ group: OpenAPIGroup) -> Made {
    if let known = made.withLock({ $0[group.path] }), known.revision == group.revision { return known }
    // Made outside of the lock: two requests at once may both make it, which is harmless.
    let document = OpenAPIDocument(group).json
    let result = Made(revision: group.revision, document: document, digest: Self.digest(document.bytes))
    made.withLock { $0[group.path] = result }
    return result
  }

  /// FNV-1a with 64 bits: clients only compare it.
  private static func digest(_ bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    let text = String(hash, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
