/// Where a query does not parse, and what would.
public struct QueryProblem: Error, Sendable, Hashable, CustomStringConvertible {
  /// Of the character in question, counted from 1.
  public var position: Int
  public var found: String
  public var wanted: String

  public var description: String { "found \(found) at character \(position), wanted \(wanted)" }
}

/// A word of PromQL and where it begins.
struct QueryToken: Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    /// A metric, label, function or keyword.
    case word(String)
    case number(String)
    case duration(String)
    case text(QueryText)
    /// `$(name)` outside of a string.
    case variable(String)
    /// An operator or a bracket.
    case symbol(String)
    case end
  }

  var kind: Kind
  var position: Int

  /// As messages show it.
  var shown: String {
    switch kind {
    case .word(let text), .number(let text), .duration(let text), .symbol(let text): "'\(text)'"
    case .text: "a string"
    case .variable(let name): "$(\(name))"
    case .end: "the end of the query"
    }
  }
}

/// The value of a string literal; variables in it stay variables, so that no value of theirs can end the string.
struct QueryText: Sendable, Hashable {
  enum Part: Sendable, Hashable {
    case text(String)
    case variable(QueryVariable)
  }

  var parts: [Part]

  var variables: [QueryVariable] {
    parts.compactMap { if case .variable(let variable) = $0 { variable } else { nil } }
  }
}

/// Cuts PromQL into tokens, <https://prometheus.io/docs/prometheus/latest/querying/basics/>.
struct QueryLexer {
  private let scalars: [Unicode.Scalar]
  private var index = 0

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  /// All tokens, the last one being ``QueryToken/Kind/end``.
  static func tokens(of text: String) throws(QueryProblem) -> [QueryToken] {
    var lexer = QueryLexer(text)
    var tokens: [QueryToken] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token.kind == .end { return tokens }
    }
  }

  private static let symbols = [
    "==", "!=", "=~", "!~", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", ":", "@", "+", "-", "*", "/", "%", "^", "=",
    "<", ">",
  ].map { ($0, Array($0.unicodeScalars)) }

  private mutating func next() throws(QueryProblem) -> QueryToken {
    skipBlanks()
    let position = index + 1
    guard let scalar = peek() else { return QueryToken(kind: .end, position: position) }
    if Self.isLetter(scalar) {
      return QueryToken(kind: .word(take { Self.isLetter($0) || Self.isDigit($0) || $0 == ":" }), position: position)
    }
    if Self.isDigit(scalar) || (scalar == "." && peek(1).map(Self.isDigit) == true) {
      return QueryToken(kind: try number(), position: position)
    }
    if scalar == "\"" || scalar == "'" || scalar == "`" {
      return QueryToken(kind: .text(try string(scalar)), position: position)
    }
    if scalar == "$" { return QueryToken(kind: .variable(try variable()), position: position) }
    for (text, symbol) in Self.symbols where scalars[index...].starts(with: symbol) {
      index += symbol.count
      return QueryToken(kind: .symbol(text), position: position)
    }
    throw QueryProblem(position: position, found: "'\(scalar)'", wanted: "PromQL")
  }

  private mutating func skipBlanks() {
    while let scalar = peek() {
      if scalar == "#" {
        _ = take { $0 != "\n" }
      } else if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" {
        index += 1
      } else {
        return
      }
    }
  }

  // MARK: Numbers

  private static let units: Set<Unicode.Scalar> = ["s", "m", "h", "d", "w", "y"]

  private mutating func number() throws(QueryProblem) -> QueryToken.Kind {
    let start = index
    var kind: QueryToken.Kind
    if peek() == "0", peek(1) == "x" || peek(1) == "X" {
      index += 2
      let digits = take { $0.properties.isASCIIHexDigit }
      guard !digits.isEmpty else { throw wrongNumber(start) }
      kind = .number(String(scalars, start..<index))
    } else {
      _ = take(Self.isDigit)
      if let unit = peek(), Self.units.contains(unit) {
        kind = .duration(try duration(from: start))
      } else {
        if peek() == "." {
          index += 1
          _ = take(Self.isDigit)
        }
        if peek() == "e" || peek() == "E" {
          index += 1
          if peek() == "+" || peek() == "-" { index += 1 }
          guard !take(Self.isDigit).isEmpty else { throw wrongNumber(start) }
        }
        kind = .number(String(scalars, start..<index))
      }
    }
    if let after = peek(), Self.isLetter(after) || Self.isDigit(after) || after == "." { throw wrongNumber(start) }
    return kind
  }

  /// `1h30m`: units from the largest to the smallest, none twice.
  private mutating func duration(from start: Int) throws(QueryProblem) -> String {
    let order = ["y", "w", "d", "h", "m", "s", "ms"]
    var last = -1
    var isNonzero = false
    index = start
    repeat {
      let digits = take(Self.isDigit)
      guard !digits.isEmpty, digits.count <= 9, let first = peek() else { throw wrongNumber(start) }
      var unit = String(first)
      index += 1
      if first == "m", peek() == "s" {
        unit = "ms"
        index += 1
      }
      guard let rank = order.firstIndex(of: unit), rank > last else { throw wrongNumber(start) }
      last = rank
      isNonzero = isNonzero || digits.contains { $0 != "0" }
    } while peek().map(Self.isDigit) == true
    guard isNonzero else { throw wrongNumber(start) }
    return String(scalars, start..<index)
  }

  private func wrongNumber(_ start: Int) -> QueryProblem {
    let rest = scalars[start...].prefix { Self.isLetter($0) || Self.isDigit($0) || $0 == "." }
    return QueryProblem(
      position: start + 1, found: "'\(String(scalars, start..<start + rest.count))'",
      wanted: "a number such as 0.5, or a duration above 0 such as 5m or 1h30m")
  }

  // MARK: Strings and variables

  private mutating func string(_ quote: Unicode.Scalar) throws(QueryProblem) -> QueryText {
    let start = index
    index += 1
    var value = String.UnicodeScalarView()
    while true {
      guard let scalar = peek(), quote == "`" || scalar != "\n" else {
        throw QueryProblem(position: start + 1, found: "a string without an end", wanted: "another \(quote)")
      }
      index += 1
      if scalar == quote { break }
      if scalar == "\\", quote != "`" {
        value.append(try escape(quote))
      } else {
        value.append(scalar)
      }
    }
    guard let names = VariableText.parts(of: String(value)) else {
      throw QueryProblem(position: start + 1, found: "$( without )", wanted: "a variable such as $(pods)")
    }
    var parts: [QueryText.Part] = []
    for part in names {
      switch part {
      case .text(let text): if !text.isEmpty { parts.append(.text(text)) }
      case .variable(let name):
        guard let variable = QueryVariable(rawValue: name) else { throw Self.unknown(name, at: start + 1) }
        parts.append(.variable(variable))
      }
    }
    return QueryText(parts: parts)
  }

  /// As Go reads them, but for single bytes beyond ASCII: those make no text.
  private mutating func escape(_ quote: Unicode.Scalar) throws(QueryProblem) -> Unicode.Scalar {
    let position = index
    let simple: [Unicode.Scalar: Unicode.Scalar] = [
      "a": "\u{07}", "b": "\u{08}", "f": "\u{0C}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{0B}", "\\": "\\",
    ]
    guard let scalar = peek() else {
      throw QueryProblem(position: position, found: "a string without an end", wanted: "another \(quote)")
    }
    index += 1
    if scalar == quote { return quote }
    if let plain = simple[scalar] { return plain }
    let (count, radix, largest): (Int, Int, UInt32)
    switch scalar {
    case "x": (count, radix, largest) = (2, 16, 0x7F)
    case "u": (count, radix, largest) = (4, 16, 0x10FFFF)
    case "U": (count, radix, largest) = (8, 16, 0x10FFFF)
    case "0"..."7":
      index -= 1
      (count, radix, largest) = (3, 8, 0x7F)
    default:
      throw QueryProblem(
        position: position, found: "'\\\(scalar)'",
        wanted:
          "an escape such as \\n or \\\\; a backslash of a regular expression is written \\\\, or within backquotes")
    }
    let digits = String(scalars, index..<min(index + count, scalars.count))
    guard digits.unicodeScalars.count == count, digits.allSatisfy(\.isHexDigit),
      let number = UInt32(digits, radix: radix), number <= largest, let value = Unicode.Scalar(number)
    else {
      throw QueryProblem(
        position: position, found: "'\\\(scalar)'", wanted: "\(count) digits that name a character, bytes only of ASCII"
      )
    }
    index += count
    return value
  }

  private mutating func variable() throws(QueryProblem) -> String {
    let start = index
    guard peek(1) == "(", let end = scalars[index...].firstIndex(of: ")") else {
      throw QueryProblem(position: start + 1, found: "'$'", wanted: "a variable such as $(window)")
    }
    let name = String(scalars, start + 2..<end)
    guard QueryVariable(rawValue: name) != nil else { throw Self.unknown(name, at: start + 1) }
    index = end + 1
    return name
  }

  private static func unknown(_ name: String, at position: Int) -> QueryProblem {
    QueryProblem(
      position: position, found: "$(\(name.prefix(40)))",
      wanted: "one of " + QueryVariable.allCases.map { "$(\($0.rawValue))" }.joined(separator: ", ")
        + ", or in a template one of its args")
  }

  // MARK: Characters

  private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    index + ahead < scalars.count ? scalars[index + ahead] : nil
  }

  private mutating func take(_ belongs: (Unicode.Scalar) -> Bool) -> String {
    let start = index
    while let scalar = peek(), belongs(scalar) { index += 1 }
    return String(scalars, start..<index)
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
  }
}

extension String {
  fileprivate init(_ scalars: [Unicode.Scalar], _ range: Range<Int>) {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars[range])
    self.init(view)
  }
}
