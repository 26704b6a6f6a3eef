import KubernetesAPI

/// The structure of a Codable type as the wire shows it, found by decoding: which members it asks for and what each may
/// hold. So what `lint` knows of a kind, and what the schemas are compared with, is the types themselves.
public indirect enum Shape: Sendable, Hashable {
  case text
  /// RFC 3339.
  case time
  case integer
  case boolean
  case choice([String])
  case integerOrText
  case object([Member])
  case list(Shape)
  /// Object metadata and whatever else is not looked into.
  case anything

  /// A member of an object.
  public struct Member: Sendable, Hashable {
    public var name: String
    public var shape: Shape
    public var isRequired: Bool
  }

  /// - Throws: what the type throws where it cannot be decoded from neutral values.
  public init<Value: Decodable>(of type: Value.Type) throws {
    self = try Probe.shape(of: type).shape
  }

  /// In words: `a text`, `one of A, B`.
  public var wanted: String {
    switch self {
    case .text: "a text"
    case .time: "a time such as 2026-01-31T12:00:00Z"
    case .integer: "a whole number"
    case .boolean: "true or false"
    case .choice(let names): "one of \(names.joined(separator: ", "))"
    case .integerOrText: "a whole number or a text"
    case .object: "an object"
    case .list: "a list"
    case .anything: "anything"
    }
  }
}

extension Shape {
  /// Everything in a document that does not have this shape: unknown, missing and mistyped fields, with their paths.
  public func problems(in json: JSON, at path: String = "") -> [PlanProblem] {
    switch (self, json) {
    case (.anything, _), (.text, .string), (.integer, .int), (.boolean, .bool), (.integerOrText, .int),
      (.integerOrText, .string):
      return []
    case (.time, .string(let text)) where Timestamp(text) != nil: return []
    case (.choice(let names), .string(let name)) where names.contains(name): return []
    case (.list(let element), .array(let elements)):
      return elements.enumerated().flatMap { element.problems(in: $1, at: "\(path)[\($0)]") }
    case (.object(let members), .object(let found)):
      return problems(members, found, path)
    case (.choice, .bool):
      // Else who wrote `On` wonders where the `true` comes from.
      let words = "\(wanted); YAML reads on, off, yes and no as true or false"
      return [PlanProblem(field: path, found: Self.text(json), wanted: words)]
    case (.text, .int), (.text, .double):
      // What a number lacks is its unit, or quotes around it.
      let number = json.description
      let words = "\(wanted), as \(number)s or \(number)% where it has a unit, else \"\(number)\" in quotes"
      return [PlanProblem(field: path, found: number, wanted: words)]
    default:
      return [PlanProblem(field: path.isEmpty ? "the document" : path, found: Self.text(json), wanted: wanted)]
    }
  }

  private func problems(_ members: [Member], _ found: [String: JSON], _ path: String) -> [PlanProblem] {
    func field(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
    var problems: [PlanProblem] = []
    for member in members {
      // The API server takes null for absent where a field is optional.
      if let value = found[member.name], !(value.isNull && !member.isRequired) {
        problems += member.shape.problems(in: value, at: field(member.name))
      } else if member.isRequired {
        problems.append(PlanProblem(field: field(member.name), found: "nothing", wanted: member.shape.wanted))
      }
    }
    let known = members.map(\.name)
    for name in found.keys.sorted() where !known.contains(name) {
      let wanted: String
      if let near = Self.nearest(to: name, among: known) {
        wanted = "perhaps \(near)"
      } else {
        wanted = known.isEmpty ? "no field here" : "one of \(known.sorted().joined(separator: ", "))"
      }
      problems.append(PlanProblem(field: field(name), found: "an unknown field", wanted: wanted))
    }
    return problems
  }

  private static func text(_ json: JSON) -> String {
    switch json {
    case .string(let text): "\"\(text.prefix(60))\""
    case .int, .double, .bool: json.description
    default: json.typeName
    }
  }

  /// The known name with the fewest edits, where these are at most a third of its length.
  static func nearest(to name: String, among known: [String]) -> String? {
    let scored = known.map { (name: $0, edits: edits(name.lowercased(), $0.lowercased())) }
    guard let best = scored.min(by: { ($0.edits, $0.name) < ($1.edits, $1.name) }),
      best.edits <= max(1, best.name.count / 3)
    else { return nil }
    return best.name
  }

  /// Levenshtein's distance.
  private static func edits(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (i, character) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in right.indices {
        let above = row[j + 1]
        row[j + 1] = character == right[j] ? diagonal : min(diagonal, above, row[j]) + 1
        diagonal = above
      }
    }
    return row[right.count]
  }
}
