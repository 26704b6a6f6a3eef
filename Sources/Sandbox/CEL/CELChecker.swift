/// Checks an expression before it runs: names, fields and overloads; and estimates what it can cost at most, by the
/// prices of cel-go, from the bounds in the schema.
struct CELChecker {
  struct Checked {
    var type: CELType
    /// Steps, at most.
    var cost: UInt64
  }

  private let environment: CELEnvironment
  private let lexer: CELLexer
  private var locals: [(name: String, type: CELType)] = []

  init(environment: CELEnvironment, source: String) {
    self.environment = environment
    lexer = CELLexer(source)
  }

  private func fault(_ message: String, _ node: CELNode) -> CELError { lexer.fault(message, at: node.position) }

  mutating func check(_ node: CELNode) throws(CELError) -> Checked {
    switch node.kind {
    case .literal(let value): return Checked(type: Self.type(of: value), cost: 0)
    case .identifier(let name): return Checked(type: try variable(name, node), cost: 1)
    case .select(let operand, let field, let optional):
      if case .identifier("variables") = operand.kind, let definitions = environment.definitions {
        guard let type = definitions[field] else { throw fault("undefined field '\(field)'", node) }
        return Checked(type: optional ? .optional(type) : type, cost: 2)
      }
      let checked = try check(operand)
      let (type, isOptional) = try select(field, of: checked.type, node)
      return Checked(
        type: optional || isOptional ? .optional(type) : type, cost: checked.cost.saturating(plus: 1))
    case .has(let operand, let field):
      if case .identifier("variables") = operand.kind, environment.definitions != nil {
        return Checked(type: .bool, cost: 2)
      }
      let checked = try check(operand)
      _ = try select(field, of: checked.type, node)
      return Checked(type: .bool, cost: checked.cost.saturating(plus: 1))
    case .index(let operand, let index, let optional): return try self.index(operand, index, optional, node)
    case .unary(let operation, let operand):
      let checked = try check(operand)
      let accepted: [CELType] = operation == .not ? [.bool] : [.int, .double]
      guard accepted.contains(where: { $0.accepts(checked.type) }) else {
        throw noOverload(operation == .not ? "!_" : "-_", [checked.type], node)
      }
      return Checked(type: checked.type, cost: checked.cost.saturating(plus: 1))
    case .binary(let operation, let left, let right): return try binary(operation, left, right, node)
    case .conditional(let condition, let then, let otherwise):
      let test = try check(condition)
      let (first, second) = (try check(then), try check(otherwise))
      guard CELType.bool.accepts(test.type), first.type.accepts(second.type) else {
        throw noOverload("_?_:_", [test.type, first.type, second.type], node)
      }
      return Checked(
        type: first.type.joined(with: second.type), cost: test.cost.saturating(plus: max(first.cost, second.cost)))
    case .call(let name, let target, let arguments): return try call(name, target, arguments, node)
    case .list(let entries):
      var element: CELType?
      var cost: UInt64 = 10
      for entry in entries {
        let checked = try check(entry.value)
        cost = cost.saturating(plus: checked.cost)
        let type = try content(of: entry, checked.type)
        element = element.map { $0.joined(with: type) } ?? type
      }
      return Checked(type: .list(element ?? .dyn, most: entries.count), cost: cost)
    case .map(let pairs):
      var types: (CELType, CELType)?
      var cost: UInt64 = 30
      for (key, entry) in pairs {
        let (checkedKey, checked) = (try check(key), try check(entry.value))
        cost = cost.saturating(plus: checkedKey.cost).saturating(plus: checked.cost)
        let type = try content(of: entry, checked.type)
        types = types.map { ($0.joined(with: checkedKey.type), $1.joined(with: type)) } ?? (checkedKey.type, type)
      }
      return Checked(type: .map(types?.0 ?? .dyn, types?.1 ?? .dyn, most: pairs.count), cost: cost)
    case .message(let name, let fields):
      guard environment.constructs(name) else {
        throw fault("undeclared reference to '\(name)' (in container '')", node)
      }
      var cost: UInt64 = 40
      for (_, entry) in fields {
        let checked = try check(entry.value)
        _ = try content(of: entry, checked.type)
        cost = cost.saturating(plus: checked.cost)
      }
      return Checked(type: .message(name), cost: cost)
    case .comprehension(let comprehension): return try self.comprehension(comprehension, node)
    }
  }

  private static func type(of value: CELValue) -> CELType {
    switch value {
    case .null: .null
    case .bool: .bool
    case .int: .int
    case .uint: .uint
    case .double: .double
    case .string(let text): .string(most: text.utf8.count)
    case .bytes(let bytes): .bytes(most: bytes.count)
    default: .dyn
    }
  }

  private func noOverload(_ name: String, _ types: [CELType], _ node: CELNode) -> CELError {
    fault("found no matching overload for '\(name)' applied to '(\(types.map(\.name).joined(separator: ", ")))'", node)
  }

  /// The type of an entry's value: with `?` it is what its optional holds.
  private func content(of entry: CELEntry, _ type: CELType) throws(CELError) -> CELType {
    guard entry.optional else { return type }
    switch type {
    case .optional(let inner): return inner
    case .dyn: return .dyn
    default: throw fault("expected type 'optional_type' but found '\(type.name)'", entry.value)
    }
  }

  private func variable(_ name: String, _ node: CELNode) throws(CELError) -> CELType {
    if let local = locals.last(where: { $0.name == name }) { return local.type }
    if let type = environment.variables[name] { return type }
    if name == "variables", environment.definitions != nil { return .anyMap }
    if CELFunctions.typeNames.contains(name) { return .type }
    throw fault("undeclared reference to '\(name)' (in container '')", node)
  }

  private func select(_ field: String, of type: CELType, _ node: CELNode) throws(CELError) -> (CELType, optional: Bool)
  {
    switch type {
    case .dyn: return (.dyn, false)
    case .object(let schema, let isRoot):
      guard let found = CELType.field(field, of: schema, isRoot: isRoot) else {
        throw fault("undefined field '\(field)'", node)
      }
      return (found, false)
    case .map(let key, let value, _) where key.accepts(.anyString): return (value, false)
    case .message: return (.dyn, false)
    case .optional(let inner): return (try select(field, of: inner, node).0, true)
    default: throw fault("type '\(type.name)' does not support field selection", node)
    }
  }

  private mutating func index(
    _ operand: CELNode, _ index: CELNode, _ optional: Bool, _ node: CELNode
  ) throws(CELError) -> Checked {
    let (checked, key) = (try check(operand), try check(index))
    func element(_ type: CELType) -> CELType? {
      switch type {
      case .dyn: .dyn
      case .list(let element, _) where CELType.int.accepts(key.type): element
      case .map(let wanted, let value, _) where wanted.accepts(key.type): value
      case .object where CELType.anyString.accepts(key.type): .dyn
      case .optional(let inner): element(inner)
      default: nil
      }
    }
    guard let type = element(checked.type) else { throw noOverload("_[_]", [checked.type, key.type], node) }
    var isOptional = optional
    if case .optional = checked.type { isOptional = true }
    return Checked(
      type: isOptional ? .optional(type) : type, cost: checked.cost.saturating(plus: key.cost).saturating(plus: 1))
  }

  // MARK: Operators

  private mutating func binary(
    _ operation: CELBinaryOperator, _ left: CELNode, _ right: CELNode, _ node: CELNode
  ) throws(CELError) -> Checked {
    let (first, second) = (try check(left), try check(right))
    guard let type = Self.result(operation, first.type, second.type) else {
      throw noOverload("_\(operation.rawValue)_", [first.type, second.type], node)
    }
    var work: UInt64 = 1
    switch operation {
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      work = max(1, min(first.type.size, second.type.size).tenth)
    case .in:
      if case .list(_, let most) = second.type { work = UInt64(most) }
    case .add:
      switch type {
      case .string(let most), .bytes(let most): work = max(1, UInt64(most).tenth)
      default: break
      }
    default: break
    }
    return Checked(type: type, cost: first.cost.saturating(plus: second.cost).saturating(plus: work))
  }

  private static func result(_ operation: CELBinaryOperator, _ left: CELType, _ right: CELType) -> CELType? {
    let numbers: [CELType] = [.int, .uint, .double]
    switch operation {
    case .and, .or: return CELType.bool.accepts(left) && CELType.bool.accepts(right) ? .bool : nil
    // Null compares with anything, since a nullable field has no type of its own.
    case .equal, .notEqual: return left.accepts(right) || left == .null || right == .null ? .bool : nil
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      if left == .dyn || right == .dyn || (numbers.contains(left) && numbers.contains(right)) { return .bool }
      switch left {
      case .string, .bytes, .bool, .duration, .timestamp: return left.accepts(right) ? .bool : nil
      default: return nil
      }
    case .in:
      switch right {
      case .dyn: return .bool
      case .list(let element, _): return element.accepts(left) ? .bool : nil
      case .map(let key, _, _): return key.accepts(left) ? .bool : nil
      case .object: return CELType.anyString.accepts(left) ? .bool : nil
      default: return nil
      }
    case .add, .subtract, .multiply, .divide, .remainder: return arithmetic(operation, left, right)
    }
  }

  private static func arithmetic(_ operation: CELBinaryOperator, _ left: CELType, _ right: CELType) -> CELType? {
    switch (left, right) {
    case (.dyn, .dyn): return .dyn
    case (.dyn, _): return arithmetic(operation, right, right) == nil ? nil : .dyn
    case (_, .dyn): return arithmetic(operation, left, left) == nil ? nil : .dyn
    case (.int, .int), (.uint, .uint): return left
    case (.double, .double): return operation == .remainder ? nil : .double
    case (.duration, .duration): return operation == .add || operation == .subtract ? .duration : nil
    case (.timestamp, .duration): return operation == .add || operation == .subtract ? .timestamp : nil
    case (.duration, .timestamp): return operation == .add ? .timestamp : nil
    case (.timestamp, .timestamp): return operation == .subtract ? .duration : nil
    case (.string(let first), .string(let second)): return operation == .add ? .string(most: first + second) : nil
    case (.bytes(let first), .bytes(let second)): return operation == .add ? .bytes(most: first + second) : nil
    case (.list(let first, let most), .list(let second, let otherMost)):
      return operation == .add && first.accepts(second)
        ? .list(first.joined(with: second), most: most + otherMost) : nil
    default: return nil
    }
  }

  // MARK: Calls

  private mutating func call(
    _ name: String, _ target: CELNode?, _ arguments: [CELNode], _ node: CELNode
  ) throws(CELError) -> Checked {
    guard let overloads = CELSignature.all[name] else {
      throw fault("undeclared reference to '\(name)' (in container '')", node)
    }
    let receiver: Checked? = if let target { try check(target) } else { nil }
    var checked: [Checked] = []
    for argument in arguments { checked.append(try check(argument)) }
    let matching = overloads.filter { overload in
      (overload.receiver == nil) == (receiver == nil) && overload.parameters.count == checked.count
        && (overload.receiver.flatMap { wanted in receiver.map { Self.fits(wanted, $0.type) } } ?? true)
        && zip(overload.parameters, checked).allSatisfy { Self.fits($0, $1.type) }
    }
    guard let overload = matching.first else {
      throw noOverload(name, (receiver.map { [$0] } ?? []).map(\.type) + checked.map(\.type), node)
    }
    let all = (receiver.map { [$0] } ?? []) + checked
    let paid = all.reduce(UInt64(0)) { $0.saturating(plus: $1.cost) }
    let work = Self.work(name, all.map(\.type))
    let known = matching.count == 1 ? overload.result : .dyn
    return Checked(
      type: Self.result(name, known, receiver?.type, checked.map(\.type)), cost: paid.saturating(plus: work))
  }

  /// An object takes the place of a map in a call.
  private static func fits(_ wanted: CELType, _ found: CELType) -> Bool { wanted.accepts(found) }

  private static func work(_ name: String, _ types: [CELType]) -> UInt64 {
    let sizes = types.map(\.size)
    let first = sizes.first ?? 1
    let second = sizes.dropFirst().first ?? 1
    switch name {
    case "startsWith", "endsWith": return max(1, second.tenth)
    case "contains": return max(1, first.tenth.saturating(times: max(1, second.tenth)))
    case "matches", "find", "findAll": return max(1, first.tenth.saturating(times: max(1, second / 4 + 1)))
    case "sets.contains", "sets.equivalent", "sets.intersects": return first.saturating(times: second)
    case "lowerAscii", "upperAscii", "substring", "trim", "replace", "split", "join", "indexOf", "lastIndexOf", "url",
      "isURL", "isSorted", "sum", "min", "max", "distinct", "sort", "reverse", "flatten":
      return max(1, sizes.reduce(UInt64(0)) { $0.saturating(plus: $1) }.tenth)
    // Everything else has a price of its own, whatever it is called with.
    default: return 1
    }
  }

  /// Results that follow from the arguments.
  private static func result(_ name: String, _ known: CELType, _ target: CELType?, _ arguments: [CELType]) -> CELType {
    switch (name, target, arguments.first) {
    case ("optional.of", _, let argument?), ("optional.ofNonZeroValue", _, let argument?): .optional(argument)
    case ("value", .optional(let inner)?, _): inner
    case ("orValue", .optional(let inner)?, let argument?): inner.joined(with: argument)
    case ("or", let target?, let argument?): target.joined(with: argument)
    case ("min", .list(let element, _)?, _), ("max", .list(let element, _)?, _), ("sum", .list(let element, _)?, _):
      element
    case ("first", .list(let element, _)?, _), ("last", .list(let element, _)?, _): .optional(element)
    case ("reverse", let list?, _), ("sort", let list?, _), ("distinct", let list?, _), ("slice", let list?, _): list
    case ("split", .string(let most)?, _): .list(.string(most: most), most: most)
    case ("lowerAscii", let text?, _), ("upperAscii", let text?, _), ("trim", let text?, _),
      ("substring", let text?, _), ("find", let text?, _):
      text
    default: known
    }
  }

  // MARK: Macros

  private mutating func comprehension(_ macro: CELComprehension, _ node: CELNode) throws(CELError) -> Checked {
    let range = try check(macro.range)
    let depth = locals.count
    defer { locals.removeLast(locals.count - depth) }
    if macro.macro == .optMap || macro.macro == .optFlatMap {
      let inner: CELType
      switch range.type {
      case .optional(let type): inner = type
      case .dyn: inner = .dyn
      default: throw noOverload(macro.macro.rawValue, [range.type], node)
      }
      locals.append((macro.variable, inner))
      let body = try check(macro.body)
      return Checked(
        type: macro.macro == .optMap ? .optional(body.type) : body.type, cost: range.cost.saturating(plus: body.cost))
    }
    let (key, element, most) = try rounds(over: range.type, node)
    if let second = macro.second {
      locals.append((macro.variable, key ?? .int))
      locals.append((second, element))
    } else {
      locals.append((macro.variable, key ?? element))
    }
    var each: UInt64 = 2
    if let filter = macro.filter {
      let checked = try check(filter)
      guard CELType.bool.accepts(checked.type) else { throw noOverload("_?_:_", [checked.type], filter) }
      each = each.saturating(plus: checked.cost)
    }
    let body = try check(macro.body)
    each = each.saturating(plus: body.cost)
    let cost = range.cost.saturating(plus: 1).saturating(plus: UInt64(most).saturating(times: each))
    switch macro.macro {
    case .all, .exists, .existsOne, .filter:
      guard CELType.bool.accepts(body.type) else {
        throw fault("expected type 'bool' but found '\(body.type.name)'", macro.body)
      }
      return Checked(type: macro.macro == .filter ? .list(key ?? element, most: most) : .bool, cost: cost)
    case .transformMap: return Checked(type: .map(key ?? .int, body.type, most: most), cost: cost)
    default: return Checked(type: .list(body.type, most: most), cost: cost)
    }
  }

  private func rounds(over type: CELType, _ node: CELNode) throws(CELError) -> (CELType?, CELType, Int) {
    switch type {
    case .dyn: return (nil, .dyn, CELType.largestRequest / 2)
    case .list(let element, let most): return (nil, element, most)
    case .map(let key, let value, let most): return (key, value, most)
    case .object(let schema, _): return (.anyString, .dyn, schema.properties.count)
    default: throw fault("expression of type '\(type.name)' cannot be range of a comprehension", node)
    }
  }
}
