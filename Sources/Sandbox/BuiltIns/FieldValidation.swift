import Foundation
import KubernetesAPI

/// Whether the fields of an object are those of its kind, as strict decoding sees it.
enum FieldValidation {
  /// The fields that the kind does not have, as the server words them: `unknown field "spec.replica"`.
  static func check(_ object: JSON, schema: Schema) -> [String] {
    var found: [String] = []
    unknown(object, schema, "", &found)
    return found.map { "unknown field \"\($0)\"" }
  }

  private static func unknown(_ value: JSON, _ schema: Schema, _ path: String, _ found: inout [String]) {
    switch value {
    case .object(let members):
      guard schema.type == .object, !schema.preserveUnknownFields else { return }
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        let place = path.isEmpty ? name : "\(path).\(name)"
        if let part = schema.member(name) {
          unknown(member, part, place, &found)
        } else {
          found.append(place)
        }
      }
    case .array(let elements):
      guard let items = schema.items else { return }
      for (index, element) in elements.enumerated() { unknown(element, items, "\(path)[\(index)]", &found) }
    default: return
    }
  }

  /// The first value of a type that its field does not have, in words, or `nil`. Null is a value of every type.
  static func typeFault(_ object: JSON, schema: Schema) -> String? { fault(object, schema, "") }

  private static func fault(_ value: JSON, _ schema: Schema, _ path: String) -> String? {
    if value.isNull { return nil }
    func wrong(_ wanted: String) -> String { "expected \(wanted) at \(path), found \(value.typeName): \(value)" }
    if schema.intOrString {
      switch value {
      case .string, .int, .double: return nil
      default: return wrong("an integer or a string")
      }
    }
    switch schema.type {
    case nil: return nil
    case .object:
      guard let members = value.object else { return wrong("an object") }
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        guard let part = schema.member(name) else { continue }
        if let fault = fault(member, part, path.isEmpty ? name : "\(path).\(name)") { return fault }
      }
      return nil
    case .array:
      guard let elements = value.array else { return wrong("a list") }
      for (index, element) in elements.enumerated() {
        if let fault = fault(element, schema.items ?? .any, "\(path)[\(index)]") { return fault }
      }
      return nil
    case .string:
      guard let text = value.string else { return wrong("a string") }
      switch schema.format {
      case "date-time" where !text.isEmpty && Timestamp(text) == nil: return wrong("an RFC 3339 time")
      case "date-time-micro" where !text.isEmpty && !isMicroTime(text):
        return wrong("an RFC 3339 time with six digits of fraction")
      case "byte" where Data(base64Encoded: text) == nil: return wrong("base64 text")
      default: return nil
      }
    case .integer:
      guard case .int(let number) = value else { return wrong("an integer") }
      if schema.format == "int32", Int32(exactly: number) == nil { return wrong("an integer of 32 bits") }
      return nil
    case .number: return value.double == nil ? wrong("a number") : nil
    case .boolean: return value.bool == nil ? wrong("a boolean") : nil
    }
  }

  /// Unlike other times, these must have six digits of fraction, no more and no fewer.
  private static func isMicroTime(_ text: String) -> Bool {
    guard MicroTime(text) != nil, let dot = text.firstIndex(of: ".") else { return false }
    return text[text.index(after: dot)...].prefix { $0.isASCII && $0.isNumber }.count == 6
  }
}
