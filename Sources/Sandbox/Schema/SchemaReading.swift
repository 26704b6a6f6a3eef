import KubernetesAPI

/// Why a document is no schema, and where.
struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From the root of the document: `properties[spec].items`.
  var path: String
  var message: String

  var description: String { path.isEmpty ? message : "\(path): \(message)" }
}

extension Schema {
  /// Reads an OpenAPI v3 schema with the extensions of Kubernetes, as CustomResourceDefinitions hold it.
  /// - Throws: ``SchemaError`` where a keyword has a value of the wrong type.
  init(openAPI json: JSON) throws(SchemaError) { try self.init(openAPI: json, at: "") }

  private init(openAPI json: JSON, at path: String) throws(SchemaError) {
    guard json.object != nil else {
      throw SchemaError(path: path, message: "a schema is an object, not \(json.typeName)")
    }
    let reader = Reader(json: json, path: path)
    if let name = try reader.string("type"), !name.isEmpty {
      guard let type = ValueType(rawValue: name) else {
        throw SchemaError(
          path: reader.path(to: "type"),
          message: "\"\(name)\" is none of array, boolean, integer, number, object, string")
      }
      self.type = type
    }
    description = try reader.string("description") ?? ""
    format = try reader.string("format")
    pattern = try reader.string("pattern")
    intOrString = try reader.bool("x-kubernetes-int-or-string")
    nullable = try reader.bool("nullable")
    preserveUnknownFields = try reader.bool("x-kubernetes-preserve-unknown-fields")
    embeddedResource = try reader.bool("x-kubernetes-embedded-resource")
    uniqueItems = try reader.bool("uniqueItems")
    exclusiveMinimum = try reader.bool("exclusiveMinimum")
    exclusiveMaximum = try reader.bool("exclusiveMaximum")
    minimum = try reader.number("minimum")
    maximum = try reader.number("maximum")
    multipleOf = try reader.number("multipleOf")
    minLength = try reader.int("minLength")
    maxLength = try reader.int("maxLength")
    minItems = try reader.int("minItems")
    maxItems = try reader.int("maxItems")
    minProperties = try reader.int("minProperties")
    maxProperties = try reader.int("maxProperties")
    required = try reader.strings("required")
    enumeration = try reader.array("enum")
    defaultValue = json["default"]
    if let name = try reader.string("x-kubernetes-list-type") {
      guard let listType = ListType(rawValue: name) else {
        throw SchemaError(
          path: reader.path(to: "x-kubernetes-list-type"), message: "\"\(name)\" is none of atomic, set, map")
      }
      self.listType = listType
    }
    if let name = try reader.string("x-kubernetes-map-type") {
      guard let mapType = MapType(rawValue: name) else {
        throw SchemaError(
          path: reader.path(to: "x-kubernetes-map-type"), message: "\"\(name)\" is none of granular, atomic")
      }
      self.mapType = mapType
    }
    listMapKeys = try reader.strings("x-kubernetes-list-map-keys")
    patchMergeKey = try reader.string("x-kubernetes-patch-merge-key")
    if let text = try reader.string("x-kubernetes-patch-strategy") {
      patchStrategies = text.split(separator: ",").compactMap { PatchStrategy(rawValue: String($0)) }
    }
    for (index, rule) in try reader.array("x-kubernetes-validations").enumerated() {
      rules.append(try Self.rule(rule, at: "\(reader.path(to: "x-kubernetes-validations"))[\(index)]"))
    }
    for (name, property) in try reader.object("properties") {
      properties[name] = try Schema(openAPI: property, at: "\(reader.path(to: "properties"))[\(name)]")
    }
    if let items = json["items"], items != .null {
      self.items = try Schema(openAPI: items, at: reader.path(to: "items"))
    }
    switch json["additionalProperties"] {
    case nil, .null, .bool(false): break
    case .bool(true): additionalProperties = .any
    case let values?: additionalProperties = try Schema(openAPI: values, at: reader.path(to: "additionalProperties"))
    }
    if let not = json["not"], not != .null { self.not = try Schema(openAPI: not, at: reader.path(to: "not")) }
    allOf = try Self.schemas(reader, "allOf")
    anyOf = try Self.schemas(reader, "anyOf")
    oneOf = try Self.schemas(reader, "oneOf")
  }

  private static func schemas(_ reader: Reader, _ key: String) throws(SchemaError) -> [Schema] {
    var schemas: [Schema] = []
    for (index, element) in try reader.array(key).enumerated() {
      schemas.append(try Schema(openAPI: element, at: "\(reader.path(to: key))[\(index)]"))
    }
    return schemas
  }

  private static func rule(_ json: JSON, at path: String) throws(SchemaError) -> ValidationRule {
    let reader = Reader(json: json, path: path)
    return ValidationRule(
      rule: try reader.string("rule") ?? "", message: try reader.string("message"),
      messageExpression: try reader.string("messageExpression"), reason: try reader.string("reason"),
      fieldPath: try reader.string("fieldPath"), optionalOldSelf: try reader.bool("optionalOldSelf"))
  }

  private struct Reader {
    let json: JSON
    let path: String

    func path(to key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func value<Value>(_ key: String, _ wanted: String, _ read: (JSON) -> Value?) throws(SchemaError) -> Value? {
      guard let found = json[key], found != .null else { return nil }
      guard let value = read(found) else {
        throw SchemaError(path: path(to: key), message: "expected \(wanted), found \(found.typeName)")
      }
      return value
    }

    func string(_ key: String) throws(SchemaError) -> String? { try value(key, "a string", \.string) }
    func bool(_ key: String) throws(SchemaError) -> Bool { try value(key, "a boolean", \.bool) ?? false }
    func int(_ key: String) throws(SchemaError) -> Int? { try value(key, "an integer", \.int) }
    func number(_ key: String) throws(SchemaError) -> Double? { try value(key, "a number", \.double) }
    func array(_ key: String) throws(SchemaError) -> [JSON] { try value(key, "a list", \.array) ?? [] }
    func object(_ key: String) throws(SchemaError) -> [String: JSON] { try value(key, "an object", \.object) ?? [:] }
    func strings(_ key: String) throws(SchemaError) -> [String] {
      try value(key, "a list of strings") { list in
        guard let elements = list.array else { return nil }
        let strings = elements.compactMap(\.string)
        return strings.count == elements.count ? strings : nil
      } ?? []
    }
  }
}

extension Schema {
  /// The schema as OpenAPI v3 publishes it.
  var openAPI: JSON {
    var json: [String: JSON] = [:]
    json["type"] = type.map { .string($0.rawValue) }
    if !description.isEmpty { json["description"] = .string(description) }
    if intOrString {
      json["x-kubernetes-int-or-string"] = true
      if anyOf.isEmpty { json["anyOf"] = [["type": "integer"], ["type": "string"]] }
    }
    let flags = [
      ("nullable", nullable), ("x-kubernetes-preserve-unknown-fields", preserveUnknownFields),
      ("x-kubernetes-embedded-resource", embeddedResource), ("uniqueItems", uniqueItems),
      ("exclusiveMinimum", exclusiveMinimum), ("exclusiveMaximum", exclusiveMaximum),
    ]
    for (key, isSet) in flags where isSet { json[key] = true }
    if !properties.isEmpty { json["properties"] = .object(properties.mapValues(\.openAPI)) }
    json["additionalProperties"] = additionalProperties.map { $0 == .any ? .bool(true) : $0.openAPI }
    json["items"] = items?.openAPI
    if !required.isEmpty { json["required"] = .array(required.map(JSON.string)) }
    if !enumeration.isEmpty { json["enum"] = .array(enumeration) }
    json["default"] = defaultValue
    json["format"] = format.map(JSON.string)
    json["pattern"] = pattern.map(JSON.string)
    for (key, number) in [("minimum", minimum), ("maximum", maximum), ("multipleOf", multipleOf)] {
      json[key] = number.map { Int64(exactly: $0).map(JSON.int) ?? .double($0) }
    }
    let bounds = [
      ("minLength", minLength), ("maxLength", maxLength), ("minItems", minItems), ("maxItems", maxItems),
      ("minProperties", minProperties), ("maxProperties", maxProperties),
    ]
    for (key, bound) in bounds { json[key] = bound.map { JSON($0) } }
    json["x-kubernetes-list-type"] = listType.map { .string($0.rawValue) }
    if !listMapKeys.isEmpty { json["x-kubernetes-list-map-keys"] = .array(listMapKeys.map(JSON.string)) }
    json["x-kubernetes-map-type"] = mapType.map { .string($0.rawValue) }
    json["x-kubernetes-patch-merge-key"] = patchMergeKey.map(JSON.string)
    if !patchStrategies.isEmpty {
      json["x-kubernetes-patch-strategy"] = .string(patchStrategies.map(\.rawValue).joined(separator: ","))
    }
    if !rules.isEmpty { json["x-kubernetes-validations"] = .array(rules.map(\.openAPI)) }
    for (key, schemas) in [("allOf", allOf), ("anyOf", anyOf), ("oneOf", oneOf)] where !schemas.isEmpty {
      json[key] = .array(schemas.map(\.openAPI))
    }
    json["not"] = not?.openAPI
    return .object(json)
  }
}

extension ValidationRule {
  var openAPI: JSON {
    var json: JSON = ["rule": .string(rule)]
    json["message"] = message.map(JSON.string)
    json["messageExpression"] = messageExpression.map(JSON.string)
    json["reason"] = reason.map(JSON.string)
    json["fieldPath"] = fieldPath.map(JSON.string)
    if optionalOldSelf { json["optionalOldSelf"] = true }
    return json
  }
}
