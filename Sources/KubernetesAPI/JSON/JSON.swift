/// A JSON value that keeps every field of a document, known or not, and tells whole numbers from fractions,
/// as the Kubernetes API does (`3` and `3.0` are different values to its schemas).
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])
}

extension JSON {
  public static let emptyObject = JSON.object([:])

  public var isNull: Bool { self == .null }

  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The value of a whole number; `nil` for a fraction, also for `3.0`.
  public var int: Int? {
    if case .int(let value) = self { Int(exactly: value) } else { nil }
  }

  /// The value of any number.
  public var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  public var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  public var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  public var object: [String: JSON]? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The string members of an object, as labels and annotations are; empty where this is no object.
  public var strings: [String: String] {
    (object ?? [:]).compactMapValues(\.string)
  }

  /// A member of an object: `nil` when absent or when this is no object. Assigning makes an object out of
  /// anything that is none, and assigning `nil` removes the member.
  public subscript(key: String) -> JSON? {
    get { object?[key] }
    set {
      var members = object ?? [:]
      // Free the storage of the case first, so that the change below does not copy it.
      self = .null
      members[key] = newValue
      self = .object(members)
    }
  }

  /// An element of an array: `nil` out of range or when this is no array.
  public subscript(index: Int) -> JSON? {
    guard let elements = array, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The value at a path of object keys; assigning creates the objects on the way.
  public subscript(path path: [String]) -> JSON? {
    get {
      var value: JSON? = self
      for key in path { value = value?[key] }
      return value
    }
    set {
      guard let first = path.first else {
        self = newValue ?? .null
        return
      }
      if path.count == 1 {
        self[first] = newValue
      } else {
        guard var child = self[first] ?? (newValue == nil ? nil : .emptyObject) else { return }
        child[path: Array(path.dropFirst())] = newValue
        self[first] = child
      }
    }
  }

  /// What a person calls this kind of value: `null`, `boolean`, `integer`, `number`, `string`, `array`, `object`.
  public var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .int: "integer"
    case .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }

  public init(_ value: Int) { self = .int(Int64(value)) }
  public init(_ strings: [String: String]) { self = .object(strings.mapValues(JSON.string)) }
}
