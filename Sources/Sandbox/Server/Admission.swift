import KubernetesAPI

/// The admission of one write: what the policies in the store change, refuse and warn of.
struct Admission: Sendable {
  private(set) var warnings: [String] = []
  private let policies: AdmissionPolicies?
  private let schema: Schema
  private var request: AdmissionRequest

  init(
    _ call: Call, _ options: WriteOptions, operation: AdmissionRequest.Operation, old: JSON?, _ state: StoreState
  ) {
    schema = call.kind.schema
    policies = Self.policies(in: state)
    let namespace = state.object(StoredResource(.namespaces), ObjectKey(name: call.target.namespace))
    request = AdmissionRequest(
      operation: operation, type: call.type, subresource: call.target.subresource, namespace: call.target.namespace,
      name: call.target.name, oldObject: old, username: call.user.name, groups: call.user.groups,
      dryRun: options.isDryRun, namespaceObject: call.target.namespace.isEmpty ? nil : namespace)
  }

  /// `nil` where there are none, which is the common case.
  private static func policies(in state: StoreState) -> AdmissionPolicies? {
    func objects(_ plural: String) -> [JSON] {
      state.objects(StoredResource(group: "admissionregistration.k8s.io", plural: plural))
    }
    let mutating = objects("mutatingadmissionpolicybindings")
    let validating = objects("validatingadmissionpolicybindings")
    guard !mutating.isEmpty || !validating.isEmpty else { return nil }
    return AdmissionPolicies(
      mutatingPolicies: objects("mutatingadmissionpolicies"), mutatingBindings: mutating,
      validatingPolicies: objects("validatingadmissionpolicies"), validatingBindings: validating,
      parameters: { kind, namespace, reference in parameters(kind, namespace, reference, state) })
  }

  /// The objects that a binding's `paramRef` names.
  private static func parameters(
    _ kind: JSON, _ namespace: String, _ reference: JSON, _ state: StoreState
  ) -> [JSON] {
    let parts = (kind["apiVersion"]?.string ?? "").split(separator: "/").map(String.init)
    let group = parts.count > 1 ? parts[0] : ""
    let place = reference["namespace"]?.string ?? namespace
    return state.resources.filter { $0.group == group }.flatMap { resource in
      state.objects(resource).filter { object in
        guard object.kind == kind["kind"]?.string, object.namespace.isEmpty || object.namespace == place else {
          return false
        }
        if let name = reference["name"]?.string { return object.name == name }
        return reference["selector"].flatMap { LabelSelector($0) }?.matches(object.labels) ?? false
      }
    }
  }

  /// The object after the mutating policies.
  /// - Throws: 403 where one fails and is to fail closed.
  mutating func mutate(_ object: JSON) throws(Status) -> JSON {
    guard let policies else { return object }
    request.object = object
    if request.name.isEmpty { request.name = object.name }
    return try policies.mutate(request, schema: schema) ?? object
  }

  /// - Parameter object: as it would be stored; `nil` in a deletion.
  /// - Throws: what a validating policy refuses with.
  mutating func validate(_ object: JSON?) throws(Status) {
    guard let policies else { return }
    request.object = object
    if request.name.isEmpty { request.name = object?.name ?? "" }
    warnings += try policies.validate(request)
  }
}
