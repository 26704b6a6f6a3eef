import Foundation
import KubernetesAPI

/// What a field holds, as far as its JSON goes.
indirect enum ProtobufType: Sendable {
  case text
  case integer
  case flag
  /// Base64 in JSON.
  case bytes
  /// A number or a text, such as a port.
  case integerOrText
  /// `cpu: 100m`: a message around a text.
  case quantity
  /// Seconds of Unix time; RFC 3339 in JSON.
  case time
  case message(ProtobufMessage)
  /// A message whose fields stand in JSON among those of the one around it.
  case inline(ProtobufMessage)
  /// Keys are texts.
  case map(ProtobufType)
}

/// One line of a table of fields.
struct ProtobufField: Sendable {
  var name: String
  var type: ProtobufType
  var isRepeated = false

  static func text(_ name: String) -> Self { Self(name: name, type: .text) }
  static func texts(_ name: String) -> Self { Self(name: name, type: .text, isRepeated: true) }
  static func integer(_ name: String) -> Self { Self(name: name, type: .integer) }
  static func flag(_ name: String) -> Self { Self(name: name, type: .flag) }
  static func integerOrText(_ name: String) -> Self { Self(name: name, type: .integerOrText) }
  static func quantity(_ name: String) -> Self { Self(name: name, type: .quantity) }
  static func time(_ name: String) -> Self { Self(name: name, type: .time) }
  static func map(_ name: String, of type: ProtobufType = .text) -> Self { Self(name: name, type: .map(type)) }
  static func inline(_ message: ProtobufMessage) -> Self { Self(name: "", type: .inline(message)) }

  static func message(_ name: String, _ message: ProtobufMessage) -> Self {
    Self(name: name, type: .message(message))
  }

  static func list(_ name: String, _ message: ProtobufMessage) -> Self {
    Self(name: name, type: .message(message), isRepeated: true)
  }
}

/// The fields of a message by their numbers, which are part of the API: they never change their meaning.
/// Source: the files `generated.proto` of k8s.io/api and k8s.io/apimachinery.
struct ProtobufMessage: Sendable, ExpressibleByDictionaryLiteral {
  private let fields: [Int: ProtobufField]

  init(dictionaryLiteral elements: (Int, ProtobufField)...) {
    fields = Dictionary(uniqueKeysWithValues: elements)
  }

  /// The message as an object, such as the same client would have sent in JSON.
  ///
  /// Go writes texts and times that are not set as empty ones: they are left out here, as its JSON leaves them out.
  /// A number that is 0 stays: whether it says something is the schema's knowledge. Fields that are not in the table
  /// are skipped, as every reader of the format does with what a newer writer adds.
  /// - Throws: where the bytes are not of the wire format, or a field is of another type than the table says.
  func json(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> [String: JSON] {
    var members: [String: JSON] = [:]
    var reader = ProtobufReader(bytes)
    while let (number, value) = try reader.next() {
      guard let field = fields[number] else { continue }
      switch field.type {
      case .inline(let message):
        members.merge(try message.json(try Self.content(value, field))) { _, new in new }
      case .map(let type):
        let (key, value) = try Self.entry(try Self.content(value, field), type, field)
        members[field.name, default: .emptyObject][key] = value
      default:
        let json = try Self.value(value, field.type, field)
        if field.isRepeated {
          members[field.name] = .array((members[field.name]?.array ?? []) + [json])
        } else if !json.isNull, json != "" {
          members[field.name] = json
        }
      }
    }
    return members
  }

  private static func value(
    _ value: ProtobufReader.Value, _ type: ProtobufType, _ field: ProtobufField
  ) throws(ProtobufError) -> JSON {
    switch type {
    case .text: return .string(try text(value, field))
    case .integer: return .int(Int64(bitPattern: try number(value, field)))
    case .flag: return .bool(try number(value, field) != 0)
    case .bytes: return .string(Data(try content(value, field)).base64EncodedString())
    case .message(let message), .inline(let message): return .object(try message.json(try content(value, field)))
    case .quantity: return try quantityMessage.json(try content(value, field))["text"] ?? ""
    case .time:
      guard let seconds = try timeMessage.json(try content(value, field))["seconds"]?.int else { return .null }
      return .string(Timestamp(Date(timeIntervalSince1970: TimeInterval(seconds))).description)
    case .integerOrText:
      let parts = try integerOrTextMessage.json(try content(value, field))
      return parts["isText"] == true ? parts["text"] ?? "" : parts["integer"] ?? 0
    case .map: throw ProtobufError(description: "\(field.name) is a map of maps, which the format does not have")
    }
  }

  /// An entry of a map is a message of a key and a value, each of which is left out where it is empty.
  private static func entry(
    _ bytes: ArraySlice<UInt8>, _ type: ProtobufType, _ field: ProtobufField
  ) throws(ProtobufError) -> (key: String, value: JSON) {
    var key = ""
    var content: JSON = ""
    var reader = ProtobufReader(bytes)
    while let (number, part) = try reader.next() {
      switch number {
      case 1: key = try text(part, field)
      case 2: content = try value(part, type, field)
      default: break
      }
    }
    return (key, content)
  }

  private static func content(
    _ value: ProtobufReader.Value, _ field: ProtobufField
  ) throws(ProtobufError) -> ArraySlice<UInt8> {
    guard case .bytes(let bytes) = value else {
      throw ProtobufError(description: "the field \(field.name) is a number, and should be bytes")
    }
    return bytes
  }

  private static func text(_ value: ProtobufReader.Value, _ field: ProtobufField) throws(ProtobufError) -> String {
    guard let text = String(validating: try content(value, field), as: UTF8.self) else {
      throw ProtobufError(description: "the field \(field.name) is not UTF-8")
    }
    return text
  }

  private static func number(_ value: ProtobufReader.Value, _ field: ProtobufField) throws(ProtobufError) -> UInt64 {
    guard case .varint(let number) = value else {
      throw ProtobufError(description: "the field \(field.name) is bytes, and should be a number")
    }
    return number
  }

  private static let quantityMessage: ProtobufMessage = [1: .text("text")]
  private static let timeMessage: ProtobufMessage = [1: .integer("seconds")]
  private static let integerOrTextMessage: ProtobufMessage = [
    1: .flag("isText"), 2: .integer("integer"), 3: .text("text"),
  ]
}
