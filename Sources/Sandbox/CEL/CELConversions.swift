extension CELFunctions {
  /// `int(…)`, `uint(…)`, `double(…)`, `string(…)`, `bytes(…)`, `bool(…)`, `duration(…)`, `timestamp(…)`.
  static func conversion(
    _ name: String, _ target: CELValue?, _ arguments: [CELValue]
  ) throws(CELError) -> CELValue? {
    guard target == nil, arguments.count == 1 else { return nil }
    let value = arguments[0]
    switch name {
    case "int": return try int(value)
    case "uint": return try uint(value)
    case "double": return double(value)
    case "string": return string(value)
    case "bytes":
      if case .string(let text) = value { return .bytes(Array(text.utf8)) }
      if case .bytes = value { return value }
      return nil
    case "bool":
      if case .bool = value { return value }
      guard case .string(let text) = value else { return nil }
      switch text {
      case "true", "True", "TRUE", "t", "1": return .bool(true)
      case "false", "False", "FALSE", "f", "0": return .bool(false)
      default: throw CELError("type conversion error from 'string' to 'bool'")
      }
    case "duration":
      if case .duration = value { return value }
      guard case .string(let text) = value else { return nil }
      guard let span = CELTime.duration(text) else {
        throw CELError("type conversion error from 'string' to 'google.protobuf.Duration': \"\(text)\"")
      }
      return .duration(span)
    case "timestamp":
      if case .timestamp = value { return value }
      if case .int(let seconds) = value {
        guard CELTimestamp.range.contains(seconds) else { throw CELError("timestamp overflow") }
        return .timestamp(CELTimestamp(seconds: seconds, nanoseconds: 0))
      }
      guard case .string(let text) = value else { return nil }
      guard let moment = CELTime.timestamp(text) else {
        throw CELError("type conversion error from 'string' to 'google.protobuf.Timestamp': \"\(text)\"")
      }
      return .timestamp(moment)
    default: return nil
    }
  }

  private static func int(_ value: CELValue) throws(CELError) -> CELValue? {
    switch value {
    case .int: return value
    case .uint(let number):
      guard let whole = Int64(exactly: number) else { throw CELError("integer overflow") }
      return .int(whole)
    case .double(let number):
      guard number.isFinite, let whole = Int64(exactly: number.rounded(.towardZero)) else {
        throw CELError("integer overflow")
      }
      return .int(whole)
    case .string(let text):
      guard let whole = Int64(text) else {
        throw CELError("type conversion error from 'string' to 'int': \"\(text)\"")
      }
      return .int(whole)
    case .timestamp(let moment): return .int(moment.seconds)
    case .duration(let span): return .int(span)
    default: return nil
    }
  }

  private static func uint(_ value: CELValue) throws(CELError) -> CELValue? {
    switch value {
    case .uint: return value
    case .int(let number):
      guard let whole = UInt64(exactly: number) else { throw CELError("unsigned integer overflow") }
      return .uint(whole)
    case .double(let number):
      guard number.isFinite, let whole = UInt64(exactly: number.rounded(.towardZero)) else {
        throw CELError("unsigned integer overflow")
      }
      return .uint(whole)
    case .string(let text):
      guard let whole = UInt64(text) else {
        throw CELError("type conversion error from 'string' to 'uint': \"\(text)\"")
      }
      return .uint(whole)
    default: return nil
    }
  }

  private static func double(_ value: CELValue) -> CELValue? {
    switch value {
    case .double: value
    case .int(let number): .double(Double(number))
    case .uint(let number): .double(Double(number))
    case .string(let text): Double(text).map(CELValue.double)
    default: nil
    }
  }

  private static func string(_ value: CELValue) -> CELValue? {
    switch value {
    case .string: value
    case .bool(let flag): .string("\(flag)")
    case .int(let number): .string("\(number)")
    case .uint(let number): .string("\(number)")
    case .double(let number):
      // Whole numbers have no ".0" in CEL.
      .string(Int64(exactly: number).map { "\($0)" } ?? "\(number)")
    case .bytes(let bytes): String(validating: bytes, as: UTF8.self).map(CELValue.string)
    case .duration(let span): .string(CELTime.text(span))
    case .timestamp(let moment): .string(CELTime.text(moment))
    case .url(let url): .string(url.text)
    default: nil
    }
  }
}
