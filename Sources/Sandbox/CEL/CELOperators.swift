/// The operators of CEL, but for the logical ones, which do not evaluate both sides.
enum CELOperators {
  /// Extra steps for operands whose length decides the work.
  static func cost(_ operation: CELBinaryOperator, _ left: CELValue, _ right: CELValue) -> Int {
    switch operation {
    case .in, .equal, .notEqual, .add: (size(left) + size(right)) / 10
    default: 0
    }
  }

  private static func size(_ value: CELValue) -> Int {
    switch value {
    case .string(let text): text.utf8.count
    case .bytes(let bytes): bytes.count
    case .list(let elements, .ordered): elements.reduce(elements.count) { $0 + size($1) }
    // Comparing unordered lists looks at every pair.
    case .list(let elements, _): elements.count * elements.count
    case .map(let members): members.reduce(members.count) { $0 + size($1.value) }
    default: 1
    }
  }

  static func apply(_ operation: CELUnaryOperator, _ value: CELValue) throws(CELError) -> CELValue {
    switch (operation, value) {
    case (.not, .bool(let flag)): return .bool(!flag)
    case (.negate, .int(let number)) where number != .min: return .int(-number)
    case (.negate, .int): throw CELError("integer overflow")
    case (.negate, .double(let number)): return .double(-number)
    default: throw CELError("no such overload: \(operation.rawValue)\(value.typeName)")
    }
  }

  static func apply(
    _ operation: CELBinaryOperator, _ left: CELValue, _ right: CELValue
  ) throws(CELError) -> CELValue {
    switch operation {
    case .equal: return .bool(left.equals(right))
    case .notEqual: return .bool(!left.equals(right))
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      guard let order = order(left, right) else { throw noOverload(operation, left, right) }
      return switch operation {
      case .less: .bool(order == .less)
      case .lessOrEqual: .bool(order == .less || order == .equal)
      case .greater: .bool(order == .greater)
      default: .bool(order == .greater || order == .equal)
      }
    case .in:
      switch right {
      case .list(let elements, _): return .bool(elements.contains { $0.equals(left) })
      case .map(let members): return .bool(CELKey(left).map { members[$0] != nil } ?? false)
      default: throw noOverload(operation, left, right)
      }
    case .add, .subtract, .multiply, .divide, .remainder:
      return try arithmetic(operation, left, right)
    case .and, .or:
      throw noOverload(operation, left, right)
    }
  }

  private static func noOverload(_ operation: CELBinaryOperator, _ left: CELValue, _ right: CELValue) -> CELError {
    CELError("no such overload: \(left.typeName) \(operation.rawValue) \(right.typeName)")
  }

  /// How two values of an ordered type compare; `nil` where they have no order.
  static func order(_ left: CELValue, _ right: CELValue) -> CELValue.Order? {
    func compare<T: Comparable>(_ left: T, _ right: T) -> CELValue.Order {
      left < right ? .less : left == right ? .equal : .greater
    }
    switch (left, right) {
    case (.bool(let left), .bool(let right)): return compare(left ? 1 : 0, right ? 1 : 0)
    case (.string(let left), .string(let right)):
      if left.unicodeScalars.elementsEqual(right.unicodeScalars) { return .equal }
      return left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars) ? .less : .greater
    case (.bytes(let left), .bytes(let right)):
      return left == right ? .equal : left.lexicographicallyPrecedes(right) ? .less : .greater
    case (.duration(let left), .duration(let right)): return compare(left, right)
    case (.timestamp(let left), .timestamp(let right)): return compare(left, right)
    default: return left.compareNumbers(right)
    }
  }

  private static func arithmetic(
    _ operation: CELBinaryOperator, _ left: CELValue, _ right: CELValue
  ) throws(CELError) -> CELValue {
    switch (left, right) {
    case (.int(let left), .int(let right)): return .int(try whole(operation, left, right))
    case (.uint(let left), .uint(let right)): return .uint(try whole(operation, left, right))
    case (.double(let left), .double(let right)):
      switch operation {
      case .add: return .double(left + right)
      case .subtract: return .double(left - right)
      case .multiply: return .double(left * right)
      case .divide: return .double(left / right)
      default: throw noOverload(operation, .double(left), .double(right))
      }
    default: break
    }
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)): return .string(left + right)
    case (.add, .bytes(let left), .bytes(let right)): return .bytes(left + right)
    case (.add, .list(let left, let kind), .list(let right, _)): return join(left, right, kind)
    case (.add, .duration(let left), .duration(let right)): return .duration(try whole(.add, left, right))
    case (.subtract, .duration(let left), .duration(let right)): return .duration(try whole(.subtract, left, right))
    case (.add, .timestamp(let moment), .duration(let span)), (.add, .duration(let span), .timestamp(let moment)):
      return .timestamp(try CELTime.advance(moment, by: span))
    case (.subtract, .timestamp(let moment), .duration(let span)) where span != .min:
      return .timestamp(try CELTime.advance(moment, by: -span))
    case (.subtract, .timestamp(let left), .timestamp(let right)):
      let seconds = try whole(.subtract, left.seconds, right.seconds)
      let scaled = try whole(.multiply, seconds, 1_000_000_000)
      return .duration(try whole(.add, scaled, left.nanoseconds - right.nanoseconds))
    default: throw noOverload(operation, left, right)
    }
  }

  static func whole<Number: FixedWidthInteger>(
    _ operation: CELBinaryOperator, _ left: Number, _ right: Number
  ) throws(CELError) -> Number {
    let result: (partialValue: Number, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      guard right != 0 else { throw CELError("division by zero") }
      result = left.dividedReportingOverflow(by: right)
    default:
      guard right != 0 else { throw CELError("modulus by zero") }
      result = left.remainderReportingOverflow(dividingBy: right)
    }
    guard !result.overflow else { throw CELError("integer overflow") }
    return result.partialValue
  }

  /// Sets are united; of list maps the right entries replace the left ones with equal keys.
  private static func join(_ left: [CELValue], _ right: [CELValue], _ kind: CELListKind) -> CELValue {
    switch kind {
    case .ordered: return .list(left + right)
    case .set: return .list(left + right.filter { added in !left.contains { $0.equals(added) } }, kind)
    case .map(let keys):
      let kept = left.map { entry in right.first { $0.hasSame(keys, as: entry) } ?? entry }
      return .list(kept + right.filter { added in !left.contains { $0.hasSame(keys, as: added) } }, kind)
    }
  }
}
