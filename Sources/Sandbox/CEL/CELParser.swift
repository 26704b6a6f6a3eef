/// A recursive-descent parser of CEL expressions (CEL specification, "Syntax", and its standard macros).
struct CELParser {
  /// Deeper expressions are refused: the evaluator recurses as deep as they nest.
  private static let maximumDepth = 200
  /// Operators or selections in a row, which nest to the left.
  private static let longestChain = 500
  /// The longest expression that Kubernetes takes.
  private static let maximumLength = 64 * 1024

  private var lexer: CELLexer
  private var token = CELLexer.Token.end
  private var position = 0
  private var depth = 0

  /// - Throws: ``CELError`` with the place of the fault.
  static func parse(_ source: String) throws(CELError) -> CELNode {
    guard source.utf8.count <= maximumLength else {
      throw CELError("the expression is longer than \(maximumLength) bytes")
    }
    var parser = CELParser(lexer: CELLexer(source))
    try parser.advance()
    let node = try parser.expression()
    guard parser.token == .end else { throw parser.unexpected("<EOF>") }
    return node
  }

  private init(lexer: CELLexer) { self.lexer = lexer }

  private mutating func advance() throws(CELError) { (token, position) = try lexer.next() }

  private func unexpected(_ expected: String) -> CELError {
    let found =
      switch token {
      case .end: "<EOF>"
      case .identifier(let name), .keyword(let name), .symbol(let name): name
      default: "literal"
      }
    return lexer.fault("Syntax error: mismatched input '\(found)' expecting \(expected)", at: position)
  }

  private mutating func take(_ symbol: String) throws(CELError) -> Bool {
    guard token == .symbol(symbol) else { return false }
    try advance()
    return true
  }

  private mutating func expect(_ symbol: String) throws(CELError) {
    guard try take(symbol) else { throw unexpected("'\(symbol)'") }
  }

  private mutating func expression() throws(CELError) -> CELNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else {
      throw lexer.fault("the expression nests deeper than \(Self.maximumDepth) levels", at: position)
    }
    let condition = try binary(level: 0)
    guard try take("?") else { return condition }
    let then = try binary(level: 0)
    try expect(":")
    let otherwise = try expression()
    return CELNode(
      kind: .conditional(condition, then: then, otherwise: otherwise), position: condition.position)
  }

  /// From weakest to strongest.
  private static let levels: [[CELBinaryOperator]] = [
    [.or], [.and], [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .in], [.add, .subtract],
    [.multiply, .divide, .remainder],
  ]

  private mutating func binary(level: Int) throws(CELError) -> CELNode {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level: level + 1)
    var links = 0
    while let found = binaryOperator(among: Self.levels[level]) {
      let place = position
      links += 1
      guard links <= Self.longestChain else { throw lexer.fault("too many operators in a row", at: place) }
      try advance()
      let right = try binary(level: level + 1)
      left = CELNode(kind: .binary(found, left, right), position: place)
    }
    return left
  }

  private func binaryOperator(among operators: [CELBinaryOperator]) -> CELBinaryOperator? {
    switch token {
    case .symbol(let symbol): operators.first { $0.rawValue == symbol }
    case .keyword("in"): operators.contains(.in) ? .in : nil
    default: nil
    }
  }

  private mutating func unary() throws(CELError) -> CELNode {
    let start = position
    if try take("!") {
      depth += 1
      defer { depth -= 1 }
      guard depth <= Self.maximumDepth else { throw lexer.fault("too many operators in a row", at: start) }
      return CELNode(kind: .unary(.not, try unary()), position: start)
    }
    if try take("-") {
      if token == .smallestIntDigits {
        try advance()
        return CELNode(kind: .literal(.int(.min)), position: start)
      }
      depth += 1
      defer { depth -= 1 }
      guard depth <= Self.maximumDepth else { throw lexer.fault("too many operators in a row", at: start) }
      let operand = try unary()
      if case .literal(.int(let number)) = operand.kind {
        return CELNode(kind: .literal(.int(-number)), position: start)
      }
      return CELNode(kind: .unary(.negate, operand), position: start)
    }
    return try member()
  }

  private mutating func member() throws(CELError) -> CELNode {
    var node = try primary()
    for _ in 0..<Self.longestChain {
      if try take(".") {
        let optional = try take("?")
        let place = position
        guard case .identifier(let name) = token else { throw unexpected("IDENTIFIER") }
        try advance()
        if !optional, token == .symbol("(") {
          node = try method(name, of: node, at: place)
        } else {
          node = CELNode(kind: .select(node, field: name, optional: optional), position: place - 1)
        }
      } else if token == .symbol("[") {
        let place = position
        try advance()
        let optional = try take("?")
        let index = try expression()
        try expect("]")
        node = CELNode(kind: .index(node, index, optional: optional), position: place)
      } else if token == .symbol("{"), let name = Self.qualifiedName(node) {
        node = try message(name, at: node.position)
      } else {
        return node
      }
    }
    throw lexer.fault("too many selections in a row", at: position)
  }

  /// `a.b.c` as text, where the node is nothing but names.
  private static func qualifiedName(_ node: CELNode) -> String? {
    switch node.kind {
    case .identifier(let name): name
    case .select(let operand, let field, false): qualifiedName(operand).map { "\($0).\(field)" }
    default: nil
    }
  }

  private mutating func primary() throws(CELError) -> CELNode {
    let start = position
    switch token {
    case .int(let number): return try literal(.int(number))
    case .uint(let number): return try literal(.uint(number))
    case .double(let number): return try literal(.double(number))
    case .string(let text): return try literal(.string(text))
    case .bytes(let bytes): return try literal(.bytes(bytes))
    case .smallestIntDigits: throw lexer.fault("invalid int literal", at: start)
    case .keyword("true"): return try literal(.bool(true))
    case .keyword("false"): return try literal(.bool(false))
    case .keyword("null"): return try literal(.null)
    case .identifier(let name):
      try advance()
      if token == .symbol("(") { return try function(name, at: start) }
      guard !CELLexer.reserved.contains(name) else {
        throw lexer.fault("Syntax error: reserved identifier: \(name)", at: start)
      }
      return CELNode(kind: .identifier(name), position: start)
    case .symbol("("):
      try advance()
      let node = try expression()
      try expect(")")
      return node
    case .symbol("["):
      try advance()
      let entries = try list(until: "]") { parser throws(CELError) in
        let optional = try parser.take("?")
        return CELEntry(value: try parser.expression(), optional: optional)
      }
      return CELNode(kind: .list(entries), position: start)
    case .symbol("{"):
      try advance()
      let entries = try list(until: "}") { parser throws(CELError) in
        let optional = try parser.take("?")
        let key = try parser.expression()
        try parser.expect(":")
        return (key: key, entry: CELEntry(value: try parser.expression(), optional: optional))
      }
      return CELNode(kind: .map(entries), position: start)
    case .symbol("."):
      // A leading dot asks for the outermost scope; there is only one here.
      try advance()
      guard case .identifier = token else { throw unexpected("IDENTIFIER") }
      return try primary()
    default:
      throw unexpected(
        "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
      )
    }
  }

  private mutating func literal(_ value: CELValue) throws(CELError) -> CELNode {
    let node = CELNode(kind: .literal(value), position: position)
    try advance()
    return node
  }

  /// Comma-separated entries, a trailing comma allowed; the opening bracket is already taken.
  private mutating func list<Entry>(
    until close: String, _ entry: (inout CELParser) throws(CELError) -> Entry
  ) throws(CELError) -> [Entry] {
    var entries: [Entry] = []
    while token != .symbol(close) {
      entries.append(try entry(&self))
      guard try take(",") else { break }
    }
    try expect(close)
    return entries
  }

  private mutating func arguments() throws(CELError) -> [CELNode] {
    try expect("(")
    return try list(until: ")") { parser throws(CELError) in try parser.expression() }
  }

  private mutating func message(_ name: String, at start: Int) throws(CELError) -> CELNode {
    try expect("{")
    let fields = try list(until: "}") { parser throws(CELError) in
      let optional = try parser.take("?")
      guard case .identifier(let field) = parser.token else { throw parser.unexpected("IDENTIFIER") }
      try parser.advance()
      try parser.expect(":")
      return (field: field, entry: CELEntry(value: try parser.expression(), optional: optional))
    }
    return CELNode(kind: .message(name, fields), position: start)
  }

  private mutating func function(_ name: String, at start: Int) throws(CELError) -> CELNode {
    let arguments = try arguments()
    guard name == "has" else { return CELNode(kind: .call(name, target: nil, arguments), position: start) }
    guard arguments.count == 1, case .select(let operand, let field, false) = arguments[0].kind else {
      throw lexer.fault("invalid argument to has() macro", at: start)
    }
    return CELNode(kind: .has(operand, field: field), position: start)
  }

  private mutating func method(_ name: String, of target: CELNode, at start: Int) throws(CELError) -> CELNode {
    let arguments = try arguments()
    if let macro = try comprehension(name, over: target, arguments, at: start) { return macro }
    if case .identifier(let space) = target.kind, CELFunctions.namespaced.contains("\(space).\(name)") {
      return CELNode(kind: .call("\(space).\(name)", target: nil, arguments), position: target.position)
    }
    return CELNode(kind: .call(name, target: target, arguments), position: start)
  }

  private func comprehension(
    _ name: String, over range: CELNode, _ arguments: [CELNode], at start: Int
  ) throws(CELError) -> CELNode? {
    guard let macro = CELComprehension.Macro(rawValue: name == "existsOne" ? "exists_one" : name) else { return nil }
    let names = arguments.prefix(2).map { argument in
      if case .identifier(let name) = argument.kind { name } else { String?.none }
    }
    guard let first = names.first else { return nil }
    guard let variable = first else {
      throw lexer.fault("argument is not an identifier", at: arguments[0].position)
    }
    var result = CELComprehension(macro: macro, range: range, variable: variable, body: arguments[0])
    switch (macro, arguments.count) {
    case (.all, 2), (.exists, 2), (.existsOne, 2), (.filter, 2), (.map, 2), (.optMap, 2), (.optFlatMap, 2):
      result.body = arguments[1]
    case (.map, 3):
      result.filter = arguments[1]
      result.body = arguments[2]
    case (.all, 3), (.exists, 3), (.existsOne, 3), (.transformList, 3), (.transformMap, 3),
      (.transformList, 4), (.transformMap, 4):
      guard let second = names[1], second != variable else {
        throw lexer.fault("argument must be a second, different identifier", at: arguments[1].position)
      }
      result.second = second
      if arguments.count == 4 { result.filter = arguments[2] }
      result.body = arguments[arguments.count - 1]
    default:
      return nil
    }
    return CELNode(kind: .comprehension(result), position: start)
  }
}
