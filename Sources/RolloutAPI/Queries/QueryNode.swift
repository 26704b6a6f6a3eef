/// An expression of PromQL, as far as it must be understood to find everything that it selects.
indirect enum QueryNode: Sendable, Hashable {
  case number(String)
  case text(QueryText)
  case selector(Selector)
  case parentheses(QueryNode)
  case call(String, [QueryNode])
  case aggregation(String, Grouping?, [QueryNode])
  case unary(String, QueryNode)
  case binary(QueryNode, Operation, QueryNode)
  /// `[5m]`, of a selector.
  case range(QueryNode, Span)
  /// `[1h:5m]`, of anything.
  case subquery(QueryNode, Span, step: Span?)
  case offset(QueryNode, isNegative: Bool, Span)
  case at(QueryNode, String)

  /// What selects series: a name, matchers, or both.
  struct Selector: Sendable, Hashable {
    var name: String?
    var matchers: [Matcher]
  }

  struct Matcher: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable {
      case equal = "="
      case unequal = "!="
      case matches = "=~"
      case matchesNot = "!~"

      var isRegex: Bool { self == .matches || self == .matchesNot }
    }

    var label: String
    var kind: Kind
    var value: QueryText
  }

  struct Grouping: Sendable, Hashable {
    /// `by` or `without`.
    var word: String
    var labels: [String]
  }

  /// An operator with what stands between it and its right side.
  struct Operation: Sendable, Hashable {
    var symbol: String
    var returnsBool = false
    /// `on` or `ignoring`.
    var matching: Grouping?
    /// `group_left` or `group_right`.
    var group: Grouping?
  }

  enum Span: Sendable, Hashable {
    case duration(String)
    /// `$(window)`
    case window
  }

  /// The types of PromQL.
  enum Kind: String, Sendable, Hashable {
    case scalar
    case vector
    case matrix
    case string
  }

  /// What it is made of.
  var children: [QueryNode] {
    switch self {
    case .number, .text, .selector: []
    case .parentheses(let inner), .unary(_, let inner), .range(let inner, _), .subquery(let inner, _, _),
      .offset(let inner, _, _), .at(let inner, _):
      [inner]
    case .call(_, let arguments), .aggregation(_, _, let arguments): arguments
    case .binary(let left, _, let right): [left, right]
    }
  }

  /// The variables in it, at any depth.
  var variables: Set<QueryVariable> {
    var found = children.reduce(into: Set<QueryVariable>()) { $0.formUnion($1.variables) }
    switch self {
    case .text(let text): found.formUnion(text.variables)
    case .selector(let selector): for matcher in selector.matchers { found.formUnion(matcher.value.variables) }
    case .range(_, .window), .subquery(_, .window, _), .subquery(_, _, .window), .offset(_, _, .window):
      found.insert(.window)
    default: break
    }
    return found
  }

  /// `sum(rate(…))` or `sum(increase(…))` over everything.
  var isSumOfIncreases: Bool {
    switch self {
    case .parentheses(let inner): inner.isSumOfIncreases
    case .aggregation("sum", nil, let arguments):
      if case .call(let name, _)? = arguments.first { ["rate", "irate", "increase"].contains(name) } else { false }
    default: false
    }
  }
}

/// Writes an expression as text again. Nothing of the source is copied: what was understood is what is asked.
struct QueryPrinter {
  var values: [QueryVariable: String]
  /// What every selector gets besides.
  var forced: QueryNode.Matcher?

  func print(_ node: QueryNode) -> String {
    switch node {
    case .number(let text): return text
    case .text(let text): return quoted(filled(text, isRegex: false))
    case .selector(let selector): return print(selector)
    case .parentheses(let inner): return "(\(print(inner)))"
    case .call(let name, let arguments): return "\(name)(\(print(arguments)))"
    case .aggregation(let name, let grouping, let arguments):
      let words = grouping.map { " \(print($0)) " } ?? ""
      return "\(name)\(words)(\(print(arguments)))"
    case .unary(let symbol, let inner): return symbol + print(inner)
    case .binary(let left, let operation, let right):
      var words = [print(left), operation.symbol]
      if operation.returnsBool { words.append("bool") }
      words += [operation.matching, operation.group].compactMap { $0 }.map(print)
      return (words + [print(right)]).joined(separator: " ")
    case .range(let inner, let span): return "\(print(inner))[\(print(span))]"
    case .subquery(let inner, let span, let step): return "\(print(inner))[\(print(span)):\(step.map(print) ?? "")]"
    case .offset(let inner, let isNegative, let span):
      return "\(print(inner)) offset \(isNegative ? "-" : "")\(print(span))"
    case .at(let inner, let time): return "\(print(inner)) @ \(time)"
    }
  }

  private func print(_ nodes: [QueryNode]) -> String { nodes.map(print).joined(separator: ", ") }

  private func print(_ grouping: QueryNode.Grouping) -> String {
    "\(grouping.word) (\(grouping.labels.joined(separator: ", ")))"
  }

  private func print(_ selector: QueryNode.Selector) -> String {
    let matchers = selector.matchers + (forced.map { [$0] } ?? [])
    let name = selector.name ?? ""
    if matchers.isEmpty { return name.isEmpty ? "{}" : name }
    return name + "{\(matchers.map(print).joined(separator: ","))}"
  }

  private func print(_ matcher: QueryNode.Matcher) -> String {
    "\(matcher.label)\(matcher.kind.rawValue)\(quoted(filled(matcher.value, isRegex: matcher.kind.isRegex)))"
  }

  private func print(_ span: QueryNode.Span) -> String {
    switch span {
    case .duration(let text): text
    case .window: values[.window] ?? "5m"
    }
  }

  private func filled(_ text: QueryText, isRegex: Bool) -> String {
    text.parts.map { part in
      switch part {
      case .text(let text): return text
      case .variable(let variable):
        let value = values[variable] ?? ""
        return isRegex && variable != .pods ? Self.literal(value) : value
      }
    }.joined()
  }

  /// A regular expression that matches just this.
  private static func literal(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      if "\\.+*?()|[]{}^$".contains(character) { text.append("\\") }
      text.append(character)
    }
  }

  private func quoted(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\x" + (digits.count < 2 ? "0" : "") + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
