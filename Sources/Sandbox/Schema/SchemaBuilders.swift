import KubernetesAPI

/// Terse constructors, so that a built-in kind reads as a table of its fields:
///
///     .object([
///       "replicas": .int32("How many pods there are to be."),
///       "template": podTemplate,
///       "ports": .list(of: port, keys: ["port", "protocol"], mergeKey: "port"),
///     ], required: ["template"])
extension Schema {
  static let string = Schema(.string)
  static let integer = Schema(.integer)
  static let number = Schema(.number)
  static let boolean = Schema(.boolean)
  /// Any value at all, kept as it is.
  static let any = Schema.anything()
  /// An object whose members nothing is known of.
  static let anyObject = Schema.anything(.object)
  static let intOrString = Schema.portLike()
  /// An RFC 3339 time.
  static let time = Schema.string(format: "date-time")
  /// A resource quantity: `100m`, `1Gi`, or a bare number.
  static let quantity = Schema.portLike()

  static func object(
    _ properties: [String: Schema], required: [String] = [], mapType: MapType? = nil, _ description: String = ""
  ) -> Schema {
    var schema = Schema(.object)
    schema.properties = properties
    schema.required = required
    schema.mapType = mapType
    schema.description = description
    return schema
  }

  /// An object with free keys, as labels are.
  static func map(of values: Schema, mapType: MapType? = nil, _ description: String = "") -> Schema {
    var schema = Schema(.object)
    schema.additionalProperties = values
    schema.mapType = mapType
    schema.description = description
    return schema
  }

  /// A list map when `keys` are given, else atomic. `mergeKey` is that of strategic merge patches, the first of
  /// `keys` where it is left out; pass `mergeable: false` for lists that such a patch replaces.
  static func list(
    of items: Schema, keys: [String] = [], mergeKey: String? = nil, mergeable: Bool = true,
    _ description: String = ""
  ) -> Schema {
    var schema = Schema(.array)
    schema.items = items
    schema.listType = keys.isEmpty ? .atomic : .map
    schema.listMapKeys = keys
    if mergeable, let key = mergeKey ?? keys.first {
      schema.patchMergeKey = key
      schema.patchStrategies = [.merge]
    }
    schema.description = description
    return schema
  }

  /// A list without duplicates, each of whose elements can have an owner; a strategic merge patch joins it when
  /// `mergeable`.
  static func set(of items: Schema, mergeable: Bool = false, _ description: String = "") -> Schema {
    var schema = Schema(.array)
    schema.items = items
    schema.listType = .set
    if mergeable { schema.patchStrategies = [.merge] }
    schema.description = description
    return schema
  }

  static func string(
    _ description: String = "", enum values: [String] = [], pattern: String? = nil, format: String? = nil
  ) -> Schema {
    var schema = Schema(.string)
    schema.description = description
    schema.enumeration = values.map(JSON.string)
    schema.pattern = pattern
    schema.format = format
    return schema
  }

  static func int32(_ description: String = "") -> Schema {
    var schema = Schema(.integer)
    schema.format = "int32"
    schema.description = description
    return schema
  }

  static func int64(_ description: String = "") -> Schema {
    var schema = Schema(.integer)
    schema.format = "int64"
    schema.description = description
    return schema
  }

  static func boolean(_ description: String = "") -> Schema { Schema.boolean.described(description) }
  static func intOrString(_ description: String = "") -> Schema { Schema.intOrString.described(description) }

  func described(_ description: String) -> Schema { with { $0.description = description } }
  func defaulting(to value: JSON) -> Schema { with { $0.defaultValue = value } }
  /// Server-side apply owns the object as one value.
  func atomic() -> Schema {
    with { schema in
      if schema.type == .array { schema.listType = .atomic } else { schema.mapType = .atomic }
    }
  }
  func patched(_ strategies: [PatchStrategy], mergeKey: String? = nil) -> Schema {
    with { schema in
      schema.patchStrategies = strategies
      if let mergeKey { schema.patchMergeKey = mergeKey }
    }
  }
  /// This schema after one more change.
  func with(_ change: (inout Schema) -> Void) -> Schema {
    var schema = self
    change(&schema)
    return schema
  }

  private static func anything(_ type: ValueType? = nil) -> Schema {
    var schema = Schema(type)
    schema.preserveUnknownFields = true
    return schema
  }

  private static func portLike() -> Schema {
    var schema = Schema()
    schema.intOrString = true
    return schema
  }
}
