/// What is known of a value before evaluation, with the largest size that its schema allows, in bytes for strings and
/// in elements for lists and maps.
indirect enum CELType: Sendable, Hashable {
  case dyn
  case null
  case bool
  case int
  case uint
  case double
  case string(most: Int)
  case bytes(most: Int)
  case duration
  case timestamp
  case type
  case url
  case list(CELType, most: Int)
  case map(CELType, CELType, most: Int)
  /// An object with declared fields. The root of a resource also has `apiVersion`, `kind` and `metadata`.
  case object(Schema, isRoot: Bool)
  case optional(CELType)
  case message(String)

  /// The size of the largest request that the API server takes; nothing in it can be longer.
  static let largestRequest = 3 * 1024 * 1024

  static let anyString = CELType.string(most: largestRequest)
  static let anyList = CELType.list(.dyn, most: largestRequest / 2)
  static let anyMap = CELType.map(.dyn, .dyn, most: largestRequest / 4)

  var name: String {
    switch self {
    case .dyn: "dyn"
    case .null: "null"
    case .bool: "bool"
    case .int: "int"
    case .uint: "uint"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .duration: "google.protobuf.Duration"
    case .timestamp: "google.protobuf.Timestamp"
    case .type: "type"
    case .url: "kubernetes.URL"
    case .list(let element, _): "list(\(element.name))"
    case .map(let key, let value, _): "map(\(key.name), \(value.name))"
    case .object: "object"
    case .optional(let inner): "optional_type(\(inner.name))"
    case .message(let name): name
    }
  }

  /// Whether a value of the other type can stand where this one is wanted.
  func accepts(_ other: CELType) -> Bool {
    switch (self, other) {
    case (.dyn, _), (_, .dyn): true
    case (.null, .null), (.bool, .bool), (.int, .int), (.uint, .uint), (.double, .double), (.string, .string),
      (.bytes, .bytes), (.duration, .duration), (.timestamp, .timestamp), (.type, .type), (.url, .url),
      (.object, .object):
      true
    case (.list(let wanted, _), .list(let found, _)): wanted.accepts(found)
    case (.map(let key, let value, _), .map(let otherKey, let otherValue, _)):
      key.accepts(otherKey) && value.accepts(otherValue)
    case (.map(let key, _, _), .object): key.accepts(.anyString)
    case (.object, .map(let key, _, _)): key.accepts(.anyString)
    case (.optional(let wanted), .optional(let found)): wanted.accepts(found)
    case (.message(let wanted), .message(let found)): wanted == found
    case (.null, .object), (.null, .message), (.null, .duration), (.null, .timestamp), (.object, .null),
      (.message, .null), (.duration, .null), (.timestamp, .null):
      true
    default: false
    }
  }

  /// The type of something that may be either; the larger bound where they differ in that.
  func joined(with other: CELType) -> CELType {
    switch (self, other) {
    case (.string(let left), .string(let right)): .string(most: max(left, right))
    case (.bytes(let left), .bytes(let right)): .bytes(most: max(left, right))
    // An empty literal says nothing of its elements.
    case (.list(.dyn, most: 0), .list), (.map(.dyn, .dyn, most: 0), .map): other
    case (.list, .list(.dyn, most: 0)), (.map, .map(.dyn, .dyn, most: 0)): self
    case (.list(let left, let most), .list(let right, let otherMost)):
      .list(left.joined(with: right), most: max(most, otherMost))
    case (.map(let key, let left, let most), .map(let otherKey, let right, let otherMost)):
      .map(key.joined(with: otherKey), left.joined(with: right), most: max(most, otherMost))
    case (.optional(let left), .optional(let right)): .optional(left.joined(with: right))
    default: self == other ? self : .dyn
    }
  }

  /// The length that the server's estimate reckons with: elements are not looked into.
  var size: UInt64 {
    switch self {
    case .string(let most), .bytes(let most), .list(_, let most), .map(_, _, let most): UInt64(most)
    case .optional(let inner): inner.size
    case .dyn: UInt64(Self.largestRequest)
    default: 1
    }
  }
}

extension UInt64 {
  func saturating(plus other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func saturating(times other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }

  /// A tenth, rounded up: the price of one byte of a string.
  var tenth: UInt64 { self / 10 + (self % 10 == 0 ? 0 : 1) }
}

/// How values and names of a structural schema appear in expressions
/// (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules).
extension CELType {
  /// `nil` where the schema says nothing that an expression could use.
  init?(schema: Schema, isRoot: Bool = false) {
    if schema.intOrString {
      self = .dyn
      return
    }
    switch schema.type {
    case .boolean: self = .bool
    case .integer: self = .int
    case .number: self = .double
    case .string:
      switch schema.format {
      case "byte": self = .bytes(most: schema.maxLength ?? Self.largestRequest)
      case "duration": self = .duration
      case "date", "date-time": self = .timestamp
      default:
        let longest = schema.enumeration.compactMap { $0.string?.utf8.count }.max()
        // A code point has up to four bytes.
        self = .string(
          most: longest ?? schema.maxLength.map { min($0, Self.largestRequest) * 4 } ?? Self.largestRequest)
      }
    case .array:
      guard let items = schema.items, let element = CELType(schema: items, isRoot: items.embeddedResource) else {
        return nil
      }
      self = .list(element, most: schema.mostElements)
    case .object:
      if let values = schema.additionalProperties {
        guard let value = CELType(schema: values, isRoot: values.embeddedResource) else { return nil }
        // The server's estimate counts the keys of a map as empty.
        self = .map(.string(most: 0), value, most: schema.mostElements)
      } else {
        self = .object(schema, isRoot: isRoot || schema.embeddedResource)
      }
    case nil: return nil
    }
  }

  /// The type of a field, by the name that expressions use.
  static func field(_ name: String, of schema: Schema, isRoot: Bool) -> CELType? {
    if isRoot {
      switch name {
      case "apiVersion", "kind": return .anyString
      case "metadata":
        return .object(.object(["name": .string, "generateName": .string]), isRoot: false)
      default: break
      }
    }
    guard let property = CELNames.unescape(name).flatMap({ schema.properties[$0] }) else { return nil }
    return CELType(schema: property, isRoot: property.embeddedResource)
  }
}

extension Schema {
  /// The bound of an array or map: its own, or what fits into a request.
  var mostElements: Int {
    if let bound = type == .array ? maxItems : maxProperties { return max(0, bound) }
    let element = (type == .array ? items : additionalProperties)?.leastLength ?? 1
    return CELType.largestRequest / (element + (type == .array ? 1 : 4))
  }

  /// The fewest bytes in which JSON can hold a value.
  var leastLength: Int {
    switch type {
    case .object: required.reduce(2) { $0 + $1.utf8.count + 4 + (properties[$1]?.leastLength ?? 1) }
    case .array, .string: 2
    case .boolean: 4
    default: 1
    }
  }
}

/// Field names that are no identifiers of CEL are written with escapes: `__dot__`, `__dash__`, `__slash__`,
/// `__underscores__`, and reserved words between `__`.
enum CELNames {
  private static let reserved = CELLexer.keywords.union(CELLexer.reserved)
  private static let escapes = [
    ("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"),
  ]

  /// `nil` for a name that expressions cannot reach.
  static func escape(_ name: String) -> String? {
    if reserved.contains(name) { return "__\(name)__" }
    guard let first = name.unicodeScalars.first, first == "_" || first.properties.isAlphabetic else { return nil }
    var result = name
    for (plain, escaped) in escapes { result = CELFunctions.replace(plain, by: escaped, in: result) }
    let isIdentifier = result.unicodeScalars.allSatisfy {
      ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "_"
    }
    return isIdentifier ? result : nil
  }

  static func unescape(_ name: String) -> String? {
    guard name.contains("__") else { return reserved.contains(name) ? nil : name }
    if name.hasPrefix("__"), name.hasSuffix("__"), reserved.contains(String(name.dropFirst(2).dropLast(2))) {
      return String(name.dropFirst(2).dropLast(2))
    }
    var result = ""
    var rest = Substring(name)
    while !rest.isEmpty {
      if let (plain, escaped) = escapes.first(where: { rest.hasPrefix($0.1) }) {
        result += plain
        rest.removeFirst(escaped.count)
      } else if rest.hasPrefix("__") {
        return nil
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }
}
