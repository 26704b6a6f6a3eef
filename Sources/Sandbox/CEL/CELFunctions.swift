/// The functions and methods of expressions: CEL's standard ones and those that Kubernetes adds
/// (https://kubernetes.io/docs/reference/using-api/cel/). Each group is a file of its own.
enum CELFunctions {
  /// Functions whose names have a namespace, which a method call looks like.
  static let namespaced: Set<String> = [
    "optional.of", "optional.none", "optional.ofNonZeroValue", "jsonpatch.escapeKey", "sets.contains",
    "sets.equivalent", "sets.intersects", "math.greatest", "math.least", "math.abs", "format.named",
    "format.dns1123Label", "format.dns1123Subdomain", "format.dns1035Label", "format.qualifiedName",
    "format.labelValue", "format.uri", "format.uuid", "format.byte", "format.date", "format.datetime",
  ]

  /// Names of types, which are values of an expression.
  static let typeNames: Set<String> = [
    "bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "optional_type",
  ]

  static func fullTypeName(_ name: String) -> String { name }

  /// - Parameters:
  ///   - target: what a method is called on; `nil` for a function.
  ///   - evaluation: pays for the work and keeps compiled patterns.
  static func call(
    _ name: String, _ target: CELValue?, _ arguments: [CELValue], in evaluation: inout CELEvaluation
  ) throws(CELError) -> CELValue {
    if let result = try general(name, target, arguments) { return result }
    if let result = try conversion(name, target, arguments) { return result }
    if let result = try string(name, target, arguments, in: &evaluation) { return result }
    if let result = try list(name, target, arguments, in: &evaluation) { return result }
    if let result = try time(name, target, arguments) { return result }
    if let result = try network(name, target, arguments) { return result }
    if let result = format(name, target, arguments) { return result }
    let types = arguments.map(\.typeName).joined(separator: ", ")
    throw CELError("no such overload: \(target.map { "\($0.typeName)." } ?? "")\(name)(\(types))")
  }

  private static func general(
    _ name: String, _ target: CELValue?, _ arguments: [CELValue]
  ) throws(CELError) -> CELValue? {
    switch (name, target, arguments.count) {
    case ("size", nil, 1): return try size(arguments[0])
    case ("size", let target?, 0): return try size(target)
    case ("type", nil, 1): return .type(arguments[0].typeName)
    case ("dyn", nil, 1): return arguments[0]
    case ("optional.none", nil, 0): return .optional(nil)
    case ("optional.of", nil, 1): return .optional(arguments[0])
    case ("optional.ofNonZeroValue", nil, 1): return .optional(isZero(arguments[0]) ? nil : arguments[0])
    case ("hasValue", .optional(let inner)?, 0): return .bool(inner != nil)
    case ("value", .optional(let inner)?, 0):
      guard let inner else { throw CELError("optional.none() dereference") }
      return inner
    case ("jsonpatch.escapeKey", nil, 1):
      // RFC 6901, section 3.
      guard case .string(let key) = arguments[0] else { return nil }
      return .string(replace("/", by: "~1", in: replace("~", by: "~0", in: key)))
    case ("math.greatest", nil, 1...), ("math.least", nil, 1...):
      var numbers = arguments
      if numbers.count == 1, case .list(let elements, _) = numbers[0] { numbers = elements }
      guard var best = numbers.first else { throw CELError("\(name)(list) argument must not be empty") }
      for number in numbers {
        guard let order = number.compareNumbers(best) else { return nil }
        if order == (name == "math.greatest" ? .greater : .less) { best = number }
      }
      return best
    case ("math.abs", nil, 1):
      switch arguments[0] {
      case .int(.min): throw CELError("integer overflow")
      case .int(let number): return .int(abs(number))
      case .double(let number): return .double(abs(number))
      case .uint: return arguments[0]
      default: return nil
      }
    default: return nil
    }
  }

  private static func size(_ value: CELValue) throws(CELError) -> CELValue? {
    switch value {
    case .string(let text): .int(Int64(text.unicodeScalars.count))
    case .bytes(let bytes): .int(Int64(bytes.count))
    case .list(let elements, _): .int(Int64(elements.count))
    case .map(let members): .int(Int64(members.count))
    default: nil
    }
  }

  private static func isZero(_ value: CELValue) -> Bool {
    switch value {
    case .null: true
    case .bool(let flag): !flag
    case .int(let number): number == 0
    case .uint(let number): number == 0
    case .double(let number): number == 0
    case .string(let text): text.isEmpty
    case .bytes(let bytes): bytes.isEmpty
    case .list(let elements, _): elements.isEmpty
    case .map(let members): members.isEmpty
    case .message(_, let members): members.isEmpty
    case .duration(let span): span == 0
    default: false
    }
  }
}
