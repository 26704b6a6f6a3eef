/// Splits an expression into tokens (CEL specification, "Syntax").
struct CELLexer {
  enum Token: Equatable {
    case identifier(String)
    /// `in`, `true` … and names that CEL keeps for later.
    case keyword(String)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    /// `-9223372036854775808` has no positive counterpart, so its digits wait for the sign.
    case smallestIntDigits
    case string(String)
    case bytes([UInt8])
    case symbol(String)
    case end
  }

  private let scalars: [Unicode.Scalar]
  private(set) var index = 0

  init(_ source: String) { scalars = Array(source.unicodeScalars) }

  static let keywords: Set<String> = ["in", "true", "false", "null"]
  static let reserved: Set<String> = [
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
  ]
  // Longest first, so that `&&` is not two tokens.
  private static let symbols = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]", "{", "}",
    ",", ".",
  ]

  /// The next token and where it starts.
  mutating func next() throws(CELError) -> (token: Token, position: Int) {
    skipBlanks()
    let start = index
    guard let scalar = peek() else { return (.end, start) }
    if let token = try quoted() { return (token, start) }
    if Self.isDigit(scalar) || (scalar == "." && peek(1).map(Self.isDigit) == true) {
      return (try number(), start)
    }
    if Self.isNameStart(scalar) {
      var name = ""
      while let next = peek(), Self.isNameStart(next) || Self.isDigit(next) {
        name.unicodeScalars.append(next)
        index += 1
      }
      return (Self.keywords.contains(name) ? .keyword(name) : .identifier(name), start)
    }
    for symbol in Self.symbols where matches(symbol) {
      index += symbol.unicodeScalars.count
      return (.symbol(symbol), start)
    }
    throw fault("token recognition error at: '\(scalar)'", at: start)
  }

  /// An error with line and column, and the line it is in.
  func fault(_ message: String, at position: Int) -> CELError {
    let before = scalars.prefix(position)
    let line = before.count { $0 == "\n" }
    let column = position - (before.lastIndex(of: "\n").map { $0 + 1 } ?? 0)
    let lines = scalars.split(separator: "\n", omittingEmptySubsequences: false)
    let text = line < lines.count ? String(String.UnicodeScalarView(lines[line])) : ""
    return CELError(
      "ERROR: <input>:\(line + 1):\(column + 1): \(message)\n | \(text)\n | "
        + String(repeating: ".", count: column) + "^")
  }

  private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    index + ahead < scalars.count ? scalars[index + ahead] : nil
  }

  private func matches(_ text: String) -> Bool {
    var position = index
    for scalar in text.unicodeScalars {
      guard position < scalars.count, scalars[position] == scalar else { return false }
      position += 1
    }
    return true
  }

  private mutating func skipBlanks() {
    while let scalar = peek() {
      if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" || scalar == "\u{0C}" {
        index += 1
      } else if matches("//") {
        while let next = peek(), next != "\n" { index += 1 }
      } else {
        return
      }
    }
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
  private static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
  }

  private mutating func digits(hexadecimal: Bool = false) -> String {
    var text = ""
    while let next = peek(), Self.isDigit(next) || (hexadecimal && next.properties.isASCIIHexDigit) {
      text.unicodeScalars.append(next)
      index += 1
    }
    return text
  }

  private mutating func number() throws(CELError) -> Token {
    let start = index
    if matches("0x") || matches("0X") {
      index += 2
      let text = digits(hexadecimal: true)
      return try whole(text, radix: 16, at: start)
    }
    var text = digits()
    var fraction = false
    if peek() == ".", let next = peek(1), Self.isDigit(next) {
      index += 1
      text += "." + digits()
      fraction = true
    }
    if let exponent = peek(), exponent == "e" || exponent == "E" {
      let sign = peek(1)
      let signed = sign == "+" || sign == "-"
      if let next = peek(signed ? 2 : 1), Self.isDigit(next) {
        index += signed ? 2 : 1
        text += "e" + (sign == "-" ? "-" : "") + digits()
        fraction = true
      }
    }
    guard fraction else { return try whole(text, radix: 10, at: start) }
    guard let value = Double(text.hasPrefix(".") ? "0" + text : text) else {
      throw fault("invalid double literal", at: start)
    }
    return .double(value)
  }

  private mutating func whole(_ text: String, radix: Int, at start: Int) throws(CELError) -> Token {
    if peek() == "u" || peek() == "U" {
      index += 1
      guard let value = UInt64(text, radix: radix) else { throw fault("invalid uint literal", at: start) }
      return .uint(value)
    }
    if let value = Int64(text, radix: radix) { return .int(value) }
    if UInt64(text, radix: radix) == Int64.min.magnitude { return .smallestIntDigits }
    throw fault("invalid int literal", at: start)
  }

  /// A string or bytes literal, with its prefixes `r` and `b`; `nil` where none begins.
  private mutating func quoted() throws(CELError) -> Token? {
    var raw = false
    var isBytes = false
    var length = 0
    while length < 2, let scalar = peek(length) {
      if !raw, scalar == "r" || scalar == "R" {
        raw = true
      } else if !isBytes, scalar == "b" || scalar == "B" {
        isBytes = true
      } else {
        break
      }
      length += 1
    }
    guard let quote = peek(length), quote == "\"" || quote == "'" else { return nil }
    let start = index
    index += length
    let triple = peek(1) == quote && peek(2) == quote
    index += triple ? 3 : 1
    var text = String.UnicodeScalarView()
    var bytes: [UInt8] = []
    while true {
      guard let scalar = peek(), triple || (scalar != "\n" && scalar != "\r") else {
        throw fault("Syntax error: unterminated string literal", at: start)
      }
      if scalar == quote, !triple || (peek(1) == quote && peek(2) == quote) {
        index += triple ? 3 : 1
        return isBytes ? .bytes(bytes) : .string(String(text))
      }
      if scalar == "\\", !raw {
        index += 1
        let (value, isByte) = try escape(isBytes: isBytes)
        if isBytes, isByte {
          bytes.append(UInt8(truncatingIfNeeded: value.value))
        } else {
          text.append(value)
          bytes.append(contentsOf: String(value).utf8)
        }
      } else {
        text.append(scalar)
        bytes.append(contentsOf: String(scalar).utf8)
        index += 1
      }
    }
  }

  /// What follows a backslash. In bytes `\xNN` and `\NNN` are bytes, else they are code points.
  private mutating func escape(isBytes: Bool) throws(CELError) -> (Unicode.Scalar, isByte: Bool) {
    let start = index
    guard let scalar = peek() else { throw fault("Syntax error: unterminated string literal", at: start) }
    index += 1
    switch scalar {
    case "a": return ("\u{07}", false)
    case "b": return ("\u{08}", false)
    case "f": return ("\u{0C}", false)
    case "n": return ("\n", false)
    case "r": return ("\r", false)
    case "t": return ("\t", false)
    case "v": return ("\u{0B}", false)
    case "\\", "?", "\"", "'", "`": return (scalar, false)
    case "x", "X": return (try code(digits: 2, radix: 16, at: start), true)
    case "u" where !isBytes: return (try code(digits: 4, radix: 16, at: start), false)
    case "U" where !isBytes: return (try code(digits: 8, radix: 16, at: start), false)
    case "0"..."3":
      index -= 1
      return (try code(digits: 3, radix: 8, at: start), true)
    default: throw fault("Syntax error: unknown escape '\\\(scalar)'", at: start)
    }
  }

  private mutating func code(digits: Int, radix: Int, at start: Int) throws(CELError) -> Unicode.Scalar {
    guard index + digits <= scalars.count,
      let value = UInt32(String(String.UnicodeScalarView(scalars[index..<index + digits])), radix: radix),
      let scalar = Unicode.Scalar(value)
    else { throw fault("Syntax error: invalid escape", at: start) }
    index += digits
    return scalar
  }
}
