import KubernetesAPI

/// The four kinds of `admissionregistration.k8s.io/v1` as objects: what is refused in them.
enum PolicyObjects {
  /// - Throws: 422 with all causes.
  static func validate(_ object: JSON) throws(Status) {
    let causes = causes(object)
    guard !causes.isEmpty else { return }
    throw .invalid(kind: object.kind, group: "admissionregistration.k8s.io", name: object.name, causes)
  }

  static func causes(_ object: JSON) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let spec = object["spec"] ?? .emptyObject
    switch object.kind {
    case "MutatingAdmissionPolicy", "ValidatingAdmissionPolicy":
      checkPolicy(object.kind, spec, &causes)
      do throws(Status) {
        _ = try AdmissionPolicy(object)
      } catch {
        causes += error.details?.causes ?? []
      }
    case "MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding":
      if (spec["policyName"]?.string ?? "").isEmpty { causes.append(.required("spec.policyName")) }
      if let match = spec["matchResources"] { checkMatch(match, "spec.matchResources", &causes) }
      if object.kind == "ValidatingAdmissionPolicyBinding" { checkActions(spec, &causes) }
    default: break
    }
    return causes
  }

  private static func checkPolicy(_ kind: String, _ spec: JSON, _ causes: inout [Status.Cause]) {
    let policies: [JSON] = ["Fail", "Ignore"]
    if let policy = spec["failurePolicy"], !policies.contains(policy) {
      causes.append(.notSupported("spec.failurePolicy", policy, among: policies))
    }
    if let match = spec["matchConstraints"], match != .null {
      if (match["resourceRules"]?.array ?? []).isEmpty {
        causes.append(.required("spec.matchConstraints.resourceRules"))
      }
      checkMatch(match, "spec.matchConstraints", &causes)
    } else {
      causes.append(.required("spec.matchConstraints"))
    }
    if kind == "MutatingAdmissionPolicy" {
      if (spec["mutations"]?.array ?? []).isEmpty { causes.append(.required("spec.mutations")) }
      let policies: [JSON] = ["Never", "IfNeeded"]
      if let policy = spec["reinvocationPolicy"] {
        if !policies.contains(policy) {
          causes.append(.notSupported("spec.reinvocationPolicy", policy, among: policies))
        }
      } else {
        causes.append(.required("spec.reinvocationPolicy"))
      }
    } else if (spec["validations"]?.array ?? []).isEmpty, (spec["auditAnnotations"]?.array ?? []).isEmpty {
      causes.append(.required("spec.validations", "validations or auditAnnotations must contain at least one item"))
    }
  }

  private static func checkMatch(_ match: JSON, _ field: String, _ causes: inout [Status.Cause]) {
    for key in ["namespaceSelector", "objectSelector"] {
      if let selector = match[key], LabelSelector(selector) == nil {
        causes.append(.invalid("\(field).\(key)", selector, "is not a valid label selector"))
      }
    }
    let operations: [JSON] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
    for (index, rule) in (match["resourceRules"]?.array ?? []).enumerated() {
      let place = "\(field).resourceRules[\(index)]"
      for key in ["apiGroups", "apiVersions", "operations", "resources"] where (rule[key]?.array ?? []).isEmpty {
        causes.append(.required("\(place).\(key)"))
      }
      for (position, operation) in (rule["operations"]?.array ?? []).enumerated() where !operations.contains(operation)
      {
        causes.append(.notSupported("\(place).operations[\(position)]", operation, among: operations))
      }
    }
  }

  private static func checkActions(_ spec: JSON, _ causes: inout [Status.Cause]) {
    let field = "spec.validationActions"
    let known: [JSON] = ["Audit", "Deny", "Warn"]
    let actions = spec["validationActions"]?.array ?? []
    if actions.isEmpty { causes.append(.required(field, "at least one validation action is required")) }
    for (index, action) in actions.enumerated() where !known.contains(action) {
      causes.append(.notSupported("\(field)[\(index)]", action, among: known))
    }
    if Set(actions).count < actions.count { causes.append(.duplicate(field, .array(actions))) }
    if actions.contains("Deny"), actions.contains("Warn") {
      causes.append(
        .invalid(
          field, .array(actions),
          "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"
        ))
    }
  }
}
