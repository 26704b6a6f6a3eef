import Foundation
import KubernetesAPI

/// What the placeholders of a transcript stand for in this run.
struct Placeholders {
  /// By the whole placeholder: `<uid:3>` → the uid.
  private(set) var bound: [String: String] = [:]
  private var owners: [String: [String: String]] = [:]

  init(namespace: String) {
    bound["<ns>"] = namespace
  }

  /// A text of a request with the values in place.
  func fill(_ text: String) -> String {
    guard text.contains("<") else { return text }
    var filled = ""
    for piece in Self.pieces(of: text) {
      switch piece {
      case .literal(let literal): filled += literal
      case .placeholder(let name):
        filled += name == "<continue:expired>" ? Self.expiredContinuation : bound[name] ?? name
      }
    }
    return filled
  }

  func fill(_ value: JSON) -> JSON {
    switch value {
    case .string(let text): .string(fill(text))
    case .array(let elements): .array(elements.map(fill))
    case .object(let members):
      .object(Dictionary(members.map { (fill($0.key), fill($0.value)) }, uniquingKeysWith: { $1 }))
    default: value
    }
  }

  /// A token for a version that no store remembers.
  private static let expiredContinuation: String = {
    let json: JSON = ["v": "meta.k8s.io/v1", "rv": 2, "start": "c0\u{0}"]
    return json.data.base64EncodedString().replacingOccurrences(of: "=", with: "")
  }()

  mutating func bind(_ name: String, to value: String) -> Bool { match(name, value) }

  /// Whether a text is what was recorded; binds the placeholders that stand in it for the first time.
  mutating func matches(_ found: String, recorded: String) -> Bool {
    guard recorded.contains("<") else { return found == recorded }
    let pieces = Self.pieces(of: recorded)
    guard pieces.contains(where: { if case .placeholder = $0 { true } else { false } }) else {
      return found == recorded
    }
    return match(Substring(found), pieces[...])
  }

  private mutating func match(_ text: Substring, _ pieces: ArraySlice<Piece>) -> Bool {
    guard let first = pieces.first else { return text.isEmpty }
    let rest = pieces.dropFirst()
    switch first {
    case .literal(let literal):
      return text.hasPrefix(literal) && match(text.dropFirst(literal.count), rest)
    case .placeholder(let name):
      if let value = bound[name] {
        return text.hasPrefix(value) && match(text.dropFirst(value.count), rest)
      }
      let kind = Self.kind(of: name)
      // Try the shortest value first: what follows, a literal mostly, decides where it ends.
      for length in Self.lengths(kind, text) {
        let value = String(text.prefix(length))
        guard Self.fits(kind, value) else { continue }
        let before = self
        if match(name, value), match(text.dropFirst(length), rest) { return true }
        self = before
      }
      return false
    }
  }

  private mutating func match(_ name: String, _ value: String) -> Bool {
    if let known = bound[name] { return known == value }
    guard name.contains(":") else { return true }
    let kind = Self.kind(of: name)
    // Versions of lists may coincide; all else that is numbered differently is different.
    if kind != "listRV" {
      if let owner = owners[kind]?[value], owner != name { return false }
      owners[kind, default: [:]][value] = name
    }
    bound[name] = value
    return true
  }

  private static func kind(of name: String) -> String {
    String(name.dropFirst().prefix { $0 != ":" && $0 != ">" })
  }

  private static func lengths(_ kind: String, _ text: Substring) -> [Int] {
    switch kind {
    case "uid": [36]
    case "suffix": [5]
    default: Array(0...text.count)
    }
  }

  private static func fits(_ kind: String, _ value: String) -> Bool {
    switch kind {
    case "uid": value.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/) != nil
    case "rv", "listRV": value.wholeMatch(of: /[0-9]+/) != nil
    case "hash": value.wholeMatch(of: /[bcdfghjklmnpqrstvwxz2456789]{1,10}/) != nil
    case "suffix": value.wholeMatch(of: /[bcdfghjklmnpqrstvwxz2456789]{5}/) != nil
    case "podIP", "clusterIP": value.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/) != nil
    case "time":
      value.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9:]+)/) != nil
    case "age": value.wholeMatch(of: /<unknown>|([0-9]+[smhdy])+/) != nil
    case "continue", "token", "digest": !value.isEmpty
    default: true
    }
  }

  enum Piece: Equatable {
    case literal(String)
    case placeholder(String)
  }

  static func pieces(of text: String) -> [Piece] {
    var pieces: [Piece] = []
    var start = text.startIndex
    let known =
      /<(ns|time|age|digest|object|causes|server|rv|continue:expired|(uid|rv|listRV|hash|suffix|podIP|clusterIP|continue|token):[0-9]+)>/
    for match in text.matches(of: known) {
      if match.range.lowerBound > start { pieces.append(.literal(String(text[start..<match.range.lowerBound]))) }
      pieces.append(.placeholder(String(match.output.0)))
      start = match.range.upperBound
    }
    if start < text.endIndex { pieces.append(.literal(String(text[start...]))) }
    return pieces
  }
}
