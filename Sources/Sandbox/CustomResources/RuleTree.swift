import KubernetesAPI

/// The compiled validation rules of a schema, in its shape; parts without rules are left out.
struct RuleTree: Sendable {
  struct Rule: Sendable {
    var source: ValidationRule
    var expression: CELExpression
    var messageExpression: CELExpression?
    /// The rule is about a change, so it needs an old value.
    var isTransition: Bool
  }

  private(set) var rules: [Rule] = []
  private var properties: [String: RuleTree] = [:]
  /// At most one each; lists for the indirection.
  private var elements: [RuleTree] = []
  private var values: [RuleTree] = []

  var isEmpty: Bool { rules.isEmpty && properties.isEmpty && elements.isEmpty && values.isEmpty }

  /// Compiles all rules of a schema; those that do not compile are left out, see ``RuleCheck``.
  init(_ schema: Schema, isRoot: Bool = true) {
    rules = schema.rules.compactMap { rule in
      let compiled = CompiledRule(rule, schema, isRoot: isRoot)
      return try? compiled.get()
    }
    for (name, property) in schema.properties {
      let tree = RuleTree(property, isRoot: property.embeddedResource)
      if !tree.isEmpty { properties[name] = tree }
    }
    if let items = schema.items {
      let tree = RuleTree(items, isRoot: items.embeddedResource)
      if !tree.isEmpty { elements = [tree] }
    }
    if let additional = schema.additionalProperties {
      let tree = RuleTree(additional, isRoot: additional.embeddedResource)
      if !tree.isEmpty { values = [tree] }
    }
  }

  /// What one object may cost in total, in steps of the interpreter.
  static let budget = 10_000_000

  /// The rules that an object breaks.
  func causes(_ object: JSON, _ schema: Schema, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    var budget = Self.budget
    _ = check(object, schema, old: old, isRoot: true, at: "", &budget, &causes)
    return causes
  }

  /// - Returns: false when the budget is used up.
  private func check(
    _ value: JSON, _ schema: Schema, old: JSON?, isRoot: Bool, at path: String, _ budget: inout Int,
    _ causes: inout [Status.Cause]
  ) -> Bool {
    if value == .null { return true }
    if !rules.isEmpty {
      let current = CELValue(value, schema: schema, isRoot: isRoot)
      let previous = old.map { CELValue($0, schema: schema, isRoot: isRoot) }
      for rule in rules {
        guard rule.isTransition ? previous != nil || rule.source.optionalOldSelf : old != value else { continue }
        var variables = ["self": current]
        if rule.isTransition {
          variables["oldSelf"] = rule.source.optionalOldSelf ? .optional(previous) : previous
        }
        if let cause = evaluate(rule, variables, value, path, &budget) { causes.append(cause) }
        guard budget >= 0 else { return false }
      }
    }
    switch value {
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        guard let tree = properties[name] ?? values.first, let part = schema.member(name) else { continue }
        guard
          tree.check(
            member, part, old: old?[name], isRoot: part.embeddedResource, at: SchemaValidator.child(path, name),
            &budget, &causes)
        else { return false }
      }
    case .array(let list):
      guard let tree = elements.first, let items = schema.items else { return true }
      for (index, element) in list.enumerated() {
        guard
          tree.check(
            element, items, old: SchemaValidator.counterpart(of: element, in: old, schema),
            isRoot: items.embeddedResource, at: "\(path)[\(index)]", &budget, &causes)
        else { return false }
      }
    default: break
    }
    return true
  }

  private func evaluate(
    _ rule: Rule, _ variables: [String: CELValue], _ value: JSON, _ path: String, _ budget: inout Int
  ) -> Status.Cause? {
    var evaluation = CELEvaluation(variables: variables, budget: budget)
    do throws(CELError) {
      let holds = try rule.expression.holds(in: &evaluation)
      budget = evaluation.budget
      if holds { return nil }
    } catch {
      budget = evaluation.budget
      if error == .costExceeded {
        budget = -1
        return .invalid(
          path, value, "validation failed due to running out of cost budget, no further validation rules will be run")
      }
      let name = rule.source.message.flatMap { $0.isEmpty ? nil : $0 } ?? rule.source.rule
      return .invalid(path, value, "\(error.message) evaluating rule: \(name)")
    }
    return cause(rule, message(rule, &evaluation), value, path)
  }

  private func message(_ rule: Rule, _ evaluation: inout CELEvaluation) -> String {
    if let expression = rule.messageExpression, case .string(let text)? = try? evaluation.value(of: expression.node) {
      let trimmed = text.trimmingSpaces()
      if !trimmed.isEmpty, !trimmed.contains("\n") { return trimmed }
    }
    if let text = rule.source.message?.trimmingSpaces(), !text.isEmpty { return text }
    return "failed rule: \(rule.source.rule.trimmingSpaces())"
  }

  private func cause(_ rule: Rule, _ message: String, _ value: JSON, _ path: String) -> Status.Cause {
    var field = path
    var shown: JSON? = value
    if case .object = value { shown = nil }
    if let suffix = rule.source.fieldPath, !suffix.isEmpty {
      field = path.isEmpty ? String(suffix.drop { $0 == "." }) : path + suffix
      shown = nil
    }
    switch rule.source.reason {
    case "FieldValueForbidden": return .forbidden(field, message)
    case "FieldValueRequired": return .required(field, message)
    case "FieldValueDuplicate": return .duplicate(field, .string(message))
    default: return .invalid(field.isEmpty ? Status.Cause.noField : field, shown, message)
    }
  }
}

/// One rule compiled in the place where it stands.
struct CompiledRule {
  enum Failure: Error {
    case rule(CELError)
    case messageExpression(CELError)
  }

  private let result: Result<RuleTree.Rule, Failure>

  init(_ rule: ValidationRule, _ schema: Schema, isRoot: Bool) {
    let type = CELType(schema: schema, isRoot: isRoot) ?? .dyn
    var environment = CELEnvironment(variables: ["self": type])
    // Only a rule that compiles with oldSelf and not without it is about a change.
    let usesOld = Self.mentionsOld(rule.rule) || rule.messageExpression.map(Self.mentionsOld) ?? false
    if usesOld { environment.variables["oldSelf"] = rule.optionalOldSelf ? .optional(type) : type }
    do throws(CELError) {
      let expression = try CELExpression(rule.rule, in: environment, returning: [.bool])
      var message: CELExpression?
      if let source = rule.messageExpression, !source.isEmpty {
        do throws(CELError) {
          message = try CELExpression(source, in: environment, returning: [.anyString])
        } catch {
          result = .failure(.messageExpression(error))
          return
        }
      }
      result = .success(
        RuleTree.Rule(
          source: rule, expression: expression, messageExpression: message,
          isTransition: Self.mentionsOld(rule.rule)))
    } catch {
      result = .failure(.rule(error))
    }
  }

  func get() throws(Failure) -> RuleTree.Rule { try result.get() }

  /// Whether the token `oldSelf` stands in the expression.
  static func mentionsOld(_ source: String) -> Bool {
    var lexer = CELLexer(source)
    while let (token, _) = try? lexer.next(), token != .end {
      if token == .identifier("oldSelf") { return true }
    }
    return false
  }
}

extension String {
  func trimmingSpaces() -> String {
    let kept = drop { $0.isWhitespace }
    guard let last = kept.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(kept[...last])
  }
}
