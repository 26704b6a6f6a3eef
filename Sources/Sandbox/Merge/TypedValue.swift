import KubernetesAPI

/// How server-side apply looks at a value: as one field, as members with owners of their own, or as elements that are
/// told apart by a key.
enum Shape {
  case leaf
  case members
  case elements

  /// The shape of a place that holds one or both of these values. What no schema describes is members all the way
  /// down, and its lists are one field each.
  init(_ schema: Schema, _ values: JSON?...) {
    let present = values.compactMap { $0 }.first { !$0.isNull } ?? values.compactMap { $0 }.first
    switch present {
    case .object: self = schema.mapType == .atomic ? .leaf : .members
    case .array: self = schema.listType == .set || schema.listType == .map ? .elements : .leaf
    // Null stands for an empty value of the field's type.
    case .null:
      switch schema.type {
      case .object where schema.mapType != .atomic: self = .members
      case .array where schema.listType == .set || schema.listType == .map: self = .elements
      default: self = .leaf
      }
    default: self = .leaf
    }
  }
}

extension Schema {
  /// The schema of a member, or one that allows anything.
  func part(_ name: String) -> Schema { member(name) ?? .any }

  /// How an element of this list is named. Keys that are left out take their default, or are left out of the name too.
  func identity(of element: JSON) -> PathElement {
    guard listType == .map else { return .value(element) }
    var keys: [String: JSON] = [:]
    for name in listMapKeys { keys[name] = element[name] ?? items?.properties[name]?.defaultValue }
    return .key(keys)
  }
}

enum TypedValue {
  /// The fields that a value consists of: its leaves, its list elements, and members that are empty.
  static func fields(of value: JSON, _ schema: Schema) -> FieldSet {
    var set = FieldSet()
    switch Shape(schema, value) {
    case .leaf: break
    case .members:
      for (name, member) in value.object ?? [:] {
        let part = schema.part(name)
        let element = PathElement.field(name)
        set[child: element] = fields(of: member, part)
        let isDeclared = schema.properties[name] != nil
        let isLeaf = if case .leaf = Shape(part, member) { true } else { false }
        if isLeaf || !isDeclared || member.isNull || member.object?.isEmpty == true { set.members.insert(element) }
      }
    case .elements:
      for element in value.array ?? [] {
        let identity = schema.identity(of: element)
        set.members.insert(identity)
        if schema.listType == .map { set[child: identity] = fields(of: element, schema.items ?? .any) }
      }
    }
    return set
  }

  /// A set that also holds the declared members on the way to its fields, but no keys of maps.
  static func includingParents(_ set: FieldSet, _ schema: Schema) -> FieldSet {
    var result = set
    for (element, child) in set.children {
      switch element {
      case .field(let name):
        result[child: element] = includingParents(child, schema.part(name))
        if schema.properties[name] != nil { result.members.insert(element) }
      case .key, .value, .index:
        result[child: element] = includingParents(child, schema.items ?? .any)
      }
    }
    return result
  }

  /// The live value with the applied fields laid over it.
  static func merge(_ applied: JSON, into live: JSON?, _ schema: Schema) -> JSON {
    guard let live, !live.isNull, !applied.isNull else { return applied }
    switch Shape(schema, applied, live) {
    case .leaf: return applied
    case .members:
      guard let changes = applied.object, var members = live.object else { return applied }
      for (name, change) in changes { members[name] = merge(change, into: members[name], schema.part(name)) }
      return .object(members)
    case .elements:
      guard let changes = applied.array, let elements = live.array else { return applied }
      return .array(merge(changes, into: elements, schema))
    }
  }

  /// Applied elements stand in their own order; what only the live list has keeps its place before the next one that
  /// both have.
  private static func merge(_ changes: [JSON], into elements: [JSON], _ schema: Schema) -> [JSON] {
    let old = Dictionary(elements.map { (schema.identity(of: $0), $0) }, uniquingKeysWith: { first, _ in first })
    let named = Set(changes.map(schema.identity))
    var done: Set<PathElement> = []
    var result: [JSON] = []
    var lhs = elements[...]
    var rhs = changes[...]
    while true {
      if let element = lhs.first {
        let identity = schema.identity(of: element)
        if !named.contains(identity) || done.contains(identity) {
          lhs.removeFirst()
          if !named.contains(identity) { result.append(element) }
          continue
        }
      }
      guard let change = rhs.popFirst() else { break }
      let identity = schema.identity(of: change)
      done.insert(identity)
      result.append(schema.listType == .map ? merge(change, into: old[identity], schema.items ?? .any) : change)
    }
    return result
  }

  /// The value without the places of a set; containers that lose all they held become null.
  static func removing(_ set: FieldSet, from value: JSON, _ schema: Schema) -> JSON {
    switch Shape(schema, value) {
    case .leaf: return value
    case .members:
      guard let members = value.object, !members.isEmpty else { return value }
      var result: [String: JSON] = [:]
      for (name, member) in members where !set.members.contains(.field(name)) {
        let below = set[child: .field(name)]
        result[name] = below.isEmpty ? member : removing(below, from: member, schema.part(name))
      }
      return result.isEmpty ? .null : .object(result)
    case .elements:
      guard let elements = value.array, !elements.isEmpty else { return value }
      var result: [JSON] = []
      for element in elements {
        let identity = schema.identity(of: element)
        if set.members.contains(identity) { continue }
        let below = set[child: identity]
        result.append(below.isEmpty ? element : removing(below, from: element, schema.items ?? .any))
      }
      return result.isEmpty ? .null : .array(result)
    }
  }
}

/// What a write adds, changes and takes away.
struct FieldChanges {
  var added = FieldSet()
  var modified = FieldSet()
  var removed = FieldSet()

  var written: FieldSet { added.union(modified) }
  var isEmpty: Bool { added.isEmpty && modified.isEmpty && removed.isEmpty }

  init(from old: JSON, to new: JSON, _ schema: Schema) {
    compare(old, new, schema, [])
  }

  private mutating func compare(_ old: JSON?, _ new: JSON?, _ schema: Schema, _ path: [PathElement]) {
    switch Shape(schema, new, old) {
    case .leaf:
      if let old, let new {
        if old != new { modified.insert(path) }
        return
      }
    case .members:
      if old == new { return }
      let names = Set((old?.object ?? [:]).keys).union((new?.object ?? [:]).keys)
      for name in names { compare(old?[name], new?[name], schema.part(name), path + [.field(name)]) }
    case .elements:
      if old == new { return }
      func indexed(_ list: JSON?) -> [PathElement: JSON] {
        Dictionary(
          (list?.array ?? []).map { (schema.identity(of: $0), $0) }, uniquingKeysWith: { first, _ in first })
      }
      let before = indexed(old)
      let after = indexed(new)
      for identity in Set(before.keys).union(after.keys) {
        compare(before[identity], after[identity], schema.items ?? .any, path + [identity])
      }
    }
    if old == nil, new != nil { added.insert(path) }
    if old != nil, new == nil { removed.insert(path) }
  }

  mutating func keep(_ body: (FieldSet) -> FieldSet) {
    added = body(added)
    modified = body(modified)
    removed = body(removed)
  }
}
