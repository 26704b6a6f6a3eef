import KubernetesAPI
import Testing

@testable import Sandbox

private func validating(
  _ expression: String, message: String? = nil, reason: String? = nil, failurePolicy: String = "Fail",
  actions: [JSON] = ["Deny"], match: JSON = [:], variables: [JSON] = [], conditions: [JSON] = [],
  messageExpression: String? = nil
) -> AdmissionPolicies {
  var validation: JSON = ["expression": .string(expression)]
  validation["message"] = message.map(JSON.string)
  validation["reason"] = reason.map(JSON.string)
  validation["messageExpression"] = messageExpression.map(JSON.string)
  var constraints = match
  if constraints["resourceRules"] == nil {
    constraints["resourceRules"] = [
      ["apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"], "scope": "*"]
    ]
  }
  let policy: JSON = [
    "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": ["name": "x"],
    "spec": [
      "failurePolicy": .string(failurePolicy), "matchConstraints": constraints, "validations": [validation],
      "variables": .array(variables), "matchConditions": .array(conditions),
    ],
  ]
  let binding: JSON = [
    "kind": "ValidatingAdmissionPolicyBinding", "metadata": ["name": "y"],
    "spec": ["policyName": "x", "validationActions": .array(actions)],
  ]
  return AdmissionPolicies(validatingPolicies: [policy], validatingBindings: [binding])
}

private func mutating(_ policies: [(name: String, mutation: JSON, reinvocation: String)]) -> AdmissionPolicies {
  AdmissionPolicies(
    mutatingPolicies: policies.map { policy in
      [
        "kind": "MutatingAdmissionPolicy", "metadata": ["name": .string(policy.name)],
        "spec": [
          "failurePolicy": "Fail", "reinvocationPolicy": .string(policy.reinvocation),
          "matchConstraints": [
            "resourceRules": [
              ["apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]]
            ]
          ], "mutations": [policy.mutation],
        ],
      ]
    },
    mutatingBindings: policies.map {
      ["metadata": ["name": .string($0.name)], "spec": ["policyName": .string($0.name)]]
    })
}

private func patch(_ expression: String) -> JSON {
  ["patchType": "JSONPatch", "jsonPatch": ["expression": .string(expression)]]
}

private func configuration(_ expression: String) -> JSON {
  ["patchType": "ApplyConfiguration", "applyConfiguration": ["expression": .string(expression)]]
}

private func create(_ data: JSON?, labels: [String: String] = [:], namespaceLabels: [String: String] = [:])
  -> AdmissionRequest
{
  var object: JSON = ["kind": "ConfigMap", "metadata": ["name": "bad", "labels": JSON(labels)]]
  object["data"] = data
  return AdmissionRequest(
    operation: .create, type: .configMaps, namespace: "shop", name: "bad", object: object, username: "alice",
    namespaceObject: ["metadata": ["labels": JSON(namespaceLabels)]])
}

private func denial(_ policies: AdmissionPolicies, _ request: AdmissionRequest) -> Status? {
  do {
    _ = try policies.validate(request)
    return nil
  } catch {
    return error
  }
}

@Suite("Validating admission policies")
struct ValidatingPolicyTests {
  @Test("a denial has the reason of its validation and the names of policy and binding")
  func denied() {
    let policies = validating("object.data.a == '1'", message: "a must be 1", reason: "Forbidden")
    let text = "ValidatingAdmissionPolicy 'x' with binding 'y' denied request: a must be 1"
    #expect(
      denial(policies, create(["a": "2"]))
        == Status(
          code: 403, reason: "Forbidden", message: "configmaps \"bad\" is forbidden: \(text)",
          details: .init(name: "bad", kind: "configmaps", causes: [.init(message: text)])))
    #expect(denial(policies, create(["a": "1"])) == nil)
  }

  @Test("without a reason it is Invalid; without a message the expression stands for it")
  func defaults() {
    let status = denial(validating("object.data.a == '1'"), create(["a": "2"]))
    #expect(status?.code == 422)
    #expect(status?.reason == "Invalid")
    #expect(status?.message?.hasSuffix("denied request: failed expression: object.data.a == '1'") == true)
  }

  @Test("an expression that fails denies, unless the policy ignores failures")
  func failure() {
    let status = denial(validating("object.data.a == '1'", reason: "Forbidden"), create(nil))
    #expect(status?.reason == "Invalid")
    #expect(
      status?.message?.hasSuffix("expression 'object.data.a == '1'' resulted in error: no such key: data") == true)
    #expect(denial(validating("object.data.a == '1'", failurePolicy: "Ignore"), create(nil)) == nil)
  }

  @Test("the action Warn lets through with a warning, Audit in silence")
  func actions() throws {
    let warn = validating("object.data.a == '1'", message: "a must be 1", actions: ["Warn"])
    #expect(
      try warn.validate(create(["a": "2"])) == [
        "Validation failed for ValidatingAdmissionPolicy 'x' with binding 'y': a must be 1"
      ])
    #expect(try validating("false", actions: ["Audit"]).validate(create(nil)) == [])
  }

  @Test("variables see those before them, and a message can be computed")
  func variables() {
    let policies = validating(
      "variables.ok",
      variables: [
        ["name": "a", "expression": "object.data.?a.orValue('none')"],
        ["name": "ok", "expression": "variables.a == '1'"],
      ], messageExpression: "'a is ' + variables.a + ' for ' + request.userInfo.username")
    #expect(denial(policies, create(nil))?.message?.hasSuffix("denied request: a is none for alice") == false)
    #expect(denial(policies, create(["a": "7"]))?.message?.hasSuffix("denied request: a is 7 for alice") == true)
  }

  @Test("a match condition that is false leaves the request alone even when another one fails")
  func conditions() {
    let conditions: [JSON] = [
      ["name": "fails", "expression": "object.data.a == '1'"], ["name": "no", "expression": "false"],
    ]
    #expect(denial(validating("false", conditions: conditions), create(nil)) == nil)
    #expect(denial(validating("false", conditions: [conditions[0]]), create(nil)) != nil)
  }

  @Test("selectors choose by labels of the object, old or new, and of its namespace")
  func selectors() {
    let byLabel = validating("false", match: ["objectSelector": ["matchLabels": ["a": "b"]]])
    #expect(denial(byLabel, create(nil)) == nil)
    #expect(denial(byLabel, create(nil, labels: ["a": "b"])) != nil)
    var update = create(nil)
    update.oldObject = create(nil, labels: ["a": "b"]).object
    #expect(denial(byLabel, update) != nil)
    let byNamespace = validating(
      "false",
      match: ["namespaceSelector": ["matchExpressions": [["key": "env", "operator": "In", "values": ["prod"]]]]])
    #expect(denial(byNamespace, create(nil)) == nil)
    #expect(denial(byNamespace, create(nil, namespaceLabels: ["env": "prod"])) != nil)
  }

  @Test("rules choose by group, operation, resource and subresource")
  func rules() {
    func denies(_ resources: [JSON], _ operations: [JSON], subresource: String = "") -> Bool {
      var request = create(nil)
      request.subresource = subresource
      let rule: JSON = [
        "apiGroups": [""], "apiVersions": ["*"], "operations": .array(operations), "resources": .array(resources),
      ]
      return denial(validating("false", match: ["resourceRules": [rule]]), request) != nil
    }
    #expect(denies(["configmaps"], ["CREATE"]))
    #expect(denies(["*"], ["*"]))
    #expect(!denies(["configmaps"], ["UPDATE"]))
    #expect(!denies(["secrets"], ["CREATE"]))
    #expect(!denies(["configmaps"], ["CREATE"], subresource: "scale"))
    #expect(!denies(["*"], ["CREATE"], subresource: "scale"))
    #expect(denies(["*/scale"], ["CREATE"], subresource: "scale"))
    #expect(denies(["configmaps/*"], ["CREATE"], subresource: "scale"))
  }

  @Test("a policy without a binding does nothing, and none judges policies")
  func unbound() throws {
    let policy: JSON = [
      "kind": "ValidatingAdmissionPolicy", "metadata": ["name": "x"],
      "spec": ["validations": [["expression": "false"]]],
    ]
    #expect(try AdmissionPolicies(validatingPolicies: [policy]).validate(create(nil)) == [])
    var request = create(nil)
    request.type = ResourceType(
      group: "admissionregistration.k8s.io", kind: "ValidatingAdmissionPolicy", plural: "validatingadmissionpolicies",
      namespaced: false)
    let everything: JSON = [
      "resourceRules": [["apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]]]
    ]
    #expect(denial(validating("false", match: everything), request) == nil)
  }
}

@Suite("Mutating admission policies")
struct MutatingPolicyTests {
  private let request = create(["a": "1"])

  @Test("policies take their turn by name, and one that asked for it sees later changes once more")
  func reinvocation() throws {
    let count = patch("[JSONPatch{op: 'add', path: '/data/n', value: string(size(object.data))}]")
    let add = patch("[JSONPatch{op: 'add', path: '/data/b', value: '2'}]")
    let once = mutating([("a-count", count, "Never"), ("b-add", add, "Never")])
    #expect(try once.mutate(request, schema: .anyObject)?["data"] == ["a": "1", "n": "1", "b": "2"])
    let again = mutating([("a-count", count, "IfNeeded"), ("b-add", add, "Never")])
    #expect(try again.mutate(request, schema: .anyObject)?["data"] == ["a": "1", "n": "3", "b": "2"])
  }

  @Test("a JSON patch whose test fails changes nothing")
  func test() throws {
    let policies = mutating([
      (
        "p",
        patch(
          "[JSONPatch{op: 'add', path: '/data/x', value: '1'}, JSONPatch{op: 'test', path: '/data/a', value: '9'}]"),
        "Never"
      )
    ])
    #expect(try policies.mutate(request, schema: .anyObject) == request.object)
  }

  @Test("a mutation that fails denies the request and names the policy")
  func failure() {
    let policies = mutating([("p", patch("[JSONPatch{op: 'add', path: '/' + object.none, value: 1}]"), "Never")])
    let error = #expect(throws: Status.self) { try policies.mutate(request, schema: .anyObject) }
    #expect(error?.code == 403)
    #expect(
      error?.message == "configmaps \"bad\" is forbidden: policy 'p' with binding 'p' denied request: no such key: none"
    )
  }

  private let schema = Schema.object([
    "data": .map(of: .string), "set": .set(of: .string), "atomic": .list(of: .string),
    "ports": .list(
      of: .object(["port": .integer, "protocol": .string.defaulting(to: "TCP"), "name": .string]),
      keys: ["port", "protocol"]),
  ])

  @Test("an apply configuration merges objects, sets and list maps by their keys")
  func merge() throws {
    var request = request
    request.object = [
      "kind": "ConfigMap", "data": ["a": "1"], "set": ["x"], "ports": [["port": 80, "name": "http"], ["port": 90]],
    ]
    let policies = mutating([
      (
        "p",
        configuration(
          "Object{metadata: Object.metadata{labels: {'l': 'm'}}, data: {'b': '2'}, set: ['x', 'y'], "
            + "ports: [Object.ports.item{port: 80, protocol: 'TCP', name: 'web'}, Object.ports.item{port: 81}]}"),
        "Never"
      )
    ])
    #expect(
      try policies.mutate(request, schema: schema) == [
        "kind": "ConfigMap", "metadata": ["labels": ["l": "m"]], "data": ["a": "1", "b": "2"], "set": ["x", "y"],
        "ports": [["port": 80, "name": "web", "protocol": "TCP"], ["port": 90], ["port": 81]],
      ])
  }

  @Test(
    "an apply configuration of an atomic list or an unknown field is refused",
    arguments: [
      ("Object{atomic: ['a']}", "may not mutate atomic arrays, maps or structs: .atomic"),
      ("Object{nothing: 1}", ".nothing: field not declared in schema"),
    ])
  func refused(_ expression: String, _ expected: String) {
    let policies = mutating([("p", configuration(expression), "Never")])
    let error = #expect(throws: Status.self) { try policies.mutate(request, schema: schema) }
    #expect(error?.message?.contains(expected) == true)
  }
}

@Suite("Policy objects")
struct PolicyObjectTests {
  private func policy(_ spec: JSON, kind: String = "ValidatingAdmissionPolicy") -> JSON {
    ["apiVersion": "admissionregistration.k8s.io/v1", "kind": .string(kind), "metadata": ["name": "p"], "spec": spec]
  }

  private let match: JSON = [
    "resourceRules": [
      ["apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]]
    ]
  ]

  private func fields(_ object: JSON) -> [String] {
    PolicyObjects.causes(object).map { "\($0.field ?? "") \($0.reason ?? "")" }
  }

  @Test("an expression that does not compile is refused where it stands")
  func compilation() {
    func expressions(_ expression: String) -> [String] {
      fields(policy(["matchConstraints": match, "validations": [["expression": .string(expression)]]]))
    }
    #expect(expressions("object.data.a ==") == ["spec.validations[0].expression FieldValueInvalid"])
    #expect(expressions("params.a == 1") == ["spec.validations[0].expression FieldValueInvalid"])
    #expect(expressions("variables.a == 1") == ["spec.validations[0].expression FieldValueInvalid"])
    #expect(expressions("1 + 1") == ["spec.validations[0].expression FieldValueInvalid"])
    #expect(expressions("") == ["spec.validations[0].expression FieldValueRequired"])
    #expect(expressions("object.data.a == request.name") == [])
  }

  @Test("what is missing or unknown is refused")
  func spec() {
    #expect(
      fields(policy(["validations": [["expression": "true", "reason": "NotFound"]]])) == [
        "spec.matchConstraints FieldValueRequired", "spec.validations[0].reason FieldValueNotSupported",
      ])
    #expect(
      fields(
        policy(["matchConstraints": match, "mutations": [["patchType": "Merge"]]], kind: "MutatingAdmissionPolicy"))
        == ["spec.reinvocationPolicy FieldValueRequired", "spec.mutations[0].patchType FieldValueNotSupported"])
    let binding = policy(
      ["validationActions": ["Deny", "Warn"]], kind: "ValidatingAdmissionPolicyBinding")
    #expect(fields(binding) == ["spec.policyName FieldValueRequired", "spec.validationActions FieldValueInvalid"])
  }

  @Test("a mutation has to make an object, or a list of patches")
  func mutations() {
    func mutation(_ mutation: JSON) -> [String] {
      fields(
        policy(
          ["matchConstraints": match, "reinvocationPolicy": "Never", "mutations": [mutation]],
          kind: "MutatingAdmissionPolicy"))
    }
    #expect(mutation(configuration("{'spec': 1}")).count == 1)
    #expect(mutation(patch("'x'")).count == 1)
    #expect(mutation(patch("object.x ? [] : [JSONPatch{op: 'add'}]")) == [])
  }
}
