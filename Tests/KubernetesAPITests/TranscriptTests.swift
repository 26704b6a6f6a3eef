import Foundation
import Testing

@testable import KubernetesAPI

/// What a real Kubernetes 1.36 answered; the files stand with the sandbox's tests.
enum Transcripts {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "SandboxTests/Transcripts")

  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? [])
    .filter { $0.hasSuffix(".json") }.sorted()

  /// All of them, parsed once, with a time where the placeholder for one stands.
  private static let all = Result { () throws -> [String: JSON] in
    var transcripts: [String: JSON] = [:]
    for name in names {
      let text = String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
      transcripts[name] = try JSON(parsing: text.replacing("<time>", with: "2026-01-02T03:04:05Z"))
    }
    return transcripts
  }

  /// - Parameter name: the file's, or how it begins.
  static func load(_ name: String) throws -> JSON {
    try #require(try all.get().first { $0.key.hasPrefix(name) }?.value)
  }

  /// All steps, also those within watches.
  static func steps(_ transcript: JSON) -> [JSON] {
    (transcript["steps"]?.array ?? []).flatMap { step in
      [step] + (step[path: ["watch", "during"]]?.array ?? [])
    }
  }

  /// The answers that are shown whole, and of those that are not, the objects that have all that makes one.
  static func bodies(_ transcript: JSON) -> [JSON] {
    steps(transcript).flatMap { step -> [JSON] in
      let snapshots = (step["snapshot"]?.array ?? []).compactMap { $0["object"] }
      guard let response = step["response"], let body = response["body"] else { return snapshots.filter(isWhole) }
      let isCut = response["part"] != nil || response["view"] != nil
      return (isCut ? [body] + snapshots : snapshots).filter(isWhole) + (isCut ? [] : [body])
    }
  }

  private static func isWhole(_ json: JSON) -> Bool {
    guard let spec = json["spec"] else { return false }
    return switch json.kind {
    case "Deployment", "ReplicaSet": spec["selector"] != nil && spec[path: ["template", "spec"]] != nil
    case "Pod": spec["containers"] != nil
    default: false
    }
  }
}

@Suite("Answers of a real control plane")
struct TranscriptTests {
  @Test("every whole object decodes as its type")
  func objects() throws {
    #expect(Transcripts.names.count > 60)
    var decoded: [String: Int] = [:]
    func check<Object: KubernetesResource>(_ type: Object.Type, _ json: JSON) {
      guard json.apiVersion == type.resource.apiVersion, json.kind == type.resource.kind else { return }
      decoded["\(type)", default: 0] += 1
      #expect(throws: Never.self) { try json.decoded(as: type) }
    }
    for name in Transcripts.names {
      for body in Transcripts.bodies(try Transcripts.load(name)) {
        for json in body["items"]?.array.map({ $0.map { $0.typed(itemType(of: body)) } }) ?? [body] {
          check(Deployment.self, json)
          check(ReplicaSet.self, json)
          check(Pod.self, json)
          check(Service.self, json)
          check(EndpointSlice.self, json)
          check(Lease.self, json)
          check(Event.self, json)
          check(CoreEvent.self, json)
          check(ConfigMap.self, json)
          check(Secret.self, json)
        }
      }
    }
    for type in ["Deployment", "ReplicaSet", "Pod", "Service", "Lease", "Event", "CoreEvent", "ConfigMap"] {
      #expect(decoded[type, default: 0] > 0, "no \(type) in the transcripts")
    }
  }

  private func itemType(of list: JSON) -> ResourceType {
    let parts = list.apiVersion.split(separator: "/").map(String.init)
    return ResourceType(
      group: parts.count == 2 ? parts[0] : "", version: parts.last ?? "v1", kind: String(list.kind.dropLast(4)),
      plural: "")
  }

  @Test("every Status is told apart")
  func statuses() throws {
    var seen = 0
    for name in Transcripts.names {
      for body in Transcripts.bodies(try Transcripts.load(name)) where body.kind == "Status" {
        let status = try body.decode(Status.self)
        guard let code = status.code, code >= 400 else { continue }
        seen += 1
        let fits =
          switch status.failure {
          case .badRequest: code == 400
          case .unauthorized: code == 401
          case .forbidden: code == 403
          case .notFound: code == 404
          case .methodNotAllowed: code == 405
          case .alreadyExists, .conflict: code == 409
          case .expired: code == 410
          case .unsupportedMediaType: code == 415
          case .invalid: code == 422
          case .internalError: code == 500
          case .tooManyRequests: code == 429
          case .serverTimeout, .timeout: code == 500 || code == 504
          case .other: code == 406
          default: false
          }
        #expect(fits, "\(name): \(code) \(status.reason ?? "") became \(status.failure)")
      }
    }
    #expect(seen > 100)
  }

  @Test("every event of every watch is read, in pieces of any size", arguments: [1, 17, 4096])
  func watches(size: Int) throws {
    var kinds: [String: Int] = [:]
    for name in Transcripts.names where name.hasPrefix("a0") {
      for step in Transcripts.steps(try Transcripts.load(name)) {
        guard let events = step["events"]?.array, !events.isEmpty else { continue }
        let body: [UInt8] = events.flatMap { (event: JSON) -> [UInt8] in event.bytes + [0x0A] }
        var decoder = WatchDecoder()
        var read: [WatchEvent] = []
        for start in stride(from: 0, to: body.count, by: size) {
          read += decoder.feed(body[start..<min(start + size, body.count)])
        }
        #expect(decoder.finish() == [])
        #expect(read.count == events.count)
        for event in read {
          switch event {
          case .added: kinds["added", default: 0] += 1
          case .modified: kinds["modified", default: 0] += 1
          case .deleted: kinds["deleted", default: 0] += 1
          case .bookmark: kinds["bookmark", default: 0] += 1
          case .failed(let status):
            if status.failure == .expired { kinds["expired", default: 0] += 1 }
          case .malformed(let line): Issue.record("\(name): \(line)")
          }
        }
      }
    }
    for kind in ["added", "modified", "deleted", "expired"] {
      #expect(kinds[kind, default: 0] > 0, "no \(kind) event in the transcripts")
    }
  }

  @Test("a Lease comes back as it was, microseconds and all")
  func lease() throws {
    for body in Transcripts.bodies(try Transcripts.load("h01")) where body.kind == "Lease" {
      let spec = try #require(try body.decoded(as: Lease.self).spec)
      let written = try JSON(encoding: spec).object ?? [:]
      for (field, value) in written { #expect(body[path: ["spec", field]] == value) }
      #expect(written.count >= 4 || spec.holderIdentity == "")
    }
  }
}
