extension CELFunctions {
  static let formatType = "kubernetes.NamedFormat"

  /// `format.dns1123Label().validate(text)`: an optional list of what is wrong, empty where nothing is.
  static func format(_ name: String, _ target: CELValue?, _ arguments: [CELValue]) -> CELValue? {
    if target == nil, name == "format.named", case .string(let wanted)? = arguments.first {
      guard namespaced.contains("format.\(wanted)"), wanted != "named" else { return .optional(nil) }
      return .optional(.message(formatType, ["name": .string(wanted)]))
    }
    if target == nil, arguments.isEmpty, name.hasPrefix("format."), namespaced.contains(name) {
      return .message(formatType, ["name": .string(String(name.dropFirst("format.".count)))])
    }
    guard name == "validate", case .message(formatType, let members)? = target,
      case .string(let format)? = members["name"], case .string(let text)? = arguments.first
    else { return nil }
    return .optional(fits(text, format) ? nil : .list([.string("\"\(text)\" is no valid \(format)")]))
  }

  private static func fits(_ text: String, _ format: String) -> Bool {
    switch format {
    case "dns1123Label": ObjectNames.isSubdomain(text) && !text.contains(".") && text.utf8.count <= 63
    case "dns1123Subdomain": ObjectNames.isSubdomain(text)
    case "dns1035Label": ObjectNames.isLabel(text)
    case "labelValue": text.isEmpty || ObjectNames.isQualifiedPart(text)
    case "qualifiedName":
      switch text.split(separator: "/", omittingEmptySubsequences: false).map(String.init) {
      case let parts where parts.count == 1: ObjectNames.isQualifiedPart(parts[0])
      case let parts where parts.count == 2: ObjectNames.isSubdomain(parts[0]) && ObjectNames.isQualifiedPart(parts[1])
      default: false
      }
    case "datetime": StringFormat.accepts(text, "date-time")
    default: StringFormat.accepts(text, format)
    }
  }
}
