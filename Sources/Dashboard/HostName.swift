/// The name in a Host header.
struct HostName {
  /// Without the port and the brackets of an IPv6 address, in lower case.
  let name: String

  init(_ authority: String) {
    if authority.first == "[" {
      name = String(authority.dropFirst().prefix { $0 != "]" }).lowercased()
    } else {
      name = String(authority.prefix { $0 != ":" }).lowercased()
    }
  }

  /// No name server is asked for an address, so nobody can have it point elsewhere.
  static func isAddress(_ name: String) -> Bool {
    if name.contains(":") { return name.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." } }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }
}
