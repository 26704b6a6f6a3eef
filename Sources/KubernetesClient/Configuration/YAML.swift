import KubernetesAPI
import Yams

/// A YAML text that cannot be read, or not as what is wanted of it.
public struct YAMLError: Error, Sendable, Equatable, CustomStringConvertible {
  public var problem: String
  /// From 1; `nil` where the parser does not tell.
  public var line: Int?

  public init(problem: String, line: Int? = nil) {
    self.problem = problem
    self.line = line
  }

  public var description: String { line.map { "line \($0): \(problem)" } ?? problem }
}

/// One document of a YAML text.
public struct YAMLDocument: Sendable, Hashable {
  public var json: JSON
  /// Where it begins in the text, from 1.
  public var line: Int
  /// Where each member and element begins, by its path as in ``Swift/DecodingError/fieldDescription``
  /// (`spec.steps[0].weight`).
  public var lines: [String: Int]
}

extension JSON {
  /// The documents of a YAML text, empty ones left out. Scalars mean what YAML 1.1 as kubectl reads it says, but for
  /// dates, which stay text. A member that stands twice in one mapping is an error, as it is to strict clients.
  /// - Throws: ``YAMLError`` with the line.
  public static func documents(yaml text: String) throws(YAMLError) -> [YAMLDocument] {
    var nodes: [Node] = []
    do {
      var sequence = try compose_all(yaml: text)
      while let node = sequence.next() { nodes.append(node) }
      // The sequence ends at a fault and keeps it.
      if let error = sequence.error { throw error }
    } catch let error as YamlError {
      throw Self.error(error)
    } catch {
      throw YAMLError(problem: "\(error)")
    }
    var documents: [YAMLDocument] = []
    var reader = YAMLReader(maxNodes: text.utf8.count + 10_000)
    for node in nodes {
      reader.lines = [:]
      let json = try reader.json(node, path: "")
      if json.isNull { continue }
      documents.append(YAMLDocument(json: json, line: node.mark?.line ?? 1, lines: reader.lines))
    }
    return documents
  }

  /// The only document of a YAML text; `null` if there is none.
  /// - Throws: ``YAMLError``
  public init(yaml text: String) throws(YAMLError) {
    let documents = try Self.documents(yaml: text)
    guard documents.count < 2 else {
      throw YAMLError(problem: "expected one document, found \(documents.count)", line: documents[1].line)
    }
    self = documents.first?.json ?? .null
  }

  private static func error(_ error: YamlError) -> YAMLError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return YAMLError(problem: problem, line: mark.line)
    case .reader(let problem, _, _, _): return YAMLError(problem: problem)
    case .duplicatedKeysInMapping(let duplicates, let context):
      let keys = duplicates.sorted().map { "'\($0)'" }.joined(separator: ", ")
      return YAMLError(problem: "\(keys) stands twice in one mapping", line: context.mark.line)
    default: return YAMLError(problem: "\(error)")
    }
  }
}

/// Turns Yams' nodes into JSON and notes the lines.
private struct YAMLReader {
  /// Aliases are expanded: without a bound, a page of text could become gigabytes. A text without aliases has fewer
  /// values than bytes.
  let maxNodes: Int
  private var nodes = 0
  var lines: [String: Int] = [:]

  init(maxNodes: Int) { self.maxNodes = maxNodes }

  mutating func json(_ node: Node, path: String) throws(YAMLError) -> JSON {
    nodes += 1
    guard nodes <= maxNodes else {
      throw YAMLError(problem: "its aliases expand to more than \(maxNodes) values", line: node.mark?.line)
    }
    if let line = node.mark?.line { lines[path] = line }
    switch node {
    case .scalar(let scalar): return try value(of: node, scalar)
    case .sequence(let sequence):
      var elements: [JSON] = []
      for (index, element) in sequence.enumerated() {
        elements.append(try json(element, path: "\(path)[\(index)]"))
      }
      return .array(elements)
    case .mapping(let mapping):
      var members: [String: JSON] = [:]
      for (key, value) in mapping {
        guard case .scalar(let name) = key else {
          throw YAMLError(problem: "a member name that is no text", line: key.mark?.line)
        }
        // Anchors with << are a way to share members; those that stand here win.
        if key.tag.description == Tag.Name.merge.rawValue || (name.string == "<<" && name.style == .plain) {
          for (shared, value) in try merged(value, path: path) where members[shared] == nil {
            members[shared] = value
          }
        } else {
          members[name.string] = try json(value, path: path.isEmpty ? name.string : "\(path).\(name.string)")
        }
      }
      return .object(members)
    case .alias:
      throw YAMLError(problem: "an alias without its anchor", line: node.mark?.line)
    }
  }

  private mutating func merged(_ node: Node, path: String) throws(YAMLError) -> [String: JSON] {
    switch try json(node, path: path) {
    case .object(let members): return members
    case .array(let maps):
      var members: [String: JSON] = [:]
      for map in maps { members.merge(map.object ?? [:]) { first, _ in first } }
      return members
    default: throw YAMLError(problem: "<< wants a mapping", line: node.mark?.line)
    }
  }

  private func value(of node: Node, _ scalar: Node.Scalar) throws(YAMLError) -> JSON {
    let tag = node.tag.description
    // Yams reads 22:15 as minutes and seconds, as YAML 1.1 had it; kubectl reads text.
    if scalar.style == .plain, scalar.string.contains(":") { return .string(scalar.string) }
    switch tag {
    case Tag.Name.null.rawValue: return .null
    case Tag.Name.bool.rawValue:
      if let flag = node.bool { return .bool(flag) }
    case Tag.Name.int.rawValue:
      if let number = node.int { return .int(Int64(number)) }
      if let number = Double(scalar.string) { return .double(number) }
    case Tag.Name.float.rawValue:
      guard let number = node.float else { break }
      guard number.isFinite else {
        throw YAMLError(problem: "'\(scalar.string)' is a number that JSON does not have", line: node.mark?.line)
      }
      return .double(number)
    default: break
    }
    return .string(scalar.string)
  }
}
