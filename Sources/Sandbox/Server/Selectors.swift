import Foundation
import KubernetesAPI

/// The objects that a list, a watch or a deletion of a collection concerns.
struct ObjectFilter: Sendable {
  var namespace: String?
  var labels: LabelRequirements
  var fields: FieldRequirements

  var isSelective: Bool { !labels.requirements.isEmpty || !fields.requirements.isEmpty }

  func matches(_ object: JSON) -> Bool {
    if let namespace, object.namespace != namespace { return false }
    return labels.matches(object.labels) && fields.matches(object)
  }
}

/// A label selector in the text form of query parameters: `env in (a,b),!legacy,tier!=web`.
struct LabelRequirements: Sendable {
  enum Requirement: Sendable, Equatable {
    case exists(String)
    case absent(String)
    case among(String, [String])
    case notAmong(String, [String])
    case greater(String, Int)
    case less(String, Int)
  }

  var requirements: [Requirement] = []

  func matches(_ labels: [String: String]) -> Bool {
    requirements.allSatisfy { requirement in
      switch requirement {
      case .exists(let key): labels[key] != nil
      case .absent(let key): labels[key] == nil
      case .among(let key, let values): labels[key].map(values.contains) ?? false
      // A label that is not there is not among any values.
      case .notAmong(let key, let values): !(labels[key].map(values.contains) ?? false)
      case .greater(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 > bound } ?? false
      case .less(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 < bound } ?? false
      }
    }
  }

  /// - Throws: 400 for a text that is no selector.
  init(parsing text: String) throws(Status) {
    var tokens = Tokens(text)
    if tokens.peek == nil { return }
    while true {
      requirements.append(try Self.requirement(&tokens))
      guard let separator = tokens.next() else { return }
      guard separator == .symbol(",") else {
        throw Refusal.badRequest("found '\(separator.text)', expected: ',' or 'end of string'")
      }
    }
  }

  private static func requirement(_ tokens: inout Tokens) throws(Status) -> Requirement {
    if tokens.peek == .symbol("!") {
      _ = tokens.next()
      return .absent(try key(&tokens))
    }
    let key = try key(&tokens)
    switch tokens.peek {
    case nil, .symbol(","): return .exists(key)
    case .symbol("="), .symbol("=="):
      _ = tokens.next()
      return .among(key, [try value(&tokens)])
    case .symbol("!="):
      _ = tokens.next()
      return .notAmong(key, [try value(&tokens)])
    case .word("in"):
      _ = tokens.next()
      return .among(key, try values(&tokens))
    case .word("notin"):
      _ = tokens.next()
      return .notAmong(key, try values(&tokens))
    case .symbol(">"), .symbol("<"):
      let isGreater = tokens.next() == .symbol(">")
      let text = try value(&tokens)
      guard let bound = Int(text) else {
        throw Refusal.badRequest("unable to parse requirement: '\(text)' is not a whole number")
      }
      return isGreater ? .greater(key, bound) : .less(key, bound)
    case .some(let other):
      throw Refusal.badRequest(
        "unable to parse requirement: found '\(other.text)', expected: in, notin, =, ==, !=, >, <")
    }
  }

  private static func key(_ tokens: inout Tokens) throws(Status) -> String {
    guard case .word(let key)? = tokens.next() else {
      throw Refusal.badRequest("unable to parse requirement: expected a label key")
    }
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
      throw Refusal.badRequest("unable to parse requirement: '\(key)' is not a label key: [domain/]name")
    }
    return key
  }

  private static func value(_ tokens: inout Tokens) throws(Status) -> String {
    switch tokens.peek {
    case nil, .symbol(","): return ""
    case .word(let value):
      _ = tokens.next()
      return value
    case .some(let other):
      throw Refusal.badRequest("unable to parse requirement: found '\(other.text)', expected: a label value")
    }
  }

  private static func values(_ tokens: inout Tokens) throws(Status) -> [String] {
    let first = tokens.next()
    guard first == .symbol("(") else {
      throw Refusal.badRequest("unable to parse requirement: found '\(first?.text ?? "")' expected: '('")
    }
    var values: [String] = []
    while true {
      switch tokens.next() {
      case .word(let value): values.append(value)
      case .symbol(","): values.append("")
      case .symbol(")"):
        values.append("")
        return values
      case let other:
        throw Refusal.badRequest(
          "unable to parse requirement: found '\(other?.text ?? "")', expected: ',', ')' or identifier")
      }
      guard case .word? = tokens.last else { continue }
      switch tokens.next() {
      case .symbol(")"): return values
      case .symbol(","): continue
      case let other:
        throw Refusal.badRequest("unable to parse requirement: found '\(other?.text ?? "")', expected: ',' or ')'")
      }
    }
  }

  private enum Token: Equatable {
    case word(String)
    case symbol(String)

    var text: String {
      switch self {
      case .word(let text), .symbol(let text): text
      }
    }
  }

  private struct Tokens {
    private var tokens: [Token] = []
    private var index = 0
    private(set) var last: Token?

    init(_ text: String) {
      var word = ""
      var symbol = ""
      for character in text {
        if "=!<>".contains(character) {
          if !word.isEmpty { tokens.append(.word(word)) }
          word = ""
          symbol.append(character)
          continue
        }
        if !symbol.isEmpty { tokens.append(.symbol(symbol)) }
        symbol = ""
        if "(),".contains(character) || character.isWhitespace {
          if !word.isEmpty { tokens.append(.word(word)) }
          word = ""
          if !character.isWhitespace { tokens.append(.symbol(String(character))) }
        } else {
          word.append(character)
        }
      }
      if !word.isEmpty { tokens.append(.word(word)) }
      if !symbol.isEmpty { tokens.append(.symbol(symbol)) }
    }

    var peek: Token? { index < tokens.count ? tokens[index] : nil }

    mutating func next() -> Token? {
      last = peek
      if last != nil { index += 1 }
      return last
    }
  }
}

/// A field selector: `metadata.name=a,status.phase!=Running`.
struct FieldRequirements: Sendable {
  struct Requirement: Sendable {
    var path: [String]
    var value: String
    var isEqual: Bool
  }

  var requirements: [Requirement] = []

  func matches(_ object: JSON) -> Bool {
    requirements.allSatisfy { requirement in
      let found: String
      switch object[path: requirement.path] {
      case .string(let text)?: found = text
      case .bool(let flag)?: found = String(flag)
      case .int(let number)?: found = String(number)
      default: found = requirement.path == ["spec", "unschedulable"] ? "false" : ""
      }
      return (found == requirement.value) == requirement.isEqual
    }
  }

  /// - Parameter supported: the fields that the kind can be selected by, besides name and namespace.
  /// - Throws: 400 for a text that is no selector, and for another field.
  init(parsing text: String, supported: [String], kind: String) throws(Status) {
    for term in text.split(separator: ",") {
      let parts: (key: String, value: String, isEqual: Bool)
      if let range = term.range(of: "!=") {
        parts = (String(term[..<range.lowerBound]), String(term[range.upperBound...]), false)
      } else if let range = term.range(of: "==") ?? term.range(of: "=") {
        parts = (String(term[..<range.lowerBound]), String(term[range.upperBound...]), true)
      } else {
        throw Refusal.badRequest("invalid selector: '\(text)'; can't understand '\(term)'")
      }
      let known = ["metadata.name", "metadata.namespace"] + supported
      guard known.contains(parts.key) else {
        let list = known.map { "\"\($0)\"" }.joined(separator: ", ")
        throw Refusal.badRequest("\"\(parts.key)\" is not a known field selector of \(kind): only \(list)")
      }
      requirements.append(
        Requirement(
          path: parts.key.split(separator: ".").map(String.init), value: parts.value, isEqual: parts.isEqual))
    }
  }

  /// What the built-in kinds can be selected by.
  static func fields(of type: ResourceType) -> [String] {
    switch (type.group, type.plural) {
    case ("", "pods"):
      [
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
      ]
    case ("", "events"):
      [
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
      ]
    case ("events.k8s.io", "events"):
      [
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
        "regarding.resourceVersion", "regarding.fieldPath", "reason", "reportingController", "type",
      ]
    case ("", "namespaces"): ["status.phase"]
    case ("", "nodes"): ["spec.unschedulable"]
    case ("", "secrets"): ["type"]
    case ("", "services"): ["spec.clusterIP", "spec.type"]
    case ("apps", "replicasets"): ["status.replicas"]
    default: []
    }
  }
}
