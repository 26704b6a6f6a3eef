import Foundation

/// Why a text is not JSON, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  public var message: String
  /// Byte offset of the fault, from 0.
  public var offset: Int

  public var description: String { "not JSON: \(message) at byte \(offset)" }
}

extension JSON {
  /// Parses one JSON document (RFC 8259). Of duplicate members the last one wins; `duplicates` collects their paths
  /// (`spec.replicas`, `spec.ports[0].name`), which strict field validation reports.
  /// - Throws: ``JSONError`` for anything else than one well-formed document of at most 512 levels.
  public init(parsing bytes: some Sequence<UInt8>, duplicates: inout [String]) throws(JSONError) {
    var parser = JSONParser(bytes: Array(bytes))
    self = try parser.document()
    duplicates = parser.duplicates
  }

  public init(parsing bytes: some Sequence<UInt8>) throws(JSONError) {
    var ignored: [String] = []
    try self.init(parsing: bytes, duplicates: &ignored)
  }

  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: text.utf8)
  }
}

/// A recursive-descent parser. Foundation's decoder neither reports duplicate members nor keeps `3` and `3.0` apart.
private struct JSONParser {
  /// Becomes text only where a duplicate is found.
  enum PathPart {
    case key(String)
    case index(Int)
  }

  let bytes: [UInt8]
  var index = 0
  var depth = 0
  var path: [PathPart] = []
  var duplicates: [String] = []

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(JSONError) -> JSON {
    let value = try value()
    skipSpace()
    guard index == bytes.count else { throw fault("trailing characters") }
    return value
  }

  var pathText: String {
    path.reduce(into: "") { text, part in
      switch part {
      case .key(let key): text += text.isEmpty ? key : "." + key
      case .index(let index): text += "[\(index)]"
      }
    }
  }

  func fault(_ message: String) -> JSONError { JSONError(message: message, offset: index) }

  mutating func skipSpace() {
    while index < bytes.count {
      switch bytes[index] {
      case 0x20, 0x0A, 0x0D, 0x09: index += 1
      default: return
      }
    }
  }

  mutating func value() throws(JSONError) -> JSON {
    skipSpace()
    guard index < bytes.count else { throw fault("unexpected end") }
    switch bytes[index] {
    case UInt8(ascii: "{"): return try nested { parser throws(JSONError) in try parser.object() }
    case UInt8(ascii: "["): return try nested { parser throws(JSONError) in try parser.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  mutating func nested(_ body: (inout JSONParser) throws(JSONError) -> JSON) throws(JSONError) -> JSON {
    guard depth < 512 else { throw fault("more than 512 levels") }
    depth += 1
    defer { depth -= 1 }
    index += 1
    return try body(&self)
  }

  mutating func object() throws(JSONError) -> JSON {
    var members: [String: JSON] = [:]
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw fault("expected a member name") }
      let key = try string()
      skipSpace()
      guard take(":") else { throw fault("expected ':'") }
      path.append(.key(key))
      let member = try value()
      if members.updateValue(member, forKey: key) != nil { duplicates.append(pathText) }
      path.removeLast()
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw fault("expected ',' or '}'") }
    }
  }

  mutating func array() throws(JSONError) -> JSON {
    var elements: [JSON] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      path.append(.index(elements.count))
      elements.append(try value())
      path.removeLast()
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw fault("expected ',' or ']'") }
    }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    let end = index + text.utf8CodeUnitCount
    let matches = text.withUTF8Buffer { end <= bytes.count && bytes[index..<end].elementsEqual($0) }
    guard matches else { throw fault("unexpected character") }
    index = end
    return value
  }

  mutating func number() throws(JSONError) -> JSON {
    let start = index
    _ = take("-")
    let digits = takeDigits()
    let first = index - digits
    guard digits == 1 || (digits > 1 && bytes[first] != UInt8(ascii: "0")) else {
      throw fault(digits == 0 ? "unexpected character" : "a number with a leading zero")
    }
    var whole = true
    if take(".") {
      whole = false
      guard takeDigits() > 0 else { throw fault("expected a digit") }
    }
    if take("e") || take("E") {
      whole = false
      if !take("+") { _ = take("-") }
      guard takeDigits() > 0 else { throw fault("expected a digit") }
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if whole, let value = Int64(text) { return .int(value) }
    guard let value = Double(text), value.isFinite else { throw fault("a number out of range") }
    return .double(value)
  }

  mutating func takeDigits() -> Int {
    let start = index
    while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
    return index - start
  }

  mutating func string() throws(JSONError) -> String {
    index += 1
    let start = index
    // The common case, a string without escapes, is one copy.
    while index < bytes.count, bytes[index] >= 0x20, bytes[index] != UInt8(ascii: "\""),
      bytes[index] != UInt8(ascii: "\\")
    {
      index += 1
    }
    guard index < bytes.count else { throw fault("unterminated string") }
    if bytes[index] == UInt8(ascii: "\"") {
      defer { index += 1 }
      return String(decoding: bytes[start..<index], as: UTF8.self)
    }
    var text = Array(bytes[start..<index])
    while true {
      guard index < bytes.count else { throw fault("unterminated string") }
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        index += 1
        try escape(into: &text)
      case 0..<0x20:
        throw fault("a control character in a string")
      default:
        text.append(byte)
        index += 1
      }
    }
  }

  mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard index < bytes.count else { throw fault("unterminated string") }
    let byte = bytes[index]
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try hex()
      if (0xD800..<0xDC00).contains(unit), index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
        bytes[index + 1] == UInt8(ascii: "u")
      {
        index += 2
        let low = try hex()
        guard (0xDC00..<0xE000).contains(low) else { throw fault("half a surrogate pair") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      // A lone surrogate becomes the replacement character, as in Go's decoder.
      let scalar = Unicode.Scalar(unit) ?? "\u{FFFD}"
      text.append(contentsOf: String(scalar).utf8)
    default: throw fault("unknown escape")
    }
  }

  mutating func hex() throws(JSONError) -> UInt32 {
    guard index + 4 <= bytes.count,
      let unit = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
    else { throw fault("expected four hexadecimal digits") }
    index += 4
    return unit
  }
}
