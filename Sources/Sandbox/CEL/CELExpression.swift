/// Which names an expression may use.
struct CELEnvironment: Sendable {
  var variables: [String: CELType]
  /// What `variables.<name>` may name; `nil` where there is no such thing.
  var definitions: [String: CELType]?
  /// Whether `Object{…}` and `JSONPatch{…}` may be made.
  var constructsPatches = false

  init(variables: [String: CELType], definitions: [String: CELType]? = nil, constructsPatches: Bool = false) {
    self.variables = variables
    self.definitions = definitions
    self.constructsPatches = constructsPatches
  }

  func constructs(_ name: String) -> Bool {
    constructsPatches && (name == "Object" || name == "JSONPatch" || name.hasPrefix("Object."))
  }
}

/// An expression that has been parsed and checked.
struct CELExpression: Sendable {
  let source: String
  let node: CELNode
  let type: CELType
  /// What one evaluation can cost at most, in steps.
  let cost: UInt64

  /// - Parameter wanted: the type that the result must have; any of them.
  /// - Throws: ``CELError`` that names the place of a syntax error, an unknown name or field, a call that fits no
  ///   overload, or says which type was wanted.
  init(_ source: String, in environment: CELEnvironment, returning wanted: [CELType] = [.dyn]) throws(CELError) {
    self.source = source
    node = try CELParser.parse(source)
    var checker = CELChecker(environment: environment, source: source)
    let checked = try checker.check(node)
    type = checked.type
    cost = checked.cost
    guard wanted.contains(where: { $0.accepts(checked.type) }) else {
      throw CELError("must evaluate to \(wanted.map(\.name).joined(separator: " or ")), but is \(checked.type.name)")
    }
  }

  /// - Throws: ``CELError`` for what fails at run time, or takes more steps than `budget`.
  func value(with variables: [String: CELValue], budget: Int = 1_000_000) throws(CELError) -> CELValue {
    var evaluation = CELEvaluation(variables: variables, budget: budget)
    return try evaluation.value(of: node)
  }

  /// - Throws: ``CELError`` also where the result is no boolean.
  func holds(in evaluation: inout CELEvaluation) throws(CELError) -> Bool {
    guard case .bool(let flag) = try evaluation.value(of: node) else {
      throw CELError("cel expression evaluates to something that is not a bool")
    }
    return flag
  }
}
