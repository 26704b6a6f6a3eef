import KubernetesAPI

/// A MutatingAdmissionPolicy or ValidatingAdmissionPolicy with its expressions compiled.
struct AdmissionPolicy: Sendable {
  struct Condition: Sendable {
    var name: String
    var expression: CELExpression
  }

  struct Validation: Sendable {
    var expression: CELExpression
    var message: String
    var messageExpression: CELExpression?
    var reason: String
  }

  enum Mutation: Sendable {
    case applyConfiguration(CELExpression)
    case jsonPatch(CELExpression)
  }

  let name: String
  let failsClosed: Bool
  /// It runs once more when a later policy changed the object.
  let isReinvoked: Bool
  let conditions: [Condition]
  let variables: [String: CELNode]
  let validations: [Validation]
  let mutations: [Mutation]

  /// - Throws: 422 with a cause for each expression that does not compile.
  init(_ policy: JSON) throws(Status) {
    var compiler = PolicyCompiler(policy)
    name = policy.name
    failsClosed = policy[path: ["spec", "failurePolicy"]]?.string != "Ignore"
    isReinvoked = policy[path: ["spec", "reinvocationPolicy"]]?.string == "IfNeeded"
    conditions = compiler.conditions()
    variables = compiler.variables()
    validations = compiler.validations()
    mutations = compiler.mutations()
    guard compiler.causes.isEmpty else {
      throw .invalid(
        kind: policy.kind, group: "admissionregistration.k8s.io", name: policy.name, compiler.causes)
    }
  }
}

/// Compiles the expressions of a policy and collects what is wrong with them.
struct PolicyCompiler {
  private(set) var causes: [Status.Cause] = []
  private let spec: JSON
  private var environment: CELEnvironment

  init(_ policy: JSON) {
    spec = policy["spec"] ?? .emptyObject
    // Objects of built-in kinds are not typed here; the real server, too, only warns of unknown fields.
    environment = CELEnvironment(
      variables: [
        "object": .dyn, "oldObject": .dyn, "request": .dyn, "namespaceObject": .dyn,
      ],
      definitions: [:], constructsPatches: spec["mutations"] != nil)
    if spec["paramKind"] != nil { environment.variables["params"] = .dyn }
  }

  private mutating func compile(
    _ source: String?, _ field: String, returning wanted: [CELType], conditions: Bool = false
  ) -> CELExpression? {
    guard let source, !source.trimmingSpaces().isEmpty else {
      causes.append(.required(field))
      return nil
    }
    do throws(CELError) {
      var environment = environment
      // Match conditions come before the variables.
      if conditions { environment.definitions = nil }
      return try CELExpression(source, in: environment, returning: wanted)
    } catch {
      causes.append(.invalid(field, .string(source), "compilation failed: \(error)"))
      return nil
    }
  }

  mutating func conditions() -> [AdmissionPolicy.Condition] {
    var conditions: [AdmissionPolicy.Condition] = []
    for (index, condition) in (spec["matchConditions"]?.array ?? []).enumerated() {
      let field = "spec.matchConditions[\(index)]"
      let name = condition["name"]?.string ?? ""
      if name.isEmpty { causes.append(.required("\(field).name")) }
      if conditions.contains(where: { $0.name == name }) { causes.append(.duplicate("\(field).name", .string(name))) }
      if let expression = compile(
        condition["expression"]?.string, "\(field).expression", returning: [.bool], conditions: true)
      {
        conditions.append(.init(name: name, expression: expression))
      }
    }
    return conditions
  }

  /// A variable sees those before it.
  mutating func variables() -> [String: CELNode] {
    var nodes: [String: CELNode] = [:]
    for (index, variable) in (spec["variables"]?.array ?? []).enumerated() {
      let field = "spec.variables[\(index)]"
      guard let name = variable["name"]?.string, !name.isEmpty else {
        causes.append(.required("\(field).name"))
        continue
      }
      if nodes[name] != nil { causes.append(.duplicate("\(field).name", .string(name))) }
      guard let expression = compile(variable["expression"]?.string, "\(field).expression", returning: [.dyn]) else {
        continue
      }
      nodes[name] = expression.node
      environment.definitions?[name] = expression.type
    }
    return nodes
  }

  mutating func validations() -> [AdmissionPolicy.Validation] {
    var validations: [AdmissionPolicy.Validation] = []
    let reasons: [JSON] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]
    for (index, validation) in (spec["validations"]?.array ?? []).enumerated() {
      let field = "spec.validations[\(index)]"
      if let reason = validation["reason"], !reasons.contains(reason) {
        causes.append(.notSupported("\(field).reason", reason, among: reasons))
      }
      let expression = compile(validation["expression"]?.string, "\(field).expression", returning: [.bool])
      var message: CELExpression?
      if let source = validation["messageExpression"]?.string, !source.isEmpty {
        message = compile(source, "\(field).messageExpression", returning: [.anyString])
      }
      guard let expression else { continue }
      validations.append(
        .init(
          expression: expression, message: validation["message"]?.string ?? "", messageExpression: message,
          reason: validation["reason"]?.string ?? "Invalid"))
    }
    return validations
  }

  mutating func mutations() -> [AdmissionPolicy.Mutation] {
    var mutations: [AdmissionPolicy.Mutation] = []
    for (index, mutation) in (spec["mutations"]?.array ?? []).enumerated() {
      let field = "spec.mutations[\(index)]"
      switch mutation["patchType"]?.string {
      case "ApplyConfiguration":
        let source = mutation[path: ["applyConfiguration", "expression"]]?.string
        if let expression = compile(
          source, "\(field).applyConfiguration.expression", returning: [.message("Object")])
        {
          mutations.append(.applyConfiguration(expression))
        }
      case "JSONPatch":
        let source = mutation[path: ["jsonPatch", "expression"]]?.string
        let wanted = CELType.list(.message("JSONPatch"), most: .max)
        if let expression = compile(source, "\(field).jsonPatch.expression", returning: [wanted]) {
          mutations.append(.jsonPatch(expression))
        }
      case let other:
        let known: [JSON] = ["ApplyConfiguration", "JSONPatch"]
        causes.append(
          other.map { .notSupported("\(field).patchType", .string($0), among: known) }
            ?? .required("\(field).patchType"))
      }
    }
    return mutations
  }
}
