import KubernetesAPI

/// What a value of an object's field may be: one type for the built-in kinds, written in Swift with the builders of
/// `SchemaBuilders.swift`, and for custom resources, read from their definitions. It also says how the field is
/// merged: by a strategic merge patch, and by server-side apply.
struct Schema: Sendable, Hashable {
  /// The JSON type a value has; `nil` allows any.
  enum ValueType: String, Sendable, Hashable {
    case object, array, string, integer, number, boolean
  }

  /// `x-kubernetes-list-type`: what server-side apply owns of a list.
  enum ListType: String, Sendable, Hashable {
    case atomic, set, map
  }

  /// `x-kubernetes-map-type`: what server-side apply owns of an object.
  enum MapType: String, Sendable, Hashable {
    case granular, atomic
  }

  /// `x-kubernetes-patch-strategy`: what a strategic merge patch does with the field.
  enum PatchStrategy: String, Sendable, Hashable {
    case merge, replace, retainKeys
  }

  var type: ValueType?
  var description = ""
  /// A value is a whole number or a string, as in `targetPort`.
  var intOrString = false
  /// `null` is a value of its own rather than an absent field.
  var nullable = false

  /// The named members of an object.
  var properties: [String: Schema] = [:]
  /// What members without an entry in `properties` hold; `nil` where there may be none.
  var additionalProperties: Schema? {
    get { values?.schema }
    set { values = newValue.map(Box.init) }
  }
  /// What the elements of an array hold.
  var items: Schema? {
    get { elements?.schema }
    set { elements = newValue.map(Box.init) }
  }
  var required: [String] = []
  /// Members that no schema names are kept.
  var preserveUnknownFields = false
  /// The value is an object of its own, with `apiVersion`, `kind` and `metadata`.
  var embeddedResource = false

  /// What a missing field is filled with; for server-side apply also the value of a list-map key left out.
  var defaultValue: JSON?
  /// Where not empty, the values allowed.
  var enumeration: [JSON] = []
  /// `date-time`, `int32`, `byte` …
  var format: String?
  /// An unanchored regular expression.
  var pattern: String?
  var minimum: Double?
  var maximum: Double?
  var exclusiveMinimum = false
  var exclusiveMaximum = false
  var multipleOf: Double?
  /// In code points, as `maxLength`.
  var minLength: Int?
  var maxLength: Int?
  var minItems: Int?
  var maxItems: Int?
  var minProperties: Int?
  var maxProperties: Int?
  var uniqueItems = false

  /// `nil` means atomic, or for built-in kinds with a patch strategy what that says.
  var listType: ListType?
  /// The members that tell the elements of a list map apart.
  var listMapKeys: [String] = []
  /// `nil` means granular.
  var mapType: MapType?
  /// The member by which a strategic merge patch finds an element of the list.
  var patchMergeKey: String?
  /// Empty means replace.
  var patchStrategies: [PatchStrategy] = []

  /// `x-kubernetes-validations`.
  var rules: [ValidationRule] = []
  var allOf: [Schema] = []
  var anyOf: [Schema] = []
  var oneOf: [Schema] = []
  var not: Schema? {
    get { negated?.schema }
    set { negated = newValue.map(Box.init) }
  }

  private var values: Box?
  private var elements: Box?
  private var negated: Box?

  init(_ type: ValueType? = nil) { self.type = type }

  /// Gives the recursion of a schema an indirection.
  private indirect enum Box: Sendable, Hashable {
    case holding(Schema)

    init(_ schema: Schema) { self = .holding(schema) }

    var schema: Schema {
      switch self {
      case .holding(let schema): schema
      }
    }
  }
}

/// One entry of `x-kubernetes-validations`: a CEL expression over `self` that a valid value makes true.
struct ValidationRule: Sendable, Hashable {
  var rule: String
  /// What to say to whoever broke the rule; the rule itself where neither message is set.
  var message: String?
  /// A CEL expression that makes the message.
  var messageExpression: String?
  /// The reason of the cause: `FieldValueInvalid` (where `nil`), `FieldValueForbidden` …
  var reason: String?
  /// The field below `self` to blame, as `.spec.size`.
  var fieldPath: String?
  /// The rule also runs without an old value; `oldSelf` is then an optional.
  var optionalOldSelf = false
}

extension Schema {
  /// What a member of an object holds: its own schema, or that of all other members.
  func member(_ name: String) -> Schema? { properties[name] ?? additionalProperties }
}
