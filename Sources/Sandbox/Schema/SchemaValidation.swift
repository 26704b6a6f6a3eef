import Foundation
import KubernetesAPI

/// Whether a value fits its schema, as the API server reports it for custom resources.
struct SchemaValidator {
  /// Patterns compiled so far.
  private var patterns: [String: Pattern?] = [:]

  /// The faults of a value. What is equal to the old value is not looked at, so that an object that was valid under an
  /// earlier schema can still be changed elsewhere (validation ratcheting).
  static func causes(_ value: JSON, _ schema: Schema, old: JSON? = nil, at path: String = "") -> [Status.Cause] {
    var validator = SchemaValidator()
    var causes: [Status.Cause] = []
    validator.check(value, schema, old: old, at: path, &causes)
    validator.checkListTypes(value, schema, old: old, at: path, &causes)
    return causes
  }

  static func child(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// The old counterpart of an element: in list maps the one with the same keys; other lists have none.
  static func counterpart(of element: JSON, in old: JSON?, _ schema: Schema) -> JSON? {
    guard schema.listType == .map, !schema.listMapKeys.isEmpty else { return nil }
    func key(_ element: JSON) -> [JSON?] {
      schema.listMapKeys.map { element[$0] ?? schema.items?.properties[$0]?.defaultValue }
    }
    let wanted = key(element)
    return old?.array?.first { key($0) == wanted }
  }

  private mutating func check(
    _ value: JSON, _ schema: Schema, old: JSON?, at path: String, _ causes: inout [Status.Cause]
  ) {
    if let old, old == value { return }
    if value == .null, schema.nullable { return }
    checkType(value, schema, path, &causes)
    switch value {
    case .string(let text): checkString(text, schema, path, &causes)
    case .int(let number): checkNumber(Double(number), value, schema, path, &causes)
    case .double(let number): checkNumber(number, value, schema, path, &causes)
    case .array(let elements):
      if let most = schema.maxItems, elements.count > most { causes.append(.tooMany(path, elements.count, most: most)) }
      if let least = schema.minItems, elements.count < least {
        causes.append(.invalid(path, JSON(elements.count), "\(path) in body should have at least \(least) items"))
      }
      if schema.uniqueItems, Set(elements).count < elements.count {
        causes.append(.invalid(path, value, "\(path) in body shouldn't contain duplicates"))
      }
      guard let items = schema.items else { break }
      for (index, element) in elements.enumerated() {
        check(
          element, items, old: Self.counterpart(of: element, in: old, schema), at: "\(path)[\(index)]", &causes)
      }
    case .object(let members): checkObject(members, value, schema, old, path, &causes)
    case .null, .bool: break
    }
    if !schema.enumeration.isEmpty, !schema.enumeration.contains(where: { Self.areEqual($0, value) }) {
      causes.append(.notSupported(path, value, among: schema.enumeration))
    }
    checkCombinations(value, schema, path, &causes)
  }

  /// `1` and `1.0` are the same value of an enumeration.
  private static func areEqual(_ left: JSON, _ right: JSON) -> Bool {
    left == right || (left.double != nil && left.double == right.double)
  }

  private func checkType(_ value: JSON, _ schema: Schema, _ path: String, _ causes: inout [Status.Cause]) {
    func refuse(_ wanted: String) {
      let found = value.typeName == "integer" && wanted != "integer" ? "integer" : value.typeName
      causes.append(.wrongType(path, .string(found), "\(path) in body must be of type \(wanted): \"\(found)\""))
    }
    if schema.intOrString {
      if value.string == nil, !Self.isWhole(value) { refuse("integer,string") }
      return
    }
    guard let type = schema.type else { return }
    let fits =
      switch type {
      case .object: value.object != nil
      case .array: value.array != nil
      case .string: value.string != nil
      case .boolean: value.bool != nil
      case .number: value.double != nil
      case .integer: Self.isWhole(value)
      }
    guard !fits else { return }
    if type == .integer, value.double != nil {
      causes.append(
        .invalid(Status.Cause.noField, "", "Checked value must be of type integer (default format) in \(path)"))
    }
    refuse(type.rawValue)
  }

  /// `3.0` is a whole number to a schema.
  private static func isWhole(_ value: JSON) -> Bool {
    switch value {
    case .int: true
    case .double(let number): number.rounded() == number
    default: false
    }
  }

  private mutating func checkString(
    _ text: String, _ schema: Schema, _ path: String, _ causes: inout [Status.Cause]
  ) {
    let length = text.unicodeScalars.count
    if let most = schema.maxLength, length > most { causes.append(.tooLong(path, most: most)) }
    if let least = schema.minLength, length < least {
      causes.append(.invalid(path, .string(text), "\(path) in body should be at least \(least) chars long"))
    }
    if let source = schema.pattern {
      let pattern = patterns[source] ?? (try? Pattern(source))
      patterns[source] = pattern
      if pattern?.matches(text) != true {
        causes.append(.invalid(path, .string(text), "\(path) in body should match '\(source)'"))
      }
    }
    if let format = schema.format, !StringFormat.accepts(text, format) {
      causes.append(.wrongType(path, .string(text), "\(path) in body must be of type \(format): \"\(text)\""))
    }
  }

  private func checkNumber(
    _ number: Double, _ value: JSON, _ schema: Schema, _ path: String, _ causes: inout [Status.Cause]
  ) {
    if let least = schema.minimum, schema.exclusiveMinimum ? number <= least : number < least {
      let relation = schema.exclusiveMinimum ? "greater than" : "greater than or equal to"
      causes.append(.invalid(path, value, "\(path) in body should be \(relation) \(Self.text(least))"))
    }
    if let most = schema.maximum, schema.exclusiveMaximum ? number >= most : number > most {
      let relation = schema.exclusiveMaximum ? "less than" : "less than or equal to"
      causes.append(.invalid(path, value, "\(path) in body should be \(relation) \(Self.text(most))"))
    }
    if let factor = schema.multipleOf, factor > 0, (number / factor).rounded() != number / factor {
      causes.append(.invalid(path, value, "\(path) in body should be a multiple of \(Self.text(factor))"))
    }
    let range: ClosedRange<Double>? =
      switch schema.format {
      case "int32": Double(Int32.min)...Double(Int32.max)
      case "uint32": 0...Double(UInt32.max)
      case "uint64": 0...Double(UInt64.max)
      default: nil
      }
    if let range, !range.contains(number) {
      causes.append(
        .invalid(
          Status.Cause.noField, "",
          "Checked value must be of type integer with format \(schema.format ?? "") in \(path)"))
    }
  }

  private static func text(_ number: Double) -> String { Int64(exactly: number).map { "\($0)" } ?? "\(number)" }

  private mutating func checkObject(
    _ members: [String: JSON], _ value: JSON, _ schema: Schema, _ old: JSON?, _ path: String,
    _ causes: inout [Status.Cause]
  ) {
    if let most = schema.maxProperties, members.count > most {
      causes.append(.tooMany(path, members.count, most: most))
    }
    if let least = schema.minProperties, members.count < least {
      causes.append(.invalid(path, value, "\(path) in body should have at least \(least) properties"))
    }
    for name in schema.required where members[name] == nil { causes.append(.required(Self.child(path, name))) }
    if schema.embeddedResource {
      for name in ["apiVersion", "kind"] where (members[name]?.string ?? "").isEmpty {
        causes.append(.required(Self.child(path, name), "must not be empty"))
      }
    }
    for (name, member) in members.sorted(by: { $0.key < $1.key }) {
      guard let part = schema.member(name) else { continue }
      check(member, part, old: old?[name], at: Self.child(path, name), &causes)
    }
  }

  private mutating func checkCombinations(
    _ value: JSON, _ schema: Schema, _ path: String, _ causes: inout [Status.Cause]
  ) {
    func faults(_ part: Schema, _ validator: inout SchemaValidator) -> [Status.Cause] {
      var found: [Status.Cause] = []
      validator.check(value, part, old: nil, at: path, &found)
      return found
    }
    func refuse(_ detail: String) {
      causes.append(.invalid(Status.Cause.noField, "", "\"\(path)\" \(detail)"))
    }
    for part in schema.allOf { causes.append(contentsOf: faults(part, &self)) }
    if !schema.anyOf.isEmpty {
      let results = schema.anyOf.map { faults($0, &self) }
      if results.allSatisfy({ !$0.isEmpty }) {
        refuse("must validate at least one schema (anyOf)")
        causes.append(contentsOf: results.min { $0.count < $1.count } ?? [])
      }
    }
    if !schema.oneOf.isEmpty {
      let results = schema.oneOf.map { faults($0, &self) }
      let valid = results.count { $0.isEmpty }
      if valid == 0 {
        refuse("must validate one and only one schema (oneOf). Found none valid")
        causes.append(contentsOf: results.min { $0.count < $1.count } ?? [])
      } else if valid > 1 {
        refuse("must validate one and only one schema (oneOf). Found \(valid) valid alternatives")
      }
    }
    if let not = schema.not, faults(not, &self).isEmpty { refuse("must not validate the schema (not)") }
  }

  /// Sets hold nothing twice, list maps no key twice.
  private func checkListTypes(
    _ value: JSON, _ schema: Schema, old: JSON?, at path: String, _ causes: inout [Status.Cause]
  ) {
    if let old, old == value { return }
    switch value {
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        guard let part = schema.member(name) else { continue }
        checkListTypes(member, part, old: old?[name], at: Self.child(path, name), &causes)
      }
    case .array(let elements):
      var seen: Set<JSON> = []
      for (index, element) in elements.enumerated() {
        let place = "\(path)[\(index)]"
        switch schema.listType {
        case .set:
          if !seen.insert(element).inserted { causes.append(.duplicate(place, element)) }
        case .map:
          let pairs = schema.listMapKeys.compactMap { key in element[key].map { (key, $0) } }
          let key = JSON.object(Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
          if !seen.insert(key).inserted { causes.append(.duplicate(place, key)) }
        case .atomic, nil: break
        }
        guard let items = schema.items else { continue }
        checkListTypes(
          element, items, old: Self.counterpart(of: element, in: old, schema), at: place, &causes)
      }
    default: break
    }
  }
}

/// The formats of strings that the API server knows; a format that it does not know accepts everything.
enum StringFormat {
  static func accepts(_ text: String, _ format: String) -> Bool {
    switch format {
    case "date-time", "datetime": CELTime.timestamp(text) != nil
    case "date": CELTime.timestamp(text, dateOnly: true) != nil
    case "duration": CELTime.duration(text) != nil
    case "byte": Base64.decode(text) != nil
    case "ipv4": CELFunctions.isIPv4(text)
    case "ipv6": CELFunctions.isIPv6(text)
    case "cidr": isCIDR(text)
    case "uri": CELURL(text) != nil
    case "uuid": UUID(uuidString: text) != nil || (text.utf8.count == 32 && text.allSatisfy(\.isHexDigit))
    case "hostname": matches(text, hostname) && text.utf8.count <= 255
    case "email": matches(text, email)
    case "mac": matches(text, mac)
    default: true
    }
  }

  private static let hostname = try? Pattern(
    #"^([a-zA-Z0-9\p{S}\p{L}]([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.[a-zA-Z0-9\p{S}\p{L}]([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)*$"#
  )
  private static let email = try? Pattern(#"^[^@\s]+@[^@\s]+$"#)
  private static let mac = try? Pattern("^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$")

  private static func matches(_ text: String, _ pattern: Pattern?) -> Bool { pattern?.matches(text) ?? false }

  private static func isCIDR(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let length = Int(parts[1]), length >= 0 else { return false }
    return (CELFunctions.isIPv4(parts[0]) && length <= 32) || (CELFunctions.isIPv6(parts[0]) && length <= 128)
  }
}
