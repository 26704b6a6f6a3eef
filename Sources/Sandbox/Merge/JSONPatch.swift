import KubernetesAPI

/// RFC 6902 as the API server carries it out: a `replace` of a member that is not there adds it, a `test` for null
/// holds where nothing is, and every fault of an operation is the same 422.
enum JSONPatch {
  /// More operations than this are refused, as the server refuses them.
  static let mostOperations = 10_000

  /// - Throws: 400 where `patch` is no list of operations, 413 where it is too long, 422 where an operation cannot be
  ///   carried out; nothing is done then.
  static func apply(_ patch: JSON, to document: JSON) throws(Status) -> JSON {
    guard let operations = patch.array else {
      throw Status(
        code: 400, reason: "BadRequest",
        message: "error decoding patch: expected an array of operations, found \(patch.typeName)")
    }
    guard operations.count <= mostOperations else {
      throw Status(
        code: 413, reason: "RequestEntityTooLarge",
        message: "The allowed maximum operations in a JSON patch is \(mostOperations), got \(operations.count)")
    }
    var result = document
    for operation in operations { result = try apply(operation: operation, to: result) }
    return result
  }

  private static func apply(operation: JSON, to document: JSON) throws(Status) -> JSON {
    guard operation.object != nil else {
      throw Status(
        code: 400, reason: "BadRequest",
        message: "error decoding patch: expected an operation, found \(operation.typeName)")
    }
    guard let text = operation["path"]?.string, let path = tokens(of: text) else { throw refusal }
    var result = document
    switch operation["op"]?.string {
    case "add":
      guard let value = operation["value"] else { throw refusal }
      try change(&result, path) { container, token throws(Status) in try insert(value, &container, token) }
    case "replace":
      guard let value = operation["value"] else { throw refusal }
      try change(&result, path) { container, token throws(Status) in try replace(value, &container, token) }
    case "remove":
      try change(&result, path, remove)
    case "test":
      try test(operation["value"] ?? .null, at: path, in: result)
    case "copy":
      let value = try value(at: source(of: operation), in: result)
      try change(&result, path) { container, token throws(Status) in try insert(value, &container, token) }
    case "move":
      let source = try source(of: operation)
      let value = try value(at: source, in: result)
      try change(&result, source, remove)
      try change(&result, path) { container, token throws(Status) in try insert(value, &container, token) }
    default: throw refusal
    }
    return result
  }

  /// The server does not say which operation failed, nor why.
  private static let refusal = Status(
    code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request",
    details: .init())

  private static func source(of operation: JSON) throws(Status) -> [String] {
    guard let text = operation["from"]?.string, let path = tokens(of: text) else { throw refusal }
    return path
  }

  /// The unescaped parts of an RFC 6901 pointer; `nil` where it does not begin with a slash.
  private static func tokens(of pointer: String) -> [String]? {
    if pointer.isEmpty { return [] }
    guard pointer.hasPrefix("/") else { return nil }
    return pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
      String($0).replacing("~1", with: "/").replacing("~0", with: "~")
    }
  }

  private static func value(at path: [String], in document: JSON) throws(Status) -> JSON {
    guard let value = found(path, document) else { throw refusal }
    return value
  }

  private static func found(_ path: [String], _ document: JSON) -> JSON? {
    var value = document
    for token in path {
      let next: JSON? =
        switch value {
        case .object(let members): members[token]
        case .array(let elements): index(token, in: elements).map { elements[$0] }
        default: nil
        }
      guard let next else { return nil }
      value = next
    }
    return value
  }

  /// Where an element is; a negative index counts from the end.
  private static func index(_ token: String, in elements: [JSON]) -> Int? {
    guard let number = Int(token) else { return nil }
    let index = number < 0 ? elements.count + number : number
    return elements.indices.contains(index) ? index : nil
  }

  /// Changes the container that holds what the path names.
  private static func change(
    _ value: inout JSON, _ path: [String], _ body: (inout JSON, String) throws(Status) -> Void
  ) throws(Status) {
    guard let token = path.first else { throw refusal }
    if path.count == 1 {
      try body(&value, token)
      return
    }
    let rest = Array(path.dropFirst())
    switch value {
    case .object(var members):
      guard var child = members[token] else { throw refusal }
      try change(&child, rest, body)
      members[token] = child
      value = .object(members)
    case .array(var elements):
      guard let index = index(token, in: elements) else { throw refusal }
      try change(&elements[index], rest, body)
      value = .array(elements)
    default: throw refusal
    }
  }

  private static func insert(_ value: JSON, _ container: inout JSON, _ token: String) throws(Status) {
    switch container {
    case .object(var members):
      members[token] = value
      container = .object(members)
    case .array(var elements):
      if token == "-" {
        elements.append(value)
      } else if let number = Int(token) {
        let index = number < 0 ? elements.count + 1 + number : number
        guard (0...elements.count).contains(index) else { throw refusal }
        elements.insert(value, at: index)
      } else {
        throw refusal
      }
      container = .array(elements)
    default: throw refusal
    }
  }

  private static func replace(_ value: JSON, _ container: inout JSON, _ token: String) throws(Status) {
    switch container {
    case .object: container[token] = value
    case .array(var elements):
      guard let index = index(token, in: elements) else { throw refusal }
      elements[index] = value
      container = .array(elements)
    default: throw refusal
    }
  }

  private static func remove(_ container: inout JSON, _ token: String) throws(Status) {
    switch container {
    case .object(let members):
      guard members[token] != nil else { throw refusal }
      container[token] = nil
    case .array(var elements):
      guard let index = index(token, in: elements) else { throw refusal }
      elements.remove(at: index)
      container = .array(elements)
    default: throw refusal
    }
  }

  private static func test(_ wanted: JSON, at path: [String], in document: JSON) throws(Status) {
    guard (found(path, document) ?? .null) == wanted else { throw refusal }
  }
}
