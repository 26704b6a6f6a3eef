import KubernetesAPI

/// The admission policies in force, and what they do to a request
/// (https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/ and
/// …/validating-admission-policy/). A policy without a binding does nothing.
struct AdmissionPolicies: Sendable {
  /// Finds the objects that a `paramRef` names: kind and apiVersion, namespace of the request, the reference.
  typealias Parameters = @Sendable (_ kind: JSON, _ namespace: String, _ reference: JSON) -> [JSON]

  private struct Bound: Sendable {
    var policy: JSON
    var bindings: [JSON]
  }

  private let mutating: [Bound]
  private let validating: [Bound]
  private let parameters: Parameters

  /// All objects of the four kinds, as they are stored.
  init(
    mutatingPolicies: [JSON] = [], mutatingBindings: [JSON] = [], validatingPolicies: [JSON] = [],
    validatingBindings: [JSON] = [], parameters: @escaping Parameters = { _, _, _ in [] }
  ) {
    mutating = Self.bound(mutatingPolicies, mutatingBindings)
    validating = Self.bound(validatingPolicies, validatingBindings)
    self.parameters = parameters
  }

  /// Policies take their turn by name.
  private static func bound(_ policies: [JSON], _ bindings: [JSON]) -> [Bound] {
    policies.sorted { $0.name < $1.name }.map { policy in
      Bound(
        policy: policy,
        bindings: bindings.filter { $0[path: ["spec", "policyName"]]?.string == policy.name }
          .sorted { $0.name < $1.name })
    }
  }

  /// Policies do not judge policies, or a bad one could never be removed.
  private static func isExempt(_ request: AdmissionRequest) -> Bool {
    request.type.group == "admissionregistration.k8s.io"
  }

  /// One policy by one binding, with one parameter object.
  private struct Turn {
    var policy: AdmissionPolicy
    var match: PolicyMatch
    var binding: JSON
    var parameter: JSON?
  }

  private func turns(_ bound: [Bound], _ request: AdmissionRequest) throws(Status) -> [Turn] {
    guard !Self.isExempt(request) else { return [] }
    var turns: [Turn] = []
    for entry in bound {
      let match = PolicyMatch(entry.policy[path: ["spec", "matchConstraints"]])
      let bindings = entry.bindings.filter {
        PolicyMatch($0[path: ["spec", "matchResources"]]).matches(request)
      }
      guard !bindings.isEmpty, match.matches(request) else { continue }
      let policy = try AdmissionPolicy(entry.policy)
      for binding in bindings {
        guard let kind = entry.policy[path: ["spec", "paramKind"]],
          let reference = binding[path: ["spec", "paramRef"]]
        else {
          turns.append(Turn(policy: policy, match: match, binding: binding))
          continue
        }
        let found = parameters(kind, request.namespace, reference)
        if found.isEmpty, reference["parameterNotFoundAction"]?.string != "Allow", policy.failsClosed {
          throw request.denied(
            [
              Self.denial(entry.policy, binding)
                + "no params found for policy binding with `Deny` parameterNotFoundAction"
            ], reason: "Forbidden")
        }
        turns += found.map { Turn(policy: policy, match: match, binding: binding, parameter: $0) }
      }
    }
    return turns
  }

  private static func denial(_ policy: JSON, _ binding: JSON) -> String {
    policy.kind == "ValidatingAdmissionPolicy"
      ? "ValidatingAdmissionPolicy '\(policy.name)' with binding '\(binding.name)' denied request: "
      : "policy '\(policy.name)' with binding '\(binding.name)' denied request: "
  }

  private func evaluation(_ turn: Turn, _ request: AdmissionRequest, object: JSON?) -> CELEvaluation {
    func value(_ json: JSON?) -> CELValue { json.map { CELValue($0) } ?? .null }
    return CELEvaluation(
      variables: [
        "object": value(object), "oldObject": value(request.oldObject), "request": value(request.variable),
        "namespaceObject": value(request.namespaceObject), "params": value(turn.parameter),
      ], definitions: turn.policy.variables)
  }

  /// Whether all match conditions hold. One that is false decides, even when another fails.
  private func isMeant(_ turn: Turn, _ request: AdmissionRequest, object: JSON?) throws(CELError) -> Bool {
    guard !turn.policy.conditions.isEmpty else { return true }
    var evaluation = evaluation(turn, request, object: object)
    var failure: CELError?
    for condition in turn.policy.conditions {
      do throws(CELError) {
        if try !condition.expression.holds(in: &evaluation) { return false }
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
    return true
  }

  // MARK: Mutating

  /// The object after all mutating policies.
  /// - Parameter schema: of the object's kind, by which apply configurations merge.
  /// - Throws: 403 where a policy fails and its `failurePolicy` is `Fail`.
  func mutate(_ request: AdmissionRequest, schema: Schema) throws(Status) -> JSON? {
    guard var object = request.object else { return request.object }
    let turns = try turns(mutating, request)
    var lastChange = -1
    for (index, turn) in turns.enumerated() {
      let before = object
      object = try apply(turn, request, object, schema)
      if object != before { lastChange = index }
    }
    // Those that asked for it see once more what later ones changed.
    for (index, turn) in turns.enumerated() where turn.policy.isReinvoked && index < lastChange {
      object = try apply(turn, request, object, schema)
    }
    return object
  }

  private func apply(
    _ turn: Turn, _ request: AdmissionRequest, _ object: JSON, _ schema: Schema
  ) throws(Status) -> JSON {
    func refuse(_ detail: String) throws(Status) -> JSON {
      guard turn.policy.failsClosed else { return object }
      let message = "policy '\(turn.policy.name)' with binding '\(turn.binding.name)' denied request: \(detail)"
      throw request.denied([message], reason: "Forbidden")
    }
    do throws(CELError) {
      guard try isMeant(turn, request, object: object) else { return object }
    } catch {
      return try refuse("failed to evaluate match conditions: \(error)")
    }
    var result = object
    for mutation in turn.policy.mutations {
      var evaluation = evaluation(turn, request, object: result)
      do throws(CELError) {
        result = try PolicyMutation.apply(mutation, to: result, schema: schema, in: &evaluation)
      } catch {
        return try refuse(error.message)
      }
    }
    return result
  }

  // MARK: Validating

  /// Judges the object as it would be stored.
  /// - Returns: the warnings of bindings with the action `Warn`.
  /// - Throws: with the reason of the first validation that denies, and a cause for each.
  func validate(_ request: AdmissionRequest) throws(Status) -> [String] {
    var warnings: [String] = []
    var denials: [(message: String, reason: String)] = []
    for turn in try turns(validating, request) {
      let actions = Set(turn.binding[path: ["spec", "validationActions"]]?.array?.compactMap(\.string) ?? [])
      let names = "ValidatingAdmissionPolicy '\(turn.policy.name)' with binding '\(turn.binding.name)'"
      for failure in failures(turn, request) {
        if actions.contains("Deny") {
          denials.append(("\(names) denied request: \(failure.message)", failure.reason))
        }
        if actions.contains("Warn") { warnings.append("Validation failed for \(names): \(failure.message)") }
      }
    }
    if let first = denials.first { throw request.denied(denials.map(\.message), reason: first.reason) }
    return warnings
  }

  private func failures(_ turn: Turn, _ request: AdmissionRequest) -> [(message: String, reason: String)] {
    do throws(CELError) {
      guard try isMeant(turn, request, object: request.object) else { return [] }
    } catch {
      return turn.policy.failsClosed ? [("failed to evaluate match conditions: \(error)", "Invalid")] : []
    }
    var evaluation = evaluation(turn, request, object: request.object)
    var failures: [(message: String, reason: String)] = []
    for validation in turn.policy.validations {
      do throws(CELError) {
        if try validation.expression.holds(in: &evaluation) { continue }
        failures.append((Self.message(validation, &evaluation), validation.reason))
      } catch {
        guard turn.policy.failsClosed else { continue }
        failures.append(("expression '\(validation.expression.source)' resulted in error: \(error)", "Invalid"))
      }
    }
    return failures
  }

  /// A message is one line of at most 5 KiB; the expression's result where it is that.
  private static func message(
    _ validation: AdmissionPolicy.Validation, _ evaluation: inout CELEvaluation
  ) -> String {
    if let expression = validation.messageExpression,
      case .string(let text)? = try? evaluation.value(of: expression.node)
    {
      let trimmed = text.trimmingSpaces()
      if !trimmed.isEmpty, !trimmed.contains("\n"), trimmed.utf8.count <= 5 * 1024 { return trimmed }
    }
    let text = validation.message.trimmingSpaces()
    return text.isEmpty ? "failed expression: \(validation.expression.source.trimmingSpaces())" : text
  }
}
