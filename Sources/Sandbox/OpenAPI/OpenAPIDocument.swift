import KubernetesAPI

/// The OpenAPI v3 document of one group and version: what `kubectl explain` shows, and where kubectl finds merge keys
/// and whether the server validates fields and tries things out.
struct OpenAPIDocument {
  private let group: OpenAPIGroup
  private static let metadata = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
  private static let listMetadata = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"

  init(_ group: OpenAPIGroup) { self.group = group }

  var json: JSON {
    var paths: [String: JSON] = [:]
    var schemas: [String: JSON] = [Self.listMetadata: Self.listMetadataSchema.openAPI]
    for kind in group.kinds {
      add(paths: &paths, of: kind)
      add(schemas: &schemas, of: kind)
    }
    return [
      "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": "sandbox"], "paths": .object(paths),
      "components": ["schemas": .object(schemas)],
    ]
  }

  // MARK: Schemas

  private func add(schemas: inout [String: JSON], of kind: OpenAPIGroup.Kind) {
    let name = group.schemaName(kind)
    var schema = kind.schema
    schemas[Self.metadata] =
      schemas[Self.metadata] ?? Self.published(schema.properties["metadata"] ?? Self.anyMetadata)
    schema.type = .object
    schema.properties["metadata"] = nil
    schema.properties["apiVersion"] = .string("The group and version of this shape of the object.")
    schema.properties["kind"] = .string("The kind of the object, in CamelCase.")
    var json = Self.published(schema)
    json[path: ["properties", "metadata"]] = Self.reference(
      Self.metadata, "What all objects have: name, namespace, labels, annotations, owners.")
    json["x-kubernetes-group-version-kind"] = [Self.identity(kind.type)]
    schemas[name] = json

    guard kind.verbs.contains("list") else { return }
    var list = Schema.object(
      [
        "apiVersion": .string("The group and version of this shape of the list."),
        "kind": .string("The kind of the list, in CamelCase."),
      ], required: ["items"], "\(kind.type.kind)List is a list of \(kind.type.kind)"
    ).openAPI
    list[path: ["properties", "metadata"]] = Self.reference(
      Self.listMetadata, "The version of the list, and where it goes on.")
    list[path: ["properties", "items"]] = [
      "type": "array", "description": .string("List of \(kind.type.plural)."), "items": ["$ref": Self.pointer(name)],
    ]
    var listType = kind.type
    listType.kind += "List"
    list["x-kubernetes-group-version-kind"] = [Self.identity(listType)]
    schemas[name + "List"] = list
  }

  /// Without the `null` that stands for "always written, even when empty".
  private static func published(_ schema: Schema) -> JSON { withoutNullDefaults(schema.openAPI) }

  private static func withoutNullDefaults(_ json: JSON) -> JSON {
    switch json {
    case .object(var members):
      if members["default"] == .null { members["default"] = nil }
      return .object(members.mapValues(withoutNullDefaults))
    case .array(let elements): return .array(elements.map(withoutNullDefaults))
    default: return json
    }
  }

  private static func pointer(_ name: String) -> JSON { .string("#/components/schemas/\(name)") }

  private static func reference(_ name: String, _ description: String) -> JSON {
    ["description": .string(description), "allOf": [["$ref": pointer(name)]]]
  }

  private static func identity(_ type: ResourceType) -> JSON {
    ["group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind)]
  }

  private static let anyMetadata = Schema.object(
    [
      "name": .string("The name, unique among the objects of the kind in the namespace."),
      "namespace": .string("The namespace that the object is in."), "labels": .map(of: .string),
      "annotations": .map(of: .string),
    ], "What all objects have.")

  private static let listMetadataSchema = Schema.object(
    [
      "continue": .string("The token by which the rest of the list is asked for."),
      "remainingItemCount": .int64("How many objects are left after this part of the list."),
      "resourceVersion": .string("The version of the list, from which a watch goes on."),
    ], "What all lists have.")

  // MARK: Paths

  private func add(paths: inout [String: JSON], of kind: OpenAPIGroup.Kind) {
    let type = kind.type
    let scope = type.namespaced ? "Namespaced" : ""
    let root = "/\(group.path)"
    let collection = root + (type.namespaced ? "/namespaces/{namespace}" : "") + "/\(type.plural)"
    let id = "\(group.operationName)\(scope)\(type.kind)"
    func offer(_ path: String, _ method: String, _ action: String, _ id: String, _ shown: ResourceType) {
      var item = paths[path] ?? .emptyObject
      item[method] = operation(action, id, shown, kind, method)
      // The parts of the path are parameters of all its methods.
      item["parameters"] = .array(
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
          [
            "name": .string(String(part.dropFirst().dropLast())), "in": "path", "required": true,
            "schema": ["type": "string"],
          ]
        })
      if item["parameters"] == [] { item["parameters"] = nil }
      paths[path] = item
    }
    func offerIf(_ verb: String, _ path: String, _ method: String, _ action: String, _ id: String) {
      if kind.verbs.contains(verb) { offer(path, method, action, id, type) }
    }
    offerIf("list", collection, "get", "list", "list\(id)")
    offerIf("create", collection, "post", "post", "create\(id)")
    offerIf(
      "deletecollection", collection, "delete", "deletecollection",
      "delete\(group.operationName)Collection\(scope)\(type.kind)")
    if type.namespaced {
      offerIf(
        "list", "\(root)/\(type.plural)", "get", "list", "list\(group.operationName)\(type.kind)ForAllNamespaces")
    }
    let object = "\(collection)/{name}"
    offerIf("get", object, "get", "get", "read\(id)")
    offerIf("update", object, "put", "put", "replace\(id)")
    offerIf("delete", object, "delete", "delete", "delete\(id)")
    offerIf("patch", object, "patch", "patch", "patch\(id)")
    for subresource in kind.subresources {
      let path = "\(object)/\(subresource.name)"
      let suffix = subresource.name.prefix(1).uppercased() + subresource.name.dropFirst()
      let shown = kind.isCustom ? type : subresource.kind ?? type
      for (verb, method, action, prefix) in [
        ("get", "get", "get", "read"), ("update", "put", "put", "replace"), ("patch", "patch", "patch", "patch"),
        ("create", "post", "post", "create"),
      ] where subresource.verbs.contains(verb) {
        offer(path, method, action, "\(prefix)\(id)\(suffix)", shown)
      }
    }
  }

  private func operation(
    _ action: String, _ id: String, _ shown: ResourceType, _ kind: OpenAPIGroup.Kind, _ method: String
  ) -> JSON {
    let name = group.schemaName(kind) + (action == "list" ? "List" : "")
    let isWrite = method != "get"
    // kubectl looks here for what it may ask of the server.
    var parameters = isWrite ? ["dryRun"] : []
    if isWrite, method != "delete" { parameters += ["fieldManager", "fieldValidation"] }
    if method == "patch" { parameters.append("force") }
    if action == "list" || action == "deletecollection" {
      parameters += ["continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch"]
    }
    if action == "list" { parameters += ["allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds", "watch"] }
    var json: JSON = [
      "operationId": .string(id), "x-kubernetes-action": .string(action),
      "x-kubernetes-group-version-kind": Self.identity(shown),
      "responses": [
        "200": ["description": "OK", "content": ["application/json": ["schema": ["$ref": Self.pointer(name)]]]]
      ],
    ]
    if !parameters.isEmpty { json["parameters"] = .array(parameters.map(Self.parameter)) }
    return json
  }

  private static func parameter(_ name: String) -> JSON {
    let types: [String: JSON] = [
      "limit": "integer", "timeoutSeconds": "integer", "watch": "boolean", "allowWatchBookmarks": "boolean",
      "sendInitialEvents": "boolean", "force": "boolean",
    ]
    return ["name": .string(name), "in": "query", "schema": ["type": types[name] ?? "string"]]
  }
}
