import KubernetesAPI

/// A merge patch that knows the kind: lists with a merge key are merged element by element, and directives (`$patch`,
/// `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`) say what a plain merge cannot.
/// Source: the strategic merge patch document of the Kubernetes API conventions.
enum StrategicMergePatch {
  /// - Throws: 500 where an element lacks its merge key or a directive is unknown or malformed, as the server answers.
  static func apply(_ patch: JSON, to document: JSON, schema: Schema) throws(Status) -> JSON {
    guard let changes = patch.object else {
      throw failure("a patch is an object, not \(patch.typeName)")
    }
    return .object(try merge(changes, into: document.object ?? [:], schema))
  }

  private static let directive = "$patch"
  private static let retainKeys = "$retainKeys"
  private static let order = "$setElementOrder/"
  private static let deletion = "$deleteFromPrimitiveList/"

  private static func failure(_ message: String) -> Status {
    var status = Status(code: 500, reason: "", message: message)
    status.reason = nil
    return status
  }

  private static func merge(
    _ patch: [String: JSON], into original: [String: JSON], _ schema: Schema
  ) throws(Status) -> [String: JSON] {
    if let word = patch[directive] {
      switch word.string {
      case "replace":
        var replacement = patch
        replacement[directive] = nil
        return replacement
      case "delete": return [:]
      default: throw failure("unknown patch type: \(word) in map: \(JSON.object(patch))")
      }
    }
    var result = try retained(original, patch)
    for (key, names) in patch where key.hasPrefix(deletion) {
      let name = String(key.dropFirst(deletion.count))
      guard let elements = result[name]?.array else { continue }
      let gone = Set(names.array ?? [])
      result[name] = .array(elements.filter { !gone.contains($0) })
    }
    for (name, change) in patch where !name.hasPrefix("$") {
      if change.isNull {
        result[name] = nil
        continue
      }
      let part = schema.member(name) ?? .any
      switch (change, result[name]) {
      case (.object(let changes), .object(let members)) where !part.patchStrategies.contains(.replace):
        result[name] = .object(try merge(changes, into: members, part))
      case (.array(let changes), .array(let elements)) where part.patchStrategies.contains(.merge):
        result[name] = .array(try merge(changes, into: elements, part, order: patch[order + name]?.array))
      default:
        result[name] = try withoutDirectives(change, part)
      }
    }
    for (key, wanted) in patch where key.hasPrefix(order) {
      let name = String(key.dropFirst(order.count))
      guard patch[name] == nil, let elements = result[name]?.array, let wanted = wanted.array,
        let part = schema.member(name)
      else { continue }
      result[name] = .array(ordered(elements, by: wanted, before: elements, part.patchMergeKey))
    }
    return result
  }

  /// What `$retainKeys` leaves of the original.
  private static func retained(
    _ original: [String: JSON], _ patch: [String: JSON]
  ) throws(Status) -> [String: JSON] {
    guard let list = patch[retainKeys] else { return original }
    guard let names = list.array?.compactMap(\.string) else {
      throw failure("\(retainKeys) is a list of names, not \(list.typeName)")
    }
    let kept = Set(names)
    if let stray = patch.first(where: { !$0.key.hasPrefix("$") && !$0.value.isNull && !kept.contains($0.key) }) {
      throw failure("\(retainKeys) must hold all fields of the patch, and \"\(stray.key)\" is not among \(names)")
    }
    return original.filter { kept.contains($0.key) }
  }

  // MARK: Lists

  private static func merge(
    _ patch: [JSON], into original: [JSON], _ schema: Schema, order: [JSON]?
  ) throws(Status) -> [JSON] {
    guard let key = schema.patchMergeKey, patch.contains(where: { $0.object != nil }) else {
      var result = original
      for element in patch where !result.contains(element) { result.append(element) }
      return ordered(result, by: order ?? patch, before: original, nil)
    }
    var changes: [JSON] = []
    var isReplacement = false
    var result = original
    for element in patch {
      guard let members = element.object else {
        throw failure("a list that is merged by \"\(key)\" holds objects, not \(element.typeName)")
      }
      switch members[directive]?.string {
      case "replace" where members.count == 1: isReplacement = true
      case "delete":
        guard let value = members[key] else { throw missing(key, element) }
        result.removeAll { $0[key] == value }
      case "replace", "merge", nil: changes.append(element)
      case let word?: throw failure("unknown patch type: \(word) in map: \(element)")
      }
    }
    if isReplacement {
      var replaced: [JSON] = []
      for change in changes { replaced.append(try withoutDirectives(change, schema.items ?? .any)) }
      return replaced
    }
    for change in changes {
      guard let value = change[key], let members = change.object else { throw missing(key, change) }
      let items = schema.items ?? .any
      if let index = result.firstIndex(where: { $0[key] == value }) {
        result[index] = .object(try merge(members, into: result[index].object ?? [:], items))
      } else {
        result.append(try withoutDirectives(change, items))
      }
    }
    return ordered(result, by: order ?? changes, before: original, key)
  }

  private static func missing(_ key: String, _ element: JSON) -> Status {
    failure("map: \(element) does not contain declared merge key: \(key)")
  }

  /// What the patch names stands in the patch's order. The others keep theirs, and stand before the first named one
  /// that they stood before.
  private static func ordered(_ elements: [JSON], by wanted: [JSON], before: [JSON], _ key: String?) -> [JSON] {
    func identity(_ element: JSON) -> JSON { key.flatMap { element[$0] } ?? element }
    func positions(_ list: [JSON]) -> [JSON: Int] {
      Dictionary(list.enumerated().map { (identity($1), $0) }, uniquingKeysWith: { first, _ in first })
    }
    let rank = positions(wanted)
    let place = positions(before)
    let named = elements.enumerated().filter { rank[identity($0.element)] != nil }.sorted {
      (rank[identity($0.element)] ?? 0, $0.offset) < (rank[identity($1.element)] ?? 0, $1.offset)
    }
    var rest = elements.filter { rank[identity($0)] == nil }[...]
    var result: [JSON] = []
    for (_, element) in named {
      while let other = rest.first, let left = place[identity(other)], let right = place[identity(element)],
        left < right
      {
        result.append(rest.removeFirst())
      }
      result.append(element)
    }
    return result + rest
  }

  /// What is new is taken as the patch has it, but for its directives.
  private static func withoutDirectives(_ value: JSON, _ schema: Schema) throws(Status) -> JSON {
    switch value {
    case .object(let members): return .object(try merge(members, into: [:], schema))
    case .array(let elements):
      var result: [JSON] = []
      for element in elements {
        if element[directive]?.string == "delete" || (element[directive] != nil && element.object?.count == 1) {
          continue
        }
        result.append(try withoutDirectives(element, schema.items ?? .any))
      }
      return .array(result)
    default: return value
    }
  }
}
