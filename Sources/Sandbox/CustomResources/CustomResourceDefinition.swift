import KubernetesAPI

/// A CustomResourceDefinition as the server works with it. Reading one compiles its validation rules, which takes
/// milliseconds for large definitions: keep the result until the definition changes.
struct CustomResourceDefinition: Sendable {
  struct Names: Sendable, Hashable {
    var plural: String
    var singular: String
    var kind: String
    var listKind: String
    var shortNames: [String]
    var categories: [String]

    init(_ json: JSON?) {
      plural = json?["plural"]?.string ?? ""
      kind = json?["kind"]?.string ?? ""
      singular = json?["singular"]?.string ?? kind.lowercased()
      listKind = json?["listKind"]?.string ?? "\(kind)List"
      shortNames = json?["shortNames"]?.array?.compactMap(\.string) ?? []
      categories = json?["categories"]?.array?.compactMap(\.string) ?? []
    }
  }

  let group: String
  let names: Names
  let isNamespaced: Bool
  let versions: [CustomResource]
  /// Its names are accepted, so it is served.
  let isEstablished: Bool
  let isBeingDeleted: Bool

  /// The version in which objects are stored.
  var storage: CustomResource? { versions.first(where: \.isStorage) }

  /// - Throws: ``SchemaError`` for a schema that cannot be read; `path` begins with `versions[0]`.
  init(_ crd: JSON) throws(SchemaError) {
    let spec = crd["spec"]
    group = spec?["group"]?.string ?? ""
    names = Names(spec?["names"])
    isNamespaced = spec?["scope"]?.string == "Namespaced"
    isBeingDeleted = crd.isBeingDeleted
    isEstablished =
      crd[path: ["status", "conditions"]]?.array?.contains {
        $0["type"]?.string == "Established" && $0["status"]?.string == "True"
      } ?? false
    var versions: [CustomResource] = []
    for (index, version) in (spec?["versions"]?.array ?? []).enumerated() {
      do throws(SchemaError) {
        versions.append(try CustomResource(version, group: group, names: names, isNamespaced: isNamespaced))
      } catch {
        throw SchemaError(path: "versions[\(index)].schema.openAPIV3Schema.\(error.path)", message: error.message)
      }
    }
    self.versions = versions
  }
}

/// One version of a custom resource: what its objects are, and what is done with them on the way into the store.
struct CustomResource: Sendable {
  /// Where objects keep what the subresource `scale` shows; paths of members.
  struct Scale: Sendable, Hashable {
    var replicas: [String]
    var statusReplicas: [String]
    var selector: [String]?
  }

  let type: ResourceType
  let names: CustomResourceDefinition.Names
  let schema: Schema
  let rules: RuleTree
  let isServed: Bool
  let isStorage: Bool
  let hasStatus: Bool
  let scale: Scale?
  /// `additionalPrinterColumns`, as they are in the definition.
  let columns: [JSON]
  /// JSON paths that field selectors may use, without the first dot.
  let selectableFields: [String]
  /// What every request is warned of, where the version is deprecated.
  let deprecationWarning: String?

  init(
    _ version: JSON, group: String, names: CustomResourceDefinition.Names, isNamespaced: Bool
  ) throws(SchemaError) {
    let name = version["name"]?.string ?? ""
    type = ResourceType(
      group: group, version: name, kind: names.kind, plural: names.plural, namespaced: isNamespaced)
    self.names = names
    schema = try Schema(openAPI: version[path: ["schema", "openAPIV3Schema"]] ?? .emptyObject)
    rules = RuleTree(schema)
    isServed = version["served"]?.bool ?? false
    isStorage = version["storage"]?.bool ?? false
    hasStatus = version[path: ["subresources", "status"]]?.object != nil
    scale = version[path: ["subresources", "scale"]].map { scale in
      Scale(
        replicas: Self.members(scale["specReplicasPath"]?.string ?? ""),
        statusReplicas: Self.members(scale["statusReplicasPath"]?.string ?? ""),
        selector: scale["labelSelectorPath"]?.string.map(Self.members))
    }
    columns = version["additionalPrinterColumns"]?.array ?? []
    selectableFields = (version["selectableFields"]?.array ?? []).compactMap { field in
      field["jsonPath"]?.string.map { String($0.drop { $0 == "." }) }
    }
    if version["deprecated"]?.bool == true {
      deprecationWarning =
        version["deprecationWarning"]?.string ?? "\(group)/\(name) \(names.kind) is deprecated"
    } else {
      deprecationWarning = nil
    }
  }

  private static func members(_ path: String) -> [String] { path.split(separator: ".").map(String.init) }

  /// The object without fields that the schema does not name, with the defaults of those that are missing.
  /// - Returns: also the paths of the fields that went, sorted, of which the client is told.
  func prepared(_ object: JSON) -> (object: JSON, unknown: [String]) {
    let (pruned, unknown) = schema.pruned(object)
    // An object of another kind is refused later; it gets no defaults.
    guard object.kind == type.kind else { return (pruned, unknown) }
    return (schema.defaulted(Self.withoutNulls(pruned, schema)), unknown)
  }

  /// A `null` for a field that is not nullable is as good as an absent field.
  private static func withoutNulls(_ value: JSON, _ schema: Schema) -> JSON {
    switch value {
    case .object(let members):
      var kept: [String: JSON] = [:]
      for (name, member) in members {
        guard let part = schema.member(name) else {
          kept[name] = member
          continue
        }
        let isTyped = part.type != nil || part.intOrString
        if member == .null, isTyped, !part.nullable { continue }
        kept[name] = withoutNulls(member, part)
      }
      return .object(kept)
    case .array(let elements):
      guard let items = schema.items else { return value }
      return .array(elements.map { withoutNulls($0, items) })
    default: return value
    }
  }

  /// Everything that is wrong with an object: kind, name, schema, list types, and where that leaves something to
  /// judge, the CEL rules.
  /// - Parameter old: the object before an update; what has not changed is not validated again.
  func causes(_ object: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    if object.kind != type.kind { causes.append(.invalid("kind", .string(object.kind), "must be \(type.kind)")) }
    if object.apiVersion != type.apiVersion {
      causes.append(.invalid("apiVersion", .string(object.apiVersion), "must be \(type.apiVersion)"))
    }
    if old == nil, !ObjectNames.isSubdomain(object.name) {
      causes.append(.invalid("metadata.name", .string(object.name), ObjectNames.subdomainRule))
    }
    causes += SchemaValidator.causes(object, schema, old: old)
    let blocking: Set<String> = [
      "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid",
    ]
    if causes.contains(where: { blocking.contains($0.reason ?? "") }) {
      // The rules rely on types and bounds. Without any rule there is nothing left unchecked, but the server says so
      // all the same.
      causes.append(
        .invalid(
          Status.Cause.noField, .null,
          "some validation rules were not checked because the object was invalid; correct the existing errors to "
            + "complete validation"))
    } else {
      causes += rules.causes(object, schema, old: old)
    }
    return causes
  }

  /// - Throws: 422 with all causes.
  func validate(_ object: JSON, old: JSON?) throws(Status) {
    let causes = causes(object, old: old)
    guard !causes.isEmpty else { return }
    // The kind is that of the object, even where it is the fault.
    throw .invalid(kind: object.kind, group: type.group, name: object.name, causes)
  }
}

/// The syntax of names (RFC 1123).
enum ObjectNames {
  static let subdomainRule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    + "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    + #"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
  static let labelRule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    + "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    + "'[a-z]([-a-z0-9]*[a-z0-9])?')"

  static func isSubdomain(_ text: String) -> Bool {
    text.utf8.count <= 253
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy {
        isLabel($0, startsWithLetter: false)
      }
  }

  /// RFC 1035: begins with a letter.
  static func isLabel(_ text: String) -> Bool {
    text.utf8.count <= 63 && isLabel(Substring(text), startsWithLetter: true)
  }

  /// The value of a label, or the part of its key after the slash.
  static func isQualifiedPart(_ text: String) -> Bool {
    func isOuter(_ character: Character) -> Bool { character.isASCII && (character.isLetter || character.isNumber) }
    guard let first = text.first, let last = text.last, text.utf8.count <= 63 else { return false }
    return isOuter(first) && isOuter(last) && text.allSatisfy { isOuter($0) || "-_.".contains($0) }
  }

  private static func isLabel(_ text: Substring, startsWithLetter: Bool) -> Bool {
    func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let first = text.utf8.first, let last = text.utf8.last else { return false }
    return (isLetter(first) || (isDigit(first) && !startsWithLetter)) && (isLetter(last) || isDigit(last))
      && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
  }
}
