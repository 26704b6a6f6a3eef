extension CELFunctions {
  /// Methods of strings. Positions and lengths count Unicode code points.
  static func string(
    _ name: String, _ target: CELValue?, _ arguments: [CELValue], in evaluation: inout CELEvaluation
  ) throws(CELError) -> CELValue? {
    // matches(text, pattern) is also a function.
    if name == "matches", target == nil, arguments.count == 2 {
      return try string(name, arguments[0], [arguments[1]], in: &evaluation)
    }
    if name == "join", case .list(let elements, _)? = target { return try join(elements, arguments) }
    guard case .string(let text)? = target else { return nil }
    try evaluation.charge(text.utf8.count / 10)
    switch name {
    case "startsWith", "endsWith", "contains": return searched(name, text, arguments)
    case "matches", "find", "findAll": return try matched(name, text, arguments, in: &evaluation)
    case "indexOf", "lastIndexOf": return try position(name, text, arguments)
    case "substring", "charAt": return try part(name, text, arguments)
    case "split", "replace": return try divided(name, text, arguments)
    case "lowerAscii" where arguments.isEmpty: return .string(mapASCII(text, from: "A"..."Z", by: 32))
    case "upperAscii" where arguments.isEmpty: return .string(mapASCII(text, from: "a"..."z", by: -32))
    case "trim" where arguments.isEmpty: return .string(trim(text))
    case "reverse" where arguments.isEmpty:
      return .string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
    default: return nil
    }
  }

  private static func searched(_ name: String, _ text: String, _ arguments: [CELValue]) -> CELValue? {
    guard arguments.count == 1, case .string(let wanted) = arguments[0] else { return nil }
    switch name {
    case "startsWith": return .bool(text.utf8.starts(with: wanted.utf8))
    case "endsWith": return .bool(text.utf8.reversed().starts(with: wanted.utf8.reversed()))
    default: return .bool(firstIndex(of: Array(wanted.utf8), in: Array(text.utf8), from: 0) != nil)
    }
  }

  private static func matched(
    _ name: String, _ text: String, _ arguments: [CELValue], in evaluation: inout CELEvaluation
  ) throws(CELError) -> CELValue? {
    guard case .string(let source)? = arguments.first else { return nil }
    let pattern = try evaluation.pattern(source)
    try evaluation.charge((text.utf8.count * source.utf8.count) / 40)
    switch (name, arguments.count) {
    case ("matches", 1): return .bool(pattern.matches(text))
    case ("find", 1):
      let scalars = Array(text.unicodeScalars)
      guard let range = pattern.firstRange(in: scalars, from: 0) else { return .string("") }
      return .string(String(String.UnicodeScalarView(scalars[range])))
    case ("findAll", 1), ("findAll", 2):
      var most = Int64.max
      if arguments.count == 2 {
        guard case .int(let limit) = arguments[1] else { return nil }
        most = limit < 0 ? .max : limit
      }
      let scalars = Array(text.unicodeScalars)
      var found: [CELValue] = []
      var start = 0
      while Int64(found.count) < most, let range = pattern.firstRange(in: scalars, from: start) {
        found.append(.string(String(String.UnicodeScalarView(scalars[range]))))
        start = range.isEmpty ? range.upperBound + 1 : range.upperBound
        guard start <= scalars.count else { break }
      }
      return .list(found)
    default: return nil
    }
  }

  private static func position(
    _ name: String, _ text: String, _ arguments: [CELValue]
  ) throws(CELError) -> CELValue? {
    guard case .string(let wanted)? = arguments.first, arguments.count <= 2 else { return nil }
    let scalars = Array(text.unicodeScalars)
    let part = Array(wanted.unicodeScalars)
    var limit = name == "indexOf" ? 0 : scalars.count - part.count
    if arguments.count == 2 {
      guard case .int(let offset) = arguments[1] else { return nil }
      guard let index = Int(exactly: offset), (0...scalars.count).contains(index) else {
        throw CELError("index out of range: \(offset)")
      }
      limit = name == "indexOf" ? index : min(limit, index)
    }
    if name == "indexOf" { return .int(Int64(firstIndex(of: part, in: scalars, from: limit) ?? -1)) }
    let starts = stride(from: limit, through: 0, by: -1)
    return .int(Int64(starts.first { scalars[$0...].starts(with: part) } ?? -1))
  }

  private static func part(_ name: String, _ text: String, _ arguments: [CELValue]) throws(CELError) -> CELValue? {
    let scalars = Array(text.unicodeScalars)
    func index(_ value: CELValue) throws(CELError) -> Int? {
      guard case .int(let number) = value else { return nil }
      guard let index = Int(exactly: number), (0...scalars.count).contains(index) else {
        throw CELError("index out of range: \(number)")
      }
      return index
    }
    guard let first = arguments.first, let start = try index(first) else { return nil }
    if name == "charAt" {
      guard arguments.count == 1 else { return nil }
      return .string(start < scalars.count ? String(scalars[start]) : "")
    }
    var end = scalars.count
    if arguments.count == 2 {
      guard let given = try index(arguments[1]) else { return nil }
      end = given
    }
    guard arguments.count <= 2 else { return nil }
    guard start <= end else { throw CELError("invalid substring range. start: \(start), end: \(end)") }
    return .string(String(String.UnicodeScalarView(scalars[start..<end])))
  }

  private static func divided(_ name: String, _ text: String, _ arguments: [CELValue]) throws(CELError) -> CELValue? {
    let strings = arguments.compactMap { if case .string(let text) = $0 { text } else { String?.none } }
    var limit = -1
    let wanted = name == "split" ? 1 : 2
    if arguments.count == wanted + 1 {
      guard case .int(let number) = arguments[wanted] else { return nil }
      limit = Int(clamping: number)
    }
    guard strings.count == wanted, arguments.count <= wanted + 1 else { return nil }
    if name == "replace" { return .string(replace(strings[0], by: strings[1], in: text, atMost: limit)) }
    return .list(split(text, by: strings[0], atMost: limit).map(CELValue.string))
  }

  private static func join(_ elements: [CELValue], _ arguments: [CELValue]) throws(CELError) -> CELValue? {
    var separator = ""
    if let first = arguments.first {
      guard case .string(let text) = first else { return nil }
      separator = text
    }
    var strings: [String] = []
    for element in elements {
      guard case .string(let text) = element else {
        throw CELError("no such overload: list(\(element.typeName)).join()")
      }
      strings.append(text)
    }
    return .string(strings.joined(separator: separator))
  }

  // MARK: Plain string work

  static func firstIndex<Element: Equatable>(of part: [Element], in whole: [Element], from start: Int) -> Int? {
    guard part.count <= whole.count, start <= whole.count - part.count else { return nil }
    return (start...whole.count - part.count).first { whole[$0..<$0 + part.count].elementsEqual(part) }
  }

  /// As Go's `strings.Split`: an empty separator gives single characters, a limit of 0 nothing.
  static func split(_ text: String, by separator: String, atMost limit: Int = -1) -> [String] {
    guard limit != 0 else { return [] }
    let most = limit < 0 ? Int.max : limit
    let scalars = Array(text.unicodeScalars)
    let wanted = Array(separator.unicodeScalars)
    var parts: [String] = []
    var start = 0
    while parts.count < most - 1 {
      let end: Int
      if wanted.isEmpty {
        guard start < scalars.count - 1 else { break }
        end = start + 1
      } else {
        guard let found = firstIndex(of: wanted, in: scalars, from: start) else { break }
        end = found
      }
      parts.append(String(String.UnicodeScalarView(scalars[start..<end])))
      start = end + wanted.count
    }
    if wanted.isEmpty, scalars.isEmpty { return parts }
    parts.append(String(String.UnicodeScalarView(scalars[start...])))
    return parts
  }

  static func replace(_ wanted: String, by other: String, in text: String, atMost limit: Int = -1) -> String {
    guard limit != 0 else { return text }
    if wanted.isEmpty {
      let characters = text.unicodeScalars.map { String($0) }
      let most = limit < 0 ? characters.count + 1 : min(limit, characters.count + 1)
      return characters.enumerated().map { ($0.offset < most ? other : "") + $0.element }.joined()
        + (characters.count < most ? other : "")
    }
    return split(text, by: wanted, atMost: limit < 0 ? -1 : limit + 1).joined(separator: other)
  }

  private static func trim(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(String.UnicodeScalarView(scalars[first...last]))
  }

  private static func mapASCII(_ text: String, from range: ClosedRange<Unicode.Scalar>, by shift: Int) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if range.contains(scalar), let moved = Unicode.Scalar(UInt32(Int(scalar.value) + shift)) {
        result.append(moved)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }
}
