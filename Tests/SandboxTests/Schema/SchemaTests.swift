import KubernetesAPI
import Testing

@testable import Sandbox

/// The definition of the recorded scenarios (group c).
let widgetSchema: JSON = [
  "type": "object", "description": "A widget of the test.", "required": ["spec"],
  "properties": [
    "spec": [
      "type": "object", "required": ["size"],
      "x-kubernetes-validations": [
        ["rule": "self.min <= self.size", "message": "size must be at least min", "fieldPath": ".size"],
        ["rule": "!has(oldSelf.frozen) || has(self.frozen)", "message": "frozen cannot be removed"],
      ],
      "properties": [
        "size": [
          "type": "integer", "minimum": 1, "maximum": 10, "description": "How large.",
          "x-kubernetes-validations": [["rule": "self >= oldSelf", "message": "size never shrinks"]],
        ], "min": ["type": "integer", "default": 1],
        "mode": ["type": "string", "enum": ["Fast", "Slow"], "default": "Fast"],
        "share": ["type": "string", "pattern": "^[0-9]+%$", "maxLength": 4],
        "owner": [
          "type": "string",
          "x-kubernetes-validations": [
            ["rule": "self == oldSelf", "message": "owner is immutable", "reason": "FieldValueForbidden"]
          ],
        ], "frozen": ["type": "boolean"],
        "tags": [
          "type": "array", "maxItems": 2, "items": ["type": "string", "maxLength": 5], "x-kubernetes-list-type": "set",
        ], "when": ["type": "string", "format": "date-time"], "target": ["x-kubernetes-int-or-string": true],
        "nothing": ["type": "string", "nullable": true],
        "choice": [
          "type": "object", "oneOf": [["required": ["a"]], ["required": ["b"]]], "maxProperties": 3,
          "properties": ["a": ["type": "string"], "b": ["type": "string"]],
        ],
        "limits": ["type": "object", "maxProperties": 2, "additionalProperties": ["type": "string", "maxLength": 3]],
      ],
    ], "status": ["type": "object", "properties": ["phase": ["type": "string", "enum": ["Up", "Down"]]]],
  ],
]

func widgetDefinition(_ change: (inout JSON) -> Void = { _ in }) -> JSON {
  var schema = widgetSchema
  change(&schema)
  return [
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": ["name": "widgets.shop.test"],
    "spec": [
      "group": "shop.test", "scope": "Namespaced",
      "names": ["plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"],
      "versions": [
        [
          "name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": schema],
          "subresources": ["status": [:]],
        ]
      ],
    ],
  ]
}

private func widget(_ spec: JSON?, name: String = "x") -> JSON {
  var object: JSON = ["apiVersion": "shop.test/v1", "kind": "Widget", "metadata": ["name": .string(name)]]
  object["spec"] = spec
  return object
}

private func resource() throws -> CustomResource {
  try #require(CustomResourceDefinition(widgetDefinition()).storage)
}

private let unchecked = "<nil> FieldValueInvalid"

private func faults(_ object: JSON, old: JSON? = nil) throws -> [String] {
  let resource = try resource()
  return resource.causes(resource.prepared(object).object, old: old).map { "\($0.field ?? "") \($0.reason ?? "")" }
    .sorted()
}

@Suite("Custom resources")
struct CustomResourceTests {
  @Test("defaults are filled in, unknown fields go and are reported, sorted")
  func prepared() throws {
    let object = widget(["size": 3, "unknown": 1, "choice": ["a": "x", "z": "pruned"]])
    let (result, unknown) = try resource().prepared(object)
    #expect(result["spec"] == ["size": 3, "min": 1, "mode": "Fast", "choice": ["a": "x"]])
    #expect(unknown == ["spec.choice.z", "spec.unknown"])
  }

  @Test("null is dropped, replaced by the default, or kept where the field is nullable")
  func nulls() throws {
    let spec = try resource().prepared(widget(["size": 3, "share": .null, "mode": .null, "nothing": .null])).object[
      "spec"]
    #expect(spec == ["size": 3, "min": 1, "mode": "Fast", "nothing": .null])
  }

  /// The recorded answers: field and reason of each cause.
  @Test(
    "each kind of fault has its cause, and faults of type keep the rules from running",
    arguments: [
      (nil, [unchecked, "spec FieldValueRequired"]), (["size": 3], []),
      ([:], [unchecked, "spec.size FieldValueRequired"]),
      (["size": 0], ["spec.size FieldValueInvalid", "spec.size FieldValueInvalid"]),
      (["size": 11], ["spec.size FieldValueInvalid"]),
      (["size": "big"], [unchecked, "spec.size FieldValueTypeInvalid"]),
      (["size": 3.5], [unchecked, unchecked, "spec.size FieldValueTypeInvalid"]),
      (["size": 3.0], ["spec FieldValueInvalid"]),
      (["size": 3, "mode": "Medium"], [unchecked, "spec.mode FieldValueNotSupported"]),
      (["size": 3, "share": "5 %"], ["spec.share FieldValueInvalid"]),
      (["size": 3, "share": "55555%"], [unchecked, "spec.share FieldValueTooLong"]),
      (["size": 3, "tags": ["a", "b", "c"]], [unchecked, "spec.tags FieldValueTooMany"]),
      (["size": 3, "tags": ["a", "a"]], ["spec.tags[1] FieldValueDuplicate"]),
      (["size": 3, "tags": ["abcdef"]], [unchecked, "spec.tags[0] FieldValueTooLong"]),
      (["size": 3, "when": "yesterday"], [unchecked, "spec.when FieldValueTypeInvalid"]),
      (["size": 3, "choice": [:]], [unchecked, unchecked, "spec.choice.a FieldValueRequired"]),
      (["size": 3, "choice": ["a": "1", "b": "1"]], [unchecked]),
      (["size": 3, "target": [1]], [unchecked, "spec.target FieldValueTypeInvalid"]),
      (["size": 3, "limits": ["a": "1", "b": "2", "c": "3"]], [unchecked, "spec.limits FieldValueTooMany"]),
      (["size": 3, "limits": ["a": "1234"]], [unchecked, "spec.limits.a FieldValueTooLong"]),
      (["size": 3, "min": 5], ["spec.size FieldValueInvalid"]),
      (
        ["size": 0, "mode": "x", "min": 7],
        [unchecked, "spec.mode FieldValueNotSupported", "spec.size FieldValueInvalid"]
      ),
    ] as [(JSON?, [String])])
  func causes(_ spec: JSON?, _ expected: [String]) throws {
    #expect(try faults(widget(spec)) == expected)
  }

  @Test("a name that is no name and another kind are refused; another kind gets no defaults")
  func identity() throws {
    #expect(try faults(widget(["size": 3], name: "Not-A-Name")) == ["metadata.name FieldValueInvalid"])
    var gadget = widget(["size": 3])
    gadget["kind"] = "Gadget"
    #expect(try faults(gadget) == ["kind FieldValueInvalid", "spec FieldValueInvalid"])
  }

  @Test("rules on a change need an old value, and do not see a field's removal or return")
  func transitions() throws {
    let old = try resource().prepared(widget(["size": 3, "owner": "a", "frozen": true])).object
    func change(_ edit: (inout JSON) -> Void) throws -> [String] {
      var object = old
      edit(&object)
      return try faults(object, old: old)
    }
    #expect(try change { $0[path: ["spec", "size"]] = 2 } == ["spec.size FieldValueInvalid"])
    #expect(try change { $0[path: ["spec", "size"]] = 4 } == [])
    #expect(try change { $0[path: ["spec", "owner"]] = "b" } == ["spec.owner FieldValueForbidden"])
    #expect(try change { $0[path: ["spec", "owner"]] = nil } == [])
    #expect(try change { $0[path: ["spec", "frozen"]] = nil } == ["spec FieldValueInvalid"])
    #expect(
      try change {
        $0[path: ["spec", "size"]] = 1
        $0[path: ["spec", "owner"]] = "z"
      } == ["spec.owner FieldValueForbidden", "spec.size FieldValueInvalid"])
  }

  @Test("what was invalid before and has not changed does not stand in the way of other changes")
  func ratcheting() throws {
    let old = try resource().prepared(widget(["size": 3, "share": "bad"])).object
    var object = old
    object[path: ["spec", "size"]] = 4
    #expect(try faults(object, old: old) == [])
    object[path: ["spec", "share"]] = "worse"
    #expect(try faults(object, old: old).contains("spec.share FieldValueTooLong"))
  }
}

@Suite("Custom resource definitions")
struct DefinitionTests {
  private func faults(_ crd: JSON, old: JSON? = nil) -> [String] {
    DefinitionValidation.causes(crd, old: old).map { "\($0.field ?? "") \($0.reason ?? "")" }
  }

  private let schema = "spec.validation.openAPIV3Schema"

  @Test("a definition that fits is accepted")
  func accepted() { #expect(faults(widgetDefinition()) == []) }

  @Test("a schema that is not structural is refused where it is wrong")
  func structural() {
    func fault(_ property: JSON) -> [String] {
      faults(widgetDefinition { $0[path: ["properties", "x"]] = property })
    }
    let place = "\(schema).properties[x]"
    #expect(fault([:]) == ["\(place).type FieldValueRequired"])
    #expect(fault(["type": "array"]) == ["\(place).items FieldValueRequired"])
    #expect(fault(["type": "text"]) == ["\(schema).properties[x].type FieldValueInvalid"])
    #expect(fault(["type": "string", "pattern": "("]) == ["\(place).pattern FieldValueInvalid"])
    #expect(fault(["type": "string", "default": 1]) == ["\(place).default FieldValueInvalid"])
    #expect(
      fault(["type": "object", "properties": ["a": ["type": "string"]], "additionalProperties": ["type": "string"]])
        == ["\(place).additionalProperties FieldValueForbidden"])
    #expect(
      fault(["type": "string", "anyOf": [["type": "string"]]]) == ["\(place).anyOf[0].type FieldValueForbidden"])
    // The one exception, and only word for word.
    var port: JSON = ["x-kubernetes-int-or-string": true, "anyOf": [["type": "integer"], ["type": "string"]]]
    #expect(fault(port) == [])
    port["anyOf"] = [["type": "integer", "minimum": 1], ["type": "string"]]
    #expect(
      fault(port) == ["\(place).anyOf[0].type FieldValueForbidden", "\(place).anyOf[1].type FieldValueForbidden"])
    #expect(fault(["type": "string", "$ref": "#/x"]) == ["\(place).$ref FieldValueForbidden"])
    let entry: JSON = ["type": "object", "properties": ["name": ["type": "string"]]]
    var list: JSON = ["type": "array", "x-kubernetes-list-type": "map", "items": entry]
    #expect(fault(list) == ["\(place).x-kubernetes-list-map-keys FieldValueRequired"])
    list["x-kubernetes-list-map-keys"] = ["name"]
    #expect(fault(list) == ["\(place).items.properties[name].default FieldValueRequired"])
    list[path: ["items", "required"]] = ["name"]
    #expect(fault(list) == [])
  }

  @Test("a rule that does not compile, or could cost too much, is refused")
  func rules() {
    func fault(_ rule: JSON) -> [String] {
      faults(
        widgetDefinition {
          $0[path: ["properties", "x"]] = [
            "type": "object", "x-kubernetes-validations": [rule],
            "properties": ["list": ["type": "array", "items": ["type": "array", "items": ["type": "string"]]]],
          ]
        })
    }
    let place = "\(schema).properties[x].x-kubernetes-validations[0]"
    #expect(fault(["rule": "self.missing == 1"]) == ["\(place).rule FieldValueInvalid"])
    #expect(
      fault(["rule": "self.list.all(x, x.all(y, self.list.exists(z, z == x && y.contains(y))))"]) == [
        "\(place).rule FieldValueForbidden", "\(place).rule FieldValueForbidden", "\(schema) FieldValueForbidden",
      ])
    #expect(fault(["rule": "true", "reason": "Wrong"]) == ["\(place).reason FieldValueNotSupported"])
    #expect(fault(["rule": "true", "fieldPath": ".none"]) == ["\(place).fieldPath FieldValueInvalid"])
    #expect(fault(["rule": "true", "optionalOldSelf": true]) == ["\(place).optionalOldSelf FieldValueInvalid"])
    #expect(fault(["rule": "true", "messageExpression": "1"]) == ["\(place).messageExpression FieldValueInvalid"])
    #expect(fault(["rule": " "]) == ["\(place).rule FieldValueRequired"])
    #expect(fault(["rule": "true", "fieldPath": ".list"]) == [])
  }

  @Test("names, scope and versions have to be right")
  func names() {
    func fault(_ path: [String], _ value: JSON?) -> [String] {
      var crd = widgetDefinition()
      crd[path: path] = value
      return faults(crd)
    }
    #expect(fault(["metadata", "name"], "widgets") == ["metadata.name FieldValueInvalid"])
    #expect(fault(["spec", "scope"], "World") == ["spec.scope FieldValueNotSupported"])
    #expect(fault(["spec", "names", "kind"], nil) == ["spec.names.kind FieldValueRequired"])
    #expect(fault(["spec", "versions"], []).contains("spec.versions FieldValueInvalid"))
    var crd = widgetDefinition()
    var version = crd[path: ["spec", "versions"]]?[0] ?? .null
    version["storage"] = false
    crd[path: ["spec", "versions"]] = [version]
    #expect(faults(crd) == ["spec.versions FieldValueInvalid"])
    version["storage"] = true
    version["schema"] = nil
    crd[path: ["spec", "versions"]] = [version]
    #expect(faults(crd) == ["spec.versions[0].schema.openAPIV3Schema FieldValueRequired"])
  }

  @Test("the name of an established definition cannot change")
  func immutable() {
    var crd = widgetDefinition()
    crd[path: ["spec", "names", "plural"]] = "others"
    crd[path: ["metadata", "name"]] = "others.shop.test"
    #expect(faults(crd, old: widgetDefinition()) == ["spec.names.plural FieldValueInvalid"])
  }

  @Test("a definition is established when its names are free, and not when they are taken")
  func conditions() throws {
    let now = try #require(Timestamp("2026-01-01T00:00:00Z"))
    func reasons(_ crd: JSON) -> [String] {
      (crd[path: ["status", "conditions"]]?.array ?? []).map {
        "\($0["type"]?.string ?? "") \($0["status"]?.string ?? "") \($0["reason"]?.string ?? "")"
      }
    }
    var crd = widgetDefinition()
    crd["status"] = DefinitionStatus.initial(crd)
    #expect(
      crd["status"] == ["conditions": .null, "acceptedNames": ["plural": "", "kind": ""], "storedVersions": ["v1"]])
    let first = DefinitionStatus.accepted(crd, among: [], now: now)
    #expect(reasons(first) == ["NamesAccepted True NoConflicts", "Established True InitialNamesAccepted"])
    #expect(try CustomResourceDefinition(first).isEstablished)
    var second = widgetDefinition()
    second[path: ["metadata", "name"]] = "gadgets.shop.test"
    second[path: ["spec", "names"]] = [
      "plural": "gadgets", "kind": "Gadget", "listKind": "GadgetList", "shortNames": ["widget"],
    ]
    let refused = DefinitionStatus.accepted(second, among: [first], now: now)
    #expect(reasons(refused) == ["NamesAccepted False ShortNamesConflict", "Established False NotAccepted"])
    #expect(DefinitionStatus.terminating(first, now: now).finalizers == [DefinitionStatus.cleanupFinalizer])
  }
}

@Suite("Schemas as OpenAPI")
struct SchemaOpenAPITests {
  @Test("a schema that is read and published is the same")
  func roundTrip() throws {
    var published = try Schema(openAPI: widgetSchema).openAPI
    // Published with the types that it stands for.
    #expect(
      published[path: ["properties", "spec", "properties", "target"]] == [
        "x-kubernetes-int-or-string": true, "anyOf": [["type": "integer"], ["type": "string"]],
      ])
    published[path: ["properties", "spec", "properties", "target", "anyOf"]] = nil
    #expect(published == widgetSchema)
  }

  @Test("a keyword of the wrong type is named with its path")
  func faults() {
    let error = #expect(throws: SchemaError.self) {
      try Schema(openAPI: ["properties": ["a": ["items": ["maxLength": "x"]]]])
    }
    #expect(error?.description == "properties[a].items.maxLength: expected an integer, found string")
  }

  @Test("a document has the paths, operations and schemas of its kinds")
  func document() throws {
    let resource = try #require(CustomResourceDefinition(widgetDefinition()).storage)
    let group = OpenAPIGroup(
      group: "shop.test", version: "v1",
      kinds: [
        .init(
          type: resource.type, schema: resource.schema, isCustom: true,
          verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
          subresources: [.init(name: "status", verbs: ["get", "patch", "update"])])
      ], revision: "1")
    let documents = OpenAPIDocuments()
    let document = documents.document(group)
    let root = "/apis/shop.test/v1"
    func operations(_ path: String) -> [String] {
      (document["paths"]?[path]?.object ?? [:]).compactMap { $0.value["operationId"]?.string }.sorted()
    }
    #expect(document["paths"]?.object?.count == 4)
    #expect(
      operations("\(root)/namespaces/{namespace}/widgets") == [
        "createShopTestV1NamespacedWidget", "deleteShopTestV1CollectionNamespacedWidget",
        "listShopTestV1NamespacedWidget",
      ])
    #expect(operations("\(root)/widgets") == ["listShopTestV1WidgetForAllNamespaces"])
    #expect(operations("\(root)/namespaces/{namespace}/widgets/{name}/status").count == 3)
    let patch = document["paths"]?["\(root)/namespaces/{namespace}/widgets/{name}"]?["patch"]
    #expect(patch?["parameters"]?.array?.contains { $0["name"] == "fieldValidation" } == true)
    let schema = document[path: ["components", "schemas", "test.shop.v1.Widget"]]
    #expect(schema?[path: ["properties", "spec", "properties", "size", "description"]] == "How large.")
    #expect(
      schema?["x-kubernetes-group-version-kind"] == [["group": "shop.test", "version": "v1", "kind": "Widget"]])
    let url = documents.index([group])[path: ["paths", "apis/shop.test/v1", "serverRelativeURL"]]?.string
    #expect(url?.hasPrefix("/openapi/v3/apis/shop.test/v1?hash=") == true)
    var other = group
    other.kinds[0].schema.description = "Another."
    #expect(documents.index([other])[path: ["paths", "apis/shop.test/v1", "serverRelativeURL"]]?.string == url)
    other.revision = "2"
    #expect(documents.index([other])[path: ["paths", "apis/shop.test/v1", "serverRelativeURL"]]?.string != url)
  }
}
