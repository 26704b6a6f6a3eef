import KubernetesAPI

/// From JSON to values of an expression, and back.
extension CELValue {
  /// Data without a schema: whole numbers are int, fractions double.
  init(_ json: JSON) {
    switch json {
    case .null: self = .null
    case .bool(let flag): self = .bool(flag)
    case .int(let number): self = .int(number)
    case .double(let number): self = .double(number)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .list(elements.map { CELValue($0) })
    case .object(let members):
      self = .map(Dictionary(uniqueKeysWithValues: members.map { (CELKey.string($0.key), CELValue($0.value)) }))
    }
  }

  /// Data as its schema types it. What does not fit is an error once an expression reads it; fields that the schema
  /// does not name cannot be seen.
  init(_ json: JSON, schema: Schema, isRoot: Bool = false) {
    if json == .null {
      self = .null
      return
    }
    if schema.intOrString {
      self = CELValue(json)
      return
    }
    switch (schema.type, json) {
    case (.boolean, .bool), (.integer, .int), (.number, .double): self = CELValue(json)
    case (.number, .int(let number)): self = .double(Double(number))
    case (.string, .string(let text)): self = Self.text(text, format: schema.format)
    case (.array, .array(let elements)):
      let items = schema.items ?? Schema()
      let kind: CELListKind =
        switch schema.listType {
        case .set: .set
        case .map: .map(keys: schema.listMapKeys.compactMap(CELNames.escape))
        default: .ordered
        }
      self = .list(elements.map { CELValue($0, schema: items, isRoot: items.embeddedResource) }, kind)
    case (.object, .object(let members)):
      self = .map(Self.fields(members, schema: schema, isRoot: isRoot))
    default:
      self = .invalid("invalid data, expected \(Self.wanted(schema)), got \(Self.found(json))")
    }
  }

  private static func fields(_ members: [String: JSON], schema: Schema, isRoot: Bool) -> [CELKey: CELValue] {
    var fields: [CELKey: CELValue] = [:]
    for (name, member) in members {
      if let values = schema.additionalProperties {
        fields[.string(name)] = CELValue(member, schema: values, isRoot: values.embeddedResource)
      } else if isRoot, name == "apiVersion" || name == "kind" {
        fields[.string(name)] = CELValue(member)
      } else if isRoot, name == "metadata" {
        let visible = (member.object ?? [:]).filter { $0.key == "name" || $0.key == "generateName" }
        fields[.string(name)] = CELValue(.object(visible))
      } else if let property = schema.properties[name], let key = CELNames.escape(name) {
        fields[.string(key)] = CELValue(member, schema: property, isRoot: property.embeddedResource)
      }
    }
    return fields
  }

  private static func text(_ text: String, format: String?) -> CELValue {
    switch format {
    case "duration": CELTime.duration(text).map(CELValue.duration) ?? .invalid("invalid duration \"\(text)\"")
    case "date-time": CELTime.timestamp(text).map(CELValue.timestamp) ?? .invalid("invalid date-time \"\(text)\"")
    case "date":
      CELTime.timestamp(text, dateOnly: true).map(CELValue.timestamp) ?? .invalid("invalid date \"\(text)\"")
    case "byte": Base64.decode(text).map(CELValue.bytes) ?? .invalid("invalid bytes \"\(text)\"")
    default: .string(text)
    }
  }

  private static func wanted(_ schema: Schema) -> String {
    switch schema.type {
    case .integer: "int"
    case .number: "double"
    case .boolean: "bool"
    case .object: "map"
    case .array: "list"
    case .string: "string"
    case nil: "a typed value"
    }
  }

  private static func found(_ json: JSON) -> String {
    switch json {
    case .double: "float64"
    case .int: "int64"
    case .bool: "bool"
    default: json.typeName
    }
  }

  /// The JSON of a value that an expression made; `nil` for types that have none.
  var json: JSON? {
    switch self {
    case .null: return .null
    case .bool(let flag): return .bool(flag)
    case .int(let number): return .int(number)
    case .uint(let number): return Int64(exactly: number).map(JSON.int)
    case .double(let number): return .double(number)
    case .string(let text): return .string(text)
    case .bytes(let bytes): return .string(Base64.encode(bytes))
    case .duration(let span): return .string(CELTime.text(span))
    case .timestamp(let moment): return .string(CELTime.text(moment))
    case .list(let elements, _):
      var array: [JSON] = []
      for element in elements {
        guard let json = element.json else { return nil }
        array.append(json)
      }
      return .array(array)
    case .map(let members):
      var object: [String: JSON] = [:]
      for (key, value) in members {
        guard let json = value.json else { return nil }
        object[key.text] = json
      }
      return .object(object)
    case .message(_, let members):
      var object: [String: JSON] = [:]
      for (key, value) in members {
        guard let json = value.json else { return nil }
        object[key] = json
      }
      return .object(object)
    case .type, .optional, .url, .invalid: return nil
    }
  }
}
