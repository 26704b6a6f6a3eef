import KubernetesAPI

/// One evaluation of expressions over the same variables, within a budget.
///
/// Errors are values of the logic: `false && error` is false and `true || error` is true, in either order.
struct CELEvaluation {
  private var variables: [String: CELValue]
  /// Expressions behind `variables.<name>`, evaluated when first used.
  private let definitions: [String: CELNode]
  private var results: [String: Result<CELValue, CELError>] = [:]
  private var pending: Set<String> = []
  private var locals: [(name: String, value: CELValue)] = []
  /// How many steps are left: one per node, and more for work on long strings and lists.
  private(set) var budget: Int
  private var patterns: [String: Pattern] = [:]

  init(variables: [String: CELValue], definitions: [String: CELNode] = [:], budget: Int = 1_000_000) {
    self.variables = variables
    self.definitions = definitions
    self.budget = budget
  }

  /// - Throws: ``CELError`` for what fails at run time, such as `no such key: data`.
  mutating func value(of node: CELNode) throws(CELError) -> CELValue {
    try charge(1)
    switch node.kind {
    case .literal(let value): return value
    case .identifier(let name): return try lookUp(name)
    case .select(let operand, let field, let optional):
      if case .identifier("variables") = operand.kind, definitions[field] != nil { return try definition(field) }
      let value = try readable(value(of: operand))
      return try optional ? selectOptional(field, of: value) : select(field, of: value)
    case .has(let operand, let field):
      if case .identifier("variables") = operand.kind, definitions[field] != nil { return .bool(true) }
      return .bool(try has(field, in: readable(value(of: operand))))
    case .index(let operand, let index, let optional):
      let value = try readable(value(of: operand))
      let key = try readable(self.value(of: index))
      return try optional ? indexOptional(value, key) : element(of: value, at: key)
    case .unary(let operation, let operand):
      return try CELOperators.apply(operation, readable(value(of: operand)))
    case .binary(let operation, let left, let right): return try binary(operation, left, right)
    case .conditional(let condition, let then, let otherwise):
      return try value(of: truth(of: condition) ? then : otherwise)
    case .call(let name, let target, let arguments): return try call(name, target, arguments)
    case .list(let entries):
      var elements: [CELValue] = []
      for entry in entries {
        if let value = try self.entry(entry) { elements.append(value) }
      }
      return .list(elements)
    case .map(let pairs):
      var members: [CELKey: CELValue] = [:]
      for (keyNode, entryNode) in pairs {
        let keyValue = try value(of: keyNode)
        guard let key = CELKey(keyValue) else { throw CELError("unsupported key type: \(keyValue.typeName)") }
        guard let value = try entry(entryNode) else { continue }
        guard members.updateValue(value, forKey: key) == nil else {
          throw CELError("Failed with repeated key: \(key.text)")
        }
      }
      return .map(members)
    case .message(let name, let fields):
      var members: [String: CELValue] = [:]
      for (field, entryNode) in fields {
        if let value = try entry(entryNode) { members[field] = value }
      }
      return .message(name, members)
    case .comprehension(let comprehension): return try self.comprehension(comprehension)
    }
  }

  mutating func charge(_ steps: Int) throws(CELError) {
    budget -= steps
    guard budget >= 0 else { throw .costExceeded }
  }

  /// A pattern, compiled once in this evaluation.
  mutating func pattern(_ source: String) throws(CELError) -> Pattern {
    if let known = patterns[source] { return known }
    do throws(PatternError) {
      let pattern = try Pattern(source)
      patterns[source] = pattern
      return pattern
    } catch {
      throw CELError(error.description)
    }
  }

  private func readable(_ value: CELValue) throws(CELError) -> CELValue {
    if case .invalid(let message) = value { throw CELError(message) }
    return value
  }

  // MARK: Variables and fields

  private func lookUp(_ name: String) throws(CELError) -> CELValue {
    if let local = locals.last(where: { $0.name == name }) { return local.value }
    if let value = variables[name] { return try readable(value) }
    if CELFunctions.typeNames.contains(name) { return .type(CELFunctions.fullTypeName(name)) }
    throw CELError("no such attribute(s): \(name)")
  }

  private mutating func definition(_ name: String) throws(CELError) -> CELValue {
    if let result = results[name] { return try result.get() }
    guard let node = definitions[name], pending.insert(name).inserted else {
      throw CELError("variables.\(name) refers to itself")
    }
    defer { pending.remove(name) }
    let outer = locals
    locals = []
    defer { locals = outer }
    do throws(CELError) {
      let value = try value(of: node)
      results[name] = .success(value)
      return value
    } catch {
      results[name] = .failure(error)
      throw error
    }
  }

  private func member(_ field: String, of value: CELValue) throws(CELError) -> CELValue?? {
    switch value {
    case .map(let members): .some(members[.string(field)])
    case .message(_, let members): .some(members[field])
    default: nil
    }
  }

  private func select(_ field: String, of value: CELValue) throws(CELError) -> CELValue {
    if case .optional = value { return try selectOptional(field, of: value) }
    guard let member = try member(field, of: value) else {
      throw CELError("no such overload: cannot select '\(field)' of a value of type \(value.typeName)")
    }
    guard let member else { throw CELError("no such key: \(field)") }
    return try readable(member)
  }

  private func selectOptional(_ field: String, of value: CELValue) throws(CELError) -> CELValue {
    if case .optional(let inner) = value {
      guard let inner else { return value }
      return try selectOptional(field, of: inner)
    }
    guard let member = try member(field, of: value) else {
      throw CELError("no such overload: cannot select '\(field)' of a value of type \(value.typeName)")
    }
    return .optional(try member.map { value throws(CELError) in try readable(value) })
  }

  private func has(_ field: String, in value: CELValue) throws(CELError) -> Bool {
    if case .optional(let inner) = value {
      guard let inner else { return false }
      return try has(field, in: inner)
    }
    guard let member = try member(field, of: value) else {
      throw CELError("no such overload: cannot look for '\(field)' in a value of type \(value.typeName)")
    }
    return member != nil
  }

  private func element(of value: CELValue, at key: CELValue) throws(CELError) -> CELValue {
    switch value {
    case .optional:
      return try indexOptional(value, key)
    case .list(let elements, _):
      guard case .int(let number)? = CELKey(key)?.value else {
        throw CELError("no such overload: a list is indexed by int, not by \(key.typeName)")
      }
      guard let index = Int(exactly: number), elements.indices.contains(index) else {
        throw CELError("index out of bounds: \(number)")
      }
      return try readable(elements[index])
    case .map(let members):
      guard let key = CELKey(key), let member = members[key] else {
        throw CELError("no such key: \(CELKey(key)?.text ?? key.typeName)")
      }
      return try readable(member)
    default:
      throw CELError("no such overload: cannot index a value of type \(value.typeName)")
    }
  }

  private func indexOptional(_ value: CELValue, _ key: CELValue) throws(CELError) -> CELValue {
    switch value {
    case .optional(let inner):
      guard let inner else { return value }
      return try indexOptional(inner, key)
    case .list(let elements, _):
      guard case .int(let number)? = CELKey(key)?.value, let index = Int(exactly: number),
        elements.indices.contains(index)
      else { return .optional(nil) }
      return .optional(try readable(elements[index]))
    case .map(let members):
      guard let key = CELKey(key), let member = members[key] else { return .optional(nil) }
      return .optional(try readable(member))
    default:
      throw CELError("no such overload: cannot index a value of type \(value.typeName)")
    }
  }

  // MARK: Operators and calls

  private mutating func entry(_ entry: CELEntry) throws(CELError) -> CELValue? {
    let value = try readable(value(of: entry.value))
    guard entry.optional else { return value }
    guard case .optional(let inner) = value else {
      throw CELError("no such overload: an entry with ? takes an optional, not \(value.typeName)")
    }
    return inner
  }

  private mutating func truth(of node: CELNode) throws(CELError) -> Bool {
    let value = try readable(value(of: node))
    guard case .bool(let flag) = value else {
      throw CELError("no such overload: expected a bool, found \(value.typeName)")
    }
    return flag
  }

  private mutating func binary(
    _ operation: CELBinaryOperator, _ left: CELNode, _ right: CELNode
  ) throws(CELError) -> CELValue {
    if operation == .and || operation == .or {
      let decisive = operation == .or
      var failure: CELError?
      for side in [left, right] {
        do throws(CELError) {
          if try truth(of: side) == decisive { return .bool(decisive) }
        } catch {
          // Running out of budget is no error that the other side could make good.
          if error == .costExceeded { throw error }
          failure = failure ?? error
        }
      }
      if let failure { throw failure }
      return .bool(!decisive)
    }
    let leftValue = try readable(value(of: left))
    let rightValue = try readable(value(of: right))
    try charge(CELOperators.cost(operation, leftValue, rightValue))
    return try CELOperators.apply(operation, leftValue, rightValue)
  }

  private mutating func call(
    _ name: String, _ target: CELNode?, _ arguments: [CELNode]
  ) throws(CELError) -> CELValue {
    let receiver: CELValue? =
      if let target { try readable(value(of: target)) } else { nil }
    // The alternatives of an optional are only evaluated when it is empty.
    if case .optional(let inner)? = receiver, name == "orValue" || name == "or", arguments.count == 1 {
      if let inner { return name == "or" ? .optional(inner) : inner }
      return try value(of: arguments[0])
    }
    var values: [CELValue] = []
    for argument in arguments { values.append(try readable(value(of: argument))) }
    return try CELFunctions.call(name, receiver, values, in: &self)
  }

  // MARK: Macros

  private mutating func with<Result>(
    _ bindings: [(String, CELValue)], _ body: (inout CELEvaluation) throws(CELError) -> Result
  ) throws(CELError) -> Result {
    let depth = locals.count
    locals.append(contentsOf: bindings.map { (name: $0.0, value: $0.1) })
    defer { locals.removeLast(locals.count - depth) }
    return try body(&self)
  }

  private mutating func comprehension(_ macro: CELComprehension) throws(CELError) -> CELValue {
    let range = try readable(value(of: macro.range))
    if macro.macro == .optMap || macro.macro == .optFlatMap {
      guard case .optional(let inner) = range else {
        throw CELError("no such overload: \(range.typeName).\(macro.macro.rawValue)()")
      }
      guard let inner else { return range }
      let result = try with([(macro.variable, inner)]) { evaluation throws(CELError) in
        try evaluation.value(of: macro.body)
      }
      return macro.macro == .optMap ? .optional(result) : result
    }
    let rounds: [(CELValue, CELValue)]
    switch range {
    case .list(let elements, _):
      rounds = elements.enumerated().map { (.int(Int64($0.offset)), $0.element) }
    case .map(let members):
      // In the order of the keys, so that equal objects give equal answers.
      rounds = members.sorted { $0.key < $1.key }.map { ($0.key.value, $0.value) }
    default:
      throw CELError("no such overload: \(range.typeName).\(macro.macro.rawValue)()")
    }
    var isMap = false
    if case .map = range { isMap = true }
    var state = ComprehensionState(macro: macro.macro)
    for (index, element) in rounds {
      let bindings =
        if let second = macro.second {
          [(macro.variable, index), (second, element)]
        } else {
          [(macro.variable, isMap ? index : element)]
        }
      try charge(1)
      try with(bindings) { evaluation throws(CELError) in
        if let filter = macro.filter, try !evaluation.truth(of: filter) { return }
        switch macro.macro {
        case .all, .exists, .existsOne, .filter:
          do throws(CELError) {
            state.take(try evaluation.truth(of: macro.body), element: isMap ? index : element)
          } catch {
            try state.take(error)
          }
        case .map, .transformList:
          state.elements.append(try evaluation.value(of: macro.body))
        case .transformMap:
          if let key = CELKey(index) { state.members[key] = try evaluation.value(of: macro.body) }
        case .optMap, .optFlatMap: break
        }
      }
      if state.isDecided { break }
    }
    return try state.result()
  }

  private struct ComprehensionState {
    let macro: CELComprehension.Macro
    var hits = 0
    var elements: [CELValue] = []
    var members: [CELKey: CELValue] = [:]
    var failure: CELError?
    var isDecided = false

    init(macro: CELComprehension.Macro) { self.macro = macro }

    mutating func take(_ truth: Bool, element: CELValue) {
      if truth { hits += 1 }
      switch macro {
      case .all: isDecided = !truth
      case .exists: isDecided = truth
      case .filter: if truth { elements.append(element) }
      default: break
      }
    }

    /// `all` and `exists` go on after an error: a later element can still decide.
    mutating func take(_ error: CELError) throws(CELError) {
      guard macro == .all || macro == .exists, error != .costExceeded else { throw error }
      failure = failure ?? error
    }

    func result() throws(CELError) -> CELValue {
      if !isDecided, let failure { throw failure }
      return switch macro {
      case .all: .bool(!isDecided)
      case .exists: .bool(isDecided)
      case .existsOne: .bool(hits == 1)
      case .transformMap: .map(members)
      default: .list(elements)
      }
    }
  }
}
