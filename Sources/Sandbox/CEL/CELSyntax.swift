/// A parsed expression. Macros are nodes of their own, since they bind variables.
struct CELNode: Sendable {
  var kind: Kind
  /// Offset of the first character, in Unicode scalars, for messages.
  var position: Int

  indirect enum Kind: Sendable {
    case literal(CELValue)
    case identifier(String)
    /// `operand.field`, or `operand.?field` that makes an optional.
    case select(CELNode, field: String, optional: Bool)
    /// `has(operand.field)`.
    case has(CELNode, field: String)
    /// `operand[index]`, or `operand[?index]` that makes an optional.
    case index(CELNode, CELNode, optional: Bool)
    case unary(CELUnaryOperator, CELNode)
    case binary(CELBinaryOperator, CELNode, CELNode)
    case conditional(CELNode, then: CELNode, otherwise: CELNode)
    /// A function (`size(x)`, also with a namespace: `optional.none()`) or a method (`x.size()`).
    case call(String, target: CELNode?, [CELNode])
    case list([CELEntry])
    case map([(key: CELNode, entry: CELEntry)])
    case message(String, [(field: String, entry: CELEntry)])
    case comprehension(CELComprehension)
  }
}

/// An element of a literal; with `?` it is left out when its optional is empty.
struct CELEntry: Sendable {
  var value: CELNode
  var optional: Bool
}

enum CELUnaryOperator: String, Sendable {
  case not = "!"
  case negate = "-"
}

enum CELBinaryOperator: String, Sendable {
  case or = "||"
  case and = "&&"
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case `in` = "in"
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"
}

/// A macro over the elements of a list or the keys of a map, or over the value of an optional.
struct CELComprehension: Sendable {
  enum Macro: String, Sendable {
    case all, exists, filter, map, optMap, optFlatMap, transformList, transformMap
    case existsOne = "exists_one"
  }

  var macro: Macro
  var range: CELNode
  /// The element of a list, the key of a map; with `second` the index or key.
  var variable: String
  /// The element or value, in the two-variable form.
  var second: String?
  /// `x.map(e, filter, transform)` has one.
  var filter: CELNode?
  var body: CELNode
}
