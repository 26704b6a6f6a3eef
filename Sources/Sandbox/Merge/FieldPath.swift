import KubernetesAPI

/// One step of a path into an object, as `FieldsV1` writes it.
enum PathElement: Sendable, Hashable {
  /// A member: `f:replicas`.
  case field(String)
  /// An element of a list map, by its keys: `k:{"name":"c"}`.
  case key([String: JSON])
  /// An element of a set: `v:"record.test/a"`.
  case value(JSON)
  /// An element of another list: `i:0`.
  case index(Int)

  /// The form of `FieldsV1`.
  var text: String {
    switch self {
    case .field(let name): "f:\(name)"
    case .key(let keys): "k:\(JSON.object(keys))"
    case .value(let value): "v:\(value)"
    case .index(let index): "i:\(index)"
    }
  }

  /// Reads the form of `FieldsV1`; `nil` where it is none.
  init?(_ text: String) {
    let rest = String(text.dropFirst(2))
    switch text.prefix(2) {
    case "f:": self = .field(rest)
    case "k:":
      guard let keys = (try? JSON(parsing: rest))?.object else { return nil }
      self = .key(keys)
    case "v:":
      guard let value = try? JSON(parsing: rest) else { return nil }
      self = .value(value)
    case "i:":
      guard let index = Int(rest) else { return nil }
      self = .index(index)
    default: return nil
    }
  }

  /// The form of messages: `.spec`, `[name="c"]`, `[="a"]`, `[0]`.
  var shown: String {
    switch self {
    case .field(let name): ".\(name)"
    case .key(let keys):
      "[" + keys.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",") + "]"
    case .value(let value): "[=\(value)]"
    case .index(let index): "[\(index)]"
    }
  }
}

/// A set of places in an object: what a manager owns, or what a write changed.
struct FieldSet: Sendable, Hashable {
  var members: Set<PathElement> = []
  private(set) var children: [PathElement: FieldSet] = [:]

  var isEmpty: Bool { members.isEmpty && children.isEmpty }

  subscript(child element: PathElement) -> FieldSet {
    get { children[element] ?? FieldSet() }
    set { children[element] = newValue.isEmpty ? nil : newValue }
  }

  mutating func insert(_ path: some Collection<PathElement>) {
    guard let first = path.first else { return }
    if path.count == 1 {
      members.insert(first)
    } else {
      self[child: first].insert(path.dropFirst())
    }
  }

  func contains(_ path: some Collection<PathElement>) -> Bool {
    guard let first = path.first else { return false }
    return path.count == 1 ? members.contains(first) : self[child: first].contains(path.dropFirst())
  }

  func union(_ other: FieldSet) -> FieldSet {
    var result = self
    result.members.formUnion(other.members)
    for (element, child) in other.children { result[child: element] = result[child: element].union(child) }
    return result
  }

  func subtracting(_ other: FieldSet) -> FieldSet {
    var result = self
    result.members.subtract(other.members)
    for (element, child) in other.children { result[child: element] = result[child: element].subtracting(child) }
    return result
  }

  func intersection(_ other: FieldSet) -> FieldSet {
    var result = FieldSet()
    result.members = members.intersection(other.members)
    for (element, child) in children { result[child: element] = child.intersection(other[child: element]) }
    return result
  }

  /// Without the given places and all below them.
  func removing(_ path: some Collection<PathElement>) -> FieldSet {
    guard let first = path.first else { return self }
    var result = self
    if path.count == 1 {
      result.members.remove(first)
      result[child: first] = FieldSet()
    } else {
      result[child: first] = result[child: first].removing(path.dropFirst())
    }
    return result
  }

  /// Only what is at or below the given member.
  func keeping(_ element: PathElement) -> FieldSet {
    var result = FieldSet()
    if members.contains(element) { result.members.insert(element) }
    result[child: element] = self[child: element]
    return result
  }

  /// All places, in the order of their text.
  var paths: [[PathElement]] {
    let elements = members.union(children.keys).sorted { $0.text < $1.text }
    return elements.flatMap { element in
      (members.contains(element) ? [[element]] : []) + self[child: element].paths.map { [element] + $0 }
    }
  }

  // MARK: FieldsV1

  var json: JSON {
    var result: [String: JSON] = [:]
    for element in members.union(children.keys) {
      var child = self[child: element].json
      if members.contains(element), children[element] != nil { child["."] = [:] }
      result[element.text] = child
    }
    return .object(result)
  }

  /// Reads `fieldsV1`; `nil` where it is malformed.
  init?(_ json: JSON) {
    guard let object = json.object else { return nil }
    for (text, below) in object where text != "." {
      guard let element = PathElement(text), let child = FieldSet(below), let content = below.object else { return nil }
      if content.isEmpty || content["."] != nil { members.insert(element) }
      self[child: element] = child
    }
  }

  init() {}
}
