/// A body that is not the protobuf it claims to be.
struct ProtobufError: Error, Sendable, Equatable, CustomStringConvertible {
  var description: String
}

/// Reads the wire format of protocol buffers: fields of a number, a wire type and a value, one after the other.
/// Source: protobuf.dev/programming-guides/encoding.
struct ProtobufReader: Sendable {
  enum Value: Sendable, Equatable {
    /// Integers, booleans and enumerations.
    case varint(UInt64)
    /// Strings, bytes, messages and entries of maps.
    case bytes(ArraySlice<UInt8>)
    /// Floating-point and fixed-width numbers, which no object of Kubernetes that is read here has.
    case fixed
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next field; `nil` at the end.
  /// - Throws: where a field is cut off or of an unknown wire type.
  mutating func next() throws(ProtobufError) -> (number: Int, value: Value)? {
    guard !rest.isEmpty else { return nil }
    let tag = try varint()
    let number = Int(truncatingIfNeeded: tag >> 3)
    guard (1..<1 << 29).contains(number) else {
      throw ProtobufError(description: "a field has the number \(tag >> 3), which none can have")
    }
    switch tag & 7 {
    case 0: return (number, .varint(try varint()))
    case 1:
      _ = try take(8, of: number)
      return (number, .fixed)
    case 2:
      let length = try varint()
      return (number, .bytes(try take(length, of: number)))
    case 5:
      _ = try take(4, of: number)
      return (number, .fixed)
    default:
      throw ProtobufError(description: "field \(number) has the unknown wire type \(tag & 7)")
    }
  }

  private mutating func varint() throws(ProtobufError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { throw ProtobufError(description: "a number is cut off") }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw ProtobufError(description: "a number is longer than 10 bytes")
  }

  private mutating func take(_ length: UInt64, of number: Int) throws(ProtobufError) -> ArraySlice<UInt8> {
    guard length <= UInt64(rest.count) else {
      throw ProtobufError(description: "field \(number) says \(length) bytes where \(rest.count) are left")
    }
    let (end, taken) = (rest.startIndex + Int(length), rest.startIndex)
    defer { rest = rest[end...] }
    return rest[taken..<end]
  }
}
