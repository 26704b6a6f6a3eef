import KubernetesAPI

/// What the server refuses in the schema of a custom resource: it must be structural
/// (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema),
/// its defaults must fit, and its rules must compile and stay within the cost that the server grants.
struct DefinitionSchemaCheck {
  /// Per rule, and for the rules of a schema together; times the number of values that a rule can run on.
  static let ruleCostLimit: UInt64 = 10_000_000
  static let totalCostLimit: UInt64 = 100_000_000

  /// The one `anyOf` that may name types, and only beside `x-kubernetes-int-or-string`.
  private static let integerOrString = [Schema(.integer), Schema(.string)]

  private var causes: [Status.Cause] = []
  private var costs: [(field: String, cost: UInt64)] = []

  static func causes(_ json: JSON, at path: String) -> [Status.Cause] {
    let schema: Schema
    do throws(SchemaError) {
      schema = try Schema(openAPI: json)
    } catch {
      return [.invalid(error.path.isEmpty ? path : "\(path).\(error.path)", nil, error.message)]
    }
    var check = DefinitionSchemaCheck()
    check.keywords(json, path)
    if schema.type != .object {
      check.causes.append(.invalid("\(path).type", json["type"], "must be object at the root"))
    }
    check.walk(schema, path, cardinality: 1, isRoot: true)
    check.total(path)
    return check.causes
  }

  /// Keywords of OpenAPI that no structural schema has.
  private mutating func keywords(_ json: JSON, _ path: String) {
    for key in ["$ref", "definitions", "dependencies", "patternProperties", "additionalItems"] where json[key] != nil {
      causes.append(.forbidden("\(path).\(key)", "\(key) is not supported"))
    }
    for (name, property) in (json["properties"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      keywords(property, "\(path).properties[\(name)]")
    }
    if let items = json["items"] { keywords(items, "\(path).items") }
    if let values = json["additionalProperties"], values.object != nil {
      keywords(values, "\(path).additionalProperties")
    }
  }

  /// - Parameter cardinality: how many such values an object can hold; `nil` without a bound.
  private mutating func walk(_ schema: Schema, _ path: String, cardinality: UInt64?, isRoot: Bool) {
    if schema.type == nil, !schema.intOrString, !schema.preserveUnknownFields {
      causes.append(.required("\(path).type", "must not be empty for specified object fields"))
    }
    if schema.uniqueItems { causes.append(.forbidden("\(path).uniqueItems", "uniqueItems cannot be set to true")) }
    if !schema.properties.isEmpty, schema.additionalProperties != nil {
      causes.append(
        .forbidden("\(path).additionalProperties", "additionalProperties and properties are mutual exclusive"))
    }
    if schema.type == .array, schema.items == nil { causes.append(.required("\(path).items", "must be specified")) }
    if let source = schema.pattern {
      do throws(PatternError) { _ = try Pattern(source) } catch {
        causes.append(
          .invalid("\(path).pattern", .string(source), "must be a valid regular expression, but isn't: \(error)"))
      }
    }
    checkLists(schema, path)
    if schema.embeddedResource, schema.type != .object {
      causes.append(.invalid("\(path).type", nil, "must be object if x-kubernetes-embedded-resource is true"))
    }
    if let value = schema.defaultValue {
      if isRoot { causes.append(.forbidden("\(path).default", "must not be set on top-level")) }
      for cause in SchemaValidator.causes(schema.defaulted(value, isRoot: false), schema) {
        causes.append(.invalid("\(path).default", value, "\(cause.field ?? "") \(cause.message ?? "")"))
      }
    }
    for (key, parts) in [("allOf", schema.allOf), ("anyOf", schema.anyOf), ("oneOf", schema.oneOf)] {
      for (index, part) in parts.enumerated() {
        checkJunctor(
          part, "\(path).\(key)[\(index)]",
          allowsTypes: key == "anyOf" && schema.intOrString && parts == Self.integerOrString)
      }
    }
    if let not = schema.not { checkJunctor(not, "\(path).not", allowsTypes: false) }
    for (index, rule) in schema.rules.enumerated() {
      check(rule, schema, "\(path).x-kubernetes-validations[\(index)]", cardinality, isRoot: isRoot)
    }
    for (name, property) in schema.properties.sorted(by: { $0.key < $1.key }) {
      if isRoot, name == "metadata" { continue }
      walk(property, "\(path).properties[\(name)]", cardinality: cardinality, isRoot: false)
    }
    let bound = schema.type == .array ? schema.maxItems : schema.maxProperties
    let inner = cardinality.flatMap { outer in bound.map { outer.saturating(times: UInt64(max(0, $0))) } }
    if let items = schema.items { walk(items, "\(path).items", cardinality: inner, isRoot: false) }
    if let values = schema.additionalProperties, values != .any {
      walk(values, "\(path).additionalProperties", cardinality: inner, isRoot: false)
    }
  }

  private mutating func checkLists(_ schema: Schema, _ path: String) {
    if schema.listType != nil, schema.type != .array {
      causes.append(.invalid("\(path).type", nil, "must be array if x-kubernetes-list-type is specified"))
    }
    if schema.mapType != nil, schema.type != .object {
      causes.append(.invalid("\(path).type", nil, "must be object if x-kubernetes-map-type is specified"))
    }
    guard schema.listType == .map else { return }
    if schema.listMapKeys.isEmpty {
      causes.append(
        .required("\(path).x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"))
    }
    for (index, key) in schema.listMapKeys.enumerated() {
      let field = "\(path).x-kubernetes-list-map-keys[\(index)]"
      guard let property = schema.items?.properties[key] else {
        causes.append(.invalid(field, .string(key), "entries must all be names of item properties"))
        continue
      }
      if schema.items?.required.contains(key) != true, property.defaultValue == nil {
        causes.append(
          .required(
            "\(path).items.properties[\(key)].default",
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"))
      }
    }
  }

  /// Below a junctor stand value validations only: what says what a field *is* belongs outside.
  private mutating func checkJunctor(_ schema: Schema, _ path: String, allowsTypes: Bool) {
    if schema.type != nil, !allowsTypes { causes.append(.forbidden("\(path).type", "must be empty to be structural")) }
    if schema.additionalProperties != nil {
      causes.append(.forbidden("\(path).additionalProperties", "must be undefined to be structural"))
    }
    if schema.defaultValue != nil { causes.append(.forbidden("\(path).default", "must be undefined to be structural")) }
    if schema.nullable { causes.append(.forbidden("\(path).nullable", "must be false to be structural")) }
    if !schema.description.isEmpty {
      causes.append(.forbidden("\(path).description", "must be empty to be structural"))
    }
    for (name, property) in schema.properties.sorted(by: { $0.key < $1.key }) {
      checkJunctor(property, "\(path).properties[\(name)]", allowsTypes: false)
    }
    if let items = schema.items { checkJunctor(items, "\(path).items", allowsTypes: false) }
  }

  // MARK: Rules

  private mutating func check(
    _ rule: ValidationRule, _ schema: Schema, _ path: String, _ cardinality: UInt64?, isRoot: Bool
  ) {
    if rule.rule.trimmingSpaces().isEmpty {
      causes.append(.required("\(path).rule", "rule is not specified"))
      return
    }
    if let message = rule.message, message.contains("\n") {
      causes.append(.invalid("\(path).message", .string(message), "message must not contain line breaks"))
    }
    if rule.rule.contains("\n"), (rule.message ?? "").isEmpty {
      causes.append(.required("\(path).message", "message must be specified if rule contains line breaks"))
    }
    let reasons: [JSON] = ["FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden", "FieldValueDuplicate"]
    if let reason = rule.reason, !reasons.contains(.string(reason)) {
      causes.append(.notSupported("\(path).reason", .string(reason), among: reasons))
    }
    if let field = rule.fieldPath, !field.isEmpty, !Self.leadsToField(field, schema) {
      causes.append(
        .invalid("\(path).fieldPath", .string(field), "fieldPath must be a valid path to a field of the schema"))
    }
    if rule.optionalOldSelf, !CompiledRule.mentionsOld(rule.rule) {
      causes.append(
        .invalid("\(path).optionalOldSelf", true, "may not be set if oldSelf is not used in rule"))
    }
    // Below a list without a bound, as many as fit into a request.
    let cardinality = cardinality ?? UInt64(CELType.largestRequest / (schema.leastLength + 1))
    do throws(CompiledRule.Failure) {
      let compiled = try CompiledRule(rule, schema, isRoot: isRoot).get()
      charge(compiled.expression.cost, "\(path).rule", cardinality)
      if let message = compiled.messageExpression { charge(message.cost, "\(path).messageExpression", cardinality) }
    } catch {
      switch error {
      case .rule(let fault):
        causes.append(.invalid("\(path).rule", rule.openAPI, "compilation failed: \(fault)"))
      case .messageExpression(let fault):
        causes.append(
          .invalid("\(path).messageExpression", rule.openAPI, "messageExpression compilation failed: \(fault)"))
      }
    }
  }

  private mutating func charge(_ cost: UInt64, _ field: String, _ cardinality: UInt64) {
    let cost = cost.saturating(times: cardinality)
    costs.append((field, cost))
    if cost > Self.ruleCostLimit {
      causes.append(
        .forbidden(field, "estimated rule cost exceeds budget by factor of \(Self.excess(cost, Self.ruleCostLimit))"))
    }
  }

  private mutating func total(_ path: String) {
    let total = costs.reduce(UInt64(0)) { $0.saturating(plus: $1.cost) }
    guard total > Self.totalCostLimit else { return }
    // The four dearest rules are named, where they matter.
    let dear = costs.filter { $0.cost > Self.totalCostLimit / 100 }.sorted { $0.cost > $1.cost }
    for (field, _) in dear.prefix(4) {
      causes.append(
        .forbidden(field, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"))
    }
    causes.append(
      .forbidden(
        path,
        "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of "
          + Self.excess(total, Self.totalCostLimit)))
  }

  private static func excess(_ cost: UInt64, _ limit: UInt64) -> String {
    let factor = Double(cost) / Double(limit)
    let text = factor > 100 ? "more than 100x" : "\((factor * 10).rounded(.up) / 10)x"
    return text
      + " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
  }

  /// `.spec.size`, `.labels['a']`: every step names a field.
  private static func leadsToField(_ path: String, _ schema: Schema) -> Bool {
    guard path.hasPrefix("."), !path.contains("\n") else { return false }
    var current = schema
    var rest = Substring(path)
    while let first = rest.first {
      let name: String
      if first == "." {
        rest.removeFirst()
        name = String(rest.prefix { $0 != "." && $0 != "[" })
        rest.removeFirst(name.count)
      } else if rest.hasPrefix("['"), let end = rest.range(of: "']") {
        name = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end.lowerBound])
        rest = rest[end.upperBound...]
      } else {
        return false
      }
      guard !name.isEmpty, let next = current.member(name) else { return false }
      current = next
    }
    return true
  }
}
