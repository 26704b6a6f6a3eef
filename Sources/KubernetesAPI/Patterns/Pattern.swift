/// A regular expression in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), which Go and so Kubernetes
/// uses, without back references. Matching takes time proportional to the text times the pattern, so that no pattern
/// of a user can hang the server.
public struct Pattern: Sendable, Hashable {
  /// As it was written.
  public let source: String
  private let program: [Instruction]

  enum Instruction: Sendable, Hashable {
    case scalar(ScalarClass)
    case split(preferred: Int, other: Int)
    case jump(Int)
    case assertion(Assertion)
    case match
  }

  enum Assertion: Sendable, Hashable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
  }

  /// - Throws: ``PatternError`` where this is no valid pattern, or one that is too large.
  public init(_ source: String) throws(PatternError) {
    self.source = source
    program = try PatternParser.compile(source)
  }

  /// Whether the pattern matches somewhere in the text.
  public func matches(_ text: String) -> Bool {
    firstRange(in: Array(text.unicodeScalars), from: 0, shortest: true) != nil
  }

  /// The leftmost match at or after an offset; of several there, the one that a backtracking matcher finds first.
  public func firstRange(in scalars: [Unicode.Scalar], from start: Int, shortest: Bool = false) -> Range<Int>? {
    var current = Threads(count: program.count)
    var next = Threads(count: program.count)
    var found: Range<Int>?
    var index = start
    while index <= scalars.count {
      if found == nil { add(0, started: index, at: index, of: scalars, to: &current) }
      // Without a match every later start is still open.
      if current.isEmpty, found != nil { break }
      next.removeAll()
      let scalar = index < scalars.count ? scalars[index] : nil
      threads: for thread in current.list {
        switch program[thread.counter] {
        case .match:
          found = thread.started..<index
          if shortest { return found }
          // The threads after this one have lower priority.
          break threads
        case .scalar(let set):
          if let scalar, set.contains(scalar) {
            add(thread.counter + 1, started: thread.started, at: index + 1, of: scalars, to: &next)
          }
        case .split, .jump, .assertion:
          continue
        }
      }
      swap(&current, &next)
      index += 1
    }
    return found
  }

  private struct Threads {
    var list: [(counter: Int, started: Int)] = []
    /// The generation in which an instruction was added last.
    var added: [Int]
    var generation = 1

    init(count: Int) { added = Array(repeating: 0, count: count) }

    var isEmpty: Bool { list.isEmpty }

    mutating func removeAll() {
      list.removeAll(keepingCapacity: true)
      generation += 1
    }
  }

  private func add(_ first: Int, started: Int, at index: Int, of scalars: [Unicode.Scalar], to threads: inout Threads) {
    var pending = [first]
    while let counter = pending.popLast() {
      guard threads.added[counter] != threads.generation else { continue }
      threads.added[counter] = threads.generation
      switch program[counter] {
      case .jump(let target): pending.append(target)
      case .split(let preferred, let other):
        pending.append(other)
        pending.append(preferred)
      case .assertion(let assertion):
        if holds(assertion, at: index, of: scalars) { pending.append(counter + 1) }
      case .scalar, .match: threads.list.append((counter, started))
      }
    }
  }

  private func holds(_ assertion: Assertion, at index: Int, of scalars: [Unicode.Scalar]) -> Bool {
    func isWord(_ position: Int) -> Bool {
      scalars.indices.contains(position) && ScalarClass.word.contains(scalars[position])
    }
    return switch assertion {
    case .textStart: index == 0
    case .textEnd: index == scalars.count
    case .lineStart: index == 0 || scalars[index - 1] == "\n"
    case .lineEnd: index == scalars.count || scalars[index] == "\n"
    case .wordBoundary: isWord(index - 1) != isWord(index)
    case .noWordBoundary: isWord(index - 1) == isWord(index)
    }
  }
}

/// Why a text is no regular expression.
public struct PatternError: Error, Sendable, Hashable, CustomStringConvertible {
  public var source: String
  public var message: String
  /// Where this matcher may know less than RE2: of the scripts of Unicode, and of patterns that are very large.
  public var isOwnLimit = false

  public var description: String { "error parsing regexp: \(message): `\(source)`" }
}

/// A set of characters, as `[a-z]` and `\d` describe one.
struct ScalarClass: Sendable, Hashable {
  var ranges: [ClosedRange<UInt32>] = []
  /// General categories by their short name, `L` for all of `Lu`, `Ll` …; `true` for `\P`.
  var categories: [Category] = []
  var subclasses: [ScalarClass] = []
  var negated = false
  var foldsCase = false

  struct Category: Sendable, Hashable {
    var name: String
    var negated: Bool
  }

  static let digit = ScalarClass(ranges: [0x30...0x39])
  static let word = ScalarClass(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
  static let space = ScalarClass(ranges: [0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
  static let newline = ScalarClass(ranges: [0x0A...0x0A])

  var inverted: ScalarClass {
    var other = self
    other.negated.toggle()
    return other
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool { holds(scalar) != negated }

  private func holds(_ scalar: Unicode.Scalar) -> Bool {
    if holdsExactly(scalar) { return true }
    guard foldsCase else { return false }
    for text in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping] {
      if let other = text.unicodeScalars.first, other != scalar, holdsExactly(other) { return true }
    }
    return false
  }

  private func holdsExactly(_ scalar: Unicode.Scalar) -> Bool {
    ranges.contains { $0.contains(scalar.value) }
      || subclasses.contains { $0.contains(scalar) }
      || categories.contains { Self.generalCategory(scalar).hasPrefix($0.name) != $0.negated }
  }

  static let categoryNames: Set<String> = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co",
  ]

  private static func generalCategory(_ scalar: Unicode.Scalar) -> String {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter: "Lu"
    case .lowercaseLetter: "Ll"
    case .titlecaseLetter: "Lt"
    case .modifierLetter: "Lm"
    case .otherLetter: "Lo"
    case .nonspacingMark: "Mn"
    case .spacingMark: "Mc"
    case .enclosingMark: "Me"
    case .decimalNumber: "Nd"
    case .letterNumber: "Nl"
    case .otherNumber: "No"
    case .connectorPunctuation: "Pc"
    case .dashPunctuation: "Pd"
    case .openPunctuation: "Ps"
    case .closePunctuation: "Pe"
    case .initialPunctuation: "Pi"
    case .finalPunctuation: "Pf"
    case .otherPunctuation: "Po"
    case .mathSymbol: "Sm"
    case .currencySymbol: "Sc"
    case .modifierSymbol: "Sk"
    case .otherSymbol: "So"
    case .spaceSeparator: "Zs"
    case .lineSeparator: "Zl"
    case .paragraphSeparator: "Zp"
    case .control: "Cc"
    case .format: "Cf"
    case .surrogate: "Cs"
    case .privateUse: "Co"
    default: "Cn"
    }
  }
}
