import Foundation
import KubernetesAPI

/// The columns of custom resources: the name, then `additionalPrinterColumns`, or the age where there are none.
enum CustomColumns {
  private static let age: JSON = [
    "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
    "description": "The time since the object was created.",
  ]

  private static func definitions(_ kind: CustomKind) -> [JSON] {
    kind.printerColumns.isEmpty ? [age] : kind.printerColumns
  }

  static func columns(_ kind: CustomKind) -> [TableRenderer.Column] {
    [BuiltInColumns.name]
      + definitions(kind).map { definition in
        let path = definition["jsonPath"]?.string ?? ""
        let described = definition["description"]?.string ?? ""
        return TableRenderer.Column(
          name: definition["name"]?.string ?? "", type: definition["type"]?.string ?? "string",
          format: definition["format"]?.string ?? "",
          description: described.isEmpty
            ? "Custom resource definition column (in JSONPath format): \(path)" : described,
          priority: definition["priority"]?.int ?? 0)
      }
  }

  static func cells(_ kind: CustomKind, _ object: JSON, now: Date) -> [JSON] {
    [.string(object.name)]
      + definitions(kind).map { definition in
        let found = ColumnPath(definition["jsonPath"]?.string ?? "").values(in: object)
        return cell(found, type: definition["type"]?.string ?? "string", now: now)
      }
  }

  private static func cell(_ found: [JSON], type: String, now: Date) -> JSON {
    guard let first = found.first, !first.isNull else { return .null }
    switch type {
    case "integer", "number", "boolean":
      switch first {
      case .int, .double, .bool: return first
      default: return .null
      }
    case "date": return .string(Age.text(since: first, now: now))
    default:
      let texts = found.map { $0.string ?? $0.description }
      return .string(texts.joined(separator: ","))
    }
  }
}

/// The part of JSONPath that printer columns use: `.spec.tags[0]`, `.status.conditions[?(@.type=="Ready")].status`,
/// `.metadata.labels['a/b']`, `.spec.items[*].name`.
struct ColumnPath: Sendable {
  enum Step: Sendable, Equatable {
    case member(String)
    case element(Int)
    case all
    /// Elements whose member equals a text.
    case filter([String], String)
  }

  private(set) var steps: [Step] = []

  init(_ text: String) {
    var rest = Substring(text)
    while let first = rest.first {
      if first == "." {
        rest = rest.dropFirst()
        let name = Self.takeName(&rest)
        if !name.isEmpty { steps.append(.member(name)) }
      } else if first == "[" {
        guard let end = Self.closingBracket(rest) else { return }
        let inside = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        if let step = Self.bracket(inside) { steps.append(step) }
      } else {
        let name = Self.takeName(&rest)
        if name.isEmpty { return }
        steps.append(.member(name))
      }
    }
  }

  func values(in object: JSON) -> [JSON] {
    steps.reduce([object]) { found, step in
      found.flatMap { value -> [JSON] in
        switch step {
        case .member(let name): return value[name].map { [$0] } ?? []
        case .element(let index):
          guard let elements = value.array else { return [] }
          let position = index < 0 ? elements.count + index : index
          return elements.indices.contains(position) ? [elements[position]] : []
        case .all: return value.array ?? value.object.map { $0.sorted { $0.key < $1.key }.map(\.value) } ?? []
        case .filter(let path, let text):
          return (value.array ?? []).filter { element in
            element[path: path].map { $0.string ?? $0.description } == text
          }
        }
      }
    }
  }

  /// A name may escape dots: `.metadata.annotations.a\.b/c`.
  private static func takeName(_ rest: inout Substring) -> String {
    var name = ""
    while let character = rest.first, character != ".", character != "[" {
      rest = rest.dropFirst()
      if character == "\\", let escaped = rest.first {
        name.append(escaped)
        rest = rest.dropFirst()
      } else {
        name.append(character)
      }
    }
    return name
  }

  private static func closingBracket(_ text: Substring) -> Substring.Index? {
    var quote: Character?
    for index in text.indices {
      let character = text[index]
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "'" || character == "\"" {
        quote = character
      } else if character == "]" {
        return index
      }
    }
    return nil
  }

  private static func bracket(_ inside: Substring) -> Step? {
    if inside == "*" { return .all }
    if let index = Int(inside) { return .element(index) }
    if let quote = inside.first, quote == "'" || quote == "\"" {
      return .member(String(inside.dropFirst().dropLast()))
    }
    guard inside.hasPrefix("?("), inside.hasSuffix(")"), let equals = inside.range(of: "==") else { return nil }
    let left = inside[inside.index(inside.startIndex, offsetBy: 2)..<equals.lowerBound]
      .trimmingCharacters(in: .whitespaces)
    let right = inside[equals.upperBound...].dropLast().trimmingCharacters(in: .whitespaces)
    let path = left.split(separator: ".").filter { $0 != "@" }.map(String.init)
    return .filter(path, right.trimmingCharacters(in: CharacterSet(charactersIn: "'\"")))
  }
}
