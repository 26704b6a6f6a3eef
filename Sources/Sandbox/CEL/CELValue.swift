import KubernetesAPI

/// A value of the Common Expression Language (https://github.com/google/cel-spec).
indirect enum CELValue: Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case list([CELValue], CELListKind)
  case map([CELKey: CELValue])
  /// Nanoseconds.
  case duration(Int64)
  case timestamp(CELTimestamp)
  case type(String)
  case optional(CELValue?)
  /// A constructed object such as `Object.spec{…}` or `JSONPatch{…}`.
  case message(String, [String: CELValue])
  case url(CELURL)
  /// Data that does not fit its schema; an error as soon as an expression reads it.
  case invalid(String)

  static func list(_ elements: [CELValue]) -> CELValue { .list(elements, .ordered) }
}

/// How two lists compare and add up, after `x-kubernetes-list-type`.
enum CELListKind: Sendable, Hashable {
  case ordered
  case set
  case map(keys: [String])
}

/// The key of a map. Numbers of all types that are equal are one key.
enum CELKey: Hashable, Sendable, Comparable {
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case string(String)

  init?(_ value: CELValue) {
    switch value {
    case .bool(let flag): self = .bool(flag)
    case .int(let number): self = .int(number)
    case .uint(let number): self = Int64(exactly: number).map(CELKey.int) ?? .uint(number)
    case .double(let number):
      guard let whole = Int64(exactly: number) else { return nil }
      self = .int(whole)
    case .string(let text): self = .string(text)
    default: return nil
    }
  }

  var value: CELValue {
    switch self {
    case .bool(let flag): .bool(flag)
    case .int(let number): .int(number)
    case .uint(let number): .uint(number)
    case .string(let text): .string(text)
    }
  }

  /// By type, then by value: an order that only has to be the same every time.
  static func < (left: CELKey, right: CELKey) -> Bool {
    switch (left, right) {
    case (.int(let left), .int(let right)): left < right
    case (.uint(let left), .uint(let right)): left < right
    case (.string(let left), .string(let right)): left < right
    case (.bool(let left), .bool(let right)): !left && right
    default: left.rank < right.rank
    }
  }

  private var rank: Int {
    switch self {
    case .bool: 0
    case .int: 1
    case .uint: 2
    case .string: 3
    }
  }

  var text: String {
    switch self {
    case .bool(let flag): "\(flag)"
    case .int(let number): "\(number)"
    case .uint(let number): "\(number)"
    case .string(let text): text
    }
  }
}

/// A moment between the years 1 and 9999.
struct CELTimestamp: Sendable, Hashable, Comparable {
  /// Since 1970-01-01T00:00:00Z.
  var seconds: Int64
  /// 0 to 999 999 999.
  var nanoseconds: Int64

  static func < (left: CELTimestamp, right: CELTimestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  static let range = Int64(-62_135_596_800)...253_402_300_799
}

/// Why an expression could not be parsed, checked or evaluated.
struct CELError: Error, Sendable, Hashable, CustomStringConvertible {
  var message: String

  init(_ message: String) { self.message = message }

  var description: String { message }

  static let costExceeded = CELError(
    "operation cancelled: actual cost limit exceeded; simplify the expression or bound the lists it walks")
}

extension CELValue {
  /// The name that `type()` gives, and that errors speak of.
  var typeName: String {
    switch self {
    case .null: "null_type"
    case .bool: "bool"
    case .int: "int"
    case .uint: "uint"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .list: "list"
    case .map: "map"
    case .duration: "google.protobuf.Duration"
    case .timestamp: "google.protobuf.Timestamp"
    case .type: "type"
    case .optional: "optional_type"
    case .message(let name, _): name
    case .url: "kubernetes.URL"
    case .invalid: "error"
    }
  }

  /// CEL's equality: numbers compare across their types, values of different types are unequal, lists that are sets
  /// or list maps compare without order.
  func equals(_ other: CELValue) -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.bool(let left), .bool(let right)): return left == right
    case (.string(let left), .string(let right)): return left.unicodeScalars.elementsEqual(right.unicodeScalars)
    case (.bytes(let left), .bytes(let right)): return left == right
    case (.duration(let left), .duration(let right)): return left == right
    case (.timestamp(let left), .timestamp(let right)): return left == right
    case (.type(let left), .type(let right)): return left == right
    case (.url(let left), .url(let right)): return left == right
    case (.optional(let left), .optional(let right)):
      guard let left, let right else { return left == nil && right == nil }
      return left.equals(right)
    case (.list(let left, let kind), .list(let right, let otherKind)):
      guard left.count == right.count else { return false }
      // An unordered side makes the comparison unordered.
      switch kind == .ordered ? otherKind : kind {
      case .ordered: return zip(left, right).allSatisfy { $0.equals($1) }
      case .set: return left.allSatisfy { element in right.contains { $0.equals(element) } }
      case .map(let keys):
        return left.allSatisfy { element in right.contains { $0.hasSame(keys, as: element) && $0.equals(element) } }
      }
    case (.map(let left), .map(let right)):
      return left.count == right.count
        && left.allSatisfy { key, value in right[key].map { $0.equals(value) } ?? false }
    case (.message(let leftName, let left), .message(let rightName, let right)):
      return leftName == rightName && left.count == right.count
        && left.allSatisfy { key, value in right[key].map { $0.equals(value) } ?? false }
    default:
      return compareNumbers(other) == .equal
    }
  }

  /// Whether two elements of a list map are the same entry of it.
  func hasSame(_ keys: [String], as other: CELValue) -> Bool {
    guard case .map(let members) = self, case .map(let others) = other else { return false }
    return keys.allSatisfy { key in
      switch (members[.string(key)], others[.string(key)]) {
      case (nil, nil): true
      case (let left?, let right?): left.equals(right)
      default: false
      }
    }
  }

  enum Order { case less, equal, greater, unordered }

  /// How two numbers compare, whatever their types; `nil` where one is no number.
  func compareNumbers(_ other: CELValue) -> Order? {
    func order<T: Comparable>(_ left: T, _ right: T) -> Order {
      left < right ? .less : left == right ? .equal : left > right ? .greater : .unordered
    }
    switch (self, other) {
    case (.int(let left), .int(let right)): return order(left, right)
    case (.uint(let left), .uint(let right)): return order(left, right)
    case (.double(let left), .double(let right)): return order(left, right)
    // The standard library compares integers of any width exactly.
    case (.int(let left), .uint(let right)): return left < right ? .less : left == right ? .equal : .greater
    case (.uint(let left), .int(let right)): return left < right ? .less : left == right ? .equal : .greater
    case (.int(let left), .double(let right)): return order(Double(left), right)
    case (.double(let left), .int(let right)): return order(left, Double(right))
    case (.uint(let left), .double(let right)): return order(Double(left), right)
    case (.double(let left), .uint(let right)): return order(left, Double(right))
    default: return nil
    }
  }
}
