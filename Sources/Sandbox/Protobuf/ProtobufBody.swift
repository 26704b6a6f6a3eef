import KubernetesAPI

/// The body of a request under `application/vnd.kubernetes.protobuf`, in which kubectl sends what its `create` commands
/// make: four bytes that say what it is, then a `runtime.Unknown`, an envelope that names the kind of what is in it.
struct ProtobufBody: Sendable {
  static let mediaType = "application/vnd.kubernetes.protobuf"
  private static let magic: [UInt8] = [0x6B, 0x38, 0x73, 0x00]
  private static let typeMeta: ProtobufMessage = [1: .text("apiVersion"), 2: .text("kind")]

  private var apiVersion = ""
  private var kind = ""
  private var raw: ArraySlice<UInt8> = []
  private var isEncoded = false

  private init(envelope: ArraySlice<UInt8>) throws(ProtobufError) {
    var reader = ProtobufReader(envelope)
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let bytes)):
        let type = try Self.typeMeta.json(bytes)
        apiVersion = type["apiVersion"]?.string ?? ""
        kind = type["kind"]?.string ?? ""
      case (2, .bytes(let bytes)): raw = bytes
      case (3, .bytes(let bytes)): isEncoded = !bytes.isEmpty
      default: break
      }
    }
  }

  /// The object in a body, as JSON.
  /// - Parameter expected: the kind that should be in it, for the messages.
  /// - Throws: 400 for a body that cannot be read, 415 for a kind that is taken only as JSON or YAML.
  static func json(_ bytes: [UInt8], expecting expected: String) throws(Status) -> JSON {
    guard bytes.starts(with: magic) else {
      throw Refusal.badRequest(
        "cannot read the body as a \(expected): it does not begin with the bytes \"k8s\\0\" of Kubernetes' protobuf")
    }
    let body: Self
    let members: [String: JSON]?
    do throws(ProtobufError) {
      body = try Self(envelope: bytes[magic.count...])
      let message = body.isEncoded ? nil : ProtobufKinds.message(apiVersion: body.apiVersion, kind: body.kind)
      members = try message?.json(body.raw)
    } catch {
      throw Refusal.badRequest("cannot read the body as a \(expected): \(error)")
    }
    guard var members else {
      throw Status(
        code: 415, reason: "UnsupportedMediaType",
        message: "\(body.kind) in version \"\(body.apiVersion)\" is not read from \(mediaType): send it as "
          + "application/json or application/yaml")
    }
    members["apiVersion"] = .string(body.apiVersion)
    members["kind"] = .string(body.kind)
    return .object(members)
  }
}
