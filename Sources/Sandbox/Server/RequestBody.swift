import KubernetesAPI

#if canImport(Yams)
  import Yams
#endif

/// The document in a request, and which of its members came twice.
struct RequestBody: Sendable {
  var value: JSON
  var duplicates: [String]

  /// Reads JSON, YAML, or the protobuf of the kinds that kubectl sends so.
  /// - Parameter kind: what is expected, for the message.
  /// - Throws: 415 for a media type that is none of them, 400 for a document that cannot be read.
  init(_ request: ServerRequest, expecting kind: String) throws(Status) {
    let type = MediaTypes.parse(request.header("Content-Type") ?? "application/json").type
    switch type {
    case "application/json", "": try self.init(json: request.body, expecting: kind)
    case "application/yaml": try self.init(yaml: request.body, expecting: kind)
    case ProtobufBody.mediaType: self.init(try ProtobufBody.json(request.body, expecting: kind))
    default:
      throw Status(
        code: 415, reason: "UnsupportedMediaType",
        message: "the body of the request was in an unknown format - accepted media types include: "
          + MediaTypes.accepted)
    }
  }

  init(json bytes: [UInt8], expecting kind: String) throws(Status) {
    var duplicates: [String] = []
    do {
      value = try JSON(parsing: bytes, duplicates: &duplicates)
    } catch {
      let text = String(decoding: bytes.prefix(1000), as: UTF8.self)
      throw Refusal.badRequest(
        "the object provided is unrecognized (must be of type \(kind)): couldn't get version/kind; \(error) (\(text))")
    }
    self.duplicates = duplicates
    guard value.object != nil else {
      throw Refusal.badRequest(
        "the object provided is unrecognized (must be of type \(kind)): expected an object, found \(value.typeName)")
    }
  }

  init(yaml bytes: [UInt8], expecting kind: String) throws(Status) {
    // JSON is YAML, and clients that apply send mostly that.
    if bytes.first == UInt8(ascii: "{") {
      try self.init(json: bytes, expecting: kind)
      return
    }
    #if canImport(Yams)
      self.init(try Self.parse(yaml: bytes, expecting: kind))
    #else
      throw Status(
        code: 415, reason: "UnsupportedMediaType", message: "this server was built without YAML: send \(kind) as JSON")
    #endif
  }

  #if canImport(Yams)
    private static func parse(yaml bytes: [UInt8], expecting kind: String) throws(Status) -> JSON {
      let node: Node?
      do {
        node = try Yams.compose(yaml: String(decoding: bytes, as: UTF8.self))
      } catch {
        throw Refusal.badRequest("error decoding YAML: \(error)")
      }
      guard let node, let value = json(node), value.object != nil else {
        throw Refusal.badRequest("error decoding YAML: expected an object of type \(kind)")
      }
      return value
    }

    private static func json(_ node: Node) -> JSON? {
      switch node {
      case .mapping(let mapping):
        var members: [String: JSON] = [:]
        for (key, value) in mapping {
          guard let name = key.string, let value = json(value) else { return nil }
          members[name] = value
        }
        return .object(members)
      case .sequence(let sequence):
        var elements: [JSON] = []
        for element in sequence {
          guard let value = json(element) else { return nil }
          elements.append(value)
        }
        return .array(elements)
      case .scalar:
        if node.null != nil { return .null }
        if let value = node.bool { return .bool(value) }
        if let value = node.int { return .int(Int64(value)) }
        if let value = node.float { return .double(value) }
        return node.string.map(JSON.string)
      default: return nil
      }
    }
  #endif
}

extension RequestBody {
  /// A document that did not come over the wire.
  init(_ value: JSON) {
    self.value = value
    duplicates = []
  }
}
