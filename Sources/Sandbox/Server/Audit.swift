import Foundation
import KubernetesAPI
import Synchronization

/// Keeps a line for each request to a resource, as a real server's audit log of level `Metadata` has it, so that what reads
/// the one reads the other. Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
final class AuditLog: Sendable {
  private let file: Mutex<FileHandle>

  /// - Throws: where the file cannot be made; one that is there is replaced.
  init(file: URL) throws {
    try Data().write(to: file)
    self.file = Mutex(try FileHandle(forWritingTo: file))
  }

  func write(_ verb: String, _ target: ResourceTarget, by user: UserInfo, status: Int, at now: Date) {
    var object: JSON = ["resource": .string(target.plural), "apiVersion": .string(target.version)]
    let others = [
      ("apiGroup", target.group), ("namespace", target.namespace), ("name", target.name),
      ("subresource", target.subresource),
    ]
    for (key, value) in others where !value.isEmpty { object[key] = .string(value) }
    let event: JSON = [
      "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
      "verb": .string(verb), "user": ["username": .string(user.name), "groups": .array(user.groups.map(JSON.string))],
      "objectRef": object, "responseStatus": ["code": JSON(status)],
      "requestReceivedTimestamp": .string(MicroTime(now).description),
    ]
    // A full disk is no reason not to serve; the reader sees that lines are missing.
    file.withLock { try? $0.write(contentsOf: event.data + Data("\n".utf8)) }
  }
}
