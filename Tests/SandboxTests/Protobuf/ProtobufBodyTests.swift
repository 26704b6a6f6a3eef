import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("bodies in protobuf")
struct ProtobufBodyTests {
  private func answer(_ body: [UInt8], _ type: String, _ path: String) -> (status: Int, body: JSON) {
    let server = APIServer(clock: VirtualTime().clock, random: MeshRandom(seed: 7))
    let response = server.handle(
      ServerRequest("POST", path, headers: [("Content-Type", type), ("User-Agent", "kubectl/v1.32.4")], body: body))
    return (response.status, response.json)
  }

  @Test("an object sent as protobuf becomes what the same object sent as JSON becomes", arguments: RecordedBody.created)
  func created(_ recorded: RecordedBody) throws {
    let binary = answer(recorded.bytes, ProtobufBody.mediaType, recorded.path)
    let text = answer(Array(recorded.json.utf8), "application/json", recorded.path)
    #expect(binary.status == 201, "\(binary.body)")
    #expect(text.status == 201, "\(text.body)")
    #expect(binary.body == text.body)
  }

  @Test("a body is read into the object that it says")
  func read() throws {
    #expect(
      try ProtobufBody.json(RecordedBody.token.bytes, expecting: "TokenRequest") == [
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": ["generation": 0],
        "spec": ["expirationSeconds": 600, "boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": "p"]],
      ])
    #expect(
      try ProtobufBody.json(RecordedBody.review.bytes, expecting: "SelfSubjectAccessReview")["spec"] == [
        "resourceAttributes": ["namespace": "default", "verb": "get", "resource": "pods"]
      ])
    // An empty value of a map is a value; an empty text of an object is none.
    #expect(
      try ProtobufBody.json(RecordedBody.configMap.bytes, expecting: "ConfigMap")["data"]
        == ["color": "blue", "empty": ""])
  }

  @Test("owners, times and deletion options are read")
  func metadata() throws {
    // metadata {name "a", creationTimestamp {seconds 1_800_000_000}, ownerReferences {kind "K", name "o", uid "u",
    // apiVersion "v1", controller true}, finalizers ["f"]}, data {"k": ""}
    let owner: [UInt8] = [10, 1, 75, 26, 1, 111, 34, 1, 117, 42, 2, 118, 49, 48, 1]
    let time: [UInt8] = [8, 0x80, 0xA4, 0xA7, 0xDA, 0x06]
    let meta: [UInt8] =
      [10, 1, 97, 66, UInt8(time.count)] + time + [106, UInt8(owner.count)] + owner + [114, 1, 102]
    let map: [UInt8] = [10, UInt8(meta.count)] + meta + [18, 3, 10, 1, 107]
    #expect(
      try CoreMessages.configMap.json(map[...]) == [
        "metadata": [
          "name": "a", "creationTimestamp": "2027-01-15T08:00:00Z", "finalizers": ["f"],
          "ownerReferences": [["kind": "K", "name": "o", "uid": "u", "apiVersion": "v1", "controller": true]],
        ],
        "data": ["k": ""],
      ])
    let options: [UInt8] = [8, 0, 18, 3, 10, 1, 117, 34, 10] + Array("Foreground".utf8) + [42, 3] + Array("All".utf8)
    #expect(
      try MetaMessages.deleteOptions.json(options[...]) == [
        "gracePeriodSeconds": 0, "preconditions": ["uid": "u"], "propagationPolicy": "Foreground", "dryRun": ["All"],
      ])
  }

  @Test("a kind without a table is refused, not half read")
  func unknownKind() {
    let kind = Array("LimitRange".utf8)
    let type: [UInt8] = [10, 2] + Array("v1".utf8) + [18, UInt8(kind.count)] + kind
    let body: [UInt8] = Array("k8s\0".utf8) + [10, UInt8(type.count)] + type + [18, 0]
    let answer = answer(body, ProtobufBody.mediaType, "/api/v1/namespaces/default/limitranges")
    #expect(answer.status == 415)
    #expect(answer.body["message"]?.string?.contains("LimitRange") == true)
  }

  @Test("a body that is cut off is refused")
  func cutOff() throws {
    let whole = RecordedBody.deployment.bytes
    // The last four bytes are two empty fields of the envelope, which may be missing.
    for length in 0..<(whole.count - 4) {
      let answer = answer(
        Array(whole.prefix(length)), ProtobufBody.mediaType, "/apis/apps/v1/namespaces/default/deployments")
      #expect([400, 415, 422].contains(answer.status), "cut at \(length): \(answer.status)")
    }
  }

  @Test("what is not of the wire format says where it fails")
  func malformed() {
    let cases: [([UInt8], String)] = [
      ([0x0A, 5, 1], "field 1 says 5 bytes where 1 are left"), ([0x0B], "field 1 has the unknown wire type 3"),
      ([0x08, 0x80], "a number is cut off"), ([0x08] + Array(repeating: 0xFF, count: 11), "longer than 10 bytes"),
      ([0x02, 0], "number 0"), ([0x08, 1], "metadata is a number"),
      ([0x0A, 3, 0x0A, 1, 0xFF], "name is not UTF-8"), ([0x09, 1, 2], "field 1 says 8 bytes where 2 are left"),
    ]
    for (bytes, expected) in cases {
      do {
        _ = try CoreMessages.configMap.json(bytes[...])
        Issue.record("\(bytes) was read")
      } catch {
        #expect("\(error)".contains(expected))
      }
    }
  }

  @Test("fields that a newer client adds are skipped")
  func unknownField() throws {
    // Field 99 of every wire type, then the metadata.
    let added: [UInt8] =
      [0x98, 6, 1, 0x9A, 6, 1, 0, 0x99, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0x9D, 6, 1, 2, 3, 4] + [0x0A, 3, 0x0A, 1, 0x61]
    #expect(try CoreMessages.configMap.json(added[...]) == ["metadata": ["name": "a"]])
  }
}
