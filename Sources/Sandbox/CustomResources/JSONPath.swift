import KubernetesAPI

/// The part of JSONPath that printer columns use: `.spec.tags[0]`, `.metadata.labels['a\.b']`,
/// `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[*].port`.
struct JSONPath: Sendable, Hashable {
  private enum Step: Sendable, Hashable {
    case member(String)
    case index(Int)
    case all
    case matching([String], Comparison, JSON)
  }

  private enum Comparison: String, CaseIterable, Sendable {
    case equal = "=="
    case notEqual = "!="
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case less = "<"
    case greater = ">"
  }

  private let steps: [Step]

  /// `nil` where the text is no such path.
  init?(_ text: String) {
    var steps: [Step] = []
    var rest = Substring(text)
    if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
    if rest.first == "$" { rest.removeFirst() }
    while let first = rest.first {
      rest.removeFirst()
      if first == "." {
        guard let name = Self.name(&rest) else { return nil }
        steps.append(name == "*" ? .all : .member(name))
      } else if first == "[" {
        guard let step = Self.bracket(&rest) else { return nil }
        steps.append(step)
      } else {
        return nil
      }
    }
    self.steps = steps
  }

  private static func name(_ rest: inout Substring) -> String? {
    var name = ""
    while let next = rest.first, next != ".", next != "[" {
      rest.removeFirst()
      if next == "\\", let escaped = rest.first {
        name.append(escaped)
        rest.removeFirst()
      } else {
        name.append(next)
      }
    }
    return name.isEmpty ? nil : name
  }

  private static func bracket(_ rest: inout Substring) -> Step? {
    if rest.hasPrefix("?(") {
      guard let end = rest.range(of: ")]") else { return nil }
      let condition = rest[rest.index(rest.startIndex, offsetBy: 2)..<end.lowerBound]
      rest = rest[end.upperBound...]
      return filter(String(condition))
    }
    guard let close = rest.firstIndex(of: "]") else { return nil }
    let inside = rest[..<close].replacing("\\", with: "")
    rest = rest[rest.index(after: close)...]
    if inside == "*" { return .all }
    if let index = Int(inside) { return .index(index) }
    for quote in ["'", "\""] where inside.hasPrefix(quote) && inside.hasSuffix(quote) && inside.count > 1 {
      return .member(String(inside.dropFirst().dropLast()))
    }
    return nil
  }

  private static func filter(_ condition: String) -> Step? {
    for comparison in Comparison.allCases {
      guard let found = condition.range(of: comparison.rawValue) else { continue }
      let left = String(condition[..<found.lowerBound]).trimmingSpaces()
      let right = String(condition[found.upperBound...]).trimmingSpaces()
      guard left.hasPrefix("@."), !right.isEmpty else { return nil }
      let members = left.dropFirst(2).split(separator: ".").map(String.init)
      let quoted = right.count > 1 && (right.hasPrefix("\"") || right.hasPrefix("'"))
      if quoted { return .matching(members, comparison, .string(String(right.dropFirst().dropLast()))) }
      guard let value = try? JSON(parsing: right) else { return nil }
      return .matching(members, comparison, value)
    }
    return nil
  }

  /// The values that the path leads to.
  func values(in json: JSON) -> [JSON] {
    steps.reduce([json]) { values, step in
      values.flatMap { value -> [JSON] in
        switch step {
        case .member(let name): return value[name].map { [$0] } ?? []
        case .index(let index):
          let count = value.array?.count ?? 0
          return value[index < 0 ? count + index : index].map { [$0] } ?? []
        case .all:
          if let elements = value.array { return elements }
          return (value.object ?? [:]).sorted { $0.key < $1.key }.map(\.value)
        case .matching(let path, let comparison, let wanted):
          return (value.array ?? []).filter { element in
            guard let found = element[path: path] else { return false }
            return Self.holds(found, comparison, wanted)
          }
        }
      }
    }
  }

  private static func holds(_ found: JSON, _ comparison: Comparison, _ wanted: JSON) -> Bool {
    switch comparison {
    case .equal: return found == wanted
    case .notEqual: return found != wanted
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      guard let left = found.double, let right = wanted.double else { return false }
      return switch comparison {
      case .less: left < right
      case .lessOrEqual: left <= right
      case .greater: left > right
      default: left >= right
      }
    }
  }
}

/// One of `additionalPrinterColumns`.
struct PrinterColumn: Sendable, Hashable {
  var name: String
  var type: String
  var format: String
  var description: String
  var priority: Int
  private let path: JSONPath?

  init(_ json: JSON) {
    let text = json["jsonPath"]?.string ?? ""
    name = json["name"]?.string ?? ""
    type = json["type"]?.string ?? ""
    format = json["format"]?.string ?? ""
    let given = json["description"]?.string ?? ""
    description = given.isEmpty ? "Custom resource definition column (in JSONPath format): \(text)" : given
    priority = json["priority"]?.int ?? 0
    path = JSONPath(text)
  }

  /// The entry in `columnDefinitions` of a Table.
  var definition: JSON {
    [
      "name": .string(name), "type": .string(type), "format": .string(format), "description": .string(description),
      "priority": JSON(priority),
    ]
  }

  /// The cell of an object; null where there is no value, or one of another type than the column's.
  /// - Parameter age: says how long ago a time was, in kubectl's words.
  func cell(for object: JSON, age: (String) -> String) -> JSON {
    guard let value = path?.values(in: object).first, value != .null else { return .null }
    switch (type, value) {
    case ("integer", .int), ("number", .int), ("number", .double), ("boolean", .bool): return value
    case ("integer", .double(let number)): return Int64(exactly: number.rounded(.towardZero)).map(JSON.int) ?? .null
    case ("date", .string(let time)): return .string(age(time))
    case ("string", .string): return value
    case ("string", _): return .string(value.description)
    default: return .null
    }
  }
}
