/// Reads a regular expression in the syntax of RE2.
struct PatternParser {
  private struct Flags {
    var foldsCase = false
    var dotMatchesNewline = false
    var multiline = false
    var swapsGreed = false
  }

  /// As in RE2.
  private static let mostRepetitions = 1000
  private static let deepestNesting = 200

  private let source: String
  private let scalars: [Unicode.Scalar]
  private var index = 0
  private var depth = 0
  private var flags = Flags()

  static func compile(_ source: String) throws(PatternError) -> [Pattern.Instruction] {
    var parser = PatternParser(source: source)
    let node = try parser.choice()
    guard parser.index == parser.scalars.count else { throw parser.fault("unexpected )") }
    return try PatternProgram(of: node, source: source).instructions
  }

  private init(source: String) {
    self.source = source
    scalars = Array(source.unicodeScalars)
  }

  private func fault(_ message: String) -> PatternError { PatternError(source: source, message: message) }

  private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    index + ahead < scalars.count ? scalars[index + ahead] : nil
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    index += 1
    return true
  }

  private mutating func take(text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard index + wanted.count <= scalars.count, Array(scalars[index..<index + wanted.count]) == wanted else {
      return false
    }
    index += wanted.count
    return true
  }

  // MARK: Syntax

  private mutating func choice() throws(PatternError) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepestNesting else { throw fault("expression nests too deeply") }
    var branches: [PatternNode] = []
    repeat {
      var parts: [PatternNode] = []
      while let scalar = peek(), scalar != "|", scalar != ")" {
        let part = try atom()
        parts.append(try repeated(part))
      }
      branches.append(parts.count == 1 ? parts[0] : .sequence(parts))
    } while take("|")
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func repeated(_ node: PatternNode) throws(PatternError) -> PatternNode {
    var node = node
    var operators = 0
    while true {
      var least = 0
      var most: Int?
      switch peek() {
      case "*": index += 1
      case "+":
        index += 1
        least = 1
      case "?":
        index += 1
        most = 1
      case "{":
        guard let (low, high) = try counts() else { return node }
        least = low
        most = high
      default: return node
      }
      operators += 1
      guard operators == 1 else { throw fault("invalid nested repetition operator") }
      let lazy = take("?")
      node = .repetition(node, least: least, most: most, greedy: lazy == flags.swapsGreed)
    }
  }

  /// `{2}`, `{2,}` or `{2,5}`; anything else in braces is text.
  private mutating func counts() throws(PatternError) -> (Int, Int?)? {
    let start = index
    func number(_ parser: inout PatternParser) -> Int? {
      var text = ""
      while let scalar = parser.peek(), ("0"..."9").contains(scalar), text.count < 6 {
        text.unicodeScalars.append(scalar)
        parser.index += 1
      }
      return Int(text)
    }
    index += 1
    guard let least = number(&self) else {
      index = start
      return nil
    }
    var most: Int? = least
    if take(",") { most = number(&self) }
    guard take("}") else {
      index = start
      return nil
    }
    guard least <= Self.mostRepetitions, most ?? 0 <= Self.mostRepetitions, most ?? least >= least else {
      throw fault("invalid repeat count")
    }
    return (least, most)
  }

  private mutating func atom() throws(PatternError) -> PatternNode {
    guard let scalar = peek() else { return .empty }
    index += 1
    switch scalar {
    case "(": return try group()
    case "[": return .scalar(try bracket())
    case ".": return .scalar(flags.dotMatchesNewline ? ScalarClass().inverted : ScalarClass.newline.inverted)
    case "^": return .assertion(flags.multiline ? .lineStart : .textStart)
    case "$": return .assertion(flags.multiline ? .lineEnd : .textEnd)
    case "*", "+", "?": throw fault("missing argument to repetition operator: `\(scalar)`")
    case "\\": return try escaped()
    // An atom that cannot match what `counts` refused is the brace itself.
    default: return literal(scalar)
    }
  }

  private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
    .scalar(ScalarClass(ranges: [scalar.value...scalar.value], foldsCase: flags.foldsCase))
  }

  private mutating func group() throws(PatternError) -> PatternNode {
    let outer = flags
    if take("?") {
      if take(text: "P<") || (peek() == "<" && peek(1) != "=" && peek(1) != "!" && take("<")) {
        var name = 0
        while let scalar = peek(), scalar != ">" {
          guard ScalarClass.word.contains(scalar) else { throw fault("invalid named capture") }
          name += 1
          index += 1
        }
        guard name > 0, take(">") else { throw fault("invalid named capture") }
      } else {
        var on = true
        flags: while true {
          guard let scalar = peek() else { throw fault("missing closing )") }
          index += 1
          switch scalar {
          case "i": flags.foldsCase = on
          case "s": flags.dotMatchesNewline = on
          case "m": flags.multiline = on
          case "U": flags.swapsGreed = on
          case "-" where on: on = false
          case ":": break flags
          // The flags hold until the end of the group around them.
          case ")": return .empty
          default: throw fault("invalid or unsupported Perl syntax: `(?\(scalar)`")
          }
        }
      }
    }
    let node = try choice()
    guard take(")") else { throw fault("missing closing )") }
    flags = outer
    return node
  }

  private mutating func escaped() throws(PatternError) -> PatternNode {
    guard let scalar = peek() else { throw fault("trailing backslash at end of expression") }
    if let set = try perlClass() { return .scalar(set) }
    index += 1
    switch scalar {
    case "A": return .assertion(.textStart)
    case "z": return .assertion(.textEnd)
    case "b": return .assertion(.wordBoundary)
    case "B": return .assertion(.noWordBoundary)
    case "Q":
      var parts: [PatternNode] = []
      while let next = peek(), !take(text: "\\E") {
        parts.append(literal(next))
        index += 1
      }
      return .sequence(parts)
    default:
      index -= 1
      return literal(try escapedScalar())
    }
  }

  /// `\d`, `\W`, `\pL` …; `nil` where the escape is one character.
  private mutating func perlClass() throws(PatternError) -> ScalarClass? {
    guard let scalar = peek() else { return nil }
    let known: ScalarClass?
    switch scalar {
    case "d": known = .digit
    case "D": known = ScalarClass.digit.inverted
    case "w": known = .word
    case "W": known = ScalarClass.word.inverted
    case "s": known = .space
    case "S": known = ScalarClass.space.inverted
    case "p", "P":
      index += 1
      var name = ""
      if take("{") {
        while let next = peek(), next != "}" {
          name.unicodeScalars.append(next)
          index += 1
        }
        guard take("}") else { throw fault("invalid character class range") }
      } else if let next = peek() {
        name.unicodeScalars.append(next)
        index += 1
      }
      let inverted = name.hasPrefix("^")
      if inverted { name.removeFirst() }
      guard ScalarClass.categoryNames.contains(name) else {
        throw PatternError(
          source: source, message: "invalid character class range: `\\p{\(name)}`", isOwnLimit: name.count > 2)
      }
      return ScalarClass(categories: [.init(name: name, negated: inverted != (scalar == "P"))])
    default: known = nil
    }
    if known != nil { index += 1 }
    return known
  }

  /// The character after a backslash.
  private mutating func escapedScalar() throws(PatternError) -> Unicode.Scalar {
    guard let scalar = peek() else { throw fault("trailing backslash at end of expression") }
    index += 1
    switch scalar {
    case "n": return "\n"
    case "t": return "\t"
    case "r": return "\r"
    case "f": return "\u{0C}"
    case "v": return "\u{0B}"
    case "a": return "\u{07}"
    case "x":
      if take("{") {
        var text = ""
        while let next = peek(), next != "}", text.count < 8 {
          text.unicodeScalars.append(next)
          index += 1
        }
        guard take("}") else { throw fault("invalid escape sequence") }
        return try code(text, radix: 16)
      }
      guard let first = peek(), let second = peek(1) else { throw fault("invalid escape sequence") }
      index += 2
      return try code(String(first) + String(second), radix: 16)
    case "0"..."7":
      var text = String(scalar)
      while text.count < 3, let next = peek(), ("0"..."7").contains(next) {
        text.unicodeScalars.append(next)
        index += 1
      }
      // One digit from 1 to 7 would be a back reference.
      guard scalar == "0" || text.count > 1 else { throw fault("invalid escape sequence: `\\\(scalar)`") }
      return try code(text, radix: 8)
    default:
      guard scalar.isASCII, !ScalarClass.word.contains(scalar) || scalar == "_" else {
        throw fault("invalid escape sequence: `\\\(scalar)`")
      }
      return scalar
    }
  }

  private func code(_ text: String, radix: Int) throws(PatternError) -> Unicode.Scalar {
    guard let value = UInt32(text, radix: radix), let scalar = Unicode.Scalar(value) else {
      throw fault("invalid escape sequence")
    }
    return scalar
  }

  private static let posix: [String: [ClosedRange<UInt32>]] = [
    "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A], "alpha": [0x41...0x5A, 0x61...0x7A], "ascii": [0...0x7F],
    "blank": [0x09...0x09, 0x20...0x20], "cntrl": [0...0x1F, 0x7F...0x7F], "digit": [0x30...0x39],
    "graph": [0x21...0x7E], "lower": [0x61...0x7A], "print": [0x20...0x7E],
    "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E], "space": [0x09...0x0D, 0x20...0x20],
    "upper": [0x41...0x5A], "word": [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A],
    "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66],
  ]

  private mutating func bracket() throws(PatternError) -> ScalarClass {
    var set = ScalarClass(foldsCase: flags.foldsCase)
    set.negated = take("^")
    var first = true
    while first || peek() != "]" {
      first = false
      guard let scalar = peek() else { throw fault("missing closing ]") }
      if scalar == "[", peek(1) == ":" {
        if let (ranges, negated) = posixClass() {
          set.subclasses.append(ScalarClass(ranges: ranges, negated: negated))
          continue
        }
        // Without an end it is a bracket and a colon.
        guard !String(String.UnicodeScalarView(scalars[(index + 2)...])).contains(":]") else {
          throw fault("invalid character class range")
        }
      }
      if scalar == "\\" {
        index += 1
        if let known = try perlClass() {
          set.subclasses.append(known)
          continue
        }
        index -= 1
      }
      let low = try bracketScalar()
      if peek() == "-", let after = peek(1), after != "]" {
        index += 1
        let high = try bracketScalar()
        guard low <= high else { throw fault("invalid character class range: `\(low)-\(high)`") }
        set.ranges.append(low.value...high.value)
      } else {
        set.ranges.append(low.value...low.value)
      }
    }
    index += 1
    return set
  }

  private mutating func bracketScalar() throws(PatternError) -> Unicode.Scalar {
    if take("\\") { return try escapedScalar() }
    guard let scalar = peek() else { throw fault("missing closing ]") }
    index += 1
    return scalar
  }

  private mutating func posixClass() -> ([ClosedRange<UInt32>], negated: Bool)? {
    let start = index
    index += 2
    let negated = take("^")
    var name = ""
    while let scalar = peek(), scalar != ":", name.count < 8 {
      name.unicodeScalars.append(scalar)
      index += 1
    }
    guard take(text: ":]"), let ranges = Self.posix[name] else {
      index = start
      return nil
    }
    return (ranges, negated)
  }
}
