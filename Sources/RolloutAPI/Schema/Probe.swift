import KubernetesAPI

/// Decodes a type from neutral values and notes what it asked for.
enum Probe {
  static func shape<Value: Decodable>(of type: Value.Type) throws -> (shape: Shape, value: Value) {
    if let known = known(type) { return known }
    if let choices = type as? any (CaseIterable & RawRepresentable).Type, let known = choice(choices, as: type) {
      return known
    }
    let notes = Notes()
    let value = try Value(from: ProbeDecoder(notes: notes))
    return (notes.shape ?? .object([]), value)
  }

  /// Types that are one thing on the wire whatever they do to read it.
  private static func known<Value>(_ type: Value.Type) -> (shape: Shape, value: Value)? {
    func pair(_ shape: Shape, _ value: Any?) -> (shape: Shape, value: Value)? {
      (value as? Value).map { (shape, $0) }
    }
    return switch type {
    case is JSON.Type: pair(.anything, JSON.null)
    case is ObjectMeta.Type: pair(.anything, ObjectMeta())
    case is Timestamp.Type: pair(.time, Timestamp("2000-01-01T00:00:00Z"))
    case is MicroTime.Type: pair(.time, MicroTime(microsecondsSince1970: 0))
    case is IntOrString.Type: pair(.integerOrText, IntOrString.int(0))
    case is Condition.Truth.Type: pair(.choice(["True", "False", "Unknown"]), Condition.Truth.unknown)
    case is String.Type: pair(.text, "")
    case is Int.Type: pair(.integer, 0)
    case is Bool.Type: pair(.boolean, false)
    default: nil
    }
  }

  private static func choice<Choice: CaseIterable & RawRepresentable, Value>(
    _ choices: Choice.Type, as type: Value.Type
  ) -> (shape: Shape, value: Value)? {
    let names = choices.allCases.compactMap { $0.rawValue as? String }
    guard names.count == choices.allCases.count, let value = choices.allCases.first as? Value else { return nil }
    return (.choice(names), value)
  }

  /// What one value asked for; shared by the containers of that value only.
  final class Notes {
    var shape: Shape?

    func add(_ name: String, _ shape: Shape, isRequired: Bool) {
      var members: [Shape.Member] = []
      if case .object(let before) = self.shape { members = before }
      members.append(Shape.Member(name: name, shape: shape, isRequired: isRequired))
      self.shape = .object(members)
    }
  }

  struct Unsupported: Error, CustomStringConvertible {
    var what: String
    var description: String { "the shape of \(what) cannot be found by decoding" }
  }
}

private struct ProbeDecoder: Decoder {
  let notes: Probe.Notes
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    if notes.shape == nil { notes.shape = .object([]) }
    return KeyedDecodingContainer(KeyedProbe<Key>(notes: notes))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer { ListProbe(notes: notes) }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    throw Probe.Unsupported(what: "a single value")
  }
}

private struct KeyedProbe<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let notes: Probe.Notes
  var codingPath: [any CodingKey] { [] }
  /// One of any name, for maps.
  var allKeys: [Key] { [] }

  func contains(_ key: Key) -> Bool { true }
  func decodeNil(forKey key: Key) throws -> Bool { false }

  private func note<Value: Decodable>(_ type: Value.Type, _ key: Key, isRequired: Bool) throws -> Value {
    let (shape, value) = try Probe.shape(of: type)
    notes.add(key.stringValue, shape, isRequired: isRequired)
    return value
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try note(type, key, isRequired: true)
  }
  func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
    try note(type, key, isRequired: false)
  }
  func decode(_ type: String.Type, forKey key: Key) throws -> String { try note(type, key, isRequired: true) }
  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
    try note(type, key, isRequired: false)
  }
  func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try note(type, key, isRequired: true) }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try note(type, key, isRequired: false) }
  func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try note(type, key, isRequired: true) }
  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try note(type, key, isRequired: false) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    throw Probe.Unsupported(what: key.stringValue)
  }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    throw Probe.Unsupported(what: key.stringValue)
  }
  func superDecoder() throws -> any Decoder { throw Probe.Unsupported(what: "a superclass") }
  func superDecoder(forKey key: Key) throws -> any Decoder { throw Probe.Unsupported(what: key.stringValue) }
}

/// A list of one element.
private struct ListProbe: UnkeyedDecodingContainer {
  let notes: Probe.Notes
  var codingPath: [any CodingKey] { [] }
  var count: Int? { 1 }
  var isAtEnd = false
  var currentIndex: Int { isAtEnd ? 1 : 0 }

  init(notes: Probe.Notes) { self.notes = notes }

  mutating func decodeNil() throws -> Bool { false }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let (shape, value) = try Probe.shape(of: type)
    notes.shape = .list(shape)
    isAtEnd = true
    return value
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    throw Probe.Unsupported(what: "a list's element")
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    throw Probe.Unsupported(what: "a list's element")
  }
  mutating func superDecoder() throws -> any Decoder { throw Probe.Unsupported(what: "a superclass") }
}
