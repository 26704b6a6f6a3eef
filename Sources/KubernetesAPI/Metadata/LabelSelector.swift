/// `metav1.LabelSelector`. One without any requirement matches everything.
public struct LabelSelector: Codable, Sendable, Hashable {
  /// One of `matchExpressions`.
  public struct Requirement: Codable, Sendable, Hashable {
    public enum Operator: String, Codable, Sendable, Hashable {
      case isIn = "In"
      case notIn = "NotIn"
      case exists = "Exists"
      case doesNotExist = "DoesNotExist"
    }

    public var key: String
    public var `operator`: Operator
    /// Empty for `Exists` and `DoesNotExist`.
    public var values: [String]?

    public init(key: String, operator: Operator, values: [String]? = nil) {
      self.key = key
      self.operator = `operator`
      self.values = values
    }

    /// A label that is not there satisfies `NotIn`, as in Kubernetes.
    public func matches(_ labels: [String: String]) -> Bool {
      let found = labels[key]
      return switch `operator` {
      case .isIn: found.map { (values ?? []).contains($0) } ?? false
      case .notIn: found.map { !(values ?? []).contains($0) } ?? true
      case .exists: found != nil
      case .doesNotExist: found == nil
      }
    }
  }

  public var matchLabels: [String: String]?
  public var matchExpressions: [Requirement]?

  public init(matchLabels: [String: String]? = nil, matchExpressions: [Requirement]? = nil) {
    self.matchLabels = matchLabels
    self.matchExpressions = matchExpressions
  }

  public var isEmpty: Bool { (matchLabels ?? [:]).isEmpty && (matchExpressions ?? []).isEmpty }

  /// Whether labels fulfil every requirement.
  public func matches(_ labels: [String: String]) -> Bool {
    (matchLabels ?? [:]).allSatisfy { labels[$0.key] == $0.value }
      && (matchExpressions ?? []).allSatisfy { $0.matches(labels) }
  }
}

/// The string form, as the query parameter `labelSelector` has it.
extension LabelSelector: CustomStringConvertible {
  /// `app=web,tier in (a,b),!legacy`: labels sorted by key, then the expressions in their order.
  public var description: String {
    let labels = (matchLabels ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let expressions = (matchExpressions ?? []).map { requirement in
      let values = (requirement.values ?? []).joined(separator: ",")
      return switch requirement.operator {
      case .isIn: "\(requirement.key) in (\(values))"
      case .notIn: "\(requirement.key) notin (\(values))"
      case .exists: requirement.key
      case .doesNotExist: "!\(requirement.key)"
      }
    }
    return (labels + expressions).joined(separator: ",")
  }

  /// Reads the string form: `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, separated by commas.
  /// - Throws: ``LabelSelectorError`` that quotes the part that cannot be read.
  public init(parsing text: String) throws(LabelSelectorError) {
    var labels: [String: String] = [:]
    var expressions: [Requirement] = []
    for part in Self.parts(of: text) {
      let requirement = try Self.requirement(part)
      // Two different values for one key contradict each other; both stay, so that nothing matches.
      if requirement.operator == .isIn, requirement.values?.count == 1, labels[requirement.key] == nil,
        !part.contains("("), let value = requirement.values?.first
      {
        labels[requirement.key] = value
      } else {
        expressions.append(requirement)
      }
    }
    self.init(
      matchLabels: labels.isEmpty ? nil : labels, matchExpressions: expressions.isEmpty ? nil : expressions)
  }

  /// Splits at the commas outside parentheses.
  private static func parts(of text: String) -> [String] {
    var parts: [String] = []
    var current = ""
    var depth = 0
    for character in text {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      if character == ",", depth == 0 {
        parts.append(current)
        current = ""
      } else {
        current.append(character)
      }
    }
    parts.append(current)
    return parts.count == 1 && parts[0].allSatisfy(\.isWhitespace) ? [] : parts
  }

  private static func requirement(_ part: String) throws(LabelSelectorError) -> Requirement {
    func trimmed(_ text: some StringProtocol) -> String {
      String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
    let text = trimmed(part)
    func valid(_ key: String) throws(LabelSelectorError) -> String {
      let isKey =
        !key.isEmpty
        && key.unicodeScalars.allSatisfy {
          $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_./".unicodeScalars.contains($0))
        }
      guard isKey else { throw LabelSelectorError(part: text) }
      return key
    }
    if text.hasPrefix("!") {
      return Requirement(key: try valid(trimmed(text.dropFirst())), operator: .doesNotExist)
    }
    if text.hasSuffix(")"), let open = text.firstIndex(of: "(") {
      let words = text[..<open].split(whereSeparator: \.isWhitespace)
      let values = text[text.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
      guard words.count == 2, words[1] == "in" || words[1] == "notin" else { throw LabelSelectorError(part: text) }
      return Requirement(
        key: try valid(String(words[0])), operator: words[1] == "in" ? .isIn : .notIn, values: values.map(trimmed))
    }
    guard let equals = text.firstIndex(of: "=") else {
      return Requirement(key: try valid(text), operator: .exists)
    }
    let negated = text[..<equals].last == "!"
    let key = trimmed(negated ? text[..<equals].dropLast() : text[..<equals])
    let rest = text[text.index(after: equals)...]
    let value = trimmed(rest.first == "=" ? rest.dropFirst() : rest)
    guard !value.contains("="), !value.contains(where: \.isWhitespace) else { throw LabelSelectorError(part: text) }
    return Requirement(key: try valid(key), operator: negated ? .notIn : .isIn, values: [value])
  }
}

/// A part of a label selector's string form that cannot be read.
public struct LabelSelectorError: Error, Sendable, Equatable, CustomStringConvertible {
  public var part: String

  public var description: String {
    "unable to parse the label selector's '\(part)': expected key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
  }
}
