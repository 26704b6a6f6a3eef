import KubernetesAPI

/// Reads PromQL, <https://prometheus.io/docs/prometheus/latest/querying/operators/>, with the types of all its parts.
struct QueryParser {
  typealias Typed = (node: QueryNode, kind: QueryNode.Kind)

  private var tokens: ArraySlice<QueryToken>
  private let end: QueryToken
  private var depth = 0

  /// Deeper nesting is no query that a person wrote.
  private static let maxDepth = 64

  private init(_ tokens: [QueryToken]) {
    self.tokens = tokens.dropLast()[...]
    end = tokens.last ?? QueryToken(kind: .end, position: 1)
  }

  static func parse(_ text: String) throws(QueryProblem) -> Typed {
    var parser = QueryParser(try QueryLexer.tokens(of: text))
    let result = try parser.expression(above: 0)
    guard parser.peek.kind == .end else { throw parser.unexpected("an operator or the end of the query") }
    return result
  }

  // MARK: Tokens

  private var peek: QueryToken { tokens.first ?? end }

  private func peek(_ ahead: Int) -> QueryToken {
    let index = tokens.startIndex + ahead
    return tokens.indices.contains(index) ? tokens[index] : end
  }

  private func unexpected(_ wanted: String) -> QueryProblem {
    QueryProblem(position: peek.position, found: peek.shown, wanted: wanted)
  }

  private mutating func accept(_ symbol: String) -> Bool {
    guard peek.kind == .symbol(symbol) else { return false }
    tokens = tokens.dropFirst()
    return true
  }

  private mutating func expect(_ symbol: String) throws(QueryProblem) {
    guard accept(symbol) else { throw unexpected("'\(symbol)'") }
  }

  /// The next word in lower case, if it is one of these.
  private mutating func accept(words: Set<String>) -> String? {
    guard case .word(let word) = peek.kind, words.contains(word.lowercased()) else { return nil }
    tokens = tokens.dropFirst()
    return word.lowercased()
  }

  // MARK: Operators

  private static let precedence: [String: Int] = [
    "or": 1, "and": 2, "unless": 2, "==": 3, "!=": 3, "<=": 3, "<": 3, ">=": 3, ">": 3, "+": 4, "-": 4, "*": 5, "/": 5,
    "%": 5, "atan2": 5, "^": 6,
  ]
  private static let comparisons: Set<String> = ["==", "!=", "<=", "<", ">=", ">"]
  private static let setOperators: Set<String> = ["and", "or", "unless"]

  private mutating func expression(above floor: Int) throws(QueryProblem) -> Typed {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maxDepth else { throw unexpected("a query that is nested less deeply") }
    var left = try unary()
    while let (symbol, strength) = binaryOperator, strength > floor {
      let position = peek.position
      tokens = tokens.dropFirst()
      let operation = try operation(symbol)
      // Only the power binds to the right.
      let right = try expression(above: symbol == "^" ? strength - 1 : strength)
      let kind = try kind(of: operation, left.kind, right.kind, at: position)
      left = (.binary(left.node, operation, right.node), kind)
    }
    return left
  }

  private var binaryOperator: (String, Int)? {
    let symbol: String
    switch peek.kind {
    case .symbol(let text): symbol = text
    case .word(let word): symbol = word.lowercased()
    default: return nil
    }
    return Self.precedence[symbol].map { (symbol, $0) }
  }

  private mutating func operation(_ symbol: String) throws(QueryProblem) -> QueryNode.Operation {
    var operation = QueryNode.Operation(symbol: symbol)
    let start = peek
    if accept(words: ["bool"]) != nil {
      guard Self.comparisons.contains(symbol) else {
        throw QueryProblem(
          position: start.position, found: "bool after \(symbol)", wanted: "bool after a comparison only")
      }
      operation.returnsBool = true
    }
    if let word = accept(words: ["on", "ignoring"]) {
      operation.matching = QueryNode.Grouping(word: word, labels: try labels())
      if let word = accept(words: ["group_left", "group_right"]) {
        let hasLabels = peek.kind == .symbol("(")
        operation.group = QueryNode.Grouping(word: word, labels: hasLabels ? try labels() : [])
      }
    }
    return operation
  }

  private func kind(
    of operation: QueryNode.Operation, _ left: QueryNode.Kind, _ right: QueryNode.Kind, at position: Int
  ) throws(QueryProblem) -> QueryNode.Kind {
    let isSet = Self.setOperators.contains(operation.symbol)
    for kind in [left, right] where kind == .matrix || kind == .string || (isSet && kind == .scalar) {
      throw QueryProblem(
        position: position, found: "\(operation.symbol) with a \(kind.rawValue)",
        wanted: isSet ? "vectors on both sides" : "numbers or vectors on both sides; a range needs rate() or the like")
    }
    let kind: QueryNode.Kind = left == .scalar && right == .scalar ? .scalar : .vector
    if kind == .scalar, Self.comparisons.contains(operation.symbol), !operation.returnsBool {
      throw QueryProblem(
        position: position, found: "\(operation.symbol) between numbers", wanted: "\(operation.symbol) bool")
    }
    if operation.matching != nil, left != .vector || right != .vector {
      throw QueryProblem(
        position: position, found: "\(operation.symbol) with matching labels and a number",
        wanted: "vectors on both sides")
    }
    return kind
  }

  private mutating func unary() throws(QueryProblem) -> Typed {
    for symbol in ["-", "+"] {
      let position = peek.position
      guard accept(symbol) else { continue }
      // A sign binds as a product does: -2 ^ 2 is -(2 ^ 2).
      let inner = try expression(above: 5)
      guard inner.kind == .scalar || inner.kind == .vector else {
        throw QueryProblem(
          position: position, found: "\(symbol) before a \(inner.kind.rawValue)",
          wanted: "a number or a vector after it")
      }
      return (.unary(symbol, inner.node), inner.kind)
    }
    return try postfix()
  }

  // MARK: What follows an operand

  private mutating func postfix() throws(QueryProblem) -> Typed {
    var operand = try primary()
    var hasOffset = false
    var hasTime = false
    while true {
      let start = peek
      if accept("[") {
        let span = try span()
        guard (!hasOffset && !hasTime) || peek.kind == .symbol(":") else {
          throw QueryProblem(position: start.position, found: "[ after offset or @", wanted: "[ before them")
        }
        if accept(":") {
          guard operand.kind == .vector else {
            throw QueryProblem(
              position: start.position, found: "a subquery of a \(operand.kind.rawValue)", wanted: "one of a vector")
          }
          let step = peek.kind == .symbol("]") ? nil : try self.span()
          operand = (.subquery(operand.node, span, step: step), .matrix)
          (hasOffset, hasTime) = (false, false)
        } else {
          guard case .selector = operand.node else {
            throw QueryProblem(
              position: start.position, found: "a range of an expression",
              wanted: "a range right after a metric, or a subquery such as [5m:]")
          }
          operand = (.range(operand.node, span), .matrix)
        }
        try expect("]")
      } else if accept(words: ["offset"]) != nil {
        try refuseModifier(of: operand.node, isThere: hasOffset, "offset", at: start.position)
        hasOffset = true
        let isNegative = accept("-")
        operand.node = .offset(operand.node, isNegative: isNegative, try span())
      } else if accept("@") {
        try refuseModifier(of: operand.node, isThere: hasTime, "@", at: start.position)
        hasTime = true
        operand.node = .at(operand.node, try time())
      } else {
        return operand
      }
    }
  }

  private func refuseModifier(
    of node: QueryNode, isThere: Bool, _ word: String, at position: Int
  ) throws(QueryProblem) {
    switch node {
    case .selector, .range, .subquery: return
    case .offset where !isThere, .at where !isThere: return
    default:
      throw QueryProblem(
        position: position, found: word, wanted: "\(word) once, right after a metric, a range or a subquery")
    }
  }

  private mutating func span() throws(QueryProblem) -> QueryNode.Span {
    let span: QueryNode.Span
    switch peek.kind {
    case .duration(let text): span = .duration(text)
    case .variable(QueryVariable.window.rawValue): span = .window
    default: throw unexpected("a duration such as 5m, or $(window)")
    }
    tokens = tokens.dropFirst()
    return span
  }

  /// `@ 1700000000`, `@ start()`, `@ end()`.
  private mutating func time() throws(QueryProblem) -> String {
    if let word = accept(words: ["start", "end"]) {
      try expect("(")
      try expect(")")
      return "\(word)()"
    }
    let sign = accept("-") ? "-" : ""
    guard case .number(let text) = peek.kind else { throw unexpected("seconds since 1970, start() or end()") }
    tokens = tokens.dropFirst()
    return sign + text
  }

  // MARK: Operands

  private mutating func primary() throws(QueryProblem) -> Typed {
    let token = peek
    switch token.kind {
    case .number(let text):
      tokens = tokens.dropFirst()
      return (.number(text), .scalar)
    case .text(let text):
      tokens = tokens.dropFirst()
      return (.text(text), .string)
    case .symbol("("):
      tokens = tokens.dropFirst()
      let inner = try expression(above: 0)
      try expect(")")
      return (.parentheses(inner.node), inner.kind)
    case .symbol("{"): return (.selector(QueryNode.Selector(name: nil, matchers: try matchers())), .vector)
    case .word(let word):
      tokens = tokens.dropFirst()
      return try operand(word, token)
    case .variable(let name):
      throw QueryProblem(
        position: token.position, found: "$(\(name)) outside of a string",
        wanted: "it inside a matcher's string, as {pod=~\"$(pods)\"}, and $(window) in brackets")
    case .duration, .symbol, .end: throw unexpected("a metric, a function, a number or (")
    }
  }

  private mutating func operand(_ word: String, _ token: QueryToken) throws(QueryProblem) -> Typed {
    let name = word.lowercased()
    if name == "inf" || name == "nan" { return (.number(name == "inf" ? "Inf" : "NaN"), .scalar) }
    let opens = peek.kind == .symbol("(")
    if let parameter = QueryFunctions.aggregations[name] {
      var followsGrouping = false
      if case .word(let next) = peek.kind { followsGrouping = ["by", "without"].contains(next.lowercased()) }
      if opens || followsGrouping { return try aggregation(name, parameter, token) }
    }
    if QueryFunctions.keywords.contains(name) {
      throw QueryProblem(
        position: token.position, found: "'\(word)'",
        wanted: "a metric, a function, a number or (; a metric of that name is written {__name__=\"\(word)\"}")
    }
    if opens { return try call(word, token) }
    let braces = peek.kind == .symbol("{") ? try matchers() : []
    return (.selector(QueryNode.Selector(name: word, matchers: braces)), .vector)
  }

  private mutating func call(_ name: String, _ token: QueryToken) throws(QueryProblem) -> Typed {
    guard let signature = QueryFunctions.signature(name) else {
      throw QueryProblem(
        position: token.position, found: "\(name)()", wanted: "a function of PromQL that can be confined")
    }
    let arguments = try arguments()
    let most = signature.repeats ? Int.max : signature.parameters.count
    guard arguments.count >= signature.required, arguments.count <= most else {
      let wanted = signature.repeats ? "at least \(signature.required)" : "\(signature.parameters.count)"
      throw QueryProblem(
        position: token.position, found: "\(name)() with \(arguments.count) arguments", wanted: wanted)
    }
    for (index, argument) in arguments.enumerated() {
      let wanted = signature.parameters[min(index, signature.parameters.count - 1)]
      try check(argument, is: wanted, "argument \(index + 1) of \(name)()")
    }
    if name == "label_replace", case .text(let pattern)? = arguments.last?.node {
      try checkPattern(pattern, of: "label_replace()", at: arguments.last?.position ?? token.position)
    }
    return (.call(name, arguments.map(\.node)), signature.result)
  }

  private mutating func aggregation(
    _ name: String, _ parameter: QueryNode.Kind?, _ token: QueryToken
  ) throws(QueryProblem) -> Typed {
    var grouping = try self.grouping()
    guard peek.kind == .symbol("(") else { throw unexpected("'('") }
    let arguments = try arguments()
    if grouping == nil { grouping = try self.grouping() }
    let wanted = (parameter.map { [$0] } ?? []) + [.vector]
    guard arguments.count == wanted.count else {
      throw QueryProblem(
        position: token.position, found: "\(name)() with \(arguments.count) arguments", wanted: "\(wanted.count)")
    }
    for (index, argument) in arguments.enumerated() {
      try check(argument, is: wanted[index], "argument \(index + 1) of \(name)()")
    }
    return (.aggregation(name, grouping, arguments.map(\.node)), .vector)
  }

  private mutating func grouping() throws(QueryProblem) -> QueryNode.Grouping? {
    guard let word = accept(words: ["by", "without"]) else { return nil }
    return QueryNode.Grouping(word: word, labels: try labels())
  }

  private struct Argument {
    var node: QueryNode
    var kind: QueryNode.Kind
    var position: Int
  }

  private mutating func arguments() throws(QueryProblem) -> [Argument] {
    try expect("(")
    var arguments: [Argument] = []
    if accept(")") { return arguments }
    repeat {
      let position = peek.position
      let argument = try expression(above: 0)
      arguments.append(Argument(node: argument.node, kind: argument.kind, position: position))
    } while accept(",")
    try expect(")")
    return arguments
  }

  private func check(_ argument: Argument, is wanted: QueryNode.Kind, _ place: String) throws(QueryProblem) {
    guard argument.kind != wanted else { return }
    let hint = wanted == .matrix && argument.kind == .vector ? ", as http_requests_total[$(window)]" : ""
    throw QueryProblem(
      position: argument.position, found: "a \(argument.kind.rawValue)",
      wanted: "a \(wanted.rawValue) as \(place)\(hint)")
  }

  /// `(a, b)`; a comma may follow the last one.
  private mutating func labels() throws(QueryProblem) -> [String] {
    try expect("(")
    var labels: [String] = []
    while !accept(")") {
      labels.append(try label())
      if !accept(",") {
        try expect(")")
        break
      }
    }
    return labels
  }

  private mutating func label() throws(QueryProblem) -> String {
    guard case .word(let name) = peek.kind, !name.contains(":") else { throw unexpected("the name of a label") }
    tokens = tokens.dropFirst()
    return name
  }

  private mutating func matchers() throws(QueryProblem) -> [QueryNode.Matcher] {
    try expect("{")
    var matchers: [QueryNode.Matcher] = []
    while !accept("}") {
      matchers.append(try matcher())
      if !accept(",") {
        try expect("}")
        break
      }
    }
    return matchers
  }

  private mutating func matcher() throws(QueryProblem) -> QueryNode.Matcher {
    let label = try label()
    guard case .symbol(let symbol) = peek.kind, let kind = QueryNode.Matcher.Kind(rawValue: symbol) else {
      throw unexpected("one of =, !=, =~ and !~")
    }
    tokens = tokens.dropFirst()
    guard case .text(let value) = peek.kind else { throw unexpected("a string") }
    if !kind.isRegex, value.parts.contains(.variable(.pods)) {
      throw QueryProblem(
        position: peek.position, found: "$(pods) after \(symbol)",
        wanted: "=~ or !~, since it is a regular expression of all the track's pods")
    }
    if kind.isRegex { try checkPattern(value, of: label, at: peek.position) }
    tokens = tokens.dropFirst()
    return QueryNode.Matcher(label: label, kind: kind, value: value)
  }

  /// A Prometheus refuses the whole query for a wrong pattern, and so finds it only when the run asks.
  private func checkPattern(_ text: QueryText, of place: String, at position: Int) throws(QueryProblem) {
    let source = text.parts.map { part in
      if case .text(let text) = part { text } else { "a" }
    }.joined()
    do throws(PatternError) {
      _ = try Pattern(source)
    } catch {
      guard !error.isOwnLimit else { return }
      throw QueryProblem(
        position: position, found: "a regular expression of \(place) that is none (\(error.message))",
        wanted: "the syntax of RE2, which has no back references and does not look ahead or behind")
    }
  }
}
