import KubernetesAPI

/// The syntax of names, labels and ports.
/// Source: RFC 1035, RFC 1123 and "Object Names and IDs" of the Kubernetes documentation.
enum Names {
  private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
  }
  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }

  private static func hasSyntax(_ text: String, ends: (UInt8) -> Bool, inner: (UInt8) -> Bool) -> Bool {
    let bytes = Array(text.utf8)
    guard let first = bytes.first, let last = bytes.last else { return false }
    return ends(first) && ends(last) && bytes.allSatisfy { ends($0) || inner($0) }
  }

  /// What is wrong with an RFC 1123 label, or `nil`.
  static func labelFault(_ text: String) -> String? {
    if text.utf8.count > 63 { return "must be no more than 63 bytes" }
    guard !hasSyntax(text, ends: isLowerOrDigit, inner: { $0 == UInt8(ascii: "-") }) else { return nil }
    return
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
      + "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
      + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
  }

  /// What is wrong with an RFC 1035 label, or `nil`.
  static func startsWithLetterFault(_ text: String) -> String? {
    let startsWell = text.utf8.first.map { !isDigit($0) } ?? false
    if labelFault(text) == nil, startsWell { return nil }
    return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
      + "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
      + "'[a-z]([-a-z0-9]*[a-z0-9])?')"
  }

  /// What is wrong with an RFC 1123 subdomain, or `nil`.
  static func subdomainFault(_ text: String) -> String? {
    if text.utf8.count > 253 { return "must be no more than 253 bytes" }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let isGood = parts.allSatisfy { hasSyntax(String($0), ends: isLowerOrDigit, inner: { $0 == UInt8(ascii: "-") }) }
    guard !isGood else { return nil }
    return
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
      + "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
      + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
  }

  /// What is wrong with a name that may be part of a path and no more, as those of roles, or `nil`.
  static func pathSegmentFault(_ text: String) -> String? {
    if text == "." || text == ".." { return "may not be '\(text)'" }
    if let character = text.first(where: { $0 == "/" || $0 == "%" }) { return "may not contain '\(character)'" }
    return nil
  }

  private static let nameSyntax =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    + "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

  private static func isQualifiedPart(_ text: String) -> Bool {
    hasSyntax(
      text, ends: isAlphanumeric,
      inner: { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") })
  }

  /// What is wrong with a qualified name such as the key of a label: `name` or `prefix/name`.
  static func qualifiedNameFaults(_ text: String) -> [String] {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2 else {
      return [
        "a valid label key \(nameSyntax) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
      ]
    }
    var faults: [String] = []
    if parts.count == 2 {
      if parts[0].isEmpty {
        faults.append("prefix part must be non-empty")
      } else if let fault = subdomainFault(parts[0]) {
        faults.append("prefix part \(fault)")
      }
    }
    let name = parts.last ?? ""
    if name.isEmpty { faults.append("name part must be non-empty") }
    if name.utf8.count > 63 { faults.append("name part must be no more than 63 bytes") }
    if !isQualifiedPart(name) { faults.append("name part \(nameSyntax)") }
    return faults
  }

  /// What is wrong with the value of a label, or `nil`.
  static func labelValueFault(_ text: String) -> String? {
    if text.utf8.count > 63 { return "must be no more than 63 bytes" }
    if text.isEmpty || isQualifiedPart(text) { return nil }
    return "a valid label must be an empty string or \(nameSyntax.dropFirst("must ".count))"
  }

  /// What is wrong with the name of a port, or `nil`.
  static func portNameFault(_ text: String) -> String? {
    let isGood =
      text.utf8.count <= 15 && hasSyntax(text, ends: isLowerOrDigit, inner: { $0 == UInt8(ascii: "-") })
      && !text.contains("--") && text.utf8.contains { !isDigit($0) && $0 != UInt8(ascii: "-") }
    if isGood { return nil }
    return
      "must have at most 15 lower case alphanumeric characters or '-', at least one letter, and no '-' at either end "
      + "or twice in a row"
  }

  static let portRange = "must be between 1 and 65535, inclusive"
  static func isPort(_ number: Int) -> Bool { (1...65_535).contains(number) }

  /// Keys of ConfigMaps and Secrets.
  static func configKeyFault(_ text: String) -> String? {
    let isGood =
      !text.isEmpty && text.utf8.count <= 253 && text != "." && !text.hasPrefix("..")
      && text.utf8.allSatisfy {
        isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
      }
    return isGood ? nil : "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  }
}
