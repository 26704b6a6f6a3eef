import KubernetesAPI

/// Reads wire values into plan values and collects everything that is wrong on the way. Where a value is wrong, reading
/// goes on with a harmless one, so that one mistake does not hide the next; the plan is then thrown away.
struct PlanReader {
  var problems: [PlanProblem] = []

  mutating func report(_ field: String, found: String, wanted: String) {
    problems.append(PlanProblem(field: field, found: found, wanted: wanted))
  }

  // MARK: - Scalars

  mutating func duration(
    _ text: String?, or fallback: String, _ field: String, in range: ClosedRange<Duration>
  ) -> Duration {
    guard let read = GoDuration(text ?? fallback) else {
      report(field, found: quoted(text ?? fallback), wanted: "a duration such as 30s, 5m or 1h30m")
      return range.lowerBound
    }
    guard range.contains(read.duration) else {
      report(field, found: "\(read)", wanted: "\(range.lowerBound.text) to \(range.upperBound.text)")
      return range.lowerBound
    }
    return read.duration
  }

  mutating func duration(_ text: String?, _ field: String, in range: ClosedRange<Duration>) -> Duration? {
    guard let text else { return nil }
    return duration(text, or: text, field, in: range)
  }

  /// - Parameter limits: both ends allowed.
  mutating func percent(_ text: String, _ field: String, in limits: ClosedRange<Percent>) -> Percent {
    guard let read = Percent(text) else {
      report(
        field, found: quoted(text),
        wanted: "a percentage such as 1% or 0.5%, from \(limits.lowerBound) to \(limits.upperBound)")
      return limits.lowerBound
    }
    guard limits.contains(read) else {
      report(field, found: "\(read)", wanted: "\(limits.lowerBound) to \(limits.upperBound)")
      return limits.lowerBound
    }
    return read
  }

  mutating func decimal(_ text: String?, _ field: String) -> DecimalString? {
    guard let text else { return nil }
    guard let read = DecimalString(text) else {
      report(field, found: quoted(text), wanted: "a decimal number as text, such as \"0.95\"")
      return nil
    }
    return read
  }

  mutating func integer(_ number: Int, _ field: String, in range: ClosedRange<Int>, _ unit: String = "") -> Int {
    guard range.contains(number) else {
      report(field, found: "\(number)", wanted: "a whole number\(unit) from \(range.lowerBound) to \(range.upperBound)")
      return range.lowerBound
    }
    return number
  }

  mutating func bounds(_ spec: BoundsSpec?, _ field: String) -> SLO.Bounds? {
    guard let spec else { return nil }
    if spec.min == nil, spec.max == nil {
      report(field, found: "neither min nor max", wanted: "at least one of them")
      return nil
    }
    let bounds = SLO.Bounds(min: decimal(spec.min, field + ".min"), max: decimal(spec.max, field + ".max"))
    if let min = bounds.min, let max = bounds.max, min > max {
      report(field, found: "min \(min) above max \(max)", wanted: "min at most max")
    }
    return bounds
  }

  // MARK: - Names

  mutating func name(_ text: String, _ field: String, _ rule: NameRule) {
    if !rule.accepts(text) { report(field, found: quoted(text), wanted: rule.description) }
  }

  /// Reports each value that an earlier entry has too.
  mutating func unique(_ values: [String?], _ field: (Int) -> String, _ what: String) {
    var seen: [String: Int] = [:]
    for (index, value) in values.enumerated() {
      guard let value else { continue }
      if let first = seen[value] {
        report(field(index), found: "\(quoted(value)), as in entry \(first)", wanted: "\(what) that no other entry has")
      } else {
        seen[value] = index
      }
    }
  }

  mutating func count(_ count: Int, _ field: String, _ range: ClosedRange<Int>) {
    if !range.contains(count) {
      let wanted = count < range.lowerBound ? "at least \(range.lowerBound)" : "at most \(range.upperBound)"
      report(field, found: count == 0 ? "none" : "\(count) entries", wanted: wanted)
    }
  }

  /// Exactly one of several members must be there.
  mutating func exactlyOne(_ members: [(name: String, isThere: Bool)], _ field: String) {
    let there = members.filter(\.isThere).map(\.name)
    guard there.count != 1 else { return }
    let names = members.map(\.name)
    let list =
      names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    report(
      field, found: there.isEmpty ? "none of them" : there.joined(separator: " and "), wanted: "exactly one of \(list)")
  }

  /// A found text as people see it: quoted, and cut where it is long.
  func quoted(_ text: String) -> String {
    text.count <= 60 ? "\"\(text)\"" : "\"\(text.prefix(57))…\""
  }
}

/// Rules of Kubernetes, Istio and HTTP for names.
enum NameRule: CustomStringConvertible {
  /// RFC 1123 label.
  case label
  /// RFC 1123 subdomain, as most objects' names.
  case subdomain
  /// RFC 1035 label that leaves room for what Sluice appends to a Service's name.
  case service
  /// A host of the routing object: a DNS name, also with a leading wildcard label.
  case host
  /// `name` or `namespace/name`.
  case gateway
  /// RFC 9110 token.
  case token
  /// The name of a step, an SLO or an argument.
  case word

  func accepts(_ text: String) -> Bool {
    switch self {
    case .label: Self.isLabel(text)
    case .subdomain: Self.isSubdomain(text)
    case .service: Self.isLabel(text) && text.count <= 56 && text.first?.isLetter == true
    case .host: text == "*" || Self.isSubdomain(text.hasPrefix("*.") ? String(text.dropFirst(2)) : text)
    case .gateway: Self.isGateway(text)
    case .token:
      !text.isEmpty && text.utf8.count <= 256
        && text.unicodeScalars.allSatisfy { Self.isAlphanumeric($0) || "!#$%&'*+-.^_`|~".unicodeScalars.contains($0) }
    case .word: Self.isLabel(text)
    }
  }

  var description: String {
    switch self {
    case .label, .word:
      "1 to 63 lower-case letters, digits and hyphens, the first and last no hyphen"
    case .subdomain: "a DNS name in lower case, at most 253 characters"
    case .service:
      "the name of a Service, at most 56 characters so that -stable and -canary fit behind it, beginning with a letter"
    case .host: "a host name in lower case, or one with a leading *."
    case .gateway: "a Gateway as name or namespace/name"
    case .token: "letters, digits and !#$%&'*+-.^_`|~, at most 256"
    }
  }

  private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
  }

  static func isLabel(_ text: some StringProtocol) -> Bool {
    (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
      && text.unicodeScalars.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
  }

  static func isSubdomain(_ text: some StringProtocol) -> Bool {
    text.utf8.count <= 253 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel($0) }
  }

  private static func isGateway(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return switch parts.count {
    case 1: isSubdomain(parts[0])
    case 2: isLabel(parts[0]) && isSubdomain(parts[1])
    default: false
    }
  }
}
