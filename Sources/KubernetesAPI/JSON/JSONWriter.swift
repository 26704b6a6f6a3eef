import Foundation

extension JSON: CustomStringConvertible {
  /// Compact JSON with sorted members, so that equal values have equal texts.
  public var bytes: [UInt8] {
    var writer = JSONWriter(indent: nil)
    writer.write(self, level: 0)
    return writer.output
  }

  public var data: Data { Data(bytes) }

  public var description: String { String(decoding: bytes, as: UTF8.self) }

  /// Indented by two spaces, with sorted members, for people and golden files.
  public var pretty: String {
    var writer = JSONWriter(indent: 2)
    writer.write(self, level: 0)
    return String(decoding: writer.output, as: UTF8.self)
  }
}

private struct JSONWriter {
  let indent: Int?
  var output: [UInt8] = []

  mutating func write(_ value: JSON, level: Int) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .int(let number): append(String(number))
    case .double(let number): append(text(of: number))
    case .string(let text): write(text)
    case .array(let elements):
      list(elements, "[", "]", level: level) { $0.write($1, level: level + 1) }
    case .object(let members):
      list(members.sorted { $0.key < $1.key }, "{", "}", level: level) { writer, member in
        writer.write(member.key)
        writer.append(writer.indent == nil ? ":" : ": ")
        writer.write(member.value, level: level + 1)
      }
    }
  }

  /// JSON has no infinities and no NaN; they do not occur in what the parser or the API types make.
  func text(of number: Double) -> String {
    number.isFinite ? "\(number)" : "null"
  }

  mutating func list<Element>(
    _ elements: [Element], _ open: String, _ close: String, level: Int,
    _ body: (inout JSONWriter, Element) -> Void
  ) {
    append(open)
    for (position, element) in elements.enumerated() {
      if position > 0 { append(",") }
      newline(level + 1)
      body(&self, element)
    }
    if !elements.isEmpty { newline(level) }
    append(close)
  }

  mutating func newline(_ level: Int) {
    guard let indent else { return }
    output.append(0x0A)
    output.append(contentsOf: repeatElement(0x20, count: indent * level))
  }

  mutating func append(_ text: String) { output.append(contentsOf: text.utf8) }

  mutating func write(_ text: String) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case 0..<0x20: append("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }
}
